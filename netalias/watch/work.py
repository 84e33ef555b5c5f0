"""Two things that parts of a watcher share: lines from two places, and work that needs the lock."""

from __future__ import annotations

from netalias import errors
from netalias.runtime import asked as requests

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.desired.tasks import Task
    from netalias.engine import Engine
    from netalias.system.backoff import Backoff

BUSY = 0.02
"""Seconds between two tries to take the lock."""


class Lines:
    """The lines of files in ``_declared``, and those that were asked for by hand in ``_asked``."""

    _engine: Engine
    _folder: str
    _declared: list[Task]
    _asked: dict[str, str]

    def learn(self) -> None:
        """Take note of what others have asked for by hand."""
        asked = requests.read(self._folder, self._engine.kernel.cookie())
        if asked != self._asked:
            self._asked = asked
            self._replace()

    def load(self, tasks: Iterable[Task]) -> None:
        """Replace the lines of files; what is to be done for them is due."""
        self._declared = [*tasks]
        self._asked = requests.read(self._folder, self._engine.kernel.cookie())
        self._replace()

    def _replace(self) -> None:
        raise NotImplementedError


class LockedWork:
    """Work in a transaction. ``wake`` is the time of the next act(), None for never."""

    wake: float | None
    _engine: Engine
    _backoff: Backoff

    def due(self, now: float) -> float | None:
        """Seconds until act()."""
        return None if self.wake is None else max(0.0, self.wake - now)

    def act(self, now: float) -> None:
        """Do what is to be done. After any exception another try comes with back-off. Raises
        KernelError, StateError."""
        if self.wake is None or now < self.wake:
            return
        try:
            with self._engine.transaction():
                self._act()
        except errors.LockBusy:
            self.wake = now + BUSY
            return
        except Exception:
            self.wake = now + self._backoff.next()
            raise
        self._done()

    def _act(self) -> None:
        """Do it, and set the time of the next act()."""
        raise NotImplementedError

    def _done(self) -> None:
        """Tell others of it, after the lock was released."""
