"""The runtime directory of a network namespace: one lock, so that two runs never interleave, and
small files beside it.

The directory is ``/run/netalias/<inode of the namespace>``; without the right to write there it
stands under $XDG_RUNTIME_DIR, or in a folder of the user under /tmp: then only runs of this user
wait for each other. Where /run/netalias belongs to a service that runs as an ordinary user, root
and the service wait for each other.
"""

from __future__ import annotations

import os
from errno import EACCES, EAGAIN, ELOOP, ENOTDIR
from fcntl import LOCK_EX, LOCK_NB, flock

from netalias import errors

NOFOLLOW = os.O_CLOEXEC | os.O_NOFOLLOW
"""A service that owns the directory could lead root anywhere by a link."""
SYSTEM = "/run/netalias"
TEXTS = f"{SYSTEM}/net"
"""The folder of texts that every change refreshes, where there is one (engine/texts.py)."""
POLL = 0.01
"""Seconds between two attempts to take the lock."""
FINGERPRINT = "/fingerprint"
SIZE_MAX = 1 << 20
"""Bytes that are read of a small file."""


class RuntimeDirectory:
    """The directory of the namespace with this inode; acquire() waits *wait* seconds at most."""

    def __init__(self, namespace: int, wait: float) -> None:
        self.namespace = namespace
        self.wait = wait
        self._path = ""
        self._file = -1

    @property
    def path(self) -> str:
        """The directory, if the lock of this namespace has ever been taken; else empty."""
        if not self._path:
            self._path = self._found()
        return self._path

    def _found(self) -> str:
        for base in _bases():
            path = f"{base}/{self.namespace}"
            # A folder in /tmp may be anybody's, and its files would be believed.
            if os.path.exists(f"{path}/lock") and (base == SYSTEM or _own(base)):
                return path
        return ""

    def acquire(self) -> None:
        """Take the lock (flock(2)); the kernel releases it when the process dies.

        The directory is made where there is none. Raises LockBusy after the waiting time,
        StateError where there is no place for it.
        """
        self._file, path = _open(self.namespace)
        self._path = path.removesuffix("/lock")
        if not self._try():
            self._await(path)

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

        end = monotonic() + self.wait
        while not self._try():
            if monotonic() >= end:
                self.release()
                raise errors.LockBusy(
                    f"another netalias is at work (waited {self.wait:g} s for {path})"
                )
            sleep(POLL)


def read_file(path: str) -> bytes:
    """The content of a small file, at most SIZE_MAX bytes; empty where there is none.

    Nothing but a regular file is waited for or followed. Raises OSError.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | NOFOLLOW)
    except FileNotFoundError:
        return b""
    try:
        return os.read(file, SIZE_MAX)
    finally:
        os.close(file)


def replace_file(path: str, content: bytes) -> None:
    """Let a small file have this content, whole, or what it had before. Raises OSError."""
    draft = f"{path}.new"  # one that another user has left is replaced, not written to
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NOFOLLOW, 0o644)
    try:
        try:
            while content:  # a folder that fills up takes a part first; the next part is refused
                content = content[os.write(file, content) :]
        finally:
            os.close(file)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def remove_file(path: str) -> bool:
    """Remove a small file; False where there was none. Raises OSError."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def recall(directory: str) -> bytes:
    """The fingerprint of the state that was last found as declared; empty for none."""
    try:
        return read_file(directory + FINGERPRINT)
    except OSError:
        return b""


def remember(directory: str, fingerprint: bytes) -> None:
    """Keep a fingerprint for recall(). Where it cannot be written the next run compares."""
    try:
        replace_file(directory + FINGERPRINT, fingerprint)
    except OSError:
        pass


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
        home = os.open(folder, os.O_DIRECTORY | NOFOLLOW)
    except OSError as error:
        if error.errno in (ELOOP, ENOTDIR):
            raise errors.StateError(f"{folder}: it is not a folder") from None
        raise
    try:
        if owner >= 0:
            os.fchown(home, owner, -1)
        file = os.open("lock", os.O_RDWR | os.O_CREAT | NOFOLLOW, 0o600, dir_fd=home)
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
