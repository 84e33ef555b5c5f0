"""A part of a watcher that makes its work anew whenever something may have changed, and now and
then: what stands stays, so it does not matter how often that is."""

from __future__ import annotations

from netalias import errors
from netalias.system.backoff import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.engine import Engine
    from netalias.model.events import State
    from netalias.system.journal import Journal

BUSY = 0.02
"""Seconds between two tries to take the lock, at least. Also between two readings of everything in
a flood."""
LOOK = 60.0
"""Seconds between two looks at what stands in the kernel."""


class Repeated:
    """Work under the lock of the namespace, with back-off after refusals.

    ``wake`` is the time of the next act(), None for never. *state* has the objects after the events
    so far; *clock* is that of the loop.
    """

    def __init__(
        self, engine: Engine, state: State, journal: Journal, clock: Callable[[], float]
    ) -> None:
        self.wake: float | None = None
        self._engine = engine
        self._state = state
        self._journal = journal
        self._clock = clock
        self._complaint = ""
        self._backoff = Backoff()

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
                self._act(self._clock())
        except errors.LockBusy:
            self.wake = now + BUSY
            return
        except Exception:  # a bug too: it would come back at once
            self.wake = now + self._backoff.next()
            raise
        self._acted()

    def _act(self, now: float) -> None:
        """Do the work, and end with _rest(). The caller is in a transaction."""
        raise NotImplementedError

    def _acted(self) -> None:
        """Take note that the work was done, outside the transaction."""

    def _rest(self, refused: Sequence[errors.NetaliasError], when: float | None) -> None:
        """Work again at *when*, None for never; earlier where something was *refused*, which is
        logged once as long as it is the same."""
        text = "; ".join(dict.fromkeys(one.line() for one in refused))
        if text and text != self._complaint:
            self._journal.error(text)
        self._complaint = text
        if not refused:
            self._backoff.reset()
            self.wake = when
            return
        now = self._clock()
        self.wake = min(now + self._backoff.next(), now + LOOK if when is None else when)
