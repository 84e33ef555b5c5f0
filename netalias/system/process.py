"""Identity of a process: a pid is reused, a pid with its start time is not."""

from __future__ import annotations

import os
from time import sleep

POLL = 0.05
"""Seconds between two looks at a process, whose end brings the next one forward."""


def owner(pid: int) -> int:
    """The real user ID of a process; -1 for a dead or invisible one.

    The line Uid of /proc/PID/status (proc_pid_status(5)).
    """
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        return -1
    return next((int(line.split()[1]) for line in lines if line.startswith(b"Uid:")), -1)


def started(pid: int) -> str:
    """The start time of a process in clock ticks since boot; empty for a dead or invisible one.

    Field 22 of /proc/PID/stat (proc_pid_stat(5)).
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def await_end(pid: int, start: str) -> None:
    """Wait until the process with this start time (started()) has ended."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        while started(pid) == start != "":
            sleep(POLL)
        return
    try:
        while started(pid) == start != "":
            readable(process, POLL)
    finally:
        os.close(process)


def resume(pid: int, start: str) -> None:
    """Have the process with this start time (started()) go on if somebody has stopped it."""
    from signal import SIGCONT

    try:
        process = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if started(pid) == start != "":
            tell(process, SIGCONT)
    except PermissionError:
        pass  # whoever may signal it has to
    finally:
        os.close(process)


def readable(file: int, seconds: float) -> bool:
    """Whether a descriptor is readable, now or within so many seconds."""
    from select import POLLIN, poll

    looking = poll()
    looking.register(file, POLLIN)
    return bool(looking.poll(1000 * seconds))


def tell(pidfd: int, number: int) -> None:
    """Send a signal to the process behind a descriptor (pidfd_open(2)), if there still is one.

    Where SIGCHLD is ignored, the kernel forgets a child before anybody has read of its end.
    """
    from signal import pidfd_send_signal

    try:
        pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        pass  # the descriptor is readable, which tells of the end


def is_stopped(pid: int) -> bool:
    """Whether a signal or a debugger has stopped a process: state T or t of proc_pid_stat(5)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except OSError:
        return False
