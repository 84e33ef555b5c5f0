"""One lock a network namespace, so that two runs never interleave (flock(2)).

The file is ``/run/netalias/<inode of the namespace>/lock``; without the right to write there it
stands under $XDG_RUNTIME_DIR, or in a folder of the user under /tmp: then only runs of this user
wait for each other. Where /run/netalias belongs to a service that runs as an ordinary user, root
and the service wait for each other.
"""

from __future__ import annotations

import os
from errno import EACCES, EAGAIN, ELOOP, ENOTDIR
from fcntl import LOCK_EX, LOCK_NB, flock

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
SYSTEM = "/run/netalias"
TEXTS = f"{SYSTEM}/net"
"""The folder of texts that every change refreshes, where there is one (live.py)."""
POLL = 0.01
"""Seconds."""


STATE = "/fingerprint"
SIZE_MAX = 1 << 20


class Lock:
    """Held from acquire() to release(); the kernel releases it when the process dies.

    *wait* is in seconds, *namespace* the inode of the network namespace; ``folder`` is where the
    lock stands, and whatever else belongs to the namespace. ``leaving`` is called with TEXTS and
    the namespace at the end of a ``with``, still under the lock, where there is such a folder.
    """

    leaving: Callable[[str, int], None] | None = None

    def __init__(self, wait: float, namespace: int) -> None:
        self._wait = wait
        self._namespace = namespace
        self._file = -1
        self.folder = ""

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.leaving is not None and os.path.exists(TEXTS):
                self.leaving(TEXTS, self._namespace)
        finally:
            self.release()

    def acquire(self) -> None:
        """Raises LockBusy after the waiting time, StateError when there is no place for it."""
        self._file, path = _open(self._namespace)
        self.folder = path.removesuffix("/lock")
        if not self._try():
            self._await(path)

    def place(self) -> str:
        """The folder, if the lock of this namespace has ever been taken; else empty."""
        for base in _bases():
            path = f"{base}/{self._namespace}"
            # A folder in /tmp may be anybody's: what stands in it is believed.
            if os.path.exists(f"{path}/lock") and (base == SYSTEM or _own(base)):
                return path
        return ""

    def release(self) -> None:
        """Let the next one in."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _try(self) -> bool:
        try:
            flock(self._file, LOCK_EX | LOCK_NB)
        except OSError as error:
            if error.errno in (EAGAIN, EACCES):
                return False
            raise errors.StateError(f"cannot lock: {error.strerror}") from None
        return True

    def _await(self, path: str) -> None:
        # flock has no time limit, and a signal of ours would disturb a program that uses the
        # library: so it is asked again and again.
        from time import monotonic, sleep

        end = monotonic() + self._wait
        while not self._try():
            if monotonic() >= end:
                self.release()
                raise errors.LockBusy(
                    f"another netalias is at work (waited {self._wait:g} s for {path})"
                )
            sleep(POLL)


def _open(namespace: int) -> tuple[int, str]:
    """The lock file, opened, and its path."""
    for base in _bases():
        path = f"{base}/{namespace}/lock"
        try:
            if base == SYSTEM and os.path.exists(path):
                return _file(f"{base}/{namespace}"), path
            os.makedirs(base, 0o755, exist_ok=True)
            # A folder in /tmp may be anybody's; in /run it is root's, or whose root has made it.
            if base == SYSTEM or _own(base):
                return _made(base, path), path
        except OSError:
            continue
    raise errors.StateError("there is no folder for the lock that this user may write to")


def _made(base: str, path: str) -> int:
    """The lock file in a folder of its own, opened.

    Where a service has *base*, both become the service's: else it could not take the lock that
    root was the first to take.
    """
    folder, owner = os.path.dirname(path), os.lstat(base).st_uid
    try:
        os.mkdir(folder, 0o755)
    except FileExistsError:
        pass
    return _file(folder, owner if owner != os.geteuid() == 0 else -1)


def _file(folder: str, owner: int = -1) -> int:
    """The lock file, opened; both become the *owner*'s.

    The folder is no link: a service that has the one above could lead root anywhere by it. Raises
    StateError.
    """
    try:
        home = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (ELOOP, ENOTDIR):
            raise errors.StateError(f"{folder}: it is not a folder") from None
        raise
    try:
        if owner >= 0:
            os.fchown(home, owner, -1)
        file = os.open("lock", FLAGS, 0o600, dir_fd=home)
        if owner >= 0:
            os.fchown(file, owner, -1)
    finally:
        os.close(home)
    return file


def _own(base: str) -> bool:
    return os.lstat(base).st_uid == os.geteuid()


def _bases() -> list[str]:
    """Where the folder may stand. In a user namespace everybody has the number 0: it tells more."""
    user = os.environ.get("XDG_RUNTIME_DIR", "")
    private = f"/tmp/netalias-{os.geteuid()}-{os.stat('/proc/self/ns/user').st_ino}"
    return [SYSTEM, *([f"{user}/netalias"] if user.startswith("/") else []), private]


class Unlocked:
    """Has what lock.Lock has; there is no folder."""

    folder = ""

    def __enter__(self) -> Unlocked:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def place(self) -> str:
        """As Lock.place()."""
        return self.folder


def recall(folder: str) -> bytes:
    """The fingerprint of what was last found as it should be, or empty."""
    from os import O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, close, open, read

    try:
        file = open(folder + STATE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    except OSError:
        return b""
    try:
        return read(file, SIZE_MAX)
    finally:
        close(file)
