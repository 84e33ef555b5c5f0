"""Changes of files under given names, by inotify(7).

A path is followed component by component: every folder on it is watched for the one name that the
path continues with. So a file may come, go, be replaced by rename(2) or be reached through another
link, and so may the folders. Each watch is older than the look at its object, so no change is lost
in between. A mount over a folder is not noticed.

pyroute2.inotify takes its paths before it starts, watches for renames into folders only, ignores
refusals of the kernel, and breaks at an overflow: hence these lines of ctypes.
"""

from __future__ import annotations

import ctypes
import os
from _struct import unpack_from
from stat import S_ISDIR, S_ISLNK, S_ISREG

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# linux/inotify.h
IN_MODIFY = 0x002
IN_ATTRIB = 0x004
IN_CLOSE_WRITE = 0x008
IN_MOVED_FROM = 0x040
IN_MOVED_TO = 0x080
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x01000000

# Events of a name in a folder, of a folder, and of a file itself, which may be written to under
# another name or be a mount of its own.
NAMES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB
FOLDER = NAMES | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
CONTENT = IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB

HEADER = 16
"""Bytes of struct inotify_event before the name."""
LONGEST = HEADER + 256
"""Bytes of an event at most: NAME_MAX of linux/limits.h, and the end of the name."""
CHUNK = 65536
CHUNKS = 8
"""Chunks of one reading: as much as the kernel queues (fs.inotify.max_queued_events). Other users
may make events in a folder that is followed, as in /tmp, as fast as they are read."""
LINKS = 40
"""Symbolic links on a path at most: MAXSYMLINKS of linux/namei.h."""


class Followed:
    """The files and folders of the last follow(). Raises StateError without an inotify instance."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = int(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self._file < 0:
            reason = os.strerror(ctypes.get_errno())
            hint = "sysctl fs.inotify.max_user_instances"
            raise errors.StateError(f"files cannot be watched: {reason}", hint)
        self._wanted: dict[int, set[bytes] | None] = {}
        self._found: dict[int, set[bytes] | None] = {}
        self._refused: dict[str, str] = {}
        self._written: set[int] = set()

    def __enter__(self) -> Followed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def unfinished(self) -> bool:
        """Whether a file has been written to and is not closed yet."""
        return bool(self._written)

    def fileno(self) -> int:
        """Readable after an event."""
        return self._file

    def close(self) -> None:
        """Close the inotify instance."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def follow(self, paths: Iterable[str]) -> list[str]:
        """Follow these files and folders, which need not exist, and no others any more.

        A sentence for each that cannot be followed. Call it before reading them: read() tells of
        every change after it.
        """
        self._found, self._refused = {}, {}
        for path in paths:
            self._follow(_absolute(os.fsencode(path)))
        for watch in self._wanted.keys() - self._found.keys():
            self._libc.inotify_rm_watch(self._file, watch)
        self._wanted = self._found
        self._written &= self._wanted.keys()
        return [f"{path}: changes cannot be seen: {why}" for path, why in self._refused.items()]

    def read(self) -> bool:
        """Whether one of the files may have changed since the last call. What comes meanwhile may
        stay for the next one."""
        changed = False
        for _ in range(CHUNKS):
            try:
                data = os.read(self._file, CHUNK)
            except BlockingIOError:
                return changed
            at = 0
            while at < len(data):
                watch, mask, _, size = unpack_from("=iIII", data, at)
                name = data[at + HEADER : at + HEADER + size].rstrip(b"\0")
                changed = self._concerns(watch, mask, name) or changed
                at += HEADER + size
            if len(data) < CHUNK - LONGEST:  # there was no more
                return changed
        return changed

    def _concerns(self, watch: int, mask: int, name: bytes) -> bool:
        if mask & IN_Q_OVERFLOW:
            self._written.clear()
            return True
        if watch not in self._wanted:
            return False  # of a watch that was removed since
        names = self._wanted[watch]
        if mask & IN_MODIFY:
            self._written.add(watch)
        elif mask & (IN_CLOSE_WRITE | IN_IGNORED):
            self._written.discard(watch)
        if mask & IN_IGNORED:
            del self._wanted[watch]
        return not name or names is None or name in names

    def _follow(self, path: bytes) -> None:
        """Watch the folders on *path*, and the file or folder at its end."""
        end = self._walk(path)
        if end is None:
            return
        status = _look(end)
        if status is not None and S_ISDIR(status):
            self._watch(end, FOLDER, None)
            for name in _names(end):
                inner = self._walk(os.path.join(end, name))
                self._content(inner)
        else:
            self._content(end)

    def _content(self, path: bytes | None) -> None:
        """Watch a regular file: everybody writes to /dev/null, which masks a file."""
        status = _look(path) if path is not None else None
        if path is not None and status is not None and S_ISREG(status):
            self._watch(path, CONTENT, None)

    def _walk(self, path: bytes) -> bytes | None:
        """Watch the folders on *path*; it without links, None where a component is missing."""
        here, rest, links = b"/", _parts(path), 0
        while rest:
            name = rest.pop(0)
            if name == b"..":
                here = os.path.dirname(here)
                continue
            self._watch(here, FOLDER, {name})
            here_name = os.path.join(here, name)
            status = _look(here_name)
            if status is None:
                return None
            if not S_ISLNK(status):
                here = here_name
                continue
            links += 1
            target = _target(here_name)
            if not target or links > LINKS:
                return None
            here = b"/" if target.startswith(b"/") else here
            rest = _parts(target) + rest
        return here

    def _watch(self, path: bytes, mask: int, names: Iterable[bytes] | None) -> None:
        watch = self._libc.inotify_add_watch(self._file, path, mask)
        if watch < 0:
            code = ctypes.get_errno()
            if os.path.lexists(path):
                self._refused[os.fsdecode(path)] = os.strerror(code)
            return
        before = self._found.get(watch, set())
        self._found[watch] = None if before is None or names is None else before.union(names)


def _absolute(path: bytes) -> bytes:
    return path if path.startswith(b"/") else os.path.join(os.getcwdb(), path)


def _parts(path: bytes) -> list[bytes]:
    return [part for part in path.split(b"/") if part not in (b"", b".")]


def _look(path: bytes) -> int | None:
    """st_mode of a file; None without one, or without the right to ask."""
    try:
        return os.lstat(path).st_mode
    except (OSError, ValueError):
        return None


def _target(link: bytes) -> bytes:
    try:
        return os.readlink(link)
    except OSError:
        return b""


def _names(folder: bytes) -> list[bytes]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
