"""An event loop over poll(2). Without a deadline it sleeps until a descriptor is ready.

At every turn each Pollable names the descriptors that it waits for (``wanted``) and the seconds
until it has something to do (``due``); its ``ready`` and ``tick`` are called then.
"""

from __future__ import annotations

from select import POLLIN, poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    class Pollable(Protocol):
        """A part of the program that the loop serves."""

        def wanted(self, now: float) -> dict[int, int]:
            """Descriptor: events of poll(2); 0 for POLLERR and POLLHUP only."""

        def ready(self, fileno: int, events: int, now: float) -> None:
            """One of these descriptors has *events*."""

        def due(self, now: float) -> float | None:
            """Seconds until tick(); None for never."""

        def tick(self, now: float) -> object:
            """The time of due() has come."""


class Reader:
    """Calls *work* when one of some descriptors is readable."""

    def __init__(self, filenos: Iterable[int], work: Callable[[], object]) -> None:
        self._wanted = dict.fromkeys(filenos, POLLIN)
        self._work = work

    def wanted(self, now: float) -> dict[int, int]:
        """All descriptors, always."""
        return self._wanted

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Do the work."""
        self._work()

    def due(self, now: float) -> float | None:
        """Never."""

    def tick(self, now: float) -> None:
        """Nothing."""


class Timer:
    """Calls *work* at a time: *when* gives the seconds until then, or None for never."""

    def __init__(
        self, when: Callable[[float], float | None], work: Callable[[float], object]
    ) -> None:
        self.due = when
        """Seconds until tick(); None for never."""
        self.tick = work
        """Do the work."""

    def wanted(self, now: float) -> dict[int, int]:
        """Nothing."""
        return {}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Nothing."""


class Loop:
    """Serves *parts*, in this order, until end()."""

    def __init__(self, parts: Iterable[Pollable], clock: Callable[[], float]) -> None:
        self._parts = list(parts)
        self._clock = clock
        self._poll = poll()
        self._events: dict[int, int] = {}
        self._wanted: list[dict[int, int]] = []
        self._owners: dict[int, Pollable] = {}
        self._ended = False

    def end(self) -> None:
        """Let run() return after the call that is being made: nothing else is called."""
        self._ended = True

    def run(self) -> None:
        """Wait and serve."""
        while not self._ended:
            timeout = self._tick()
            if self._ended:
                return
            owners = self._register()
            ready = self._poll.poll(timeout)
            now = self._clock()
            for fileno, events in ready:
                if not self._ended:
                    owners[fileno].ready(fileno, events, now)

    def _register(self) -> dict[int, Pollable]:
        """The part that waits for each descriptor; poll(2) knows these and no others."""
        now = self._clock()
        wanted = [part.wanted(now) for part in self._parts]
        if wanted == self._wanted:
            return self._owners
        # Copies: a part may give the same dictionary again, with other events in it.
        self._wanted = [dict(one) for one in wanted]
        events: dict[int, int] = {}
        self._owners = {}
        for part, one in zip(self._parts, wanted, strict=True):
            for fileno, mask in one.items():
                events[fileno], self._owners[fileno] = mask, part
        for fileno in self._events.keys() - events.keys():
            self._poll.unregister(fileno)
        for fileno, mask in events.items():
            if self._events.get(fileno) != mask:
                self._poll.register(fileno, mask)
        self._events = events
        return self._owners

    def _tick(self) -> int | None:
        """Call the parts whose time has come.

        The milliseconds until the next deadline, rounded up, since a call before it would be in
        vain; 0 after a call, which may have changed any of them; None without a deadline.
        """
        now = self._clock()
        first, called = None, False
        for part in self._parts:
            wait = None if self._ended else part.due(now)
            if wait is not None and wait <= 0:
                part.tick(now)
                called = True
            elif wait is not None and (first is None or wait < first):
                first = wait
        if called:
            return 0
        return None if first is None else int(first * 1000 + 0.999)
