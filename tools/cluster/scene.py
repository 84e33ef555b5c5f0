"""Hosts that hold floating addresses, seen by their kernels: to know when a fault may begin, and
when its consequences are over. The verdict is the judge's, who sees frames only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Sequence, Set
from typing import Protocol

from departures import Departures
from judge import Verdict
from members import Members
from segment import Host, Observed, Segment, families

LONGEST = 240.0
"""Seconds to wait for what shall come true, before the fault is given up."""
LOOK = 0.1
"""Seconds between two looks at the kernels."""
CALM = 1.0
"""Seconds without a change, after which nothing more is on its way."""
TAKEN = 2.0
"""Seconds in which all addresses of a dead holder are answered, after the margin."""


class Late(Exception):
    """Something did not come true in LONGEST seconds."""


class Holders(Protocol):
    """The programs that hold addresses, one on each host."""

    ttl: float
    """Seconds for which an address stands without a proof, or a sign of life."""
    lifetime: float
    """Seconds after which an address of a dead holder may be taken, from its last sign of life."""

    def start(self, host: Host) -> None:
        """Start the one of a host."""

    def kill(self, host: Host) -> None:
        """kill -9 of all its processes."""

    def freeze(self, host: Host) -> None:
        """SIGSTOP of all its processes."""

    def thaw(self, host: Host) -> None:
        """SIGCONT."""

    def stop(self, host: Host) -> None:
        """End it as a service manager does, and wait."""


class Scene:
    """A segment, its holders, and the members of the engine where there is one."""

    def __init__(
        self,
        segment: Segment,
        holders: Holders,
        addresses: Sequence[str],
        members: Members | None = None,
        connected: int = 10,
    ) -> None:
        self.segment = segment
        self.hosts = segment.hosts
        self.holders = holders
        self.addresses = list(addresses)
        self._members = members
        self._connected = connected
        self.removed: frozenset[str] = frozenset()
        """Addresses that are declared no more."""

    @property
    def members(self) -> Members:
        """The members of the engine."""
        assert self._members is not None
        return self._members

    def held(self, host: Host) -> set[str]:
        """The floating addresses that the kernel of a host has, and has found to be unique."""
        entries = json.loads(host.namespace.ip("-j addr show") or "[]")
        every = [one for entry in entries for one in entry.get("addr_info", ())]
        found = {one["local"] for one in every if not one.get("tentative")}
        return found & set(self.addresses)

    def all_held(self, hosts: Iterable[Host] = ()) -> list[set[str]]:
        """The addresses of each of *hosts*, by default of all."""
        return [self.held(host) for host in hosts or self.hosts]

    def shares(self) -> list[int]:
        """The number of addresses of each host."""
        return [len(one) for one in self.all_held()]

    def whole(self, hosts: Sequence[Host] = ()) -> bool:
        """Whether each address is on exactly one of *hosts*, by default of all."""
        return self._whole(self.all_held(hosts))

    def even(self) -> bool:
        """The same, and each host has its share of both families, to one."""
        held = self.all_held()
        return self._whole(held) and all(
            max(shares) - min(shares) <= 1
            for some in families(self.addresses)
            for shares in [[len(one.intersection(some)) for one in held]]
        )

    def _whole(self, held: Sequence[set[str]]) -> bool:
        count = len(self.addresses) - len(self.removed)
        return len(set().union(*held)) == count == sum(map(len, held))

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait until it is true and nothing changes any more. Raises Late."""
        end = time.monotonic() + LONGEST
        before, since = self.all_held(), time.monotonic()
        while time.monotonic() < end:
            now = self.all_held()
            if now != before:
                before, since = now, time.monotonic()
            if time.monotonic() - since >= CALM and true():
                return
            time.sleep(LOOK)
        raise Late(f"{what}: not after {LONGEST:.0f} s; {self.shares()}")

    def departures(self) -> Departures | None:
        """A recording of the hosts that leave, which begins now; None without an engine."""
        return self._members.departures() if self._members is not None else None

    def macs(self, name: str, frames: Verdict) -> set[str]:
        """The MACs with which a host was seen to have addresses."""
        return {one.mac for one in frames.tenures if self.segment.holder(one.mac) == name}

    def observed(self) -> Observed:
        """A recording that begins now."""
        return Observed(self.segment, self.addresses, self._connected)


class Outcome:
    """A fault's name, both verdicts, and the longest time without an answer that is stated.

    Addresses that were *removed* shall be silent in the end, and all others shall not. *noise* is
    the silence that the stage has made itself. ``ends`` are the times at which the margins of hosts
    that have gone were over, each with the MACs of that host.
    """

    def __init__(
        self,
        title: str,
        frames: Verdict,
        connections: Verdict,
        limit: float,
        removed: Set[str] = frozenset(),
        noise: float = 0.0,
    ) -> None:
        self.title = title
        self.frames = frames
        self.connections = connections
        self.limit = limit
        self.removed = removed
        self.noise = noise
        self.problem = ""
        self.ends: list[tuple[float, Collection[str]]] = []

    @property
    def longest(self) -> tuple[float, float, float]:
        """Seconds without an answer: to ARP, to neighbour solicitations, and to TCP."""
        found = [0.0, 0.0, 0.0]
        for gaps, place in (self.frames.gaps, None), (self.connections.gaps, 2):
            for gap in gaps:
                if gap.address not in self.removed:
                    at = ":" in gap.address if place is None else place
                    found[at] = max(found[at], gap.seconds)
        return found[0], found[1], found[2]

    @property
    def taken(self) -> float | None:
        """Seconds from the end of a margin until the last address had an answer; None where none
        was silent then."""
        found = [self.frames.behind(*end) for end in self.ends]
        return max((one for one in found if one is not None), default=None)

    @property
    def doubled(self) -> float:
        """The longest time, in seconds, in which one address had two holders."""
        return max((one.end - one.begin for one in self.frames.doubles), default=0.0)

    @property
    def good(self) -> bool:
        """Whether everything is as it is stated."""
        fine = self.frames.proven and set(self.frames.silent) == self.removed
        quick = max(self.longest) <= self.limit + self.noise
        return fine and quick and not self.problem and (self.taken or 0.0) <= TAKEN + self.noise
