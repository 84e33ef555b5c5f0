"""A single watcher per network namespace, by flock(2). Files in the runtime directory::

    watch.lock  locked by the watcher for its life; never removed, never written to
    watch       the watcher: lines of a word and its value, readable by everybody

The kernel releases the lock when the watcher ends, for any reason. A child that outlives it must
close its descriptors; all of ours do, and so does exec(3).
"""

from __future__ import annotations

import os
from errno import EAGAIN, EINVAL
from fcntl import LOCK_EX, LOCK_NB, flock
from time import monotonic, sleep, strftime

from netalias import errors
from netalias.runtime import (
    NOFOLLOW,
    check_regular,
    opened_folder,
    remove_file,
    replace_file,
    words,
)
from netalias.system.process import started

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LOCK = "watch.lock"
ABOUT = "watch"
NOW = "%Y-%m-%d %H:%M:%S"
WAIT = 1.0
"""Seconds for a new holder of the lock to write ABOUT, and for a dying child to release it."""
POLL = 0.005
"""Seconds between two tries."""
RUNS = "netalias watch runs already in this network namespace"


class AnotherInstance(errors.StateError):
    """A watcher runs already in this network namespace."""


class Running:
    """A running watcher.

    ``start`` is the start time of its ``pid`` (system.process.started), ``since`` the local time at
    which it began to watch, ``files`` are its declarations; ``words`` those of its command line,
    and ``cwd`` the folder in which they were said. ``owner`` is the user who owns the file that
    tells of it, -1 for this process.
    """

    __slots__ = ("cwd", "files", "owner", "pid", "since", "start", "words")

    def __init__(
        self,
        pid: int,
        start: str,
        since: str,
        files: Sequence[str] = (),
        words: Sequence[str] = (),
        cwd: str = "",
        owner: int = -1,
    ) -> None:
        self.pid = pid
        self.start = start
        self.since = since
        self.files = tuple(files)
        self.words = tuple(words)
        self.cwd = cwd
        self.owner = owner

    @property
    def alive(self) -> bool:
        """Whether the process still runs, and its pid was not reused."""
        return started(self.pid) == self.start != ""


def running(folder: str) -> Running | None:
    """The watcher of the runtime directory *folder*, None without one; the lock is not taken.

    Raises StateError.
    """
    found = _read(f"{folder}/{ABOUT}")
    return found if found is not None and found.alive else None


class Instance:
    """The single instance: holds the lock until close() or the end of the process.

    *folder* is the runtime directory, *files* are the declarations; *lock* is the descriptor of the
    lock, if another process has handed it over; *words* are those of the command line. Raises
    StateError if there is another instance, with its pid, or if the directory is not accessible.
    """

    def __init__(
        self,
        folder: str,
        files: Iterable[str] = (),
        lock: int = -1,
        words: Sequence[str] = (),
    ) -> None:
        self._folder = folder
        self._about = f"{folder}/{ABOUT}"
        self._file = _held(folder) if lock < 0 else lock
        pid = os.getpid()
        self._me = Running(pid, started(pid), strftime(NOW), words=words, cwd=os.getcwd())
        try:
            self.write(files)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Instance:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor of the lock, which another process can hold too, and go on holding."""
        return self._file

    def write(self, files: Iterable[str]) -> None:
        """Write ABOUT with *files* as the declarations. Raises StateError."""
        self._me.files = tuple(files)
        self.tell()

    def tell(self) -> None:
        """Write ABOUT: this process is the instance. Raises StateError."""
        _write(self._about, self._me)

    def stands(self) -> bool:
        """Whether the lock and ABOUT are in the directory still."""
        try:
            here = os.stat(f"{self._folder}/{LOCK}")
            return os.path.samestat(here, os.fstat(self._file)) and os.path.exists(self._about)
        except OSError:
            return False

    def restore(self) -> None:
        """Take the lock again, and write ABOUT, in a directory that was removed and made again.
        Raises AnotherInstance if another instance was faster, StateError."""
        file = _held(self._folder, self._file)
        if file != self._file:
            os.close(self._file)
            self._file = file
        self.write(self._me.files)

    def _mine(self) -> bool:
        """Whether ABOUT names this process, not one that has taken over from it."""
        found = _read(self._about)
        return found is not None and found.pid == self._me.pid

    def close(self) -> None:
        """Remove ABOUT and release the lock."""
        if self._file < 0:
            return
        try:
            if self.stands() and self._mine():  # else it is that of another instance, or none
                remove_file(self._about)
        except (OSError, errors.StateError):
            pass  # readers check whether the process is alive
        os.close(self._file)
        self._file = -1


def _held(folder: str, mine: int = -1) -> int:
    """The descriptor of the lock, which is held. Waits up to WAIT seconds for another holder that
    is starting or ending. Raises AnotherInstance, StateError.

    *mine* is a descriptor that is returned if it is that of the lock.
    """
    path = f"{folder}/{LOCK}"
    try:
        if mine >= 0 and os.path.exists(path) and os.path.samestat(os.stat(path), os.fstat(mine)):
            return mine
        file = opened_lock(folder, LOCK)
    except OSError as error:
        raise _refused(path, error) from None
    try:
        give(file, folder, path)
        end = monotonic() + WAIT
        while not locked(file, path):
            found = running(folder)
            if found is not None:
                raise AnotherInstance(f"{RUNS}: pid {found.pid}, since {found.since}")
            if monotonic() >= end:
                raise AnotherInstance(RUNS, f"fuser {path} shows its pid")
            sleep(POLL)
    except BaseException:
        os.close(file)
        raise
    return file


def opened_lock(folder: str, name: str) -> int:
    """The descriptor of a lock file, which is made if there is none. Raises OSError."""
    home = opened_folder(folder)
    try:
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | NOFOLLOW, 0o600, dir_fd=home)
    finally:
        os.close(home)
    try:
        check_regular(file, f"{folder}/{name}")
    except BaseException:
        os.close(file)
        raise
    return file


def give(file: int, folder: str, path: str) -> None:
    """Give the lock file the owner of the folder, if root created it for a service. Raises
    StateError."""
    try:
        owner = os.lstat(folder).st_uid
        if owner != os.geteuid() == 0:
            os.fchown(file, owner, -1)
    except OSError as error:
        raise _refused(path, error) from None


def locked(file: int, path: str) -> bool:
    """Take the lock of an open file; False while another process holds it. Raises StateError."""
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except OSError as error:
        if error.errno == EAGAIN:
            return False
        raise _refused(path, error) from None
    return True


def _read(path: str) -> Running | None:
    """The watcher that the file describes; None without a file, and for any other content."""
    try:
        pairs, owner = words.read(path)
    except OSError as error:
        if error.errno == EINVAL:  # not a regular file
            return None
        raise _refused(path, error) from None
    found = dict(pairs)
    files = [_unquoted(value) for word, value in pairs if word == "file"]
    said = [_unquoted(value) for word, value in pairs if word == "word"]
    cwd = _unquoted(found.get("cwd", ""))
    try:
        return Running(int(found["pid"]), found["start"], found["since"], files, said, cwd, owner)
    except (KeyError, ValueError):
        return None


def _write(path: str, watcher: Running) -> None:
    """Write the file. Raises StateError."""
    lines = [f"pid {watcher.pid}", f"start {watcher.start}", f"since {watcher.since}"]
    lines += [f"file {_quoted(name)}" for name in watcher.files]
    lines += [f"word {_quoted(word)}" for word in watcher.words]
    lines += [f"cwd {_quoted(watcher.cwd)}"]
    try:
        replace_file(
            path, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        )
    except OSError as error:
        raise _refused(path, error) from None


def _quoted(name: str) -> str:
    """A file name on one line: newlines and backslashes are escaped."""
    return name.replace("\\", "\\\\").replace("\n", "\\n")


def _unquoted(text: str) -> str:
    return "\\".join(part.replace("\\n", "\n") for part in text.split("\\\\"))


def _refused(path: str, error: OSError) -> errors.StateError:
    return errors.StateError(f"{path}: {error.strerror}")
