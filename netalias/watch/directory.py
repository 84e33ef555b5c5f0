"""The runtime directory under a running watcher: it may be removed, and then it is made again."""

from __future__ import annotations

import os
from select import POLLIN

from netalias import errors
from netalias.runtime.instance import ABOUT, LOCK, AnotherInstance
from netalias.system.backoff import Backoff
from netalias.system.inotify import Followed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.runtime.instance import Instance
    from netalias.system.journal import Journal


class Directory:
    """The runtime directory *path* with the lock of *instance*; a Pollable.

    *make* makes it again, under the lock of the namespace. *released* is called when another
    process may have released that lock, *restored* when the directory was made again. *superseded*
    is called if another watcher has taken the place of this one meanwhile.
    """

    def __init__(
        self,
        path: str,
        instance: Instance,
        journal: Journal,
        *,
        make: Callable[[], object],
        released: Callable[[], object],
        restored: Callable[[], object],
        superseded: Callable[[errors.NetaliasError], object],
    ) -> None:
        self._path = path
        self._instance = instance
        self._journal = journal
        self._make = make
        self._released = released
        self._restored = restored
        self._superseded = superseded
        self._followed = Followed()
        self._lock: os.stat_result | None = None
        self._backoff = Backoff()
        self._again: float | None = None
        self._told = ""
        self._follow()

    def close(self) -> None:
        """Follow nothing any more."""
        self._followed.close()

    def wanted(self, now: float) -> dict[int, int]:
        """Descriptor: events of poll(2)."""
        return {self._followed.fileno(): POLLIN}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Look after the directory, and do what is due after a release of the lock."""
        if self._followed.read() and self._look(now):
            self._released()

    def due(self, now: float) -> float | None:
        """Seconds until the next try to make the directory; None while it is there."""
        return None if self._again is None else max(0.0, self._again - now)

    def tick(self, now: float) -> None:
        """Try again."""
        self._look(now)

    def _look(self, now: float) -> bool:
        """Look after the directory; whether this watcher goes on."""
        if not self._instance.stands():
            return self._restore(now)
        if self._again is not None or not self._same_lock():
            self._again = None
            self._follow()
        return True

    def _restore(self, now: float) -> bool:
        try:
            self._make()
            self._instance.restore()
        except AnotherInstance as error:
            self._superseded(error)
            return False
        except errors.NetaliasError as error:
            self._again = now + self._backoff.next()
            if error.line() != self._told:
                self._told = error.line()
                self._journal.error(f"{self._path} is gone and cannot be made: {self._told}")
            return True
        self._again = None
        self._told = ""
        self._backoff.reset()
        self._follow()
        self._journal.warning(f"{self._path} was removed: it is made again")
        self._restored()
        return True

    def _follow(self) -> None:
        """Follow the files that are there now."""
        names = ("lock", LOCK, ABOUT)
        for problem in self._followed.follow(f"{self._path}/{name}" for name in names):
            self._journal.warning(problem)
        self._lock = _status(f"{self._path}/lock")

    def _same_lock(self) -> bool:
        """Whether the file of the lock is the one that is followed."""
        found = _status(f"{self._path}/lock")
        if found is None or self._lock is None:
            return found is self._lock
        return os.path.samestat(found, self._lock)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
