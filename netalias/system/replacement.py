"""Files that are replaced as a whole, and can be brought back while the work goes on.

A reader finds the old file or the new one, never a part. Owner, mode and extended attributes stay:
an ACL, and the context of SELinux.
"""

from __future__ import annotations

import os
from errno import ENODATA, ENOTSUP
from time import time

from netalias import errors, trust
from netalias.model.names import number
from netalias.system.process import started

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
MODE = 0o644
"""Of a file that was not there."""
SIZE = 1 << 20
"""Bytes of one read."""
NEW, OLD = "new~", "old~"
"""Ends of the names of what stands beside a file meanwhile: none of them is one of declarations."""
LEFT = 600.0
"""Seconds after which what belongs to no running process was left by one that was killed. One in
another container does not seem to run."""


class Replacement:
    """The new *content* of the file at *path*, which leads through no symbolic link; *before* is
    what was read there, None for no file.

    It is written beside the file at once, so a full or read-only file system shows before anything
    else is done. What somebody else writes meanwhile stays. Raises StateError, also for a file that
    others may write to.
    """

    def __init__(self, path: str, before: bytes | None, content: bytes) -> None:
        self.path = path
        self.tried = False
        self._before = before
        self._content = content
        folder, base = os.path.split(path)
        self._draft = os.path.join(folder, f".{base}.{os.getpid()}.{NEW}")
        self._former = os.path.join(folder, f".{base}.{os.getpid()}.{OLD}")
        try:
            self._check()
            _clear(folder, f".{base}.")
            self._write(content)
            if before is not None:
                self._keep()
        except BaseException as error:  # an interruption leaves no draft either
            self.close()
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
        """Write *content* beside the file. Raises StateError, OSError."""
        _discard(self._draft)  # of a killed process with the same pid
        new = os.open(self._draft, CREATE, 0o600)
        try:
            while content:  # a full file system takes a part first, and then raises ENOSPC
                content = content[os.write(new, content) :]
            _resemble(new, self.path)
            os.fsync(new)
        finally:
            os.close(new)

    def _keep(self) -> None:
        """Keep the old file by a second name. Some file systems have no hard links."""
        _discard(self._former)
        try:
            os.link(self.path, self._former, follow_symlinks=False)
        except OSError:
            pass  # restore() writes it anew

    def put(self) -> None:
        """Put the new file in the place of the old one. Raises StateError, also for a file that is
        not as it was read; then it stays."""
        try:
            self._check()
            self.tried = True  # before it is done: a signal may come right behind
            if self._before is None:
                os.link(self._draft, self.path)  # rename(2) would replace a file made just now
            else:
                os.replace(self._draft, self.path)
            self._sync()
        except OSError as error:
            raise errors.StateError(f"{self.path}: {error.strerror}") from None

    def restore(self) -> bool:
        """Put the old file, or none, in the place of the new one, which another process may have
        put there. False for a file that somebody has changed since: it stays. It may be called
        again after a StateError, and after close()."""
        try:
            now = _now(self.path, max(len(self._before or b""), len(self._content)))
            if now != self._content:
                return now == self._before
            if self._before is None:
                _discard(self.path)
            else:
                self._bring_back(self._before)
            self._sync()
        except OSError as error:
            raise errors.StateError(f"{self.path}: {error.strerror}") from None
        return True

    def _bring_back(self, before: bytes) -> None:
        """Raises StateError, OSError."""
        if _now(self._former, len(before)) == before:
            os.replace(self._former, self.path)
            return
        try:
            self._write(before)
            os.replace(self._draft, self.path)
        finally:
            _discard(self._draft)

    def _sync(self) -> None:
        """Make the name of the file durable. Raises OSError."""
        folder = os.open(os.path.dirname(self.path), os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Remove what is left beside the file."""
        _discard(self._draft)
        _discard(self._former)


class Replacements:
    """Files that are replaced together. *contents* are path, content before and new content of
    each, as for Replacement. Raises StateError."""

    def __init__(self, contents: Iterable[tuple[str, bytes | None, bytes]]) -> None:
        self._files: list[Replacement] = []
        try:
            for path, before, content in contents:
                self._files.append(Replacement(path, before, content))
        except BaseException:  # an interruption leaves no drafts either
            self.close()
            raise

    def put(self) -> None:
        """Replace all files, or none. Raises StateError."""
        try:
            for file in self._files:
                file.put()
        except BaseException:  # all files or none, whatever ends it
            self.take_back()
            raise

    def take_back(self) -> list[str]:
        """Bring back the files that put() has replaced; the paths of those that somebody else has
        changed, which stay. Raises StateError, when all others are back."""
        return _restored(file for file in self._files if file.tried)

    def restore(self) -> list[str]:
        """Bring back all files, whoever has replaced them; the paths of those that somebody else
        has changed, which stay. It may be called again after a StateError, which comes when all
        others are back, and after close()."""
        return _restored(self._files)

    def close(self) -> None:
        """Remove what is left beside the files."""
        for file in self._files:
            file.close()


def _clear(folder: str, begin: str) -> None:
    """Remove what killed processes have left in a folder under names that *begin* so. Raises
    OSError."""
    for name in os.listdir(folder):
        pid, _, end = name.removeprefix(begin).partition(".")
        if not name.startswith(begin) or end not in (NEW, OLD) or number(pid) <= 0:
            continue
        path = os.path.join(folder, name)
        if not started(number(pid)) and os.lstat(path).st_ctime + LEFT < time():
            _discard(path)


def _restored(files: Iterable[Replacement]) -> list[str]:
    """Restore each of *files*; the paths of those that stay. Raises StateError at the end."""
    changed, problem = [], None
    for file in files:
        try:
            if not file.restore():
                changed.append(file.path)
        except errors.StateError as error:
            problem = problem or error
    if problem is not None:
        raise problem
    return changed


def _now(path: str, most: int) -> bytes | None:
    """The content of a file, of which no more than *most* bytes and one are read; None without a
    file. Raises StateError for one that others may write to, and OSError."""
    try:
        file = _open(path)
    except FileNotFoundError:
        return None
    try:
        chunks, room = [], most + 1
        while room > 0 and (chunk := os.read(file, min(SIZE, room))):
            chunks.append(chunk)
            room -= len(chunk)
        return b"".join(chunks)
    finally:
        os.close(file)


def _open(path: str) -> int:
    """The descriptor of a file that is there. Raises StateError, OSError."""
    file = os.open(path, READ)
    try:
        if trust.careful():
            trust.check_file(path, os.fstat(file), file)
    except BaseException:
        os.close(file)
        raise
    return file


def _resemble(new: int, path: str) -> None:
    """Give an open file the owner, mode and extended attributes of the one at *path*; if none is
    there, the mode of a new file. Raises StateError, OSError."""
    try:
        old = _open(path)
    except FileNotFoundError:
        os.fchmod(new, MODE)
        return
    try:
        status, own = os.fstat(old), os.fstat(new)
        if (status.st_uid, status.st_gid) != (own.st_uid, own.st_gid):
            os.fchown(new, status.st_uid, status.st_gid)
        os.fchmod(new, status.st_mode & 0o7777)
        _copy_attributes(new, old)
    finally:
        os.close(old)


def _copy_attributes(new: int, old: int) -> None:
    """Raises OSError."""
    try:
        for attribute in os.listxattr(old):
            value = os.getxattr(old, attribute)
            if _attribute(new, attribute) != value:
                os.setxattr(new, attribute, value)
    except OSError as error:
        if error.errno != ENOTSUP:
            raise


def _attribute(file: int, attribute: str) -> bytes | None:
    """An extended attribute, which the kernel may set by itself; None without it. Raises
    OSError."""
    try:
        return os.getxattr(file, attribute)
    except OSError as error:
        if error.errno == ENODATA:
            return None
        raise


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass  # the usual case
