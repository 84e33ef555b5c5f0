"""Which process a number means: a pid is given again, a pid and its start are not."""

from __future__ import annotations


def started(pid: int) -> str:
    """Field 22 of /proc/PID/stat (proc_pid_stat(5)): ticks since boot; empty for a dead one, and
    for one that this process may not see."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
