"""Up-to-date texts in a folder: ``aliases`` and ``alias_types`` (views/texts.py).

The folder belongs to one network namespace; the hidden file CLAIM in it tells which one.
A writer holds a flock(2) on CLAIM: a resident (``netalias watch``) for its life, a command while it
writes. So a command never replaces the newer text of a resident, and never writes into the folder
of another namespace. CLAIM is never removed, since a lock on a removed file excludes nobody.
"""

from __future__ import annotations

import os
from errno import EACCES, EAGAIN, ELOOP, ENOTDIR
from fcntl import LOCK_EX, LOCK_NB, flock
from stat import S_ISLNK, S_ISVTX
from time import monotonic, sleep

from netalias import errors
from netalias.runtime import check_regular, make_folder, make_folders, trusted
from netalias.system.backoff import PACE, Pace
from netalias.system.netns import abandoned, device_table
from netalias.views.texts import NAMES, texts
from procfs.publish import publish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.observed import Observed

CLAIM = ".namespace"
CLAIM_MAX = 64
"""Bytes that are read of CLAIM, more than two numbers have."""
FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""A FIFO in the place of CLAIM would be waited for under the lock."""
WRITABLE = 0o022
"""S_IWGRP | S_IWOTH"""
PATIENCE = 1.0
"""Seconds that a resident waits for a command that writes."""


class Folder:
    """An open folder that only its owner can write to.

    *way* is the path by which it is opened. Raises OSError without a folder; StateError if other
    users could write to it, since their links could redirect the texts.
    """

    __slots__ = ("_claim", "_fd", "path")

    def __init__(self, path: str, way: str = "") -> None:
        self.path = path
        self._claim = -1
        try:
            self._fd = os.open(way or path, os.O_RDONLY | os.O_DIRECTORY | FLAGS)
        except OSError as error:
            if error.errno in (ELOOP, ENOTDIR):
                raise errors.StateError(f"{path}: it is not a folder") from None
            raise
        try:
            status = os.fstat(self._fd)
            if status.st_uid not in (0, os.geteuid()) or status.st_mode & WRITABLE:
                hint = f"chown root: {path}; chmod 755 {path}"
                if status.st_mode & S_ISVTX:  # /tmp is for everybody
                    hint = "a folder below it can be for one alone"
                raise errors.StateError(f"{path}: others can write to it", hint)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the folder and release the lock."""
        for file in (self._claim, self._fd):
            if file >= 0:
                os.close(file)
        self._claim = self._fd = -1

    def fileno(self) -> int:
        """The descriptor of the locked claim, -1 without one."""
        return self._claim

    def owner(self) -> tuple[int, int]:
        """The inode of the namespace that has claimed the folder, and that of its table of devices:
        0 for none. Raises OSError."""
        try:
            file = self._opened(os.O_RDONLY)
        except FileNotFoundError:
            return 0, 0
        try:
            return _claimed(file)
        finally:
            os.close(file)

    def _opened(self, flags: int) -> int:
        """The descriptor of CLAIM. Raises OSError."""
        # Mode 0600: any user who can open the file can lock it.
        file = os.open(CLAIM, flags | FLAGS, 0o600, dir_fd=self._fd)
        try:
            check_regular(file, f"{self.path}/{CLAIM}")
        except BaseException:
            os.close(file)
            raise
        return file

    def adopt(self, claim: int) -> bool:
        """Take over the locked claim of another process by its descriptor. False, and that is
        closed, if it belongs to another folder. Raises OSError."""
        try:
            there = os.stat(CLAIM, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            there = None
        if there is None or not os.path.samestat(there, os.fstat(claim)):
            os.close(claim)
            return False
        self._claim = claim
        return True

    def lock(self) -> bool:
        """Lock the claim; False while another process holds it. Raises OSError."""
        file = self._opened(os.O_RDWR | os.O_CREAT)
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in (EAGAIN, EACCES):
                return False
            raise
        self._claim = file
        return True

    def name(self, namespace: int, table: int) -> None:
        """Claim the folder for *namespace*, which has this *table* of devices; the lock is held.

        Raises OSError; StateError if there are texts in an unclaimed folder: ``/etc/aliases`` is
        not ours.
        """
        before = _claimed(self._claim)
        if before == (namespace, table):
            return
        found = set(NAMES).intersection(os.listdir(self._fd)) if not before[0] else ()
        if found:
            raise errors.StateError(f"{self.path}/{min(found)}: netalias did not write it")
        text = b"%d %d\n" % (namespace, table) if table else b"%d\n" % namespace
        os.ftruncate(self._claim, os.pwrite(self._claim, text, 0))

    def stands(self) -> bool:
        """Whether the path still leads to this folder, and its claim is the locked file."""
        try:
            here = os.stat(self.path), os.stat(f"{self.path}/{CLAIM}")
        except OSError:
            return False
        return all(map(os.path.samestat, here, (os.fstat(self._fd), os.fstat(self._claim))))

    def write(self, observed: Observed) -> None:
        """Write the texts that have changed. Raises OSError."""
        publish(f"/proc/self/fd/{self._fd}", texts(lambda: observed))


def refresh(
    path: str,
    namespace: int,
    observed: Callable[[], Observed],
    within: Callable[[Callable[[], int]], int],
) -> str:
    """Refresh the texts after a change by a command, which holds the lock of the namespace.

    *namespace* is the inode of that; *within* calls a function inside it. The folder is left alone
    if it belongs to another namespace that somebody still holds, if a resident holds the folder, or
    if this user cannot read its claim. Returns a sentence if the texts are outdated now; else
    empty.
    """
    mine = False
    try:
        with Folder(path) as folder:
            owner, known_by = folder.owner()
            mine = owner == namespace
            if (owner in (0, namespace) or abandoned(owner, known_by)) and folder.lock():
                folder.name(namespace, within(device_table))
                mine = True
                folder.write(observed())
    except (OSError, errors.NetaliasError) as error:
        return _unwritten(path, error) if mine else ""
    return ""


def _claimed(file: int) -> tuple[int, int]:
    """The two inodes that a claim holds, the second one 0 as up to version 0.4; (0, 0) for any
    other content."""
    found = os.pread(file, CLAIM_MAX, 0).split()
    if len(found) not in (1, 2) or not all(map(bytes.isdigit, found)):
        return 0, 0
    return int(found[0]), int(found[1]) if found[1:] else 0


def _unwritten(path: str, error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) else error
    return f"{path}: the texts are out of date: {why}"


class Texts:
    """The texts of a resident: claim() the folder, then write() whenever due() is 0.

    *namespace* is the inode of the network namespace, *table* that of its table of devices, 0 if it
    is not known. *clock* counts seconds. The first write is due at once.
    """

    __slots__ = ("_clock", "_folder", "_namespace", "_pace", "_path", "_table", "_trouble")

    def __init__(
        self,
        path: str,
        namespace: int,
        clock: Callable[[], float] = monotonic,
        *,
        table: int = 0,
    ) -> None:
        self._path = os.path.abspath(path)
        self._namespace = namespace
        self._table = table
        self._clock = clock
        self._folder: Folder | None = None
        self._pace = Pace()
        self._pace.changed()
        self._trouble = ""

    def fileno(self) -> int:
        """The descriptor of the claim, -1 without one."""
        return -1 if self._folder is None else self._folder.fileno()

    def claim(self, patience: float = PATIENCE, adopted: int = -1) -> None:
        """Create the folder if necessary, and hold it from now on.

        It may belong to another namespace if nobody holds it. Waits *patience* seconds for a
        command that writes. *adopted* is the descriptor of the claim of another process, which has
        handed it over. Raises StateError.
        """
        self.close()
        try:
            folder = made(self._path)
        except OSError as error:
            raise errors.StateError(f"{self._path}: {error.strerror}") from None
        try:
            end = self._clock() + patience
            held = adopted >= 0 and folder.adopt(adopted)
            while not (held or folder.lock()):
                if self._clock() >= end:
                    raise errors.StateError(f"{self._path}: another netalias watch keeps it")
                sleep(PACE)
            folder.name(self._namespace, self._table)
        except OSError as error:
            folder.close()
            raise errors.StateError(f"{self._path}: {error.strerror}") from None
        except BaseException:
            folder.close()
            raise
        self._folder = folder

    def close(self) -> None:
        """Release the folder: from now on commands refresh the texts."""
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def changed(self) -> None:
        """Note an event that the texts may not contain yet."""
        self._pace.changed()

    def due(self, now: float) -> float | None:
        """Seconds until write() is to be called; None while the texts are up to date."""
        return self._pace.due(now)

    def write(self, observed: Callable[[], Observed]) -> str:
        """Write the texts of the state that *observed* returns.

        Returns a sentence on a new problem; empty without one, and if it was returned before.
        """
        begin = self._clock()
        self._pace.begun()
        try:
            if self._folder is None or not self._folder.stands():
                self.claim(0)  # the folder was removed or replaced
            assert self._folder is not None
            self._folder.write(observed())
        except (OSError, errors.NetaliasError) as error:
            self._pace.failed(self._clock())
            trouble = _unwritten(self._path, error)
        else:
            self._pace.written(begin, self._clock())
            trouble = ""
        before, self._trouble = self._trouble, trouble
        return trouble if trouble != before else ""


def made(path: str) -> Folder:
    """The folder *path*, created with its parents if it is missing, for everybody to read. Raises
    as Folder()."""
    make_folders(os.path.dirname(path))
    parent = _parent(path)
    try:
        way = f"/proc/self/fd/{parent}/{os.path.basename(path)}"
        try:
            make_folder(way)
        except FileExistsError:
            pass
        return Folder(path, way)
    finally:
        os.close(parent)


def _parent(path: str) -> int:
    """The descriptor of the folder above *path*. If its name is a link, it has to be one of root or
    this user: the owner of a folder above could redirect root by his. Raises OSError."""
    parent = os.path.dirname(path)
    link = os.open(parent, os.O_PATH | FLAGS)
    try:
        status = os.fstat(link)
        if not S_ISLNK(status.st_mode):
            return os.open(".", os.O_DIRECTORY | FLAGS, dir_fd=link)
        if not trusted(status.st_uid):
            raise OSError(ELOOP, "a symbolic link of another user is on the way", parent)
        target = os.path.join(os.path.dirname(parent), os.readlink("", dir_fd=link))
        return os.open(target, os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(link)
