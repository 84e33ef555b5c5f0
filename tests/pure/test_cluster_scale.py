"""Many hosts on one store: few requests at rest, and each change costs some for each host."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from ipaddress import ip_address

import pytest
from swarm import WAY, InMemory, Member

from netalias.cluster import agent, fence
from netalias.cluster.moves import ENDING
from netalias.cluster.placement import Key, place
from netalias.cluster.records import DRAINS, Spread
from netalias.cluster.store import Change, Delete, Put

COUNT, HOSTS, TTL = 240, 8, 10
SHORTEST = 5
"""The least ``ttl`` that a line may say."""
FIRST = int(ip_address("10.0.0.0"))
MOMENT = 1e-3
"""Seconds that are none: time goes on by so little as it can between two rounds."""
LEASE = 0.5
"""Seconds by which the store notices late that a lease is over."""


@pytest.fixture
def swarm() -> InMemory:
    """All hosts, each with its share."""
    last = str(ip_address(FIRST + COUNT - 1))
    pools = {"web": Spread((("10.0.0.0", last),))}
    found = InMemory([f"host{number}" for number in range(HOSTS)], pools, TTL)
    for one in found.members:
        one.start(found.now())
    found.run(60, lambda: found.even(COUNT))
    return found


def owners(swarm: InMemory) -> dict[object, str]:
    """The host of each address."""
    return {key: one.name for one in swarm.members if one.alive for key in one.held}


def moved(swarm: InMemory, work: Callable[[], object]) -> int:
    """The number of addresses that another host has after *work*."""
    before = owners(swarm)
    work()
    after = owners(swarm)
    return sum(after[key] != node for key, node in before.items())


def test_at_rest(swarm: InMemory):
    """The first spread takes some requests for each host; then there is less than one a second."""
    assert swarm.sent() <= 10 * HOSTS
    swarm.run(TTL)
    before = swarm.sent()
    swarm.run(60)
    assert swarm.sent() - before <= 60 * HOSTS
    assert swarm.even(COUNT)


def test_at_rest_with_the_shortest_lifetime():
    """A host asks once a second at most there too."""
    found = InMemory("abc", {"web": Spread((("10.0.0.0", "10.0.0.8"),))}, SHORTEST)
    for one in found.members:
        one.start(found.now())
    found.run(60, lambda: found.even(9))
    found.run(SHORTEST)
    before = found.sent()
    found.run(600)
    assert found.sent() - before <= 600 * 3


def test_a_host_dies(swarm: InMemory):
    """Its share alone moves, as soon as the fence allows; nobody asks more than a few times."""
    swarm.run(TTL)
    before = swarm.sent()
    dead = swarm.members[0]
    began = swarm.now()
    share = {*dead.held}
    others = {key: node for key, node in owners(swarm).items() if key not in share}
    dead.kill()
    swarm.run(60, lambda: swarm.even(COUNT))
    took = swarm.now() - began
    assert took <= TTL + LEASE + fence.wait(TTL) + 1
    assert {key: node for key, node in owners(swarm).items() if key not in share} == others
    assert swarm.sent() - before <= HOSTS * (took + 10)


def test_a_host_comes_and_drains(swarm: InMemory):
    """As many addresses move as an even spread costs, within seconds, each once."""
    found = Member("another", swarm.store.session(), swarm.members[0].pools, TTL)

    def joins() -> None:
        swarm.members.append(found)
        found.start(swarm.now())
        swarm.run(10, lambda: swarm.even(COUNT))

    assert moved(swarm, joins) == COUNT // (HOSTS + 1)
    drain = f"/netalias/v1/{DRAINS}/another"

    def drains() -> None:
        swarm.store.execute(Change([], [Put(drain, b"{}")]))
        swarm.run(10, lambda: not found.held and len(owners(swarm)) == COUNT)

    assert moved(swarm, drains) == COUNT // (HOSTS + 1)
    swarm.store.execute(Change([], [Delete(drain)]))
    swarm.run(10, lambda: swarm.even(COUNT))


class Away:
    """The times for which addresses that move are nowhere, and how many of them at once."""

    def __init__(self, swarm: InMemory) -> None:
        self._since: dict[object, float] = {}
        self._swarm = swarm
        self.most = 0
        self.longest = 0.0

    def look(self) -> bool:
        """Take note of what is nowhere now."""
        now, there = self._swarm.now(), owners(self._swarm)
        for key in [key for key in self._since if key in there]:
            self.longest = max(self.longest, now - self._since.pop(key))
        for address in range(COUNT):
            key = "web", str(ip_address(FIRST + address))
            if key not in there:
                self._since.setdefault(key, now)
        self.most = max(self.most, len(self._since))
        return False


def test_who_comes_gets_from_one_host_after_the_other(swarm: InMemory):
    """Only what one of them gives up at a time is on its way, and each address is away for two
    transactions: the one that frees it, and the one that takes it."""
    found = Member("another", swarm.store.session(), swarm.members[0].pools, TTL)
    found.engine.there = WAY  # type: ignore[attr-defined]
    swarm.members.append(found)
    found.start(swarm.now())
    away = Away(swarm)
    swarm.run(10, lambda: away.look() or swarm.even(COUNT))
    assert away.most <= 4  # of the 26 that it gets
    assert away.longest <= 2 * WAY + MOMENT


def test_who_leaves_gives_up_some_at_a_time(swarm: InMemory):
    """Nothing waits for the rest of it: neither for what goes later, nor for its key to go."""
    first = swarm.members[0]
    first.agent.stop(swarm.now())
    away = Away(swarm)
    swarm.run(10, lambda: away.look() or first.agent.ended)
    first.alive = False
    swarm.run(1, lambda: away.look() or swarm.even(COUNT))
    assert away.most <= ENDING
    assert away.longest <= 2 * WAY + MOMENT


@pytest.mark.long
def test_many_hosts_that_come_at_once(swarm: InMemory, monkeypatch: pytest.MonkeyPatch):
    """Each host places some times, and not once for each that has come; they end up evenly."""
    placements = 0

    def counted(*words: object) -> dict[Key, str]:
        nonlocal placements
        placements += 1
        return place(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(agent, "place", counted)
    many = 30
    for number in range(many):
        one = Member(f"more{number}", swarm.store.session(), swarm.members[0].pools, TTL)
        swarm.members.append(one)
        one.start(swarm.now())
        swarm.run(0.01)
    # Until they are placed nothing moves, and each of these knows itself.
    assert placements <= 4 * many
    swarm.run(120, lambda: swarm.even(COUNT))


def test_the_plan_after_a_death(swarm: InMemory):
    """The event that a host has gone costs each other one a placement: some calls for an address,
    not for each pair of an address and a host."""
    one = swarm.members[1]
    profile = cProfile.Profile()
    swarm.run(TTL)
    swarm.members[0].kill()
    answered = one.agent.answered

    def counted(*words: object) -> None:
        profile.runcall(answered, *words)  # type: ignore[arg-type]

    one.agent.answered = counted  # type: ignore[method-assign,assignment]
    key = "/netalias/v1/hosts/host0"
    swarm.run(60, lambda: key not in swarm.store.entries)
    swarm.run(1)
    calls = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]
    assert 2 * COUNT < calls < 25 * COUNT
