"""The fence as arithmetic, times of suspension, and a deadline that the kernel keeps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from hypothesis import given
from hypothesis import strategies as st

from netalias.cluster import fence
from netalias.cluster.suspend import Suspension

RATES = st.floats(1 - fence.RATE, 1 + fence.RATE)
TIMES = st.floats(0, 1e6)
LIFETIMES = st.integers(5, 3600)


@given(RATES, RATES, TIMES, TIMES, LIFETIMES, st.floats(0, 100), st.floats(0, 1))
def test_a_taker_waits_until_the_kernel_of_the_holder_has_removed_an_address(
    slow: float, fast: float, there: float, here: float, ttl: int, later: float, busy: float
) -> None:
    """Whatever the two clocks show, and however late the proof succeeds and the kernel works.

    True time is 0 when the proof is sent; the key is read to have gone at the same moment, which is
    the worst that can be."""
    now = there + later
    life = fence.seconds(fence.end(there, ttl), now)
    if not life:
        return
    set_at = later / slow + busy * fence.SETTING / slow
    gone = set_at + (life + fence.LATE) / slow
    taken = ((here + fence.wait(ttl)) - here) / fast
    assert gone <= taken + 1e-6


def test_an_address_is_not_set_when_it_is_too_late() -> None:
    """The kernel takes 0 for no lifetime at all, so nothing is set then."""
    assert fence.seconds(110.0, 100.0) == 9
    assert fence.seconds(110.0, 108.5) == 0
    assert fence.seconds(110.0, 200.0) == 0


def test_proofs_come_in_time_for_two_of_them_to_fail() -> None:
    """Three parts of a lifetime."""
    assert fence.every(9.0) == 3.0


def test_a_suspension_is_seen_once() -> None:
    """CLOCK_BOOTTIME went on, CLOCK_MONOTONIC did not."""
    seen = Suspension(1000.0, 900.0)
    assert seen.passed(1010.0, 910.0) == 0.0
    assert seen.passed(1010.1, 910.0) == 0.0
    assert round(seen.passed(1080.1, 920.0), 6) == 60.1
    assert seen.passed(1081.1, 921.0) == 0.0


def test_many_short_suspensions_are_a_long_one() -> None:
    """Lifetimes stand still in each of them."""
    seen = Suspension(1000.0, 900.0)
    found = [seen.passed(1000.3 + 0.3 * at, 900.1 + 0.1 * at) for at in range(40)]
    assert 7.5 < sum(found) <= 8.0


def test_a_stop_between_two_clocks_is_no_suspension() -> None:
    """The first was read before it, the second after it; the next readings are right again."""
    seen = Suspension(1000.0, 900.0)
    assert seen.passed(1000.0, 905.0) == 0.0
    assert seen.passed(1006.0, 906.0) == 0.0


STOPPED = """
import os, signal, sys
from netalias.system.deadline import Deadline
signal.signal(signal.SIGALRM, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
with Deadline(30.0):
    pass
with Deadline(0.05):
    os.kill(os.getpid(), signal.SIGSTOP)
    print("late", flush=True)
"""


def test_a_process_that_was_stopped_for_too_long_does_no_more() -> None:
    """It ends at the instruction at which it stood; the former deadline was met."""
    child = subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE)
    try:
        os.waitid(os.P_PID, child.pid, os.WSTOPPED)
        time.sleep(1.0)
        child.send_signal(signal.SIGCONT)
        assert child.communicate(timeout=30)[0] == b""
    finally:
        child.kill()
    assert child.returncode == -signal.SIGALRM
