"""The agent of a host, with others, on the store in memory: joining, holding, giving up, taking."""

from __future__ import annotations

from clustered import Cluster, spread

from netalias.cluster import fence


def cluster(names: str = "abc", count: int = 12, **more: object) -> Cluster:
    """Hosts that have shared out some addresses."""
    found = Cluster(names, {"web": spread(1, count)}, **more)  # type: ignore[arg-type]
    found.start()
    found.run(10.0, found.whole)
    found.run(5.0)
    return found


def test_all_addresses_are_spread_evenly() -> None:
    """Each one on one host, as many on each."""
    found = cluster()
    assert found.whole()
    assert found.spread() == {"a": 4, "b": 4, "c": 4}


def test_they_stay_where_they_are() -> None:
    """Nothing moves in an hour, and no key changes."""
    found = cluster()
    revision = found.store.revision
    before = [found.owners(key) for key in sorted(found.addresses)]
    found.run(600.0)
    assert [found.owners(key) for key in sorted(found.addresses)] == before
    assert found.store.revision == revision


def test_the_others_take_over_from_a_host_that_was_killed() -> None:
    """Not before the fence allows, and soon after it."""
    found = cluster()
    found.hosts["a"].kill()
    gone = found.run(60.0, lambda: not found.spread()["a"])
    assert gone <= 5 + found.late
    passed = gone + found.run(60.0, found.whole)
    assert found.spread() == {"a": 0, "b": 6, "c": 6}
    assert fence.wait(5) < passed <= 5 + 0.5 + fence.wait(5) + 1


def test_a_host_with_a_longer_lifetime_is_waited_for_as_long() -> None:
    """Lifetimes are told in the keys of owners: it is not his own that a taker waits for."""
    found = Cluster("abc", {"web": spread(1, 12)})
    found.hosts["a"].ttl = 20
    found.start()
    found.run(10.0, found.whole)
    found.run(5.0)
    found.hosts["a"].kill()
    passed = found.run(20.0, lambda: not found.spread()["a"])
    passed += found.run(60.0, found.whole)
    assert passed > fence.wait(20)


def test_a_shorter_lifetime_counts_from_the_next_owner_on() -> None:
    """What stands by a longer one may do so, even if the host is killed soon after."""
    found = Cluster("a", {"web": spread(1, 2)})
    host = found.hosts["a"]
    host.ttl = 20
    found.start()
    found.run(10.0, found.whole)
    host.kill()
    host.ttl = 5
    host.start()
    found.run(10.0)
    owners = host.agent.view.owners.values()
    assert {one.owner.ttl for one in owners if one.owner is not None} == {20}


def test_a_host_that_ends_hands_over_at_once() -> None:
    """A release that stands in the store replaces the fence, and the question on the link."""
    found = cluster()
    found.hosts["a"].agent.stop(found.hosts["a"].clock())
    passed = found.run(60.0, lambda: not found.spread()["a"] and found.whole())
    assert passed < 1.0
    assert found.hosts["a"].agent.ended
    found.run(1.0)
    assert sorted(found.hosts["b"].agent.view.hosts) == ["b", "c"]
