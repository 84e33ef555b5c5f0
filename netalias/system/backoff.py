"""The pause before something is tried or repaired again. Pure.

Times are seconds of any clock that does not go back.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

# Exponential back-off, in seconds.
SHORTEST = 1.0
LONGEST = 60.0

# Repairs of one thing: so many within so many seconds are made without delay.
BURST = 5
WINDOW = 10.0

# Bursts of changes, in seconds: how long it must have been quiet, how long a burst is waited out at
# most, and how long a writer may take to close its file: half a file is no declaration.
SETTLE = 0.05
MOST = 1.0
OPEN = 10.0

# Writing at a bounded rate, in seconds: between the beginnings of two writings at least; after a
# change at most, as long as writing takes a third of that; before another try of a failed one.
PACE = 0.02
LATEST = 0.1
RETRY = 1.0


class Backoff:
    """Exponential back-off: SHORTEST, then twice as long every time, up to LONGEST."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = 0.0

    def next(self) -> float:
        """Seconds to wait this time."""
        self._last = min(LONGEST, max(SHORTEST, self._last * 2))
        return self._last

    def reset(self) -> None:
        """Begin with SHORTEST again."""
        self._last = 0.0


class _History:
    """Repairs of one thing: ``times`` of those within WINDOW, and the time of the ``last``.

    None is due before ``until``; ``granted``: the one at that time is counted already.
    """

    __slots__ = ("backoff", "granted", "last", "times", "until")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.backoff = Backoff()
        self.last = 0.0
        self.until = 0.0
        self.granted = False


class RepairBackoff:
    """Back-off of repairs by key: one that is undone again and again comes later and later."""

    __slots__ = ("_histories",)

    def __init__(self) -> None:
        self._histories: dict[Hashable, _History] = {}

    def undone(self, key: Hashable, now: float, burst: int = BURST) -> float:
        """Count that *key* was undone; the time of its repair, *now* or later.

        The first *burst* repairs come without delay. A call at that time gives *now*, and counts
        nothing.
        """
        one = self._histories.get(key)
        if one is None or now > one.until + max(WINDOW, one.until - one.last):
            one = self._histories[key] = _History()
        if now < one.until:
            return one.until
        if one.granted:
            one.granted = False
            return now
        one.times = [time for time in one.times if now - time <= WINDOW]
        one.times.append(now)
        if one.until > one.last or len(one.times) > burst:
            one.until, one.granted = now + one.backoff.next(), True
        else:
            one.until = now
        one.last = now
        return one.until

    def uncount(self, key: Hashable) -> None:
        """Take back the last count: it was one event with the next."""
        one = self._histories.get(key)
        if one is not None and one.times:
            one.times.pop()

    def refused(self, key: Hashable, now: float) -> float:
        """Note that the last repair was of no use, which nobody has undone; the time of the next
        one."""
        self.uncount(key)
        one = self._histories.setdefault(key, _History())
        one.last, one.until, one.granted = now, now + one.backoff.next(), True
        return one.until

    def until(self, key: Hashable) -> float:
        """The time before which *key* is not repaired; 0 for none."""
        one = self._histories.get(key)
        return one.until if one is not None else 0.0


class Debounce:
    """The time to act on changes that come in bursts."""

    __slots__ = ("_first", "due")

    def __init__(self) -> None:
        self._first: float | None = None
        self.due: float | None = None
        """None without a change."""

    def changed(self, now: float, *, unfinished: bool = False) -> None:
        """Note a change; *unfinished*: a file is still open for writing."""
        if self._first is None:
            self._first = now
        self.due = self._first + OPEN if unfinished else min(now + SETTLE, self._first + MOST)

    def over(self, now: float) -> bool:
        """Whether the burst is over; the next change begins another one then."""
        if self.due is None or now < self.due:
            return False
        self.end()
        return True

    def end(self) -> None:
        """End the burst: all changes so far are acted on now."""
        self._first = self.due = None


class Pace:
    """The time of the next writing of something that changes.

    The first change after a pause is due at once. Under constant change a quarter of the time goes
    into writing, more where a change would wait longer than LATEST, but never more than half.
    """

    __slots__ = ("_dirty", "_next")

    def __init__(self) -> None:
        self._dirty = False
        self._next = float("-inf")

    def changed(self) -> None:
        """Note a change."""
        self._dirty = True

    def due(self, now: float) -> float | None:
        """Seconds until the next writing; None without a change."""
        return max(0.0, self._next - now) if self._dirty else None

    def begun(self) -> None:
        """Note that writing has begun: later changes are not in it."""
        self._dirty = False

    def written(self, begin: float, end: float) -> None:
        """Note a writing from *begin* to *end*."""
        cost = end - begin
        self._next = begin + max(PACE, min(4 * cost, max(LATEST - cost, 2 * cost)))

    def failed(self, now: float) -> None:
        """Note a writing that failed; the next one is due in RETRY."""
        self._dirty = True
        self._next = now + RETRY
