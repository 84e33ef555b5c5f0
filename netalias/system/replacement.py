"""A file that is replaced as a whole, and can be brought back while the work goes on.

A reader finds the old file or the new one, never a part. Owner, mode and extended attributes stay:
an ACL, and the context of SELinux.
"""

from __future__ import annotations

import os

from netalias import errors

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
MODE = 0o644
"""Of a file that was not there."""


class Replacement:
    """The new *content* of the file at *path*, which leads through no symbolic link; *before* is
    what was read there, None for no file.

    It is written beside the file at once, so a full or read-only file system shows before anything
    else is done. What somebody else writes meanwhile stays. Raises StateError.
    """

    def __init__(self, path: str, before: bytes | None, content: bytes) -> None:
        self.path = path
        self._before = before
        self._content = content
        self._tried = False
        folder, base = os.path.split(path)
        # No name that ends like those of declarations.
        self._draft = os.path.join(folder, f".{base}.{os.getpid()}.new~")
        self._former = os.path.join(folder, f".{base}.{os.getpid()}.old~")
        try:
            self._check()
            self._write(content)
        except BaseException as error:  # an interruption leaves no draft either
            _discard(self._draft)
            if isinstance(error, OSError):
                raise errors.StateError(
                    f"{path}: it cannot be replaced: {error.strerror}", errno=error.errno or 0
                ) from None
            raise

    def _check(self) -> None:
        """Raises StateError for a file that is not as it was read, and OSError."""
        if _now(self.path, len(self._before or b"")) != self._before:
            raise errors.StateError(f"{self.path}: somebody has changed it meanwhile")

    def _write(self, content: bytes) -> None:
        for left in (self._draft, self._former):  # of a killed process with the same pid
            _discard(left)
        with open(os.open(self._draft, CREATE, 0o600), "wb") as file:
            file.write(content)
            if self._before is not None:
                _resemble(file.fileno(), self.path)
            else:
                os.fchmod(file.fileno(), MODE)
            file.flush()
            os.fsync(file.fileno())
        if self._before is not None:
            os.link(self.path, self._former)

    def put(self) -> None:
        """Put the new file in the place of the old one. Raises StateError, also for a file that is
        not as it was read; then it stays."""
        try:
            self._check()
            self._tried = True  # before it is done: a signal may come right behind
            if self._before is None:
                os.link(self._draft, self.path)  # rename(2) would replace a file made just now
            else:
                os.replace(self._draft, self.path)
        except OSError as error:
            raise errors.StateError(f"{self.path}: {error.strerror}") from None

    def restore(self) -> bool:
        """Put the old file, or none, in the place of the new one. False for a file that somebody
        has changed since put(): it stays. Raises StateError."""
        if not self._tried:
            return True
        try:
            now = _now(self.path, max(len(self._before or b""), len(self._content)))
            if now != self._content:
                return now == self._before
            if self._before is None:
                _discard(self.path)
            else:
                os.replace(self._former, self.path)
        except OSError as error:
            raise errors.StateError(f"{self.path}: {error.strerror}") from None
        return True

    def close(self) -> None:
        """Remove what is left beside the file."""
        _discard(self._draft)
        _discard(self._former)


def _now(path: str, most: int) -> bytes | None:
    """The content of a file, of which no more than *most* bytes and one are read; None without a
    file. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:
        return file.read(most + 1)


def _resemble(file: int, path: str) -> None:
    """Give an open file the owner, mode and extended attributes of another one. Raises OSError for
    owner and mode."""
    status = os.stat(path)
    os.fchown(file, status.st_uid, status.st_gid)
    os.fchmod(file, status.st_mode & 0o7777)
    try:
        for name in os.listxattr(path):
            os.setxattr(file, name, os.getxattr(path, name))
    except OSError:
        pass  # the file system has none, or the kernel sets them itself


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass  # the usual case
