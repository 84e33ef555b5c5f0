"""Addresses move gently: after their hold-down, at a rate, and only to hosts that take them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netalias.cluster.moves import IN_FLIGHT, PART, PAUSE, RATE, Moves
from netalias.cluster.placement import Host, Key, Pool, place

BATCH = round(RATE * PAUSE)
NODES = ("alpha", "beta", "gamma", "delta")
WEB = Pool("web", [f"10.0.0.{last}" for last in range(1, 101)])
KEYS = [("web", address) for address in WEB.addresses]
STEP = 0.125
"""Seconds between two looks of a simulated host: a number that adds up exactly."""


def test_a_rate_and_no_more():
    """The first burst comes at once, then so many in a second; next() says when."""
    moves, held = Moves("alpha"), dict.fromkeys(KEYS, 0.0)
    placed = {key: NODES[1 + at % 3] for at, key in enumerate(KEYS)}
    now = 100.0
    given = moves.due(now, held, placed, [])
    assert len(given) == 2 * BATCH
    assert set(Counter(placed[key] for key in given).values()) <= {5, 6}
    times, batches = [now], [len(given)]
    for key in given:
        del held[key]
    while held:
        then = moves.next()
        assert then is not None
        given = moves.due(then, held, placed, [])
        for key in given:
            del held[key]
        times.append(then)
        batches += [len(given)] if given else []  # a host whose room is full may have to look again
    assert batches == [2 * BATCH] + [BATCH] * ((len(KEYS) - 2 * BATCH) // BATCH) + [4]
    least = (len(KEYS) - 2 * BATCH) / RATE
    assert least <= times[-1] - times[0] < least * 1.1
    assert moves.next() is None


def test_nothing_before_a_batch():
    """Looks between two batches give nothing; the last few addresses are no whole batch."""
    moves = Moves("alpha")
    placed = {key: NODES[1 + at % 3] for at, key in enumerate(KEYS)}
    held = dict.fromkeys(KEYS[: 2 * BATCH], 0.0)
    assert len(moves.due(0.0, held, placed, [])) == 2 * BATCH
    held = dict.fromkeys(KEYS[2 * BATCH : 3 * BATCH + 2], 0.0)
    assert moves.due(PAUSE - 0.01, held, placed, []) == []
    assert moves.next() == pytest.approx(PAUSE, abs=0.002)
    given = moves.due(PAUSE + 0.01, held, placed, [])
    assert len(given) == BATCH
    rest = {key: 0.0 for key in held if key not in given}
    assert sorted(moves.due(PAUSE + 2 / RATE + 0.01, rest, placed, [])) == sorted(rest)


def test_thousands_go_faster():
    """A part of those that are to leave goes each second, where that is more than the rate."""
    keys = [("web", f"10.0.{at >> 8}.{at & 255}") for at in range(4000)]
    placed = {key: f"host{at % 50}" for at, key in enumerate(keys)}
    moves, held, now = Moves("alpha"), dict.fromkeys(keys, 0.0), 0.0
    looks = 0
    while held:
        before = len(held)
        for key in moves.due(now, held, placed, []):
            del held[key]
        assert before - len(held) <= max(RATE, before * PART) * 2 * PAUSE + 1
        now, looks = moves.next() or now, looks + 1
    assert 40 < now < 60  # 20 * ln(4), and 20 for the last thousand
    assert looks < 60 / PAUSE * 1.2


def test_a_host_that_takes_nothing_gets_no_more():
    """Free addresses on the way to a host count; other hosts go on getting theirs."""
    moves = Moves("alpha")
    placed = dict.fromkeys(KEYS[:50], "beta") | dict.fromkeys(KEYS[50:], "gamma")
    stuck = KEYS[:IN_FLIGHT]
    given = moves.due(0.0, dict.fromkeys(KEYS[IN_FLIGHT:], 0.0), placed, stuck)
    assert {placed[key] for key in given} == {"gamma"}
    held = dict.fromkeys(KEYS[IN_FLIGHT:50], 0.0)
    assert Moves("alpha").due(0.0, held, placed, stuck) == []
    assert len(Moves("alpha").due(0.0, held, placed, stuck[1:])) == 1


def test_hold_down():
    """An address stays until its hold-down is over; next() is the end of the first one."""
    moves, placed = Moves("alpha"), dict.fromkeys(KEYS, "beta")
    held = {KEYS[0]: 30.0, KEYS[1]: 20.0, KEYS[2]: 0.0}
    assert moves.due(10.0, held, placed, []) == [KEYS[2]]
    assert moves.next() == 20.0
    assert moves.due(20.0, held, placed, []) == [KEYS[1], KEYS[2]]
    assert moves.next() == 30.0


def test_stays_without_another_place():
    """What is placed here, or nowhere, is not given up."""
    assert Moves("alpha").due(0.0, dict.fromkeys(KEYS[:2], 0.0), {KEYS[0]: "alpha"}, []) == []


class Simulated:
    """Hosts that share a table of owners, and look at it one after the other: those of the dead
    are taken as soon as they are noticed, since the fence is tested elsewhere."""

    def __init__(self) -> None:
        self.now = 0.0
        self.owners: dict[Key, str] = {}
        self.free: set[Key] = set()
        self.hosts: dict[str, Host] = {}
        self.moves: dict[str, Moves] = {}
        self.moved = 0

    def join(self, node: str) -> None:
        self.hosts[node], self.moves[node] = Host(node), Moves(node)

    def placed(self) -> dict[Key, str]:
        return place([WEB], self.hosts.values(), self.owners)

    def look(self, node: str) -> None:
        """One look of a host: it takes what it is to have, and gives up what others are to have."""
        placed = self.placed()
        for key in KEYS:
            if placed[key] == node and self.owners.get(key) not in self.hosts:
                self.owners[key] = node
                self.free.discard(key)
        held = {key: 0.0 for key, owner in self.owners.items() if owner == node}
        for key in self.moves[node].due(self.now, held, placed, self.free):
            del self.owners[key]
            self.free.add(key)
            self.moved += 1
        flying = Counter(placed[key] for key in self.free)
        assert max(flying.values(), default=0) <= IN_FLIGHT

    def settle(self) -> None:
        """Look in turn until nothing changes."""
        for _ in range(1000):
            for node in sorted(self.hosts):
                self.look(node)
            self.now += STEP
            if not self.free and self.placed() == self.owners:
                return
        raise AssertionError("it never comes to rest")


def test_a_drain_ends():
    """Everything leaves a host that drains, at the rate, and nothing moves twice."""
    cluster = Simulated()
    for node in NODES:
        cluster.join(node)
    cluster.settle()
    cluster.moved, begin = 0, cluster.now
    cluster.hosts["beta"] = Host("beta", draining=True)
    cluster.settle()
    assert cluster.moved == len(KEYS) // 4
    assert sorted(Counter(cluster.owners.values()).values()) == [33, 33, 34]
    assert cluster.now - begin <= 2.0


commands = st.lists(
    st.tuples(st.sampled_from(("join", "die", "drain", "undrain", "look")), st.sampled_from(NODES)),
    max_size=30,
)


@given(commands)
@settings(max_examples=60)
def test_whatever_happens_it_comes_to_rest(events: list[tuple[str, str]]):
    """After any joins, deaths and drains every address has one live owner, evenly; and once they
    are over, no address moves twice."""
    cluster = Simulated()
    cluster.join("alpha")
    for event, node in events:
        if event == "join" and node not in cluster.hosts:
            cluster.join(node)
        elif event == "die" and len(cluster.hosts) > 1:
            cluster.hosts.pop(node, None)
        elif event in ("drain", "undrain") and node in cluster.hosts:
            cluster.hosts[node] = Host(node, draining=event == "drain")
        elif event == "look" and node in cluster.hosts:
            cluster.look(node)
        cluster.now += STEP
    placed = cluster.placed()
    most = sum(
        owner in cluster.hosts and placed[key] != owner for key, owner in cluster.owners.items()
    )
    cluster.moved = 0
    cluster.settle()
    assert cluster.moved == most
    assert cluster.owners == placed


def test_a_host_that_ends_gives_up_some_at_a_time():
    """A quarter of what is left, or 16, each tenth of a second; hosts take turns to have them."""
    moves, now = Moves("alpha"), 50.0
    held = {key: NODES[1 + at % 3] for at, key in enumerate(KEYS)}
    batches = []
    while held:
        given = moves.ending(now, held, held, at_once=False)
        shares = Counter(held.pop(key) for key in given)
        assert not held or max(shares.values()) - min(shares.values()) <= 1
        batches.append(len(given))
        assert not held or moves.ending(now + STEP / 4, held, held, at_once=False) == []
        now = moves.next() or now
    assert batches == [25, 18, 16, 16, 16, 9]
    assert now - 50.0 == pytest.approx(0.1 * (len(batches) - 1))
    assert moves.next() is None


def test_a_host_that_ends_alone_waits_for_nobody():
    """Where the store is away all of it goes at once, also what has no place."""
    moves = Moves("alpha")
    assert moves.ending(50.0, KEYS, {}, at_once=True) == KEYS
    assert moves.next() is None
