"""Signals as a descriptor: real signals, in a process of their own where they could do harm."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import until

from netalias.system.signals import DEFAULT, Signals


@pytest.fixture
def signals() -> Iterator[Signals]:
    with Signals((signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)) as found:
        yield found


def readable(signals: Signals, seconds: float = 0) -> bool:
    return bool(select.select([signals], [], [], seconds)[0])


def test_a_signal_wakes(signals: Signals) -> None:
    """The descriptor is readable until it is read, and tells which signals came."""
    assert not readable(signals)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert readable(signals, 5)
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGHUP)
    assert signals.read() == {signal.SIGUSR1, signal.SIGHUP}
    assert not readable(signals)
    assert signals.read() == set()


def test_a_waiting_poll_ends(signals: Signals) -> None:
    """A signal that comes during poll(2) ends the wait at once."""
    waiting = select.poll()
    waiting.register(signals.fileno(), select.POLLIN)
    sender = subprocess.Popen(["sh", "-c", f"kill -USR1 {os.getpid()}"])
    assert waiting.poll(10000)
    assert signals.read() == {signal.SIGUSR1}
    sender.wait()


def test_a_flood_hides_no_other_signal(signals: Signals) -> None:
    """More of one signal than the pipe has room for, and then another one."""
    for _ in range(70000):
        os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR2)
    assert signals.read() == {signal.SIGUSR1, signal.SIGUSR2}
    assert not readable(signals)


def test_the_former_handlers_come_back() -> None:
    """At the end all is as it was: handlers, and who else is woken."""
    calls: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: calls.append(number))
    other, wakeup = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(wakeup)
    try:
        signals = Signals((signal.SIGUSR1,))
        os.kill(os.getpid(), signal.SIGUSR1)
        assert signals.read() == {signal.SIGUSR1}
        assert not calls
        signals.close()
        signals.close()  # a second time is nothing
        os.kill(os.getpid(), signal.SIGUSR1)
        assert calls == [signal.SIGUSR1]
        assert os.read(other, 10) == bytes([signal.SIGUSR1])
        assert signal.set_wakeup_fd(-1) == wakeup
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGUSR1, before)
        os.close(other)
        os.close(wakeup)


def test_the_usual_ones() -> None:
    """The signals that service managers, shells and people send."""
    assert set(DEFAULT) == {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def test_an_ignored_interrupt_stays_ignored() -> None:
    """A program in the background is not ended by keys for the foreground."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.read() == {signal.SIGHUP}
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_child_can_be_ended(signals: Signals) -> None:
    """A signal to a child made by fork has the effect of before there, and wakes nobody here."""
    end, begin = os.pipe()
    child = os.fork()
    if not child:
        os.write(begin, b"x")
        while True:
            signal.pause()
    assert os.read(end, 1) == b"x"
    os.kill(child, signal.SIGUSR2)
    try:
        until(lambda: Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    finally:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGUSR2
    assert not readable(signals)
    os.close(end)
    os.close(begin)


PROGRAM = """\
import os, signal
print(signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL, end=" ")
print(*signal.pthread_sigmask(signal.SIG_BLOCK, ()), *os.listdir("/proc/self/fd"))
"""


def spawned() -> str:
    """The output of PROGRAM."""
    end, begin = os.pipe()
    pid = os.posix_spawn(
        sys.executable, [sys.executable, "-c", PROGRAM], os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, begin, 1)],
    )  # fmt: skip
    os.close(begin)
    os.waitpid(pid, 0)
    with open(end) as file:
        return file.read()


def test_a_program_gets_the_defaults_and_no_descriptor() -> None:
    """A program has no signal blocked or ignored, and no descriptor open, but those of before."""
    before = spawned()
    with Signals((signal.SIGUSR1,)):
        assert spawned() == before
    assert before.startswith("True ")


def test_no_descriptor_stays_open() -> None:
    """Opened and closed a hundred times."""
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(100):
        Signals((signal.SIGUSR1,)).close()
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_signal_just_before_the_end_is_no_death() -> None:
    """Until close() the signal does nothing but wake; until() only sees that it came."""
    with Signals((signal.SIGUSR1,)) as signals:
        os.kill(os.getpid(), signal.SIGUSR1)
        until(lambda: readable(signals))
