"""Network namespaces by name (ip-netns(8)) or path."""

from __future__ import annotations

import os
from errno import EINVAL, ENOENT

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

PROC = "/proc"
FOLDER = "/run/netns"
"""NETNS_RUN_DIR of ip-netns(8)."""
CLONE_NEWNET = 0x40000000
"""linux/sched.h"""


class entered:
    """``with entered("blue"):`` moves the thread into that namespace, and back at the end.

    *name* is a name of ``ip netns`` or a path such as /proc/1234/ns/net; *file* is a descriptor
    that is taken in its place, if it is not -1. Raises UsageError for neither, NoSuchDevice for an
    unknown one, NotPermitted without the right to enter.
    """

    def __init__(self, name: str, file: int = -1) -> None:
        self._target = _open(name) if file < 0 else os.dup(file)
        self._name = name
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> None:
        try:
            _setns(self._target)
        except OSError as error:
            self._close()
            if error.errno == EINVAL:
                raise errors.NoSuchDevice(
                    f"netns {self._name}: this is not a network namespace"
                ) from None
            raise errors.kernel_error(f"netns {self._name}", error.errno or 0) from None

    def __exit__(self, *_: object) -> None:
        try:
            _setns(self._home)
        finally:
            self._close()

    def _close(self) -> None:
        os.close(self._target)
        os.close(self._home)


def held(name: str) -> str:
    """A path to the namespace called *name* that stays valid for the life of this process, even if
    the name is given to another one. Raises as entered."""
    with entered(name):
        return f"/proc/self/fd/{_open(name)}"


def device_table() -> int:
    """The inode of the table of devices of the thread's network namespace, which each has for
    itself; 0 where that cannot be seen."""
    try:
        return os.stat(f"{PROC}/thread-self/net/dev").st_ino
    except OSError:
        return 0


def abandoned(inode: int, table: int = 0) -> bool:
    """Whether no process is in the network namespace with this inode or has it open, and no mount
    of this mount namespace holds it (nsfs). False where this process may not see that.

    A process of others may hide its namespaces and descriptors (ptrace(2), access mode checking).
    Which namespace it is in is seen by its table of devices, if *table* tells that of the namespace
    in question, or if another process that hides nothing is there too. It counts as having no other
    namespace open.
    """
    held = f"net:[{inode}]"
    try:
        with open(f"{PROC}/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            if any(line.split()[3] == held for line in mounts):
                return False
        # init(8) first: it is in the namespace that most often is the one.
        pids = sorted((name for name in os.listdir(PROC) if name.isdigit()), key=int)
        hidden = []
        for pid in pids:
            try:
                if held in _namespaces(pid):
                    return False
            except PermissionError:
                hidden.append(pid)
        if table:
            return table not in _tables(hidden)
        return not hidden or _tables(hidden) <= _tables(set(pids).difference(hidden))
    except OSError:
        return False


def _namespaces(pid: str) -> Iterator[str]:
    """The targets of the links through which a process holds namespaces, and of its other
    descriptors. Raises OSError."""
    folder = f"{PROC}/{pid}"
    try:
        yield os.readlink(f"{folder}/ns/net")
        for file in os.listdir(f"{folder}/fd"):
            try:
                yield os.readlink(f"{folder}/fd/{file}")
            except FileNotFoundError:
                pass  # it was closed meanwhile
    except (FileNotFoundError, ProcessLookupError):
        pass  # the process has ended


def _tables(pids: Iterable[str]) -> set[int]:
    """The inodes of the tables of devices that processes see, which are those of their network
    namespaces; everybody may look at them (proc_tgid_net_lookup in fs/proc/proc_net.c). Raises
    OSError."""
    found = set()
    for pid in pids:
        try:
            found.add(os.stat(f"{PROC}/{pid}/net/dev").st_ino)
        except (FileNotFoundError, ProcessLookupError):
            pass  # the process has ended
    return found


def _open(name: str) -> int:
    if not name or "\0" in name or name in (".", ".."):
        raise errors.UsageError(f"netns '{name}': not the name of a network namespace")
    path = name if "/" in name else f"{FOLDER}/{name}"
    try:
        # O_NONBLOCK: a FIFO by this name is not waited for.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == ENOENT:
            raise errors.NoSuchDevice(
                f"netns {name}: there is no such network namespace", "ip netns list"
            ) from None
        raise errors.kernel_error(f"netns {name}", error.errno or 0) from None


def _setns(file: int) -> None:
    if hasattr(os, "setns"):
        os.setns(file, CLONE_NEWNET)
        return
    # Python 3.10 and 3.11 have no os.setns.
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(file, CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class inside:
    """A function that calls its argument inside the namespace *netns*, whatever becomes of its
    name: that may go meanwhile, or be given to another namespace. Raises as entered."""

    def __init__(self, netns: str) -> None:
        self._file = -1
        self._name = netns
        self._file = _open(netns)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the namespace: from now on nothing is called inside it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def fileno(self) -> int:
        """The descriptor of the namespace."""
        return self._file

    def __call__(self, work: Callable[[], Any]) -> Any:
        with entered(self._name, self._file):
            return work()
