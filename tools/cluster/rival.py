"""keepalived on the same segment: one VRRP instance for each address, spread over the hosts.

An instance has one master, of the highest priority among those that are heard. The priorities are
such that each host has its share, and that the shares of a dead one go to all others.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from segment import SEGMENT, Host, Segment

MOST = 255
"""Virtual routers on one segment (RFC 5798: VRID, eight bits)."""
ADVERT = 1
"""Seconds between two advertisements, the usual value."""
MISSED = 3
"""Advertisements that are missed before another one becomes master."""
TOP, STEP = 250, 10


def configuration(host: int, hosts: int, addresses: Sequence[str]) -> str:
    """keepalived.conf(5) of this host: an order of the hosts for each address, the same on all."""
    blocks = ["global_defs {\n vrrp_no_swap\n vrrp_startup_delay 2\n}"]
    for number, address in enumerate(addresses, 1):
        order = list(range(hosts))
        random.Random(number).shuffle(order)
        first = (number - 1) % hosts  # each one's share is even
        order.remove(first)
        priority = TOP - STEP * [first, *order].index(host)
        blocks.append(
            f"vrrp_instance V{number} {{\n state BACKUP\n interface {SEGMENT}\n"
            f" virtual_router_id {number}\n priority {priority}\n advert_int {ADVERT}\n"
            f" virtual_ipaddress {{\n  {address}/24\n }}\n}}"
        )
    return "\n".join(blocks) + "\n"


class Keepalived:
    """One on each host. The first process supervises a second one, which does VRRP."""

    ttl = lifetime = float(ADVERT * (MISSED + 1))
    """Seconds until another one is master: the skew is less than another advertisement."""

    def __init__(self, segment: Segment, words: Sequence[str], addresses: Sequence[str]) -> None:
        if len(addresses) > MOST:
            raise ValueError(f"keepalived has {MOST} instances on a segment")
        self._segment = segment
        self._words = words
        self._addresses = addresses
        self._running: dict[str, subprocess.Popen[str]] = {}
        for host in segment.hosts:
            self.start(host)

    def start(self, host: Host) -> None:
        """Start the one of a host."""
        place = self._segment.folder / f"{host.name}.keepalived"
        count = len(self._segment.hosts)
        text = configuration(host.number - 1, count, self._addresses)
        place.write_text(text, encoding="ascii")
        options = ["--dont-fork", "--log-console", "--vrrp", f"--use-file={place}"]
        options += [f"--{one}={place}.{one}" for one in ("pid", "vrrp_pid")]
        self._running[host.name] = host.serve([*self._words, *options], self._segment.log(host))

    def kill(self, host: Host) -> None:
        """kill -9 of both processes; the worker first, which shall not hear of the other's end."""
        self._signal(host, signal.SIGKILL)
        self._running[host.name].wait()

    def freeze(self, host: Host) -> None:
        """SIGSTOP of both processes."""
        self._signal(host, signal.SIGSTOP)

    def thaw(self, host: Host) -> None:
        """SIGCONT."""
        self._signal(host, signal.SIGCONT)

    def stop(self, host: Host) -> None:
        """SIGTERM: it gives its addresses up, and says so to the others."""
        self._running[host.name].terminate()
        self._running[host.name].wait()

    def _signal(self, host: Host, number: int) -> None:
        place = self._segment.folder / f"{host.name}.keepalived"
        for name in ("vrrp_pid", "pid"):
            os.kill(int(Path(f"{place}.{name}").read_text()), number)
