"""A deadline that ends this process: a step that comes too late must not be done at all.

The kernel delivers the signal before any further instruction of a process that was stopped, or had
no processor, for too long. So nothing is sent that was decided before. No handler of Python would
do: it waits for the end of the call.
"""

from __future__ import annotations

from signal import ITIMER_REAL, SIG_DFL, SIGALRM, setitimer, signal


class Deadline:
    """A context manager that has to be left in *seconds*; if it is not, SIGALRM kills the process.

    Seconds are those of CLOCK_MONOTONIC (setitimer(2)). For the main thread only, as signal() is.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        signal(SIGALRM, SIG_DFL)
        setitimer(ITIMER_REAL, self._seconds)

    def __exit__(self, *_: object) -> None:
        setitimer(ITIMER_REAL, 0)
