"""The verdict on a guest that was run, and the exit status that follows."""

from __future__ import annotations

import sys

import report
from machine import Broken, Guest, Late

PASSED = 0
FAILED = 1
CANNOT = 3
LATE = 4


def of(release: str, guest: Guest, suites: list[str], seconds: float) -> int:
    """Wait for a guest, print what its tests said, and what was wrong -> PASSED, FAILED or LATE.

    A time that is over is no failure of a test: it is one only where a test has failed before.
    """
    broken: Broken | None = None
    try:
        guest.wait(seconds)
    except Broken as error:
        broken = error
    results = report.results(guest.text())
    for suite, (_, said) in results.items():
        print(f"Linux {release}, {suite}:")
        print(report.summary(said), end="", flush=True)
    status = FAILED if any(status for status, _ in results.values()) else PASSED
    if broken is None:
        return status if list(results) == suites else FAILED
    failures = report.failures(guest.text())
    so_far = f"failed so far: {', '.join(failures)}" if failures else "none had failed"
    say(f"Linux {release}: {broken}; {so_far}")
    return LATE if isinstance(broken, Late) and not (status or failures) else FAILED


def together(found: set[int]) -> int:
    """That of all guests: one failure is enough."""
    return FAILED if FAILED in found else max(found)


def say(text: str) -> None:
    """One line on standard error."""
    print(f"tools/kernels: {text}", file=sys.stderr)
