"""Which process a number means."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from support import until

from netalias.system.process import started


def test_the_start_of_a_process() -> None:
    """The same number each time, and another one for a process that began later."""
    assert started(os.getpid()).isdigit()
    assert started(os.getpid()) == started(os.getpid())
    assert int(started(1)) <= int(started(os.getpid()))


def test_who_is_no_more() -> None:
    """No process, and one that has ended but is not waited for, have no start."""
    assert started(2**22 + 1) == ""
    child = os.fork()
    if not child:
        signal.pause()
    assert started(child)
    os.kill(child, signal.SIGKILL)
    until(lambda: not started(child))
    os.waitpid(child, 0)
    assert started(child) == ""


def test_any_name_of_a_process() -> None:
    """The second field holds whatever a process calls itself, parentheses and blanks too."""
    end, begin = os.pipe()
    child = os.fork()
    if not child:
        Path("/proc/self/comm").write_text(") Z 1 (x")
        os.write(begin, b"x")
        signal.pause()
    assert os.read(end, 1) == b"x"
    assert int(started(child)) >= int(started(os.getpid()))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(end)
    os.close(begin)
