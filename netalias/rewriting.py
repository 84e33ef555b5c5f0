"""Files of declarations that are replaced as a whole, by rename(2), so that no reader sees a half.

Owner, mode and extended attributes (ACLs, labels of SELinux) stay. A symbolic link stays too: the
file that it leads to is replaced.
"""

from __future__ import annotations

import os
from errno import ENODATA, ENOTSUP

from netalias import errors, trust
from netalias.sources import FOLDERS, FileName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE = 1 << 20
"""Bytes of one read."""
VENDOR = FOLDERS[-1]
"""Folder of the files of packages, which an update would replace again."""


def check(name: str) -> None:
    """Check that the file *name*, as sources.read() tells it, is one to be rewritten. Raises
    StateError."""
    if trust.is_descriptor(name) or not isinstance(name, FileName):  # standard input
        raise errors.StateError(f"{name}: it cannot be rewritten", "name a file")
    if os.path.realpath(name).startswith(f"{VENDOR}/"):
        raise errors.StateError(
            f"{name}: a file of the vendor is not rewritten", f"cp {name} {FOLDERS[0]}/"
        )


def replace(name: str, before: bytes, after: bytes) -> None:
    """Let the file have the content *after* in place of *before*. Raises StateError, also where it
    has another content by now; then nothing was changed."""
    try:
        way = trust.resolved(name) if trust.careful() else os.path.realpath(name)
        folder, _, base = way.rpartition("/")
        home = os.open(folder or "/", os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _replace(home, base, name, before, after)
        finally:
            os.close(home)
    except OSError as error:
        raise errors.StateError(f"{name}: {error.strerror}", errno=error.errno or 0) from None


def _replace(home: int, base: str, name: str, before: bytes, after: bytes) -> None:
    """The work of replace() in the folder *home*. Raises StateError, OSError."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    old = os.open(base, os.O_RDONLY | os.O_NONBLOCK | flags, dir_fd=home)
    try:
        status = os.fstat(old)
        if trust.careful():
            trust.check_file(name, status, old)
        if _content(old, len(before) + 1) != before:
            raise errors.StateError(f"{name}: somebody has changed it meanwhile")
        draft = f".{base}.netalias"
        try:
            os.unlink(draft, dir_fd=home)  # of a run that was killed
        except FileNotFoundError:
            pass
        new = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | flags, 0o600, dir_fd=home)
        try:
            try:
                _write(new, after)
                _adorn(new, old, status)
                os.fsync(new)
            finally:
                os.close(new)
            os.rename(draft, base, src_dir_fd=home, dst_dir_fd=home)
        except BaseException:  # an interruption leaves no draft either
            os.unlink(draft, dir_fd=home)
            raise
        os.fsync(home)
    finally:
        os.close(old)


def _content(file: int, most: int) -> bytes:
    """The content of an open file, *most* bytes of it. Raises OSError."""
    chunks: list[bytes] = []
    while most > 0 and (chunk := os.read(file, min(SIZE, most))):
        chunks.append(chunk)
        most -= len(chunk)
    return b"".join(chunks)


def _write(file: int, content: bytes) -> None:
    while content:  # a full file system takes a part first, and then raises ENOSPC
        content = content[os.write(file, content) :]


def _adorn(new: int, old: int, status: os.stat_result) -> None:
    """Give a file the owner, mode and extended attributes of another one. Raises OSError."""
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.fstat(new).st_gid):
        os.fchown(new, status.st_uid, status.st_gid)
    os.fchmod(new, status.st_mode & 0o7777)
    try:
        for attribute in os.listxattr(old):
            value = os.getxattr(old, attribute)
            if _attribute(new, attribute) != value:
                os.setxattr(new, attribute, value)
    except OSError as error:
        if error.errno != ENOTSUP:
            raise


def _attribute(file: int, attribute: str) -> bytes | None:
    """An extended attribute, which the kernel may set by itself; None without it."""
    try:
        return os.getxattr(file, attribute)
    except OSError as error:
        if error.errno == ENODATA:
            return None
        raise


class Rewritten:
    """Files with a new content: ``changes`` are the absolute path of each, its content before and
    its content after.

    *files* are pairs of name and content as sources.read() gives them, *after* the new contents.
    Raises StateError for a file that cannot be rewritten.
    """

    __slots__ = ("_done", "changes")

    def __init__(self, files: Iterable[tuple[str, bytes]], after: Iterable[bytes]) -> None:
        self.changes: list[tuple[str, bytes, bytes]] = []
        self._done: list[tuple[str, bytes, bytes]] = []
        for (name, old), new in zip(files, after, strict=True):
            if old != new:
                check(name)
                self.changes.append((trust.absolute(name), old, new))

    def write(self) -> None:
        """Write all files, or none. Raises StateError."""
        try:
            for name, before, after in self.changes:
                replace(name, before, after)
                self._done.append((name, before, after))
        except BaseException:  # all files or none, whatever ends it
            self.take_back()
            raise

    def take_back(self) -> None:
        """Give the files that were written their former content. Raises StateError."""
        while self._done:
            name, before, after = self._done.pop()
            replace(name, after, before)

    def restore(self) -> list[str]:
        """Give all files their former content, whoever has written them; the names of those that
        somebody else has changed, which stay. It may be called again after a StateError."""
        left = []
        for name, before, after in self.changes:
            content = _now(name, max(len(before), len(after)) + 1)
            if content == after:
                replace(name, after, before)
            elif content != before:
                left.append(name)
        return left


def _now(name: str, most: int) -> bytes | None:
    """The content of a file, *most* bytes of it; None where it cannot be read."""
    try:
        file = trust.regular(name, os.O_RDONLY)
    except OSError:
        return None
    try:
        return _content(file, most)
    finally:
        os.close(file)
