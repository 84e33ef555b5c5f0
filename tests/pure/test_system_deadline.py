"""A deadline ends a process that was stopped for too long, before it does anything else."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from time import sleep

import pytest

from netalias.errors import StateError
from netalias.system.deadline import Deadline, aside


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
        sleep(20 * seconds)
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


def test_a_child_gives_its_result() -> None:
    """Whatever it has changed of its memory stays with it."""
    mine: list[int] = []

    def work() -> str:
        mine.append(os.getpid())
        return "refused: \u00e4" if mine[0] != os.getppid() else ""

    assert aside(60.0, work) == "refused: \u00e4"
    assert mine == []


def stopped() -> str:
    """Let time pass without doing anything."""
    signal.raise_signal(signal.SIGALRM)
    return "sent"


def fails() -> str:
    """Fail in a way that nobody has thought of."""
    os.close(2)
    raise ZeroDivisionError


@pytest.mark.parametrize("work", [stopped, fails])
def test_a_child_that_is_ended_ends_nobody_else(work: Callable[[], str]) -> None:
    """It is told as an error."""
    with pytest.raises(StateError, match="not done within 60 s"):
        aside(60.0, work)


def test_children_are_no_matter_of_who_ignores_their_end() -> None:
    """The kernel reaps them then."""
    former = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert aside(60.0, lambda: "done") == "done"
    finally:
        signal.signal(signal.SIGCHLD, former)


@pytest.mark.parametrize("name", ["pipe2", "fork"])
def test_a_machine_that_starts_no_process_has_failed_in_time(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs no descriptor either."""

    def fail(*_: object) -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(os, name, fail)
    with pytest.raises(StateError, match="cannot start a process"):
        aside(60.0, lambda: "done")
    assert os.listdir("/proc/self/fd") == before


def test_nothing_is_done_by_a_process_that_no_alarm_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one of a PID namespace: the kernel drops such signals (sig_task_ignored)."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(StateError, match="process 1"), Deadline(60.0):
        raise AssertionError
