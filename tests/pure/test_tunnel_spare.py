"""The process that waits to be the next data plane."""

from __future__ import annotations

import os
import signal
from select import POLLIN, poll

from support import PATIENCE, SLOW

from netalias.tunnels.counters import Counters
from netalias.tunnels.spare import Spare


def test_one_that_was_stopped_goes_on_when_it_is_needed() -> None:
    """A data plane that stands still would have no successor, since it has not ended. This one ends
    at once: what it gets is no TUN device."""
    alive, lifeline = os.pipe()
    count = Counters.create()
    spare = Spare(alive, keyed=False)
    pidfd = os.pidfd_open(spare._pid)
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
        os.waitid(os.P_PIDFD, pidfd, os.WSTOPPED)
        assert spare.take(count, count, count, ["carriage", "udp:7777"]) == spare._pid
        ended = poll()
        ended.register(pidfd, POLLIN)
        assert ended.poll(int(PATIENCE * SLOW * 1000))
    finally:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        for one in (alive, lifeline, pidfd):
            os.close(one)
        count.close()
