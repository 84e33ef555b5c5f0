"""Many hosts as agents in one process, on one member of a real etcd.

    python tools/cluster scale [--hosts N] [--count N] [--ttl S] [--slow N]

They have no kernels: a watcher that obeys at once is made up for each (tests/swarm.py). So what is
measured is the store, the connections to it, and the work of the agents. They share one processor
here, so their clocks are so many times as slow as that of etcd (--slow): all seconds are theirs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from swarm import InTime

from netalias.cluster.etcd.engine import EtcdEngine
from netalias.cluster.etcd.settings import Settings
from netalias.cluster.records import Spread

FIRST = int(ip_address("10.0.0.0"))
LONGEST = 60.0
"""Seconds until all addresses are evenly spread, at most."""
REST = 10.0
"""Seconds for which the swarm is left alone."""
PAGE = 4096


def swarm(url: str, hosts: int, count: int, ttl: int, slow: int) -> InTime:
    """Hosts that start now. The etcd is at *url*, in the namespace of the caller."""
    pools = {"web": Spread((("10.0.0.0", str(ip_address(FIRST + count - 1))),))}
    names = [f"host{number}" for number in range(hosts)]
    found = InTime(names, pools, ttl, lambda: EtcdEngine(Settings([url])), slow)
    for one in found.members:
        one.start(found.now())
    return found


def scale(url: str, hosts: int, count: int, ttl: int, slow: int) -> Iterator[tuple[str, str]]:
    """Names of measures and their figures, one after the other. Raises TimeoutError."""
    before, begun = _resident(), time.process_time()
    found = swarm(url, hosts, count, ttl, slow)
    yield "all addresses are evenly spread after", f"{_even(found, count):.1f} s"
    yield "requests of a host until then", f"{found.sent() / hosts:.1f}"
    yield "processor of a host until then", f"{(time.process_time() - begun) / hosts:.2f} s"
    found.run(ttl)
    sent, begun = found.sent(), time.process_time()
    found.run(REST)
    yield "requests of a host at rest", f"{(found.sent() - sent) / REST / hosts:.2f} a second"
    work = (time.process_time() - begun) / REST / hosts
    yield "processor of a host at rest", f"{work * 1000:.1f} ms a second"
    yield "memory of an agent", f"{(_resident() - before) / hosts:.1f} MB"
    found.members[0].kill()
    for one in found.members:
        one.slowest = 0.0
    yield "the share of a dead host is taken after", f"{_even(found, count):.1f} s"
    slowest = max(one.slowest for one in found.members)
    yield "the most work for one answer then", f"{slowest * 1000:.0f} ms"
    yield "requests that failed", str(sum(one.failed for one in found.members))


def _even(hosts: InTime, count: int) -> float:
    """Seconds until *count* addresses are evenly spread. Raises TimeoutError."""
    return hosts.run(LONGEST, lambda: hosts.even(count))


def _resident() -> float:
    """Megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * PAGE / 1e6
