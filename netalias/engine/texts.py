"""The texts in a folder that are always true: ``aliases`` and ``alias_types`` (views/texts.py).

The folder belongs to one network namespace, which the hidden file CLAIM in it names by its inode.
Who writes holds a flock on that file: a resident as long as it lives, a command as long as it
writes. So a command never replaces the newer text of a resident, and never writes into the folder
of another namespace. The file is never removed: a lock on a removed one holds nobody off.
"""

from __future__ import annotations

import os
from errno import EACCES, EAGAIN, ELOOP, ENOTDIR
from fcntl import LOCK_EX, LOCK_NB, flock
from stat import S_ISVTX
from time import monotonic, sleep

from netalias import errors
from netalias.system.backoff import PACE, Pace
from netalias.views.texts import NAMES, texts
from procfs.publish import publish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.observed import Observed

CLAIM = ".namespace"
CLAIM_MAX = 64
"""Bytes; a number has fewer."""
FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC
WRITABLE = 0o022
"""S_IWGRP | S_IWOTH"""
PATIENCE = 1.0
"""Seconds that a resident waits for a command that is writing."""


class Folder:
    """A folder that nobody else can write to, held open.

    Raises OSError where there is none, StateError where others could write to it: who follows what
    they put there, writes where they like.
    """

    __slots__ = ("_claim", "_fd", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._claim = -1
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | FLAGS)
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
        """Let go of it, and of the lock."""
        for file in (self._claim, self._fd):
            if file >= 0:
                os.close(file)
        self._claim = self._fd = -1

    def owner(self) -> int:
        """The inode of the namespace that has claimed it, 0 for none. Raises OSError."""
        try:
            file = os.open(CLAIM, os.O_RDONLY | FLAGS, dir_fd=self._fd)
        except FileNotFoundError:
            return 0
        try:
            return _inode(file)
        finally:
            os.close(file)

    def lock(self) -> bool:
        """Hold the claim; False while somebody else does. Raises OSError."""
        # Who can open it can hold it: nobody else.
        file = os.open(CLAIM, os.O_RDWR | os.O_CREAT | FLAGS, 0o600, dir_fd=self._fd)
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in (EAGAIN, EACCES):
                return False
            raise
        self._claim = file
        return True

    def name(self, namespace: int) -> None:
        """Write into the claim, which is held, whose folder it is.

        Raises OSError; StateError where there are texts that nobody has claimed: ``/etc/aliases``
        is not ours.
        """
        before = _inode(self._claim)
        if before == namespace:
            return
        found = set(NAMES).intersection(os.listdir(self._fd)) if not before else ()
        if found:
            raise errors.StateError(f"{self.path}/{min(found)}: netalias did not write it")
        os.ftruncate(self._claim, os.pwrite(self._claim, b"%d\n" % namespace, 0))

    def stands(self) -> bool:
        """Whether the path still leads here, and the claim is the one that is held."""
        try:
            here = os.stat(self.path), os.stat(f"{self.path}/{CLAIM}")
        except OSError:
            return False
        return all(map(os.path.samestat, here, (os.fstat(self._fd), os.fstat(self._claim))))

    def write(self, observed: Observed) -> None:
        """Write what has changed. Raises OSError."""
        publish(f"/proc/self/fd/{self._fd}", texts(lambda: observed))


def refresh(path: str, namespace: int, observed: Callable[[], Observed]) -> str:
    """What a command does for the texts after a change, and under the lock of its namespace.

    The folder is left alone where it is another namespace's, where a resident holds it, and where
    this user cannot tell whose it is. A sentence where the texts are not true any more; else empty.
    """
    mine = False
    try:
        with Folder(path) as folder:
            owner = folder.owner()
            mine = owner == namespace
            if owner in (0, namespace) and folder.lock():
                folder.name(namespace)
                mine = True
                folder.write(observed())
    except (OSError, errors.NetaliasError) as error:
        return _unwritten(path, error) if mine else ""
    return ""


def _inode(file: int) -> int:
    """What a claim says; 0 where it does not say it."""
    text = os.pread(file, CLAIM_MAX, 0).strip()
    return int(text) if text.isdigit() else 0


def _unwritten(path: str, error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) else error
    return f"{path}: the texts do not tell what is there now: {why}"


class Texts:
    """What a resident does for the texts: claim(), then write() whenever due() says 0.

    *namespace* is the inode of the network namespace, *clock* counts seconds. Everything is due at
    first.
    """

    __slots__ = ("_clock", "_folder", "_namespace", "_pace", "_path", "_trouble")

    def __init__(self, path: str, namespace: int, clock: Callable[[], float] = monotonic) -> None:
        self._path = os.path.abspath(path)
        self._namespace = namespace
        self._clock = clock
        self._folder: Folder | None = None
        self._pace = Pace()
        self._pace.changed()
        self._trouble = ""

    def claim(self, patience: float = PATIENCE) -> None:
        """Make the folder if there is none, and hold it from now on.

        It may be another namespace's, as long as nobody holds it. A command that is writing is
        waited for, *patience* seconds. Raises StateError.
        """
        self.close()
        try:
            folder = made(self._path)
        except OSError as error:
            raise errors.StateError(f"{self._path}: {error.strerror}") from None
        try:
            end = self._clock() + patience
            while not folder.lock():
                if self._clock() >= end:
                    raise errors.StateError(f"{self._path}: another netalias watch keeps it")
                sleep(PACE)
            folder.name(self._namespace)
        except OSError as error:
            folder.close()
            raise errors.StateError(f"{self._path}: {error.strerror}") from None
        except BaseException:
            folder.close()
            raise
        self._folder = folder

    def close(self) -> None:
        """Leave the texts, and who may write them, to the commands."""
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def changed(self) -> None:
        """An event was heard that the texts may not tell of yet."""
        self._pace.changed()

    def due(self, now: float) -> float | None:
        """Seconds until write() is to be called; None while the texts are true."""
        return self._pace.due(now)

    def write(self, observed: Callable[[], Observed]) -> str:
        """Write what *observed* gives now: what was heard up to then is in it.

        What keeps it from being written, as a sentence, once; else empty.
        """
        begin = self._clock()
        self._pace.begun()
        try:
            if self._folder is None or not self._folder.stands():
                self.claim(0)  # somebody has taken the folder away
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
    """The folder, made where there is none, so that everybody can read it. Raises as Folder()."""
    try:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        os.mkdir(path, 0o755)
    except FileExistsError:
        return Folder(path)
    os.chmod(path, 0o755)  # whatever the umask
    return Folder(path)
