"""The time without a data plane: from the death of one until the next, which waits, carries a ping.

It is what `watch` does (watch/tunnels.py), but for the moment until it hears of the death.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flow import ping
from processes import Place

from netalias.tunnels.counters import Counters
from netalias.tunnels.spare import Spare

if TYPE_CHECKING:
    from tunnels import Ours

LOADED = 1.0
"""Seconds after which a process that waits has loaded everything."""


def gap(tunnel: Ours, place: Place, rounds: int) -> float:
    """Milliseconds without a data plane at the first end of a tunnel, which stands in *place*; the
    median."""
    place.enter()
    return statistics.median(_killed(tunnel, tunnel.lines[0]) for _ in range(rounds))


def _killed(tunnel: Ours, words: Sequence[str]) -> float:
    alive, lifeline = os.pipe()
    spare = Spare(alive, keyed=False)
    time.sleep(LOADED)
    begin = time.perf_counter()
    os.kill(tunnel.pids[0], signal.SIGKILL)
    os.waitpid(tunnel.pids[0], 0)
    device, carriage, count = tunnel.held[:3]
    assert isinstance(count, Counters)
    tunnel.pids[0] = spare.take(device, carriage, count, words)
    taken = time.perf_counter() - begin
    os.close(alive)
    tunnel.lifelines.append(lifeline)
    return taken * 1e3 + ping(tunnel.address("4"), "1") / 1e3
