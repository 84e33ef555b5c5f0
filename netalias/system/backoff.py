"""How long to wait before something is tried, or put right, once more. Pure.

Times are seconds of any clock that does not go back.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

BURST = 5
"""So often within WINDOW what was undone is put right at once."""
WINDOW = 10.0
SHORTEST = 1.0
LONGEST = 60.0
"""Seconds."""


class Delay:
    """Seconds to wait: SHORTEST, then twice as long every time, up to LONGEST."""

    def __init__(self) -> None:
        self._last = 0.0

    def longer(self) -> float:
        """How long to wait this time."""
        self._last = min(LONGEST, max(SHORTEST, self._last * 2))
        return self._last

    def reset(self) -> None:
        """There is nothing to wait for any more."""
        self._last = 0.0


class _Quarrel:
    """``times`` within the window; when the ``last`` one was, and until when it is waited; with
    ``owed`` it may be put right at that time."""

    __slots__ = ("delay", "last", "owed", "times", "until")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.delay = Delay()
        self.last = 0.0
        self.until = 0.0
        self.owed = False


class Patience:
    """What somebody undoes again and again comes back later and later."""

    def __init__(self) -> None:
        self._quarrels: dict[Hashable, _Quarrel] = {}

    def undone(self, key: Hashable, now: float) -> float:
        """*key* was undone; when it may be put right: now, or at a later time.

        Asked again at that time it says now, which is no new count.
        """
        one = self._quarrels.get(key)
        if one is None or now > one.until + max(WINDOW, one.until - one.last):
            one = self._quarrels[key] = _Quarrel()
        if now < one.until:
            return one.until
        if one.owed:
            one.owed = False
            return now
        one.times = [time for time in one.times if now - time <= WINDOW]
        one.times.append(now)
        if one.until > one.last or len(one.times) > BURST:
            one.until, one.owed = now + one.delay.longer(), True
        else:
            one.until = now
        one.last = now
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
