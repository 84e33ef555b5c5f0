"""A monitor as a part of a loop (system/loop.py), which has a turn after a bounded time, however
fast the kernel announces.
"""

from __future__ import annotations

from select import POLLIN

from netalias.kernel.netlink.monitor import Monitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.model.events import Event

TURN = 1024
"""Announcements that are read before others are served."""
AGAIN = 0.02
"""Seconds before everything is read again where announcements were lost during the reading."""
NOBODY = 0
"""The socket whose changes a monitor tells one by one: of others the last one counts (latest)."""


def monitor(*, media: bool, routes: bool = False) -> Monitor:
    """A monitor of the namespace of the calling thread that can keep pace with a flood. Raises
    KernelError."""
    return Monitor(media=media, routes=routes, latest=NOBODY)


class Heard:
    """Calls *hear* with the events of a monitor, and *missed* where an error may have kept some of
    them back: the state has them all the same."""

    def __init__(
        self,
        monitor: Monitor,
        hear: Callable[[Event], object],
        missed: Callable[[], object] = lambda: None,
    ) -> None:
        self._monitor = monitor
        self._hear = hear
        self._missed = missed
        self._again: float | None = None

    def wanted(self, now: float) -> dict[int, int]:
        """The sockets of the monitor."""
        return dict.fromkeys(self._monitor.filenos(), POLLIN)

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Tell what has happened. Raises WireError, KernelError."""
        self.tick(now)

    def due(self, now: float) -> float | None:
        """Seconds until everything is read again, where announcements were lost: none may come any
        more."""
        return None if self._again is None else max(0.0, self._again - now)

    def tick(self, now: float) -> None:
        """Tell what has happened. Raises WireError, KernelError."""
        try:
            for event in self._monitor.read(TURN):
                self._hear(event)
        except Exception:  # whatever it is, events may be missing
            self._missed()
            raise
        finally:
            self._again = now + AGAIN if self._monitor.lost else None
