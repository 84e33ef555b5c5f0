"""Work that must be done in time or not at all: the process ends instead.

A process may be stopped between any two of its instructions, for any time: by SIGSTOP, a debugger,
the freezer of its control group, or a machine without memory. A clock that it has read is old then,
and it does not know. The timer of the kernel does: its signal waits while the process is stopped,
and ends it before the next instruction.
"""

from __future__ import annotations

from signal import (
    ITIMER_REAL,
    SIG_DFL,
    SIG_UNBLOCK,
    SIGALRM,
    pthread_sigmask,
    setitimer,
    signal,
)


class Deadline:
    """``with Deadline(1.0): ...`` ends the process by SIGALRM after so many *seconds*.

    Clocks that the work goes by are to be read inside. In the main thread only; the signal and the
    timer (ITIMER_REAL) are used by nobody else.
    """

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        # Either may have been inherited: ignored, or blocked.
        signal(SIGALRM, SIG_DFL)
        pthread_sigmask(SIG_UNBLOCK, {SIGALRM})
        setitimer(ITIMER_REAL, self._seconds)

    def __exit__(self, *error: object) -> None:
        setitimer(ITIMER_REAL, 0)
