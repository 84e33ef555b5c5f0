"""Figures of whole processes: duration, memory, number of instructions."""

from __future__ import annotations

import ctypes
import fcntl
import glob
import os
import pty
import re
import shutil
import statistics
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence

ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if key[:6] != "PYTHON"},
    "TERM": "xterm-256color",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}

METER = """\
import posix, sys
pid = posix.posix_spawn(sys.argv[1], sys.argv[1:], posix.environ)
_, status, usage = posix.wait4(pid, 0)
print(status, usage.ru_maxrss)
"""
"""A small parent: the peak memory of a child starts at that of the process that forked it."""


CLONE_NEWNET = 0x40000000
NAMESPACE = "/proc/thread-self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)


PROGRAMS = os.environ.get("NETALIAS_PROGRAMS", "")
"""A folder with a folder for each package of Debian, as ``dpkg -x`` fills it."""


def command(name: str) -> str:
    """The beginning of a line of sh(1) that starts a program: an installed one, else one that is
    unpacked in PROGRAMS. Raises Failed without one."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is not None:
        return found
    for below in ("usr/sbin", "sbin", "usr/bin", "bin"):
        for path in glob.glob(f"{PROGRAMS}/*/{below}/{name}") if PROGRAMS else []:
            libraries = ":".join(glob.glob(f"{PROGRAMS}/*/usr/lib/*-linux-gnu"))
            return f"LD_LIBRARY_PATH={libraries} {path}"
    raise Failed(f"{name} is neither installed nor unpacked in NETALIAS_PROGRAMS")


class Failed(Exception):
    """A command failed, so that there is no figure."""


class Place:
    """A new network namespace; commands run in the one that was entered last.

    Raises OSError if none can be created.
    """

    def __init__(self) -> None:
        _check(_libc.unshare(CLONE_NEWNET))
        self.file = os.open(NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)

    def enter(self) -> None:
        """Enter this namespace."""
        _check(_libc.setns(self.file, CLONE_NEWNET))


def _check(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def silent(words: Sequence[str]) -> float:
    """Run a command with its output discarded; milliseconds. Raises Failed."""
    return _timed(words, [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)], lambda: None)


def used(words: Sequence[str]) -> float:
    """Run a command with its output discarded; its milliseconds of processor time. Raises
    Failed."""
    discard = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(words[0], [*words], ENVIRONMENT, file_actions=discard)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise Failed(f"{' '.join(words)}: {os.waitstatus_to_exitcode(status)}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def piped(words: Sequence[str]) -> float:
    """Run a command into a pipe that is read to its end; milliseconds. Raises Failed."""
    reader, writer = os.pipe()

    def drain() -> None:
        os.close(writer)
        while os.read(reader, 65536):
            pass

    try:
        return _timed(words, [(os.POSIX_SPAWN_DUP2, writer, 1)], drain)
    finally:
        os.close(reader)


def on_terminal(words: Sequence[str]) -> float:
    """Run a command on a terminal of 160 columns; milliseconds. Raises Failed."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))

    def drain() -> None:
        os.close(slave)
        try:
            while os.read(master, 65536):
                pass
        except OSError:
            pass  # EIO: the last writer has closed the terminal

    try:
        return _timed(words, [(os.POSIX_SPAWN_DUP2, slave, 1)], drain)
    finally:
        os.close(master)


def _timed(
    words: Sequence[str], actions: list[tuple[object, ...]], drain: Callable[[], None]
) -> float:
    begin = time.perf_counter()
    child = os.posix_spawn(words[0], [*words], ENVIRONMENT, file_actions=actions)
    drain()
    _, status, _ = os.wait4(child, 0)
    end = time.perf_counter()
    if status:
        raise Failed(f"{' '.join(words)}: {os.waitstatus_to_exitcode(status)}")
    return (end - begin) * 1000


def interleaved(
    cases: Sequence[tuple[str, Callable[[int], float]]], rounds: int, few: int
) -> dict[str, float]:
    """The median of each case; each round runs every case once, in order. A case whose name ends in
    "*" runs in *few* rounds."""
    times: dict[str, list[float]] = {name: [] for name, _ in cases}
    for number in range(rounds + 1):
        for name, case in cases:
            if name.endswith("*") and number > few:
                continue
            taken = case(number)
            if number:  # the first round warms the caches
                times[name].append(taken)
    return {name: statistics.median(values) for name, values in times.items()}


def memory(python: str, words: Sequence[str]) -> int:
    """The largest resident set in KiB. Raises Failed."""
    output = captured([python, "-I", "-S", "-c", METER, *words])
    status, peak = output.split()[-2:]
    if status != "0":
        raise Failed(" ".join(words))
    return int(peak)


def instructions(words: Sequence[str]) -> int:
    """The number of instructions of a command in user space (callgrind, Ir). Raises Failed."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise Failed("valgrind is not installed")
    output = captured([valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", *words])
    found = re.search(r"Collected : (\d+)", output)
    if found is None:
        raise Failed(output)
    return int(found[1])


def captured(words: Sequence[str]) -> str:
    """The output of a command, standard error included. Raises Failed."""
    done = subprocess.run(list(words), env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout + done.stderr
