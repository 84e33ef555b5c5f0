"""The process behind a change: its announcement carries the netlink port ID of the request.

The port ID tells the socket (/proc/net/netlink), and the socket the process. A port ID chosen by
the kernel is mostly the pid (netlink_autobind), but in the pid namespace of the process: so a
process is named only if it has that socket open. Any user can open a million files, so that only so
many are looked at.
"""

from __future__ import annotations

from itertools import islice
from os import listdir, readlink, scandir

from netalias.model.names import printable

PIDS = 1 << 22
"""PID_MAX_LIMIT of linux/threads.h; the port ID of a process's second socket is above it."""
LOOKS = 10_000
"""Processes and open files that are looked at for one change; it takes about 20 ms."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def process_of(port_id: int) -> str:
    """``keepalived (pid 4711)``; empty if unknown, as after the end of the process.

    To be called in the network namespace of the socket.
    """
    inode = _inode(port_id) if port_id else ""
    if not inode:
        return ""
    first = [str(port_id)] if port_id < PIDS else []
    for pids in (first, _processes()):
        for pid, file in islice(_open_files(pids), LOOKS):
            if file == f"socket:[{inode}]":
                return _named(pid)
    return ""


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


def _open_files(pids: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each process, first with nothing, then with what each of its descriptors leads to."""
    for pid in pids:
        yield pid, ""
        try:
            with scandir(f"/proc/{pid}/fd") as files:
                for file in files:
                    yield pid, readlink(file.path)
        except OSError:
            continue  # it has ended, or is another user's
