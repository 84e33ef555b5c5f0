"""The protocol of sd_notify(3), against a socket that plays the manager."""

from __future__ import annotations

import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.system import sdnotify
from netalias.system.sdnotify import Service, stored


class Manager:
    """A socket that hears."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1) if address[0] == "@" else address)
        self.socket.settimeout(5)

    def received(self) -> list[str]:
        """The lines of the next datagram."""
        return self.socket.recv(65536).decode("utf-8", "surrogateescape").split("\n")

    def environ(self, **more: str) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.address, **more}


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """One with a path, and one with a name that is in no file system."""
    names = {"path": str(tmp_path / "notify"), "abstract": f"@netalias-test-{os.getpid()}"}
    found = Manager(names[request.param])
    yield found
    found.socket.close()


def test_a_life(manager: Manager) -> None:
    """All messages from the start to the end."""
    me = Service(manager.environ())
    me.ready("3 aliases")
    assert manager.received() == ["READY=1", "STATUS=3 aliases"]
    me.status("4 aliases")
    assert manager.received() == ["STATUS=4 aliases"]
    before = time.monotonic_ns() // 1000
    me.reloading()
    word, stamp = manager.received()
    assert word == "RELOADING=1"
    name, _, value = stamp.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(value) <= time.monotonic_ns() // 1000
    me.ready()
    assert manager.received() == ["READY=1"]
    me.alive()
    assert manager.received() == ["WATCHDOG=1"]
    me.stopping()
    assert manager.received() == ["STOPPING=1"]


def test_children_get_none_of_the_variables(manager: Manager) -> None:
    """A script that speaks the protocol would speak for us."""
    environ = manager.environ(WATCHDOG_USEC="1000000", WATCHDOG_PID=str(os.getpid()), OTHER="x")
    assert Service(environ).watchdog == 0.5
    assert environ == {"OTHER": "x"}


def test_the_environment_of_the_process_is_the_default(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no other one is given."""
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    Service().ready()
    assert manager.received() == ["READY=1"]
    assert "NOTIFY_SOCKET" not in os.environ


@pytest.mark.parametrize(
    "address",
    [
        "", "/", "@", "relative", "vsock:2:1234", "/nowhere/at/all", "/x" * 200, "@" + "x" * 200,
        "/caf\udce9", "/nul\0byte",
    ],
)  # fmt: skip
def test_where_nobody_hears_nothing_happens(address: str) -> None:
    """No socket, no such socket, no name for a socket."""
    me = Service({"NOTIFY_SOCKET": address})
    me.ready("up")
    me.alive()
    me.stopping()


def test_a_manager_that_does_not_read_is_not_waited_for_long(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its queue is full: a message that does not fit is lost, and the service goes on."""
    monkeypatch.setattr(sdnotify, "SECONDS", 0.01)
    me = Service(manager.environ())
    for _ in range(2000):
        me.alive()
        if len(open_queue(manager)) > 0:
            break
    assert manager.received() == ["WATCHDOG=1"]


def open_queue(manager: Manager) -> str:
    """Not empty once nothing more goes in."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        other.connect(manager.socket.getsockname())
        try:
            other.send(b"x")
        except BlockingIOError:
            return "full"
    return ""


def test_a_manager_that_does_not_read_is_waited_for_once(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watcher tells it of each repair; the next one is not late for that."""
    waited: list[float | None] = []

    class Noted(sdnotify.socket):  # type: ignore[misc, name-defined]
        def settimeout(self, seconds: float | None) -> None:
            waited.append(seconds)
            super().settimeout(seconds)

    monkeypatch.setattr(sdnotify, "socket", Noted)
    monkeypatch.setattr(sdnotify, "SECONDS", 0.01)
    me = Service(manager.environ())
    taken = 0
    while me._send(f"STATUS={taken}"):
        taken += 1
    assert waited == [0.01] * (taken + 1)
    me.status("late")
    assert waited.pop() == 0.0
    for _ in range(taken):
        manager.received()
    me.status("heard")
    assert waited.pop() == 0.0
    assert manager.received() == ["STATUS=heard"]
    me.status("as before")
    assert waited.pop() == 0.01


def test_a_manager_that_comes_back_is_heard(tmp_path: Path) -> None:
    """Under the same name, as after systemctl daemon-reexec."""
    first = Manager(str(tmp_path / "notify"))
    me = Service(first.environ())
    me.ready()
    first.socket.close()
    me.alive()
    (tmp_path / "notify").unlink()
    second = Manager(str(tmp_path / "notify"))
    me.alive()
    assert second.received() == ["WATCHDOG=1"]
    second.socket.close()


@pytest.mark.parametrize(
    ("microseconds", "pid", "seconds"),
    [
        ("30000000", "", 15.0),
        ("30000000", "me", 15.0),
        ("30000000", "1", None),
        ("30000000", "me too", None),
        ("0", "", None),
        ("", "", None),
        ("-1", "", None),
        ("1e6", "", None),
        ("٣", "", None),
    ],
)
def test_the_watchdog(microseconds: str, pid: str, seconds: float | None) -> None:
    """Half of what the manager waits, where it waits for this very process."""
    environ = {
        "WATCHDOG_USEC": microseconds,
        "WATCHDOG_PID": str(os.getpid()) if pid == "me" else pid,
    }
    assert Service(environ).watchdog == seconds


@given(st.text())
def test_a_status_is_one_line_that_fits(text: str) -> None:
    """A newline would be a word of its own to the manager, and a long message is dropped."""
    lines = sdnotify._status(text)
    assert len(lines) <= 1
    for line in lines:
        assert "\n" not in line
        assert len(line.encode("utf-8", "surrogatepass")) <= sdnotify.STATUS_MAX + len("STATUS=")


def test_a_long_status_is_seen_to_be_cut(manager: Manager) -> None:
    """A cut is marked, and no character is cut in two."""
    Service(manager.environ()).status("ü" * 3000)
    (line,) = manager.received()
    assert line.endswith("ü...")


def test_a_name_that_is_not_utf_8(manager: Manager) -> None:
    """Its bytes go through."""
    Service(manager.environ()).status("caf\udce9")
    assert manager.received() == ["STATUS=caf\udce9"]


def test_no_descriptor_stays_open(manager: Manager) -> None:
    """Neither after success nor after failure."""
    before = set(os.listdir("/proc/self/fd"))
    Service(manager.environ()).ready()
    Service({"NOTIFY_SOCKET": "/nowhere/at/all"}).ready()
    assert set(os.listdir("/proc/self/fd")) == before


def test_without_a_descriptor_left_nothing_is_said(manager: Manager) -> None:
    """A lost message does not end the service; later messages arrive."""
    me = Service(manager.environ())
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        me.alive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    me.ready()
    assert manager.received() == ["READY=1"]


def test_a_barrier_waits_for_the_manager(manager: Manager) -> None:
    """It has ended once the manager has read the messages before it, and closed what came along."""
    me = Service(manager.environ())
    me.status("before")
    done: list[bool] = []
    waiting = threading.Thread(target=lambda: done.append(me.barrier(30)))
    waiting.start()
    try:
        assert manager.received() == ["STATUS=before"]
        data, rights, _, _ = manager.socket.recvmsg(4096, socket.CMSG_SPACE(4))
        assert data == b"BARRIER=1"
        ((level, kind, descriptor),) = rights
        assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        assert not done
        os.close(int.from_bytes(descriptor, sys.byteorder))
    finally:
        waiting.join(30)
    assert done == [True]


def test_a_barrier_that_nobody_reads_ends(manager: Manager) -> None:
    """After its time; and at once without a manager, or where that has gone. Nothing stays open."""
    before = os.listdir("/proc/self/fd")
    assert not Service(manager.environ()).barrier(0.01)
    assert not Service({}).barrier()
    assert not Service({"NOTIFY_SOCKET": "/nowhere/at/all"}).barrier()
    assert os.listdir("/proc/self/fd") == before


def test_a_manager_that_knows_no_barrier(manager: Manager) -> None:
    """One before systemd 246 closes descriptors that it has no use for, as the kernel does for
    whoever does not ask for them."""
    me = Service(manager.environ())
    done: list[bool] = []
    waiting = threading.Thread(target=lambda: done.append(me.barrier(30)))
    waiting.start()
    assert manager.received() == ["BARRIER=1"]
    waiting.join(30)
    assert done == [True]


def test_descriptors_that_are_kept(manager: Manager, tmp_path: Path) -> None:
    """The manager gets a copy under a name, is not to look at it, and is told to forget it."""
    me = Service(manager.environ())
    file = tmp_path / "file"
    with file.open("w") as found:
        me.store("vif0 device", found.fileno())
    data, rights, _, _ = manager.socket.recvmsg(4096, socket.CMSG_SPACE(4))
    assert data == b"FDSTORE=1\nFDNAME=vif0 device\nFDPOLL=0"
    descriptor = int.from_bytes(rights[0][2], sys.byteorder)
    assert os.readlink(f"/proc/self/fd/{descriptor}") == str(file)
    os.close(descriptor)
    me.forget("vif0 device")
    assert manager.received() == ["FDSTOREREMOVE=1", "FDNAME=vif0 device"]


HIGH = 500
"""A number behind all descriptors of a test."""


def passed(monkeypatch: pytest.MonkeyPatch, names: str, **more: str) -> dict[str, int]:
    """The places of what is found where two descriptors are passed; all are closed."""
    monkeypatch.setattr(sdnotify, "FIRST", HIGH)
    for place in range(2):
        os.dup2(0, HIGH + place)
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": names}
    found = stored({**environ, **more})
    assert not any(os.get_inheritable(one) for one in found.values())
    os.closerange(HIGH, HIGH + 2)
    return {name: one - HIGH for name, one in found.items()}


def test_descriptors_that_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their names, close-on-exec; those of another process are not touched, and variables that
    are not true do no harm."""
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0", "OTHER": "x"}
    assert stored(environ) == {}
    assert environ == {"OTHER": "x"}
    assert passed(monkeypatch, "a b:c") == {"a b": 0, "c": 1}
    assert passed(monkeypatch, "a:a") == {"a": 1}
    assert passed(monkeypatch, "a") == {"a": 0, "": 1}
    assert passed(monkeypatch, "a:b:c") == {"a": 0, "b": 1}
    assert passed(monkeypatch, "a:b", LISTEN_PID="1") == {}
    assert passed(monkeypatch, "a:b", LISTEN_FDS="-1") == {}
    assert passed(monkeypatch, "a:b", LISTEN_FDS="x") == {}
    assert passed(monkeypatch, "a:b", LISTEN_FDS="9") == {"a": 0, "b": 1}
