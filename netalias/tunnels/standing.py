"""A queue that stands: one that has not been empty for a while, so that all who use it wait. Pure.

The queue before a TUN device is 500 superpackets, and a flow that nothing else holds back fills it
as far as its windows go: every other packet waits for milliseconds. Its reader cannot see how long
the queue is, but it sees when it is empty. A queue that carries no more than it has to is empty now
and then; for one that is not, a flow is told to slow down, as CoDel does it (RFC 8289): by the loss
of one segment, and another one after each further interval.
"""

from __future__ import annotations

INTERVAL = 0.01
"""Seconds. CoDel has 0.1, for flows over the world: those do not fill this queue."""


class Standing:
    """One queue, by the looks of its reader."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self._interval = interval
        self._since: float | None = None

    def look(self, now: float, empty: bool) -> bool:
        """Whether it is time to slow a flow down; *now* is of a clock that never jumps."""
        if empty:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= self._interval:
            self._since = now
            return True
        return False
