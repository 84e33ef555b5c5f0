"""Times in which the machine was suspended: lifetimes of the kernel stand still then. Pure.

The kernel counts a lifetime in jiffies, which do not go on while the machine is suspended (as
CLOCK_MONOTONIC does not); CLOCK_BOOTTIME does. So an address is still there when the machine goes
on, however long that was, and others may have it by now.
"""

from __future__ import annotations

MARGIN = 0.25
"""Seconds of suspension that do not count: the two clocks are not read at one moment."""


class Suspension:
    """Both clocks as they were read last; to be looked at before anything else is done."""

    def __init__(self, boottime: float, monotonic: float) -> None:
        self._apart = boottime - monotonic

    def passed(self, boottime: float, monotonic: float) -> float:
        """Seconds for which the machine has been suspended since they were told last; 0 for none.
        Short times add up. A process that stood still between its readings looks like the reverse,
        which is none."""
        passed = boottime - monotonic - self._apart
        if passed <= MARGIN:
            return 0.0
        self._apart += passed
        return passed
