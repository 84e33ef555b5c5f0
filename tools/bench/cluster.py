"""Floating addresses: the cost of placing them, and of a host among many.

The hosts of a swarm are agents in this process on a store in memory (tests/swarm.py); its time
jumps, so requests are counted in its seconds, and work in those of the processor.
"""

from __future__ import annotations

import statistics
import sys
import textwrap
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from page import duration, table, verdict
from stage import Run

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from swarm import InMemory

from netalias.cluster.placement import Host, Key, Pool, place
from netalias.cluster.records import Spread

ADDRESSES, HOSTS = 10_000, 100
ROUNDS, QUICK = 20, 3
FIRST, CHANGED = 1000.0, 50.0
"""Limits in milliseconds: the first placement; one after a host went or came."""
SWARM, QUICK_SWARM = (50, 10_000), (10, 1000)
"""Hosts and addresses."""
TTL = 10
REQUESTS, PLANNED, MEMORY = 1.0, 100.0, 60.0
"""Limits: requests of a host in a second; milliseconds of the processor of one host from the event
of a death to its plan; MB of a host."""
MINUTE = 60
PAGE = 4096


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    parts = (_placing_text(run), _placing(run), _swarm_text(run), _swarm(run))
    return "\n\n".join(part if "|" in part else textwrap.fill(part, 100) for part in parts)


def _placing_text(run: Run) -> str:
    rounds = QUICK if run.quick else ROUNDS
    return (
        f"Placement of {ADDRESSES} addresses of one pool over {HOSTS} hosts: time of the processor,"
        f" medians of {rounds} rounds, of the first placement of {QUICK}. Moved are the addresses"
        " that leave a host that is alive, and the least that an even spread costs."
    )


def _placing(run: Run) -> str:
    rounds = QUICK if run.quick else ROUNDS
    pool = Pool("web", [f"10.0.{at >> 8}.{at & 255}" for at in range(ADDRESSES)])
    hosts = [Host(f"host{number}") for number in range(HOSTS)]
    found = place([pool], hosts, {})

    def moved(after: dict[Key, str], gone: str = "") -> str:
        return str(sum(after[key] != node != gone for key, node in found.items()))

    gone, come = hosts[0].name, [*hosts, Host("another")]
    without = place([pool], hosts[1:], found)

    def first() -> dict[Key, str]:
        return place([Pool("web", pool.addresses)], hosts, {})

    rows = [
        _row("first placement", QUICK, first, FIRST, "", ""),
        _row("nothing has changed", rounds, lambda: place([pool], hosts, found), CHANGED, "0", "0"),
        _row("a host has gone", rounds, lambda: place([pool], hosts[1:], found), CHANGED,
             moved(without, gone), "0"),
        _row("a host has come", rounds, lambda: place([pool], come, found), CHANGED,
             moved(place([pool], come, found)), str(ADDRESSES // (HOSTS + 1))),
    ]  # fmt: skip
    return table(["", "time", "limit", "", "moved", "at least"], rows)


def _row(
    name: str, rounds: int, work: Callable[[], object], limit: float, moved: str, least: str
) -> list[str]:
    median = statistics.median(_timed(work) for _ in range(rounds))
    return [name, duration(median), f"<= {limit:.0f} ms", verdict(median, limit), moved, least]


def _timed(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1000


def _swarm_text(run: Run) -> str:
    hosts, count = QUICK_SWARM if run.quick else SWARM
    return (
        f"{hosts} agents with {count} addresses on one store in memory, `ttl {TTL}`. One of them"
        " dies; the plan is the most that one of the others works for one event. The memory is"
        " what each agent adds to the process, of which a bare one takes some 20 MB."
    )


def _swarm(run: Run) -> str:
    hosts, count = QUICK_SWARM if run.quick else SWARM
    last = str(ip_address(int(ip_address("10.0.0.0")) + count - 1))
    before = _resident()
    swarm = InMemory(
        [f"host{number}" for number in range(hosts)],
        {"web": Spread((("10.0.0.0", last),))},
        TTL,
    )
    for one in swarm.members:
        one.start(swarm.now())
    swarm.run(MINUTE, lambda: swarm.even(count))
    swarm.run(TTL)
    memory = (_resident() - before) / hosts
    sent, began = swarm.sent(), time.process_time()
    swarm.run(MINUTE)
    rate = (swarm.sent() - sent) / MINUTE / hosts
    work = (time.process_time() - began) / MINUTE / hosts * 1000
    swarm.members[0].kill()
    for one in swarm.members:
        one.slowest = 0.0
    took = swarm.run(10 * MINUTE, lambda: swarm.even(count))
    planned = max(one.slowest for one in swarm.members) * 1000
    rows = [
        ["requests of a host at rest", f"{rate:.2f} /s", f"<= {REQUESTS:.0f} /s",
         verdict(rate, REQUESTS)],
        ["processor of a host at rest", f"{work:.2f} ms/s", "", ""],
        ["plan after a death", duration(planned), f"<= {PLANNED:.0f} ms",
         verdict(planned, PLANNED)],
        ["all taken over after", f"{took:.1f} s", "", ""],
        ["memory of an agent", f"{memory:.1f} MB", f"<= {MEMORY:.0f} MB",
         verdict(memory, MEMORY)],
    ]  # fmt: skip
    return table(["", "", "limit", ""], rows)


def _resident() -> float:
    """Megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * PAGE / 1e6
