"""Hosts that come and go at random, one while another one does, on a store whose answers take their
time: nothing waits for hosts to agree for longer than a moment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from swarm import InMemory, Member

from netalias.cluster.agent import SURPRISED
from netalias.cluster.records import Spread

COUNT, HOSTS, TTL = 200, 5, 10
FIRST = int(ip_address("10.0.0.0"))
POOLS = {"web": Spread((("10.0.0.0", str(ip_address(FIRST + COUNT - 1))),))}
KEYS = [("web", str(ip_address(FIRST + number))) for number in range(COUNT)]
CHANGES = 20
LONGEST = SURPRISED + 2 * (0.05 + 0.03)
"""Seconds: the wait for hosts that disagree, and the two transactions of a move."""


class Churn:
    """A swarm with dice. ``longest`` is the most seconds for which an address was nowhere."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._swarm = InMemory([f"h{number}" for number in range(HOSTS)], POOLS, TTL)
        self._since: dict[object, float] = {}
        self._leaving: set[Member] = set()
        self.longest = 0.0
        for one in self._swarm.members:
            self._delay(one)
            one.start(self._swarm.now())
        self._swarm.run(60, lambda: self._swarm.even(COUNT))
        self._pass(3)

    def change(self) -> None:
        """A host leaves, or one that has left comes again, in up to two seconds."""
        members = self._swarm.members
        there = [one for one in members if one.alive and one not in self._leaving]
        gone = [one for one in members if not one.alive]
        if gone and (len(there) <= 2 or self._dice.random() < 0.5):
            self._join(self._dice.choice(gone))
        elif len(there) > 2:
            one = self._dice.choice(there)
            self._leaving.add(one)
            one.agent.stop(self._swarm.now())
            one.work(self._swarm.now())
        self._pass(self._dice.random() * 2)

    def rest(self) -> None:
        """No more changes: all addresses are there."""
        self._pass(8)
        assert not self._since

    def _join(self, former: Member) -> None:
        found = Member(former.name, self._swarm.store.session(), POOLS, TTL)
        self._delay(found)
        self._swarm.members[self._swarm.members.index(former)] = found
        self._leaving.discard(former)
        found.start(self._swarm.now())

    def _delay(self, one: Member) -> None:
        one.engine.there = self._dice.choice([0.004, 0.02, 0.05])  # type: ignore[attr-defined]
        one.engine.back = self._dice.choice([0, 0.004, 0.03])  # type: ignore[attr-defined]

    def _pass(self, seconds: float) -> None:
        end = self._swarm.now() + seconds
        for _ in self._moments(end):
            for one in self._leaving:
                one.alive &= not one.over
            now = self._swarm.now()
            there = {key for one in self._swarm.members if one.alive for key in one.held}
            for key in KEYS:
                if key not in there:
                    self._since.setdefault(key, now)
                elif key in self._since:
                    self.longest = max(self.longest, now - self._since.pop(key))

    def _moments(self, end: float) -> Iterator[None]:
        """After each thing that happens before *end*."""
        while self._swarm.now() < end:
            self._swarm.step(end)
            yield


@pytest.mark.parametrize("seed", range(5))
def test_nobody_waits_for_the_others_to_agree(seed: int) -> None:
    """An address that each host has left to another one is placed anew within a moment."""
    found = Churn(seed)
    for _ in range(CHANGES):
        found.change()
    found.rest()
    assert found.longest <= LONGEST
