"""A deadline that ends this process: a step that comes too late must not be done at all.

The kernel delivers the signal before any further instruction of a process that was stopped, or had
no processor, for too long. So nothing is sent that was decided before. No handler of Python would
do: it waits for the end of the call.
"""

from __future__ import annotations

import os
from signal import (
    ITIMER_REAL,
    SIG_DFL,
    SIG_UNBLOCK,
    SIGALRM,
    pthread_sigmask,
    setitimer,
    signal,
)

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DONE = b"."
"""The last octet of what a child writes that was in time."""
TEXT_MAX = 2000
"""Octets of a result."""


class Deadline:
    """A context manager that has to be left in *seconds*; if it is not, SIGALRM kills the process.

    Seconds are those of CLOCK_MONOTONIC (setitimer(2)). For the main thread only, as signal() is.
    Raises StateError in the first process of a PID namespace, which no such signal ends.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        if os.getpid() == 1:
            raise errors.StateError(
                "nothing ends process 1 in time: start it below an init (docker run --init)"
            )
        # Either may have been inherited: ignored, or blocked.
        signal(SIGALRM, SIG_DFL)
        pthread_sigmask(SIG_UNBLOCK, {SIGALRM})
        setitimer(ITIMER_REAL, self._seconds)

    def __exit__(self, *_: object) -> None:
        setitimer(ITIMER_REAL, 0)


def aside(seconds: float, work: Callable[[], str]) -> str:
    """The result of *work*, which a child process does: the deadline of *seconds* ends that one.

    The child has a copy of everything, and must share no descriptor on which answers come. Its
    result has TEXT_MAX octets at most. Raises StateError when it was ended, or did not end well, or
    could not be started.
    """
    try:
        reading, writing = os.pipe2(os.O_CLOEXEC)
    except OSError as error:
        raise _unable(error) from None
    try:
        pid = os.fork()
        if not pid:
            _answer(writing, seconds, work)
    except OSError as error:
        os.close(reading)
        raise _unable(error) from None
    finally:
        os.close(writing)
    try:
        found = b""
        while part := os.read(reading, TEXT_MAX):
            found += part
    finally:
        os.close(reading)
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass  # who ignores SIGCHLD has no children to wait for
    if not found.endswith(DONE):
        raise errors.StateError(f"not done within {seconds:g} s: this machine is too busy")
    return found[: -len(DONE)].decode("utf-8", "replace")


def _unable(error: OSError) -> errors.StateError:
    return errors.StateError(f"cannot start a process: {error.strerror}")


def _answer(writing: int, seconds: float, work: Callable[[], str]) -> None:
    """The whole life of the child."""
    try:
        with Deadline(seconds):
            text = work()
        os.write(writing, text.encode("utf-8", "replace")[:TEXT_MAX] + DONE)
    finally:
        os._exit(0)
