"""The runtime directory of a network namespace: a lock that serialises changes, and small files.

The directory is ``/run/netalias/<inode of the namespace>``. A user who cannot write there has one
under $XDG_RUNTIME_DIR, or in a folder under /tmp; then only runs of that user exclude each other.
If /run/netalias belongs to a service that runs as an ordinary user, root and the service share the
lock.
"""

from __future__ import annotations

import os
from errno import EACCES, EAGAIN, ELOOP, ENOTDIR
from fcntl import LOCK_EX, LOCK_NB, flock

from netalias import errors

NOFOLLOW = os.O_CLOEXEC | os.O_NOFOLLOW
"""Flags for open(2): a service that owns the directory could redirect root by a link."""
SYSTEM = "/run/netalias"
TEXTS = f"{SYSTEM}/net"
"""The folder of texts that every change refreshes if it exists (engine/texts.py)."""
POLL = 0.01
"""Seconds between two attempts to take the lock."""
FINGERPRINT = "/fingerprint"
SIZE_MAX = 1 << 20
"""Bytes that are read of a small file at most."""


class RuntimeDirectory:
    """The runtime directory of the namespace with inode *namespace*; acquire() waits *wait* seconds
    at most."""

    def __init__(self, namespace: int, wait: float) -> None:
        self.namespace = namespace
        self.wait = wait
        self._path = ""
        self._file = -1

    @property
    def path(self) -> str:
        """The path of the directory; empty if the lock of this namespace was never taken."""
        if not self._path:
            self._path = self._found()
        return self._path

    def _found(self) -> str:
        for base in _bases():
            path = f"{base}/{self.namespace}"
            # A folder in /tmp may be another user's, whose files must not be trusted.
            if os.path.exists(f"{path}/lock") and (base == SYSTEM or _own(base)):
                return path
        return ""

    def acquire(self) -> None:
        """Take the lock by flock(2); the kernel releases it when the process dies.

        Creates the directory if necessary. Raises LockBusy after the waiting time, StateError if no
        directory is writable.
        """
        self._file, path = _open(self.namespace)
        self._path = path.removesuffix("/lock")
        if not self._try():
            self._await(path)

    def release(self) -> None:
        """Release the lock."""
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
        # flock has no timeout, and an alarm signal would disturb a program that uses the library;
        # so poll.
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
    """The content of a small file, at most SIZE_MAX bytes; empty without one.

    Does not follow a link and does not block on a FIFO. Raises OSError.
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
    """Write *content* to a small file atomically, by rename(2). Raises OSError."""
    draft = f"{path}.new"
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NOFOLLOW, 0o644)
    try:
        try:
            while content:  # a full file system takes a part first, and then raises ENOSPC
                content = content[os.write(file, content) :]
        finally:
            os.close(file)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def remove_file(path: str) -> bool:
    """Remove a small file; False if there was none. Raises OSError."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def recall(directory: str) -> bytes:
    """The fingerprint of the last state that was as declared; empty for none."""
    try:
        return read_file(directory + FINGERPRINT)
    except OSError:
        return b""


def remember(directory: str, fingerprint: bytes) -> None:
    """Save a fingerprint for recall(). If that fails, the next run compares in full."""
    try:
        replace_file(directory + FINGERPRINT, fingerprint)
    except OSError:
        pass


def _open(namespace: int) -> tuple[int, str]:
    """The descriptor of the lock file, and its path. Raises StateError."""
    for base in _bases():
        path = f"{base}/{namespace}/lock"
        try:
            if base == SYSTEM and os.path.exists(path):
                return _file(f"{base}/{namespace}"), path
            os.makedirs(base, 0o755, exist_ok=True)
            # A folder in /tmp may be another user's; root decides on the owner of one in /run.
            if base == SYSTEM or _own(base):
                return _made(base, path), path
        except OSError:
            continue
    raise errors.StateError("there is no runtime directory that this user may write to")


def _made(base: str, path: str) -> int:
    """The descriptor of the lock file; its folder is created if necessary.

    If root creates them for a service that owns *base*, both become the service's, which could not
    take the lock otherwise.
    """
    folder, owner = os.path.dirname(path), os.lstat(base).st_uid
    try:
        os.mkdir(folder, 0o755)
    except FileExistsError:
        pass
    return _file(folder, owner if owner != os.geteuid() == 0 else -1)


def _file(folder: str, owner: int = -1) -> int:
    """The descriptor of the lock file; file and folder get *owner*, -1 for no change.

    A link as the folder is refused, since a service that owns the parent could redirect root by
    it. Raises StateError, OSError.
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
    """The possible parents of the directory. The one under /tmp has the inode of the user
    namespace in its name, since different users may have uid 0 in theirs."""
    user = os.environ.get("XDG_RUNTIME_DIR", "")
    private = f"/tmp/netalias-{os.geteuid()}-{os.stat('/proc/self/ns/user').st_ino}"
    return [SYSTEM, *([f"{user}/netalias"] if user.startswith("/") else []), private]
