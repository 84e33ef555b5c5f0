"""The process behind a netlink port ID."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netalias.kernel.netlink.subscription import port_id_of
from netalias.watch import originator
from netalias.watch.originator import PIDS, process_of

OPEN = """
import os, socket, sys
one, other = (socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) for _ in range(2))
for each in (one, other):
    each.bind((0, 0))
print(one.getsockname()[0], other.getsockname()[0], flush=True)
sys.stdin.readline()
one.close()
print(flush=True)
sys.stdin.readline()
"""
"""Two sockets; the first one is closed at the first line."""


class Other:
    """A process with two netlink sockets."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OPEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.first, self.second = map(int, self.line().split())

    def line(self) -> str:
        """The next line of its output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def go_on(self) -> None:
        """To its next line."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.line()


@pytest.fixture
def other() -> Iterator[Other]:
    """That process."""
    found = Other()
    yield found
    found.process.kill()
    found.process.communicate()


def netlink(port: int = 0) -> socket.socket:
    """A socket of this process."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    made.bind((port, 0))
    return made


def test_the_port_of_a_socket() -> None:
    """Which stays open; nothing has none."""
    with netlink() as made:
        assert port_id_of(made.fileno()) == made.getsockname()[0]
        assert made.getsockname()[0]
    assert port_id_of(-1) == 0


def test_its_first_socket(other: Other) -> None:
    """By its pid."""
    assert other.first == other.process.pid
    assert process_of(other.first).endswith(f" (pid {other.process.pid})")


def test_a_second_socket(other: Other) -> None:
    """Has another number, but the same holder."""
    assert other.second >= PIDS
    assert process_of(other.second).endswith(f" (pid {other.process.pid})")


def test_a_socket_that_is_closed(other: Other) -> None:
    """A process of that pid may be another one: ports are pids of the pid namespace that the
    process is in."""
    other.go_on()
    assert process_of(other.first) == ""


def test_a_pid_of_another(other: Other) -> None:
    """A process whose port ID looks like the pid of another one is named itself."""
    other.go_on()
    with netlink(other.process.pid):
        assert process_of(other.process.pid).endswith(f" (pid {os.getpid()})")


@pytest.mark.parametrize("port", [0, PIDS - 1, 1 << 31])
def test_nobody(port: int) -> None:
    """Neither the kernel nor a process that has ended."""
    assert process_of(port) == ""


def test_a_name_that_would_move_the_cursor() -> None:
    """Everybody can call himself anything."""
    comm = Path("/proc/self/comm")
    before = comm.read_text()
    try:
        comm.write_text("\x1b[2Jroot")
        with netlink() as made:
            assert process_of(made.getsockname()[0]) == rf"\x1b[2Jroot (pid {os.getpid()})"
    finally:
        comm.write_text(before)


def test_somebody_has_more_files_open_than_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is named then; a watcher has other things to do than to read a million links."""
    looked: list[str] = []
    real = os.readlink

    def readlink(path: str) -> str:
        looked.append(path)
        return real(path)

    monkeypatch.setattr(originator, "readlink", readlink)
    monkeypatch.setattr(originator, "LOOKS", 5)
    monkeypatch.setattr(originator, "_processes", lambda: [str(os.getpid())])
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(10)]
    try:
        with netlink(PIDS + 12) as made:
            assert process_of(made.getsockname()[0]) == ""
    finally:
        for file in files:
            os.close(file)
    assert len(looked) == 4  # and one process


def test_without_a_descriptor_left_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no error: the repair is done by then."""
    monkeypatch.setattr(originator, "_inode", lambda port_id: "1")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        assert process_of(PIDS + 1) == ""
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
