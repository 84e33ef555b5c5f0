"""How long to wait before what was undone again is put right again. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

BURST = 5
"""So often within WINDOW it is put right at once."""
WINDOW = 10.0
SHORTEST = 1.0
LONGEST = 60.0
"""Seconds."""


class _Quarrel:
    """``times`` within the window, the last ``delay``, and until when to wait."""

    __slots__ = ("delay", "last", "times", "until")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.delay = 0.0
        self.until = 0.0
        self.last = 0.0


class Patience:
    """Times are seconds of any clock that does not go back."""

    def __init__(self) -> None:
        self._quarrels: dict[Hashable, _Quarrel] = {}

    def undone(self, key: Hashable, now: float) -> float:
        """*key* was undone; when it may be put right: now, or later and later."""
        one = self._quarrels.setdefault(key, _Quarrel())
        if now < one.until:
            return one.until
        if now - one.last > max(WINDOW, 2 * one.delay):
            one.times, one.delay = [], 0.0
        one.times = [time for time in one.times if now - time <= WINDOW]
        one.times.append(now)
        one.last = now
        if one.delay or len(one.times) > BURST:
            one.delay = min(LONGEST, max(SHORTEST, one.delay * 2))
        one.until = now + one.delay
        return one.until

    def forgive(self, key: Hashable) -> None:
        """The last time does not count: it was the beginning of the next one."""
        one = self._quarrels.get(key)
        if one is not None and one.times:
            one.times.pop()

    def until(self, key: Hashable) -> float:
        """When *key* may be put right; 0 for any time."""
        one = self._quarrels.get(key)
        return one.until if one is not None else 0.0
