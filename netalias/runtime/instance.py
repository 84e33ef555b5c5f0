"""One watcher a network namespace: whoever holds the lock (flock(2)). In the folder of it stand::

    watch.lock  locked by the watcher as long as it lives; never removed, never written to
    watch       who it is: lines of a word and its value; for everybody to read

The kernel lets the lock go when the watcher dies, however it does. A child of it that lives on
must have closed its descriptors, as all children of ours do, and as exec does.
"""

from __future__ import annotations

import os
from errno import EAGAIN
from fcntl import LOCK_EX, LOCK_NB, flock
from time import monotonic, sleep, strftime

from netalias import errors
from netalias.system.process import started

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LOCK = "watch.lock"
ABOUT = "watch"
FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW
NOW = "%Y-%m-%d %H:%M:%S"
SIZE_MAX = 1 << 20
"""Bytes that are read of what a watcher says of itself."""
PATIENCE = 1.0
"""Seconds that a winner has to say who it is, and a dying child to let the lock go."""
POLL = 0.005
RUNS = "netalias watch runs already in this network namespace"


class Running:
    """A watcher: its pid, when that was started (processes.started), the local time of day since
    which it watches, and the files that it was given."""

    __slots__ = ("files", "pid", "since", "start")

    def __init__(self, pid: int, start: str, since: str, files: Sequence[str] = ()) -> None:
        self.pid = pid
        self.start = start
        self.since = since
        self.files = tuple(files)

    @property
    def alive(self) -> bool:
        """It is there: this pid, and not another process that got its number."""
        return started(self.pid) == self.start != ""


def running(folder: str) -> Running | None:
    """The watcher of the namespace whose folder this is. Locks nothing. Raises StateError."""
    found = _read(f"{folder}/{ABOUT}")
    return found if found is not None and found.alive else None


class Instance:
    """Won when it is made; held until close(), or the end of the process.

    *folder* is that of the namespace (lock.Lock.folder), *files* what is watched. Raises StateError
    with the pid of the winner when somebody else has won, or when there is no right to the folder.
    """

    def __init__(self, folder: str, files: Iterable[str] = ()) -> None:
        self._about = f"{folder}/{ABOUT}"
        self._file = _won(folder)
        pid = os.getpid()
        self._me = Running(pid, started(pid), strftime(NOW))
        try:
            self.tell(files)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Instance:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tell(self, files: Iterable[str]) -> None:
        """Say which files are watched from now on. Raises StateError."""
        self._me.files = tuple(files)
        _write(self._about, self._me)

    def close(self) -> None:
        """Let the next one in."""
        if self._file < 0:
            return
        try:
            os.unlink(self._about)
        except OSError:
            pass  # whoever reads it finds that the process is no more
        os.close(self._file)
        self._file = -1


def _won(folder: str) -> int:
    """The lock, held. Whoever is about to say who it is, or to let go, is waited for."""
    path = f"{folder}/{LOCK}"
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | FLAGS, 0o600)
    except OSError as error:
        raise _refused(path, error) from None
    try:
        _give(file, folder, path)
        end = monotonic() + PATIENCE
        while not _locked(file, path):
            found = running(folder)
            if found is not None:
                raise errors.StateError(f"{RUNS}: pid {found.pid}, since {found.since}")
            if monotonic() >= end:
                raise errors.StateError(RUNS, f"fuser {path} shows who it is")
            sleep(POLL)
    except BaseException:
        os.close(file)
        raise
    return file


def _give(file: int, folder: str, path: str) -> None:
    """What root makes in the folder of a service is the service's (lock.py)."""
    try:
        owner = os.lstat(folder).st_uid
        if owner != os.geteuid() == 0:
            os.fchown(file, owner, -1)
    except OSError as error:
        raise _refused(path, error) from None


def _locked(file: int, path: str) -> bool:
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except OSError as error:
        if error.errno == EAGAIN:
            return False
        raise _refused(path, error) from None
    return True


def _read(path: str) -> Running | None:
    """None for nothing, and for what no watcher has written."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, error) from None
    try:
        text = os.read(file, SIZE_MAX).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise _refused(path, error) from None
    finally:
        os.close(file)
    pairs = [line.partition(" ")[::2] for line in text.split("\n") if line]
    words = dict(pairs)
    files = [_unquoted(value) for word, value in pairs if word == "file"]
    try:
        return Running(int(words["pid"]), words["start"], words["since"], files)
    except (KeyError, ValueError):
        return None


def _write(path: str, who: Running) -> None:
    """The file is whole or not there."""
    lines = [f"pid {who.pid}", f"start {who.start}", f"since {who.since}"]
    lines += [f"file {_quoted(name)}" for name in who.files]
    draft = f"{path}~"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | FLAGS
        with open(os.open(draft, flags, 0o644), "wb") as file:
            file.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
        os.rename(draft, path)
    except OSError as error:
        raise _refused(path, error) from None


def _quoted(name: str) -> str:
    """A name may hold a newline."""
    return name.replace("\\", "\\\\").replace("\n", "\\n")


def _unquoted(text: str) -> str:
    return "\\".join(part.replace("\\n", "\n") for part in text.split("\\\\"))


def _refused(path: str, error: OSError) -> errors.StateError:
    return errors.StateError(f"{path}: {error.strerror}")
