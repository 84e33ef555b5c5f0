"""Floating addresses over hosts: even, the same for everybody, and no move more than necessary."""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.cluster.placement import PRIME, Host, Key, Pool, place

NODES = ("alpha", "beta", "gamma", "delta", "epsilon")
weights = st.integers(min_value=1, max_value=4)
nodes = st.sampled_from(NODES)


def addresses(count: int, net: int = 0) -> list[str]:
    return [f"10.{net}.{number // 250}.{number % 250 + 1}" for number in range(count)]


def pool(count: int, name: str = "web", prefers: Mapping[str, str] | None = None) -> Pool:
    return Pool(name, addresses(count), prefers or {})


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[Pool], list[Host], dict[Key, str]]:
    """Up to three pools, hosts of some weights, and addresses that stand anywhere or nowhere."""
    pools = [
        Pool(f"pool{number}", addresses(draw(st.integers(0, 17)), number))
        for number in range(draw(st.integers(1, 3)))
    ]
    names = draw(st.lists(nodes, min_size=1, unique=True))
    hosts = [Host(name, draw(weights)) for name in names]
    keys = [(one.name, address) for one in pools for address in one.addresses]
    standing = {key: draw(st.sampled_from((*NODES, "dead", ""))) for key in keys}
    return pools, hosts, {key: node for key, node in standing.items() if node}


def loads(placed: Mapping[Key, str], name: str) -> Counter[str]:
    return Counter(node for (one, _), node in placed.items() if one == name)


def fewest_moves(count: int, hosts: Sequence[Host], held: Mapping[str, int]) -> int:
    """The fewest addresses that must leave a live host for an even spread, by trying every way to
    round the shares."""
    total = sum(one.weight for one in hosts)
    shares = {one.name: Fraction(count * one.weight, total) for one in hosts}
    whole = {name: int(share) for name, share in shares.items()}
    uneven = [name for name, share in shares.items() if share.denominator > 1]
    extra = count - sum(whole.values())
    return min(
        sum(max(0, held.get(name, 0) - whole[name] - (name in more)) for name in whole)
        for more in combinations(uneven, extra)
    )


@given(clusters())
def test_even_in_every_pool(cluster: tuple[list[Pool], list[Host], dict[Key, str]]):
    """Every address of a pool has a host, and no host is a whole address away from its share."""
    pools, hosts, standing = cluster
    placed = place(pools, hosts, standing)
    assert placed.keys() == {(one.name, address) for one in pools for address in one.addresses}
    total = sum(one.weight for one in hosts)
    for one in pools:
        found = loads(placed, one.name)
        for host in hosts:
            share = Fraction(len(one.addresses) * host.weight, total)
            assert abs(found[host.name] - share) < 1


@given(clusters())
def test_moves_no_more_than_it_must(cluster: tuple[list[Pool], list[Host], dict[Key, str]]):
    """As many addresses leave a live host as any even spread costs at least."""
    pools, hosts, standing = cluster
    placed = place(pools, hosts, standing)
    alive = {one.name for one in hosts}
    for one in pools:
        before = {key: node for key, node in standing.items() if key[0] == one.name}
        moved = sum(node in alive and placed[key] != node for key, node in before.items())
        held = loads({key: node for key, node in before.items() if node in alive}, one.name)
        assert moved == fewest_moves(len(one.addresses), hosts, held)


@given(clusters())
def test_the_same_in_any_order(cluster: tuple[list[Pool], list[Host], dict[Key, str]]):
    """Hosts that read the same in another order place the same."""
    pools, hosts, standing = cluster
    turned = [Pool(one.name, [*reversed(one.addresses)]) for one in reversed(pools)]
    backwards = dict(reversed(standing.items()))
    assert place(turned, [*reversed(hosts)], backwards) == place(pools, hosts, standing)


@given(clusters(), st.data())
def test_nothing_changes_while_it_is_carried_out(
    cluster: tuple[list[Pool], list[Host], dict[Key, str]], data: st.DataObject
):
    """With some moves made and some addresses free on their way, the same is placed."""
    pools, hosts, standing = cluster
    preferred = data.draw(st.dictionaries(st.sampled_from(addresses(17)), nodes, max_size=4))
    pools = [Pool(one.name, one.addresses, preferred) for one in pools]
    placed = place(pools, hosts, standing)
    for key, node in placed.items():
        if standing.get(key) == node:
            continue
        stage = data.draw(st.sampled_from(("", "free", "done")))
        if stage == "done":
            standing[key] = node
        elif stage == "free":
            standing.pop(key, None)
    assert place(pools, hosts, standing) == placed


@given(st.lists(st.tuples(st.sets(nodes, min_size=1), st.booleans()), min_size=2, max_size=6))
def test_a_pool_remembers_nothing_wrong(changes: list[tuple[set[str], bool]]):
    """A pool that was placed over other hosts before is placed as one that is new."""
    web = pool(40)
    standing: dict[Key, str] = {}
    for names, kept in changes:
        hosts = [Host(name) for name in names]
        found = place([web], hosts, standing)
        assert found == place([pool(40)], hosts, standing)
        standing = found if kept else {}


@pytest.mark.parametrize("count", [1, 7, 200])
def test_a_host_that_goes_and_comes_back(count: int):
    """Only its addresses move when a host goes, and only its share when it is back."""
    hosts = [Host(name) for name in NODES]
    first = place([pool(count)], hosts, {})
    without = place([pool(count)], hosts[1:], first)
    assert {key for key in first if without[key] != first[key]} == {
        key for key, node in first.items() if node == "alpha"
    }
    back = place([pool(count)], hosts, without)
    moved = [key for key in back if back[key] != without[key]]
    assert len(moved) == count // 5
    assert {back[key] for key in moved} <= {"alpha"}


def test_total_is_even_over_small_pools():
    """Pools of one address are not all placed on the same host."""
    pools = [Pool(f"pool{number}", addresses(1, number)) for number in range(20)]
    placed = place(pools, [Host(name) for name in NODES], {})
    assert set(Counter(placed.values()).values()) == {4}


def test_preferred_and_pinned():
    """An address is at its preferred node whatever the share, and a pin outranks that; a node
    that is away, drains, or does not know the pool, is as none."""
    web = pool(10, prefers=dict.fromkeys(addresses(7), "alpha"))
    hosts = [Host(name) for name in NODES[:3]]
    pins = {("web", addresses(1)[0]): "beta"}
    placed = place([web], hosts, {}, pins)
    assert placed["web", addresses(1)[0]] == "beta"
    assert [placed["web", one] for one in addresses(7)[1:]] == ["alpha"] * 6
    assert loads(placed, "web") == {"alpha": 6, "beta": 2, "gamma": 2}
    for alpha in ([], [Host("alpha", draining=True)], [Host("alpha", pools={})]):
        assert set(loads(place([web], alpha + hosts[1:], {}, pins), "web").values()) == {5}


def test_drained():
    """A draining host and one of weight 0 have nothing, and get nothing, while others are there;
    where all drain, everything stays where it is."""
    hosts = [Host("alpha"), Host("beta"), Host("gamma", 0)]
    first = place([pool(9)], hosts, {})
    assert loads(first, "web").keys() == {"alpha", "beta"}
    assert sorted(loads(first, "web").values()) == [4, 5]
    one = [Host("alpha", draining=True), *hosts[1:]]
    drained = place([pool(9)], one, first)
    assert loads(drained, "web") == {"beta": 9}
    assert all(drained[key] == node for key, node in first.items() if node == "beta")
    everybody = [Host(one.name, one.weight, draining=True) for one in hosts]
    assert place([pool(9)], everybody, drained) == drained
    assert set(loads(place([pool(9)], everybody, {}), "web").values()) == {3}


def test_known_to_some():
    """Where files differ an address is at one of the hosts that know it, all of them as evenly as
    ever; one that nobody knows is left out."""
    all_of_web, some = frozenset(addresses(12)), frozenset(addresses(4))
    mail, rare = Pool("mail", addresses(4, 1)), Pool("rare", addresses(4, 2))
    hosts = [
        Host("alpha", pools={"web": all_of_web}),
        Host("beta", pools={"web": all_of_web, "mail": frozenset(mail.addresses)}),
        Host("gamma", pools={"web": some}),
    ]
    standing = {("mail", mail.addresses[0]): "alpha", ("web", addresses(12)[11]): "gamma"}
    placed = place([pool(12), mail, rare], hosts, standing)
    common = loads({key: placed[key] for key in placed if key[1] in some}, "web")
    assert sorted(common.values()) == [1, 1, 2]
    assert loads(placed, "web") - common == {"alpha": 4, "beta": 4}
    assert loads(placed, "mail") == {"beta": 4}
    assert not loads(placed, "rare")
    assert place([pool(4)], [], {}) == {}


def test_the_same_on_every_machine():
    """The placement is part of what hosts of different versions agree on: it is written here."""
    web = Pool("web", ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2"])
    placed = place([web], [Host(name) for name in NODES[:3]], {})
    assert {address: node for (_, address), node in placed.items()} == {
        "192.0.2.1": "alpha",
        "192.0.2.2": "gamma",
        "192.0.2.3": "beta",
        "2001:db8::1": "alpha",
        "2001:db8::2": "beta",
    }


def test_a_fresh_spread_follows_the_scores():
    """Most addresses of a fresh spread are at the host that ranks first for them, and every host
    ranks first for about as many: what is placed hardly depends on the order of the past."""
    hosts = [Host(name) for name in NODES]
    web = pool(2000)
    placed = place([web], hosts, {})
    favourites = {
        address: max(hosts, key=lambda one: one.digest * own % PRIME).name
        for address, own in web.digests.items()
    }
    assert all(360 < number < 440 for number in Counter(favourites.values()).values())
    assert sum(placed["web", one] == node for one, node in favourites.items()) > 1900


def calls(work: Callable[[], object]) -> int:
    """The number of function calls of *work*, also of those written in C."""
    profile = cProfile.Profile()
    profile.runcall(work)
    found: int = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]
    return found


def test_cost_of_a_change():
    """A host that comes or goes costs some calls for each address, and not for each pair of an
    address and a host: scores are reckoned for the addresses that may move."""
    web, hosts = pool(2000), [Host(f"host{number}") for number in range(50)]
    first = place([web], hosts, {})
    assert calls(lambda: place([web], hosts, {})) < 30 * 2000
    assert calls(lambda: place([web], hosts, first)) < 6 * 2000
    assert calls(lambda: place([web], hosts[1:], first)) < 10 * 2000
    assert calls(lambda: place([web], [*hosts, Host("another")], first)) < 10 * 2000
