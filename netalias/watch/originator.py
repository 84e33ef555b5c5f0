"""The process behind a change: its announcement carries the netlink port ID of the request.

The port ID tells the socket (/proc/net/netlink), and the socket the process. A port ID chosen by
the kernel is mostly the pid (netlink_autobind), but in the pid namespace of the process: so a
process is named only if it has that socket open.
"""

from __future__ import annotations

from os import listdir, readlink

from netalias.model.names import printable

PIDS = 1 << 22
"""PID_MAX_LIMIT of linux/threads.h; the port ID of a process's second socket is above it."""


def process_of(port_id: int) -> str:
    """``keepalived (pid 4711)``; empty if unknown, as after the end of the process.

    To be called in the network namespace of the socket.
    """
    inode = _inode(port_id) if port_id else ""
    if not inode:
        return ""
    if port_id < PIDS and _holds(str(port_id), inode):
        return _named(str(port_id))
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


def _inode(port_id: int) -> str:
    """The inode of the NETLINK_ROUTE socket with this port ID; empty without one."""
    try:
        with open("/proc/thread-self/net/netlink", encoding="ascii", errors="replace") as file:
            rows = [line.split() for line in file]
    except OSError:
        return ""
    found = (row[9] for row in rows if len(row) > 9 and row[1:3] == ["0", str(port_id)])
    return next(found, "")


def _holds(pid: str, inode: str) -> bool:
    """Whether a process has the socket with this inode open."""
    try:
        files = listdir(f"/proc/{pid}/fd")
        return any(readlink(f"/proc/{pid}/fd/{file}") == f"socket:[{inode}]" for file in files)
    except OSError:
        return False  # it has ended, or is another user's
