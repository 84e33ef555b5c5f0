"""Identity of a process: a pid is reused, a pid with its start time is not."""

from __future__ import annotations


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
