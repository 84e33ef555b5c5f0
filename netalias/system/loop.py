"""One loop that waits for everything. Nothing is polled: without a deadline it waits for ever.

A part of it says at every turn which descriptors it waits for (``wanted``), and in how many seconds
it has something to do (``due``); it is told which are ready, and when its time has come (``tick``).
"""

from __future__ import annotations

from select import POLLIN, poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    class Pollable(Protocol):
        """What the loop serves."""

        def wanted(self, now: float) -> dict[int, int]:
            """Descriptor: events of poll(2)."""

        def ready(self, fileno: int, events: int, now: float) -> None:
            """One of them has these events."""

        def due(self, now: float) -> float | None:
            """Seconds until tick() is to be called; None for never."""

        def tick(self, now: float) -> None:
            """It is time."""


class Reader:
    """A part that is called when one of some descriptors can be read."""

    def __init__(self, filenos: Iterable[int], work: Callable[[], object]) -> None:
        self._wanted = dict.fromkeys(filenos, POLLIN)
        self._work = work

    def wanted(self, now: float) -> dict[int, int]:
        """All of them, always."""
        return self._wanted

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Do the work."""
        self._work()

    def due(self, now: float) -> float | None:
        """Never."""

    def tick(self, now: float) -> None:
        """Nothing."""


class Timer:
    """A part that has something to do at a time: *when* says in how many seconds, or None."""

    def __init__(
        self, when: Callable[[float], float | None], work: Callable[[float], object]
    ) -> None:
        self._when = when
        self._work = work

    def wanted(self, now: float) -> dict[int, int]:
        """Nothing."""
        return {}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Nothing."""

    def due(self, now: float) -> float | None:
        """As *when* says."""
        return self._when(now)

    def tick(self, now: float) -> None:
        """Do the work."""
        self._work(now)


class Loop:
    """Serves *parts*, in this order, until end()."""

    def __init__(self, parts: Iterable[Pollable], clock: Callable[[], float]) -> None:
        self._parts = list(parts)
        self._clock = clock
        self._poll = poll()
        self._events: dict[int, int] = {}
        self._ended = False

    def end(self) -> None:
        """Let run() return when what is being done is done: nobody else has a turn."""
        self._ended = True

    def run(self) -> None:
        """Wait and serve."""
        while not self._ended:
            owners = self._register()
            ready = self._poll.poll(self._timeout())
            now = self._clock()
            for fileno, events in ready:
                if not self._ended:
                    owners[fileno].ready(fileno, events, now)
            for part in self._parts:
                wait = None if self._ended else part.due(now)
                if wait is not None and wait <= 0:
                    part.tick(now)

    def _register(self) -> dict[int, Pollable]:
        """Wait for what is wanted now, and for nothing else."""
        now = self._clock()
        events: dict[int, int] = {}
        owners: dict[int, Pollable] = {}
        for part in self._parts:
            for fileno, mask in part.wanted(now).items():
                events[fileno], owners[fileno] = mask, part
        for fileno in self._events.keys() - events.keys():
            self._poll.unregister(fileno)
        for fileno, mask in events.items():
            if self._events.get(fileno) != mask:
                self._poll.register(fileno, mask)
        self._events = events
        return owners

    def _timeout(self) -> int | None:
        """Milliseconds until the first deadline, rounded up, so as not to come too early again and
        again; None without one."""
        now = self._clock()
        times = [wait for part in self._parts if (wait := part.due(now)) is not None]
        return max(0, int(min(times) * 1000 + 0.999)) if times else None
