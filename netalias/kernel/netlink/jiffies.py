"""The clock of struct ifa_cacheinfo: hundredths of a second since the boot, as the kernel ticks.

times(2) tells the same count (jiffies_64), from INITIAL_JIFFIES on: five minutes before 32 bits
overflow (include/linux/jiffies.h). CLOCK_MONOTONIC began some hundredths before it, and would be
one second off now and then; it tells which of the usual tick rates the count is made of.
"""

from __future__ import annotations

from os import times
from time import CLOCK_MONOTONIC, clock_gettime

RATES = (100, 250, 300, 1000)
"""CONFIG_HZ."""
APART = 100 * 86400
"""What is further from CLOCK_MONOTONIC is not this clock."""
HALF = 1 << 31


def _ticks() -> int:
    return round(times().elapsed * 100)


def _first(rate: int) -> int:
    """INITIAL_JIFFIES by jiffies_64_to_clock_t (kernel/time/time.c), which takes whole nanoseconds
    for a tick."""
    nanoseconds = (1_000_000_000 + rate // 2) // rate
    return ((1 << 32) - 300 * rate) * nanoseconds // 10_000_000


def _monotonic() -> int:
    return int(clock_gettime(CLOCK_MONOTONIC) * 100)


def _beginning() -> int:
    """What times(2) had at the boot; 0 where it is none of the usual rates."""
    nearest = min(map(_first, RATES), key=lambda first: abs(_ticks() - first - _monotonic()))
    return nearest if abs(_ticks() - nearest - _monotonic()) < APART else 0


_BEGINNING = _beginning()


def age(stamp: int) -> int:
    """Hundredths of a second since *stamp* (tstamp of struct ifa_cacheinfo, 32 bits)."""
    now = _ticks() - _BEGINNING if _BEGINNING else _monotonic()
    past = (now - stamp) & 0xFFFFFFFF
    return past if past < HALF else 0
