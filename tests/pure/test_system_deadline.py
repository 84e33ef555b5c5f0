"""A deadline ends a process that was stopped for too long, before it does anything else."""

from __future__ import annotations

import os
import signal
from time import sleep

from netalias.system.deadline import Deadline


def child(seconds: float, *, stop: bool) -> tuple[int, bytes]:
    """The status of a child that enters a deadline, is stopped, and writes; what it wrote."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        with Deadline(seconds):
            if stop:
                os.kill(os.getpid(), signal.SIGSTOP)
            os.write(writing, b"sent")
        os._exit(0)
    os.close(writing)
    if stop:
        assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
        sleep(5 * seconds)
        os.kill(pid, signal.SIGCONT)
    status = os.waitpid(pid, 0)[1]
    text = os.read(reading, 10)
    os.close(reading)
    return status, text


def test_who_was_stopped_for_too_long_sends_nothing() -> None:
    """The kernel ends it before the next instruction."""
    status, text = child(0.05, stop=True)
    assert os.WTERMSIG(status) == signal.SIGALRM
    assert text == b""


def test_who_is_in_time_goes_on() -> None:
    """Afterwards nothing is left of it."""
    assert child(60.0, stop=False) == (0, b"sent")
    with Deadline(60.0):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
