"""Who asked the kernel for a change: its announcement carries the netlink port of the request.

The port tells the socket (/proc/net/netlink), and that the process. Mostly the port is a pid, where
the kernel has chosen it (netlink_autobind), but that of the process's own pid namespace: so nobody
is named who does not have that socket open.
"""

from __future__ import annotations

from os import listdir, readlink

from netalias.model.names import printable

PIDS = 1 << 22
"""PID_MAX_LIMIT of linux/threads.h; a second socket of a process gets a number above."""


def process_of(port: int) -> str:
    """``keepalived (pid 4711)``; empty where it cannot be told, such as when it has ended.

    To be called in the network namespace of the port.
    """
    inode = _inode(port) if port else ""
    if not inode:
        return ""
    if port < PIDS and _holds(str(port), inode):
        return _named(str(port))
    found = (pid for pid in _processes() if _holds(pid, inode))
    return _named(next(found, ""))


def _processes() -> list[str]:
    try:
        return [name for name in listdir("/proc") if name.isdigit()]
    except OSError:
        return []  # no descriptor is left


def _named(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return f"{printable(file.read().rstrip())} (pid {pid})"
    except OSError:
        return ""


def _inode(port: int) -> str:
    """That of the socket with this port of NETLINK_ROUTE."""
    try:
        with open("/proc/thread-self/net/netlink", encoding="ascii", errors="replace") as file:
            rows = [line.split() for line in file]
    except OSError:
        return ""
    found = (row[9] for row in rows if len(row) > 9 and row[1:3] == ["0", str(port)])
    return next(found, "")


def _holds(pid: str, inode: str) -> bool:
    """Whether a process has a socket open."""
    try:
        files = listdir(f"/proc/{pid}/fd")
        return any(readlink(f"/proc/{pid}/fd/{file}") == f"socket:[{inode}]" for file in files)
    except OSError:
        return False  # it has ended, or is another user's
