"""Tunnels of a watcher over the kernel in memory; the data planes are processes that only sleep."""

from __future__ import annotations

import os
import signal
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from errno import EACCES, EAFNOSUPPORT, EMFILE, ENOENT, EPERM
from io import StringIO
from pathlib import Path
from select import POLLIN, poll

import pytest
from support import PATIENCE, SLOW, given_away
from watched import Busy

from netalias import errors, trust
from netalias.desired import declarations
from netalias.desired.tunnels import Tunnel
from netalias.engine import Engine, Setup, carried
from netalias.engine import tunnels as work
from netalias.families import lazy
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, address_text
from netalias.model.events import ADDRESS, Entry, Event
from netalias.model.gateways import DelRule, DelWay, tunnel_table
from netalias.runtime import asked, instance, tasks, tunnels
from netalias.system.journal import Journal
from netalias.tunnels.tun import create
from netalias.watch.tunnels import LOOK, Tunnels

LINE = "vif0 198.51.100.7/24 to 203.0.113.9 carriage udp:7777"


class Part:
    """A device, carriage or set of counters: one descriptor; ``gone`` is called when it closes."""

    overhead = 28
    trains = False
    local = ""

    def __init__(self, gone: object = None) -> None:
        self.fd = os.memfd_create("part")
        self.gone = gone

    def fileno(self) -> int:
        """The descriptor."""
        return self.fd

    def room(self) -> int:
        """Bytes of a datagram."""
        return 1472

    def close(self) -> None:
        """The device goes with it. A socket may be closed twice."""
        if self.fd < 0:
            return
        os.close(self.fd)
        self.fd = -1
        if callable(self.gone):
            self.gone()


class Stage:
    """A kernel in memory, and the tunnels of a watcher; ``started`` are the words of data planes,
    ``pids`` their processes."""

    def __init__(self, folder: str) -> None:
        self.kernel = Memory()
        self.now = 1000.0
        self.text = StringIO()
        self.lock = Busy()
        self.engine = Engine(Setup(self.kernel, runtime=self.lock, claims=False))
        self.folder = folder
        self.started: list[list[str]] = []
        self.pids: list[int] = []
        self.refusal: errors.NetaliasError | None = None
        journal = Journal(stream=self.text, environ={}, now=str)
        self.tunnels = Tunnels(self.engine, journal, lambda: self.now, folder, self._start)

    def hold(self, engine: Engine, tunnel: Tunnel) -> work.Held:
        """In the place of engine.tunnels.hold()."""
        if self.refusal is not None:
            raise self.refusal
        name = tunnel.name
        self.kernel.add_device(name, kind="tun")
        device = Part(lambda: name in self.devices and self.kernel.remove_device(name))
        return work.Held(device, Part(), Part())  # type: ignore[arg-type]

    def _start(self, held: work.Held, words: list[str]) -> int:
        self.started.append(words)
        pid = os.posix_spawn("/bin/sleep", ["sleep", "1000"], {})
        self.pids.append(pid)
        return pid

    def load(self, text: str) -> None:
        """Other files, and what follows."""
        found = declarations.parse([("t.conf", text)], self.engine.registry)
        assert found.errors == []
        self.tunnels.load(found.tasks)
        self.rest()

    def rest(self) -> None:
        """Until nothing is due at this moment."""
        for _ in range(10):
            due = self.tunnels.due(self.now)
            if due is None or due > 0:
                return
            self.tunnels.tick(self.now)
        raise AssertionError("it never comes to rest")

    def ends(self) -> None:
        """Hear the end of a data plane."""
        wanted = self.tunnels.wanted(self.now)
        waiting = poll()
        for fileno, events in wanted.items():
            waiting.register(fileno, events)
        (fileno, events), *_ = waiting.poll(int(PATIENCE * SLOW * 1000))
        assert events & POLLIN
        self.tunnels.ready(fileno, events, self.now)

    def said(self) -> list[str]:
        """The lines of the journal since the last call."""
        text = self.text.getvalue()
        self.text.seek(0)
        self.text.truncate()
        return [line.removeprefix("netalias: ") for line in text.splitlines()]

    @property
    def devices(self) -> list[str]:
        """The names of devices."""
        return [one.name for one in self.kernel.snapshot().devices.values()]

    @property
    def rules(self) -> list[str]:
        """The sources of rules."""
        return [address_text(one.family, one.source) for one in self.kernel.routing().read().rules]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Nothing is declared yet."""
    made = Stage(str(tmp_path))
    monkeypatch.setattr(work, "hold", made.hold)
    monkeypatch.setattr(work, "opened", lambda engine, tunnel: Part())
    yield made
    made.tunnels.close()
    for pid in made.pids:
        assert os.waitpid(pid, 0)[0] == pid


def test_a_line_makes_device_address_route_and_rule(stage: Stage) -> None:
    """C-4: no connected route comes with the address; what is sent from it has its own table. The
    data plane gets the words of the line with nothing left open."""
    stage.load(LINE)
    device = stage.kernel.snapshot().device("vif0")
    assert device is not None
    assert (device.up, device.mtu) == (True, 1472)
    (entry,) = stage.kernel.snapshot().on(device.index)
    assert (entry.prefixlen, entry.routed) == (24, False)
    found = stage.kernel.routing().read()
    assert [(one.index, one.table, one.text) for one in found.ways] == [
        (device.index, tunnel_table(0), "default")
    ]
    assert stage.rules == ["198.51.100.7"]
    assert stage.started == [
        ["carriage", "udp:7777", "device", "vif0", "mtu", "1472", "to", "203.0.113.9",
         "address", "198.51.100.7/24", "folder", stage.folder, "cookie", "0"]
    ]  # fmt: skip
    assert stage.said() == []
    assert stage.tunnels.due(stage.now) == LOOK


def test_it_is_recorded_as_carried(stage: Stage) -> None:
    """With the pid of its data plane; the line is one that a watcher carries out."""
    stage.load(LINE)
    (one,) = tunnels.carried(stage.folder)
    assert (one.name, one.line, one.mtu, one.plane, one.pid, one.fault) == (
        "vif0", LINE, 1472, stage.pids[0], os.getpid(), ""
    )  # fmt: skip
    with instance.Instance(stage.folder):
        assert tasks.carried_out(stage.folder) == [LINE]
        stage.load("")
        assert tasks.carried_out(stage.folder) == []
    assert tunnels.carried(stage.folder) == []


def test_a_line_that_goes_takes_everything_with_it(stage: Stage) -> None:
    """Process, device, descriptors, route and rule."""
    stage.load(LINE)
    before = len(os.listdir("/proc/self/fd"))
    stage.load("")
    assert stage.kernel.snapshot().device("vif0") is None
    assert (stage.rules, stage.kernel.routing().read().ways) == ([], [])
    assert len(os.listdir("/proc/self/fd")) == before - 4
    assert os.waitstatus_to_exitcode(os.waitpid(stage.pids.pop(), 0)[1]) == -signal.SIGTERM


def test_a_changed_line_begins_anew_as_far_as_it_must(stage: Stage) -> None:
    """And one that says the same stays, wherever in a file. The device stays with another port or
    address, and goes with another family of that."""
    stage.load(LINE)
    stage.load(f"\n# moved\n{LINE} # still")
    assert len(stage.pids) == 1
    device = stage.kernel.snapshot().device("vif0")
    assert device is not None
    stage.load(LINE.replace("7777", "7778"))
    stage.load(LINE.replace("100.7", "100.17"))
    assert [words[1] for words in stage.started] == ["udp:7777", "udp:7778", "udp:7777"]
    assert stage.rules == ["198.51.100.17"]
    found = stage.kernel.snapshot().on(device.index)
    assert [one.local[-1] for one in found] == [17]
    stage.load(LINE.replace("198.51.100.7/24", "2001:db8::7"))
    after = stage.kernel.snapshot().device("vif0")
    assert after is not None
    assert after.index != device.index


def test_a_killed_data_plane_is_replaced_at_once(stage: Stage) -> None:
    """With the same descriptors and words; one that is killed again and again comes later."""
    stage.load(LINE)
    before = stage.kernel.snapshot().device("vif0")
    for count in range(2, 7):
        os.kill(stage.pids[-1], signal.SIGKILL)
        stage.ends()
        assert len(stage.pids) == count
    assert stage.said() == ["vif0: the data plane has ended; another one goes on"] * 5
    os.kill(stage.pids[-1], signal.SIGKILL)
    stage.ends()
    assert len(stage.pids) == 6
    wait = stage.tunnels.due(stage.now)
    assert wait is not None
    assert wait > 0
    stage.now += wait
    stage.rest()
    assert len(stage.pids) == 7
    assert stage.started[0] == stage.started[-1]
    assert stage.kernel.snapshot().device("vif0") == before


@pytest.mark.parametrize("closed", [True, False], ids=["the watcher ends", "the lines go"])
def test_a_data_plane_may_have_ended_already(stage: Stage, closed: bool) -> None:
    """The service manager ends all processes of a service at once, and the kernel reaps those whose
    parent ignores SIGCHLD: the rest is put away all the same."""
    stage.load(LINE + "\nvif1 198.51.100.8/24 to 203.0.113.10 carriage udp:7778")
    for pid in stage.pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    stage.pids.clear()
    if closed:
        stage.tunnels.close()
    else:
        stage.load("")
    assert (stage.devices, stage.rules, tunnels.carried(stage.folder)) == (["lo"], [], [])
    assert stage.said() == []


def test_a_data_plane_without_a_descriptor_is_ended(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would hear of its end: two would read the same device. Another one comes later."""

    def refused(pid: int) -> int:
        raise OSError(EMFILE, os.strerror(EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pidfd_open", refused)
        stage.load(LINE)
    ended = [os.waitpid(pid, 0)[1] for pid in stage.pids]
    assert {os.WTERMSIG(one) for one in ended} == {signal.SIGKILL}
    assert stage.said() == ["vif0: no data plane: Too many open files"] * len(ended)
    stage.pids.clear()
    stage.now += stage.tunnels.due(stage.now) or 0.0
    stage.rest()
    assert len(stage.pids) == 1


def test_a_data_plane_that_somebody_has_stopped_is_not_waited_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends by itself, as any other does: the watcher does nothing else meanwhile."""
    monkeypatch.setattr("netalias.watch.tunnels.END", PATIENCE * SLOW)
    stage.load(LINE)
    (pid,) = stage.pids
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)  # else SIGTERM comes first
    stage.load("")
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert found is not None
    assert found.si_status == signal.SIGTERM


def test_what_cannot_be_opened_is_told_once_and_tried_again(stage: Stage) -> None:
    """The record has the reason, for whoever asked by hand."""
    stage.refusal = errors.AlreadyExists("vif0: there is a device of this name")
    stage.load(LINE)
    assert stage.said() == ["warning: vif0: there is a device of this name"]
    assert tunnels.carried(stage.folder)[0].fault == "vif0: there is a device of this name"
    for _ in range(3):
        wait = stage.tunnels.due(stage.now)
        assert wait is not None
        stage.now += wait
        stage.tunnels.tick(stage.now)
    assert (stage.said(), stage.pids) == ([], [])
    stage.refusal = None
    stage.now += 100
    stage.rest()
    assert len(stage.pids) == 1
    assert stage.said() == ["vif0: all is well again"]
    assert tunnels.carried(stage.folder)[0].fault == ""


def test_the_lock_of_others_is_waited_for(stage: Stage) -> None:
    """Nothing is changed without it, and nothing is lost."""
    stage.lock.held = True
    found = declarations.parse([("t.conf", LINE)], stage.engine.registry)
    stage.tunnels.load(found.tasks)
    stage.tunnels.tick(stage.now)
    assert stage.pids == []
    stage.lock.held = False
    stage.now += 1
    stage.rest()
    assert len(stage.pids) == 1


def test_what_was_asked_for_by_hand_goes_before_the_file(stage: Stage) -> None:
    """A line of another version is ignored; without the request the file holds again."""
    other = LINE.replace("203.0.113.9", "203.0.113.8")
    asked.write(stage.folder, 0, "vif0", other)
    asked.write(stage.folder, 0, "vif1", "vif1 198.51.100.8 by pigeon")
    stage.load(LINE)
    assert stage.started[-1][7] == "203.0.113.8"
    assert asked.forget(stage.folder, 0, "vif0")
    assert not asked.forget(stage.folder, 0, "vif0")
    stage.tunnels.learn()
    stage.rest()
    assert stage.started[-1][7] == "203.0.113.9"


def test_an_address_of_others_is_told(stage: Stage) -> None:
    """C-5: the network that it routes into the tunnel is named, with the command, once; the
    classful address that ifconfig(8) makes of ours is put right."""
    stage.load(LINE)
    stage.kernel.add_address("vif0", "203.0.113.8/24")
    index = stage.kernel.snapshot().device("vif0").index  # type: ignore[union-attr]
    for _ in range(2):
        hear(stage)
        stage.rest()
    assert stage.said() == [
        "warning: vif0: 203.0.113.0/24 is routed into the tunnel by an address of others, which"
        " cuts off its hosts (ip route del 203.0.113.0/24 dev vif0)"
    ]
    ours = next(one for one in stage.kernel.snapshot().on(index) if one.local[-1] == 7)
    stage.kernel.remove_address("vif0", ours)
    stage.kernel.add_address("vif0", "198.51.100.7/16")
    hear(stage)
    stage.rest()
    found = {one.local[-1]: one for one in stage.kernel.snapshot().on(index)}
    assert (found[7].prefixlen, found[7].routed) == (24, False)


def test_what_no_event_tells_of_is_looked_at_again(stage: Stage) -> None:
    """A rule and a route that somebody has deleted are back within a minute."""
    stage.load(LINE)
    found = stage.kernel.routing().read()
    device = stage.kernel.snapshot().device("vif0")
    assert device is not None
    gone = [DelRule(found.rules[0]), DelWay("vif0", device.index, found.ways[0])]
    assert stage.kernel.send(gone) == [None, None]
    stage.now += LOOK
    stage.rest()
    assert stage.kernel.routing().read() == found


def hear(stage: Stage) -> None:
    """An event about an address of vif0."""
    device = stage.kernel.snapshot().device("vif0")
    entry = stage.kernel.snapshot().on(device.index)[0]  # type: ignore[union-attr]
    stage.tunnels.hear(Event(ADDRESS, (ADDRESS,), device=device, subject=Entry(entry)))


def test_a_device_that_somebody_deletes_is_made_again(stage: Stage) -> None:
    """With its socket and its data plane."""
    stage.load(LINE)
    one = stage.kernel.snapshot().device("vif0")
    assert one is not None
    hear(stage)
    stage.kernel.remove_device("vif0")
    stage.rest()
    stage.now += 2
    stage.rest()
    assert stage.kernel.snapshot().device("vif0") is not None
    assert stage.rules == ["198.51.100.7"]


def test_a_killed_watcher_leaves_no_rule(stage: Stage) -> None:
    """Those that no line has are deleted when the next one begins with a tunnel."""
    stage.load(f"{LINE}\nvif1 198.51.100.8 to 203.0.113.9 carriage ipip94")
    assert stage.rules == ["198.51.100.7", "198.51.100.8"]
    assert {one.family for one in stage.kernel.routing().read().rules} == {AF_INET}
    second = Stage(stage.folder)
    second.kernel, second.engine = stage.kernel, stage.engine
    second.tunnels = Tunnels(
        stage.engine, Journal(stream=StringIO(), environ={}, now=str), lambda: stage.now,
        stage.folder, stage._start,
    )  # fmt: skip
    stage.kernel.remove_device("vif0")
    stage.kernel.remove_device("vif1")
    second.load(LINE)
    assert stage.rules == ["198.51.100.7"]
    second.tunnels.close()


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (FileNotFoundError(ENOENT, "No such file or directory", "/dev/net/tun"),
         "vif0: /dev/net/tun: No such file or directory (a service needs the drop-in tunnel.conf, a"
         " container the device)"),
        (OSError(EAFNOSUPPORT, "Address family not supported by protocol"),
         "vif0: socket: Address family not supported by protocol (a service needs the drop-in"
         " tunnel.conf, a container the device)"),
        (PermissionError(EPERM, "Operation not permitted"),
         "vif0: socket: Operation not permitted (CAP_NET_ADMIN is needed in this network namespace:"
         " try sudo)"),
    ],
)  # fmt: skip
def test_what_a_service_may_not_see(
    monkeypatch: pytest.MonkeyPatch, problem: OSError, said: str
) -> None:
    """The device of TUN, and sockets of IP: the drop-in is named, and nothing is left open."""

    def refuse(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr("netalias.tunnels.carriage.open_carriage", lambda *_: Part())
    monkeypatch.setattr("netalias.tunnels.tun.create", refuse)
    before = len(os.listdir("/proc/self/fd"))
    (task,) = declarations.parse([("f", LINE)], lazy()).tasks
    assert isinstance(task, Tunnel)
    with pytest.raises(errors.KernelError) as caught:
        work.hold(Engine(Setup(Memory())), task)
    assert caught.value.line() == said
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """No capability of a namespace gives a right to it: its mode is named."""

    def refuse(*_: object) -> int:
        raise PermissionError(EACCES, "Permission denied")

    monkeypatch.setattr("netalias.tunnels.tun.os.open", refuse)
    with pytest.raises(errors.NotPermitted) as caught:
        create("vif0")
    assert caught.value.line() == (
        "/dev/net/tun: Permission denied (its mode keeps this user out; the usual one is 0666:"
        " chmod 0666 /dev/net/tun)"
    )


def test_a_record_speaks_for_its_own_process_alone(tmp_path: Path) -> None:
    """A service that is not root could have root end another process by it."""
    folder = str(tmp_path)
    tunnels.write(folder, tunnels.Carried("vif0", LINE, mtu=1400))
    found = tunnels.read(folder, "vif0")
    assert found is not None
    assert found.written_by(0)
    assert found.written_by(os.getuid())
    assert not found.written_by(12345)
    text = (tmp_path / "vif0.tunnel").read_text()
    (tmp_path / "vif0.tunnel").write_text(text.replace(f"pid {os.getpid()}", "pid 1"))
    assert tunnels.read(folder, "vif0") is None


def test_a_record_of_others_is_not_believed_for_a_file_that_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner of the directory can put a file of root there as soon as his is read."""
    folder, record, real = str(tmp_path), tmp_path / "vif0.tunnel", tunnels.started
    tunnels.write(folder, tunnels.Carried("vif0", LINE, mtu=1400))
    other = tmp_path / "other"
    other.touch()
    given_away(record)

    def swapped(pid: int) -> str:
        other.replace(record)
        return real(pid)

    monkeypatch.setattr(tunnels, "started", swapped)
    assert tunnels.read(folder, "vif0") is None
    assert record.read_bytes() == b""


def test_another_record_of_ours_is_none_of_a_tunnel(tmp_path: Path) -> None:
    """The owner of the directory can rename a file of root that has lines of his."""
    folder, record = str(tmp_path), tmp_path / "vif0.tunnel"
    tunnels.write(folder, tunnels.Carried("vif0", LINE, mtu=1400))
    record.write_text(f"namespace 7\n{record.read_text()}")
    assert tunnels.read(folder, "vif0") is None


def test_a_pid_that_was_given_again_gets_no_signal(tmp_path: Path) -> None:
    """The process that carried the tunnel has ended since its record was read."""
    found = tunnels.Carried("vif0", LINE)
    with subprocess.Popen(["sleep", "60"]) as bystander:
        found.pid, found.start = bystander.pid, "1"
        carried.end(found, str(tmp_path), 0.0)
        bystander.kill()
        assert bystander.wait() == -signal.SIGKILL  # the first one that comes ends it


def test_a_key_file_that_comes_late_ends_the_pause(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tunnel begins as soon as there is a key, however long it was to wait by then."""
    monkeypatch.setattr(trust, "resolved", lambda file: file)
    file = tmp_path / "vif0.key"
    stage.refusal = errors.StateError("vif0.key: No such file or directory")
    stage.load(f"{LINE} key {file}\n")
    assert stage.tunnels.due(stage.now) != 0.0
    made = tmp_path / "made"
    made.touch(0o600)
    made.write_bytes(b64encode(bytes(32)))
    made.rename(file)
    stage.ends()
    assert stage.tunnels.due(stage.now) == 0.0
