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
    """The new content of the file at *path*, which leads through no symbolic link.

    It is written beside the file at once, so a full or read-only file system shows before anything
    else is done. Raises StateError.
    """

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        folder, base = os.path.split(path)
        # No name that ends like those of declarations.
        self._draft = os.path.join(folder, f".{base}.{os.getpid()}.new~")
        self._former = os.path.join(folder, f".{base}.{os.getpid()}.old~")
        self._there = os.path.lexists(path)
        try:
            self._write(content)
        except BaseException as error:
            _discard(self._draft)
            if isinstance(error, OSError):
                raise errors.StateError(
                    f"{path}: it cannot be replaced: {error.strerror}", errno=error.errno or 0
                ) from None
            raise

    def _write(self, content: bytes) -> None:
        for left in (self._draft, self._former):  # of a killed process with the same pid
            _discard(left)
        with open(os.open(self._draft, CREATE, 0o600), "wb") as file:
            file.write(content)
            if self._there:
                _resemble(file.fileno(), self.path)
            else:
                os.fchmod(file.fileno(), MODE)
            file.flush()
            os.fsync(file.fileno())
        if self._there:
            os.link(self.path, self._former)

    def put(self) -> None:
        """Put the new file in the place of the old one. Raises StateError."""
        try:
            os.replace(self._draft, self.path)
        except OSError as error:
            raise errors.StateError(f"{self.path}: {error.strerror}") from None

    def restore(self) -> None:
        """Put the old file, or none, in the place of the new one. Raises StateError."""
        try:
            if self._there:
                os.replace(self._former, self.path)
            else:
                _discard(self.path)
        except OSError as error:
            raise errors.StateError(f"{self.path}: {error.strerror}") from None

    def close(self) -> None:
        """Remove what is left beside the file."""
        _discard(self._draft)
        _discard(self._former)


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
