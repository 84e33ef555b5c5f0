"""The environment of a measurement: a fresh network namespace, an idle machine, a time limit."""

from __future__ import annotations

import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Sequence

from installs import Installs
from processes import ENVIRONMENT, Failed, Place, captured

IP = shutil.which("ip") or "/sbin/ip"

LIMIT = 120.0
"""Seconds of one operation at most; a longer one is killed."""
WINDOW = 0.05
"""Seconds of one measurement of the load."""
CALM = 2
"""Number of windows in a row below BUSY that make the machine idle."""
BUSY = 0.1
"""Share of the processor time in a window."""
PATIENCE = 1.0
"""Seconds to wait for an idle machine; after that, measure anyway."""


class Run:
    """The options of a run: *quick* for small sizes, *whole* for everything slow, *writes* for
    documents that are written."""

    def __init__(self, installs: Installs, *, quick: bool, whole: bool, writes: bool) -> None:
        self.installs = installs
        self.quick = quick
        self.whole = whole
        self.writes = writes


class TooLong(Failed):
    """An operation did not end within LIMIT seconds."""


class Stage(Place):
    """A new namespace with *mains* veth devices that are up: eth9, or eth0 to eth99 and so on.

    ``sysfs``: with a /sys that shows the devices of this namespace, which some programs read.
    """

    def __init__(self, *, sysfs: bool = False, mains: Sequence[str] = ("eth9",)) -> None:
        super().__init__()
        self._mains = mains
        self._sysfs = sysfs
        captured([IP, "link", "set", "lo", "up"])
        for main in mains:
            peer = f"p{main}"
            captured([IP, "link", "add", main, "type", "veth", "peer", "name", peer])
            for name in (main, peer):
                captured([IP, "link", "set", name, "addrgenmode", "none", "up"])
        if sysfs:
            captured(["mount", "-t", "sysfs", "-o", "ro", "sysfs", "/sys"])

    def close(self) -> None:
        """Delete the namespace and wait, since its cleanup would disturb the next measurement."""
        self.enter()
        if self._sysfs:
            captured(["umount", "/sys"])
        for main in self._mains:
            captured([IP, "link", "del", main])
        os.close(self.file)


def idle() -> None:
    """Wait until the processors are idle, PATIENCE seconds at most."""
    end = time.monotonic() + PATIENCE
    calm = 0
    before = _processors()
    while calm < CALM and time.monotonic() < end:
        time.sleep(WINDOW)
        now = _processors()
        total, free = now[0] - before[0], now[1] - before[1]
        calm = calm + 1 if total - free <= BUSY * total else 0
        before = now


def _processors() -> tuple[int, int]:
    """Ticks of all processors since boot: total and idle (/proc/stat, proc(5))."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


def limited(words: Sequence[str], until: Callable[[], None] | None = None) -> float:
    """Run a command with its output discarded; milliseconds.

    With *until* the command is a daemon: the time ends when that returns, and the daemon is
    terminated. Raises Failed with the last line of standard error, or TooLong.
    """
    complaints = os.memfd_create("complaints")
    try:
        return _run(words, complaints, until)
    finally:
        os.close(complaints)


def _run(words: Sequence[str], complaints: int, until: Callable[[], None] | None) -> float:
    actions = [
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, complaints, 2),
    ]
    begin = time.perf_counter()
    child = os.posix_spawn(words[0], [*words], ENVIRONMENT, file_actions=actions, setpgroup=0)
    try:
        if until is None:
            _wait(child)
        else:
            until()
        end = time.perf_counter()
        if until is not None:
            os.kill(child, signal.SIGTERM)
            _wait(child)
    except BaseException:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    _, status = os.waitpid(child, 0)
    if status and until is None:
        raise Failed(f"{os.waitstatus_to_exitcode(status)}: {_last_line(complaints)}")
    return (end - begin) * 1000


def _wait(child: int) -> None:
    """Wait for the end of a process without reaping it. Raises TooLong."""
    handle = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        if not poll.poll(LIMIT * 1000):
            raise TooLong(f"> {LIMIT:.0f} s")
    finally:
        os.close(handle)


def _last_line(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    lines = os.read(file, 65536).decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no word"
