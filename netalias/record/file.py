"""The file of a service record: replaced as a whole, and only where its content is another."""

from __future__ import annotations

import os

from netalias import errors, trust
from netalias.system.replacement import Replacement

MOST = 1 << 20
"""Bytes that are read of a file at most: no record is so long."""
READABLE = 0o004
"""The right of everybody to read."""
BEGIN, KEY = b'{"ifname": "', b'"availability": '
"""Parts of a record as a line of JSON, by which one is told from the files of others."""


class RecordFile:
    """The file at *path*, which may be relative."""

    def __init__(self, path: str) -> None:
        self.path = trust.absolute(path)
        self._written: bytes | None = None

    def stands(self) -> bool:
        """Whether the file has what was put there last. Raises StateError."""
        return self._written is not None and read(self.path) == self._written

    def put(self, content: bytes) -> None:
        """Let the file have this *content*. Raises StateError."""
        way = self.way()
        before = read(way)
        if before != content:
            file = Replacement(way, before, content)
            try:
                file.put()
            finally:
                file.close()
        self._written = content

    def withdraw(self) -> None:
        """Remove the file, unless somebody else has changed it: where nothing was put there yet, a
        record that a killed process has left. Raises StateError."""
        written, self._written = self._written, None
        found = read(self.path)
        left = found is not None and found.startswith(BEGIN) and KEY in found
        if found is not None and (found == written if written is not None else left):
            try:
                os.unlink(self.way())
            except OSError as error:
                raise errors.StateError(f"{self.path}: {error.strerror}") from None

    def way(self) -> str:
        """The path without links in its folders; for root none that others could set. Raises
        StateError."""
        folder, name = os.path.split(self.path)
        try:
            folder = trust.resolved(folder) if trust.careful() else os.path.realpath(folder)
        except OSError as error:
            raise errors.StateError(f"{self.path}: {error.strerror}") from None
        return os.path.join(folder, name)


def read(path: str, *, by_others: bool = False) -> bytes | None:
    """The content of a regular file, the beginning of a long one; None without one. Raises
    StateError; where it may be *by_others* also for a file of root that they cannot read, and may
    have led this path to."""
    try:
        with open(trust.readable(path, os.O_RDONLY), "rb") as file:
            if by_others and trust.careful():
                _check_open(path, os.fstat(file.fileno()))
            return file.read(MOST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise errors.StateError(f"{path}: {error.strerror}") from None


def _check_open(path: str, status: os.stat_result) -> None:
    """Raises StateError, OSError."""
    if status.st_mode & READABLE or status.st_uid not in (0, os.geteuid()):
        return
    if not os.path.samestat(os.lstat(trust.resolved(path)), status):
        raise errors.StateError(f"{path}: somebody has changed it meanwhile")
