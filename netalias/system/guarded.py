"""A part of a program whose exceptions end nothing but its own work."""

from __future__ import annotations

from netalias.system.backoff import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from netalias.system.loop import Pollable

    T = TypeVar("T")


class Guarded:
    """A Pollable in the place of *part*. *failed* is told of each exception; *clock* counts
    seconds.

    After an exception the part is not served for a while, a second at first and up to a minute: it
    would fail again at once, and its descriptors may stay ready.
    """

    def __init__(
        self, part: Pollable, clock: Callable[[], float], failed: Callable[[Exception], object]
    ) -> None:
        self.part = part
        self._clock = clock
        self._failed = failed
        self._backoff = Backoff()
        self._until = float("-inf")

    def wanted(self, now: float) -> dict[int, int]:
        """Those of the part; none while it rests."""
        return {} if now < self._until else self._result(lambda: self.part.wanted(now), {})

    def due(self, now: float) -> float | None:
        """That of the part; while it rests, the end of that."""
        if now < self._until:
            return self._until - now
        return self._result(lambda: self.part.due(now), None)

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Serve the part, which may have begun to rest in this turn."""
        if now >= self._until:
            self._serve(lambda: self.part.ready(fileno, events, now))

    def tick(self, now: float) -> None:
        """Serve the part."""
        self._serve(lambda: self.part.tick(now))

    def _serve(self, work: Callable[[], object]) -> None:
        if self._result(lambda: (work(),), None) is not None:
            self._backoff.reset()

    def _result(self, work: Callable[[], T], otherwise: T) -> T:
        """The result of *work*, or *otherwise* after an exception."""
        try:
            return work()
        except Exception as error:
            self._until = self._clock() + self._backoff.next()
            try:
                self._failed(error)
            except Exception:  # without memory there is nobody to tell
                pass
            return otherwise
