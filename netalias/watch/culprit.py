"""Who asked the kernel for a change: its announcement carries the netlink port of the request.

A port is the pid of its process where the kernel chose it (netlink_autobind); a second socket of a
process has another number, which /proc/net/netlink knows.
"""

from __future__ import annotations

from _socket import AF_NETLINK, SOCK_RAW, socket
from os import dup, listdir, readlink

from netalias.names import printable

UNKNOWN = ""


def port_of(fileno: int) -> int:
    """The netlink port of a socket of ours; 0 for none."""
    if fileno < 0:
        return 0
    copy = socket(AF_NETLINK, SOCK_RAW, 0, dup(fileno))
    try:
        return int(copy.getsockname()[0])
    finally:
        copy.close()


def who(port: int) -> str:
    """``keepalived (pid 4711)``; empty where it cannot be told, such as when it has ended."""
    if not port:
        return UNKNOWN
    found = _named(port) if port < 1 << 22 else UNKNOWN
    return found or _named(_holder(_inode(port)))


def _named(pid: int) -> str:
    if not pid:
        return UNKNOWN
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return f"{printable(file.read().rstrip())} (pid {pid})"
    except OSError:
        return UNKNOWN


def _inode(port: int) -> str:
    """That of the socket with this port of NETLINK_ROUTE."""
    try:
        with open("/proc/self/net/netlink", encoding="ascii", errors="replace") as file:
            rows = [line.split() for line in file]
    except OSError:
        return ""
    found = (row[9] for row in rows if len(row) > 9 and row[1:3] == ["0", str(port)])
    return next(found, "")


def _holder(inode: str) -> int:
    """The process that has a socket of this inode open, or 0."""
    if not inode:
        return 0
    for pid in filter(str.isdigit, listdir("/proc")):
        try:
            files = listdir(f"/proc/{pid}/fd")
            if any(readlink(f"/proc/{pid}/fd/{file}") == f"socket:[{inode}]" for file in files):
                return int(pid)
        except OSError:
            continue  # it has ended, or is another user's
    return 0
