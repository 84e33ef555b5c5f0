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


SETTLE, MOST = 0.05, 1.0
"""Seconds without a further change after which a change is over; and what is waited at most."""
OPEN = 10.0
"""Seconds that are waited at most for whoever writes to close the file: half of it is no wish."""


PACE = 0.02
"""Seconds between the beginnings of two writings, at least."""
LATEST = 0.1
"""Seconds after which a change is in the texts, as long as writing takes a third of that."""
RETRY = 1.0
"""Seconds after which what could not be written is tried again."""


class Backoff:
    """Seconds to wait: SHORTEST, then twice as long every time, up to LONGEST."""

    def __init__(self) -> None:
        self._last = 0.0

    def next(self) -> float:
        """How long to wait this time."""
        self._last = min(LONGEST, max(SHORTEST, self._last * 2))
        return self._last

    def reset(self) -> None:
        """There is nothing to wait for any more."""
        self._last = 0.0


class _History:
    """``times`` within the window; when the ``last`` one was, and until when it is waited; with
    ``owed`` it may be put right at that time."""

    __slots__ = ("delay", "last", "owed", "times", "until")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.delay = Backoff()
        self.last = 0.0
        self.until = 0.0
        self.owed = False


class RepairBackoff:
    """What somebody undoes again and again comes back later and later."""

    def __init__(self) -> None:
        self._histories: dict[Hashable, _History] = {}

    def undone(self, key: Hashable, now: float) -> float:
        """*key* was undone; when it may be put right: now, or at a later time.

        Asked again at that time it says now, which is no new count.
        """
        one = self._histories.get(key)
        if one is None or now > one.until + max(WINDOW, one.until - one.last):
            one = self._histories[key] = _History()
        if now < one.until:
            return one.until
        if one.owed:
            one.owed = False
            return now
        one.times = [time for time in one.times if now - time <= WINDOW]
        one.times.append(now)
        if one.until > one.last or len(one.times) > BURST:
            one.until, one.owed = now + one.delay.next(), True
        else:
            one.until = now
        one.last = now
        return one.until

    def uncount(self, key: Hashable) -> None:
        """The last time does not count: it was the beginning of the next one."""
        one = self._histories.get(key)
        if one is not None and one.times:
            one.times.pop()

    def until(self, key: Hashable) -> float:
        """When *key* may be put right; 0 for any time."""
        one = self._histories.get(key)
        return one.until if one is not None else 0.0


class Debounce:
    """When to act on changes that come in bursts. Times are seconds of one clock; pure."""

    __slots__ = ("_first", "due")

    def __init__(self) -> None:
        self._first: float | None = None
        self.due: float | None = None
        """None while nothing has changed."""

    def changed(self, now: float, *, unfinished: bool = False) -> None:
        """Something has changed; *unfinished*: a file is still being written."""
        if self._first is None:
            self._first = now
        self.due = self._first + OPEN if unfinished else min(now + SETTLE, self._first + MOST)

    def over(self, now: float) -> bool:
        """Whether it is time to act; then the next burst begins."""
        if self.due is None or now < self.due:
            return False
        self._first = self.due = None
        return True


class Pace:
    """When the next writing is due. Pure; times are seconds of one clock.

    The first change after a pause is written at once. Under storm a quarter of the time is spent on
    writing, more where the last change would be later than LATEST, but never more than a half.
    """

    __slots__ = ("_dirty", "_next")

    def __init__(self) -> None:
        self._dirty = False
        self._next = float("-inf")

    def changed(self) -> None:
        """Something is not written yet."""
        self._dirty = True

    def due(self, now: float) -> float | None:
        """Seconds until it may be written; None while there is nothing to be written."""
        return max(0.0, self._next - now) if self._dirty else None

    def begun(self) -> None:
        """What changes from now on is not in what is written."""
        self._dirty = False

    def written(self, begin: float, end: float) -> None:
        """It was, from *begin* to *end*."""
        cost = end - begin
        self._next = begin + max(PACE, min(4 * cost, max(LATEST - cost, 2 * cost)))

    def failed(self, now: float) -> None:
        """It was not; it is tried again in RETRY."""
        self._dirty = True
        self._next = now + RETRY
