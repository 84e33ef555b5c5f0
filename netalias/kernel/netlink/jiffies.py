"""The clock of struct ifa_cacheinfo: jiffies since the boot, in hundredths of a second.

times(2) has the same count (jiffies_64), which begins with INITIAL_JIFFIES: five minutes before 32
bits overflow (include/linux/jiffies.h). CLOCK_MONOTONIC begins some hundredths earlier and would be
one second off now and then; it only decides which of the usual tick rates the kernel has.
"""

from __future__ import annotations

from os import times
from time import CLOCK_MONOTONIC, clock_gettime

RATES = (100, 250, 300, 1000)
"""CONFIG_HZ."""
APART = 100 * 86400
"""Largest distance from CLOCK_MONOTONIC, in hundredths of a second, at a right tick rate."""
HALF = 1 << 31


FRESH = 0.005
"""Seconds for which one reading of times(2) serves: a dump has thousands of stamps."""
_read = [float("-inf"), 0.0]


def _ticks() -> int:
    now = clock_gettime(CLOCK_MONOTONIC)
    if now - _read[0] >= FRESH:
        _read[:] = now, times().elapsed
    return round(_read[1] * 100)


def _first(rate: int) -> int:
    """INITIAL_JIFFIES in hundredths of a second at a tick *rate*, by jiffies_64_to_clock_t
    (kernel/time/time.c), which has whole nanoseconds for a tick."""
    nanoseconds = (1_000_000_000 + rate // 2) // rate
    return ((1 << 32) - 300 * rate) * nanoseconds // 10_000_000


def _monotonic() -> int:
    return int(clock_gettime(CLOCK_MONOTONIC) * 100)


def _beginning() -> int:
    """The value of times(2) at the boot; 0 when no usual rate fits."""
    nearest = min(map(_first, RATES), key=lambda first: abs(_ticks() - first - _monotonic()))
    return nearest if abs(_ticks() - nearest - _monotonic()) < APART else 0


_BEGINNING = _beginning()


def age(stamp: int) -> int:
    """Hundredths of a second since *stamp* (tstamp of struct ifa_cacheinfo, 32 bits)."""
    now = _ticks() - _BEGINNING if _BEGINNING else _monotonic()
    past = (now - stamp) & 0xFFFFFFFF
    return past if past < HALF else 0
