"""Sleeps of a process whose clock libfaketime steps.

libfaketime 0.9.10 refuses clock_nanosleep(2) until a time of CLOCK_MONOTONIC, by which Python
sleeps, where it leaves that clock as it is (EINVAL).
"""

import select
import time


def sleep(seconds: float) -> None:
    """In the place of time.sleep()."""
    select.select([], [], [], seconds)


time.sleep = sleep
