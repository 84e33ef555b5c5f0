"""The agent of a host, with others, on the store in memory: joining, holding, giving up, taking."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from clustered import Cluster, Host, spread

from netalias.cluster import declared as declared_pools
from netalias.cluster import fence, orders, records
from netalias.cluster.holdings import CHECKING, FLIGHTS, FOREIGN, State
from netalias.cluster.orders import Check, Extend, Gone, Receive, Release, Take, Taken
from netalias.cluster.records import Keys, Owner, Spread, node_value
from netalias.cluster.store import Change, Delete, Put
from netalias.system.lines import LINE_MAX

KEYS = Keys("/netalias")
FIRST = ("web", "10.0.0.1")
KEYS_OF_TWO = [FIRST, ("web", "10.0.0.2")]


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


@pytest.mark.parametrize("since", range(10))
def test_the_fence_at_its_worst(since: int) -> None:
    """The holder's clock is slow, the taker's is fast, the kernel late; the holder stops with fresh
    lifetimes, and its key goes at once. The cluster checks that nobody takes too early."""
    rates = {"a": 1 - fence.RATE, "b": 1 + fence.RATE}
    found = Cluster("ab", {"web": spread(1, 4)}, rates=rates)
    found.start()
    found.run(10.0)
    host = found.hosts["a"]
    before = host.agent.membership.proof
    found.run(10.0, lambda: host.agent.membership.proof > before)
    found.run(since / 5)
    host.agent_stopped = host.watch_stopped = True
    put(found, Delete(KEYS.host("a")))
    passed = found.run(30.0, lambda: found.spread()["b"] == 4)
    assert passed < fence.wait(5) + 1


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
    """The key keeps the longer one, by which the address may stand if the host is killed soon."""
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


def test_only_what_was_given_up_is_known_to_be_nobody_s() -> None:
    """What a dead host had is made as one that another host may have."""
    found = cluster("ab")
    begun = len(found.hosts["b"].ordered)
    found.hosts["a"].agent.stop(found.hosts["a"].clock())
    found.run(10.0, found.whole)
    assert _taken(found.hosts["b"], begun) == {Receive: 6}
    found = cluster("ab")
    begun = len(found.hosts["b"].ordered)
    found.hosts["a"].kill()
    found.run(60.0, lambda: not found.spread()["a"])
    found.run(60.0, found.whole)
    assert _taken(found.hosts["b"], begun) == {Take: 6}


def _taken(host: Host, begun: int) -> dict[type[Take], int]:
    """The number of addresses by the kind of the order that took them, from an order on."""
    kinds: Counter[type[Take]] = Counter()
    for order in host.ordered[begun:]:
        if isinstance(order, Take):
            kinds[type(order)] += len(order.keys)
    return kinds


def put(found: Cluster, *operations: Put | Delete) -> None:
    """Change the store by hand."""
    found.store.catch_up()
    found.store.execute(Change((), operations))


def test_an_agent_that_was_killed_is_followed_by_one_that_goes_on() -> None:
    """Nothing moves, and no address is away for a moment."""
    found = cluster()
    before = found.spread()
    kept = dict.fromkeys(found.hosts["a"].kernel.ends)
    found.hosts["a"].begin_agent()
    for _ in range(300):
        found.run(0.1)
        assert found.hosts["a"].kernel.ends.keys() == kept.keys()
    assert found.spread() == before


def test_a_host_that_left_and_comes_back_goes_on_with_what_stands() -> None:
    """Its key has gone before its addresses: it knows them by its former registration."""
    found = cluster()
    host = found.hosts["a"]
    host.agent.membership.leave(host.clock())
    host.agent.ended = True
    found.run(0.5)
    assert sorted(found.hosts["b"].agent.view.hosts) == ["b", "c"]
    kept = {*host.kernel.ends}
    host.kill()
    host.start()
    for _ in range(200):
        found.run(0.1)
        assert {*host.kernel.ends} == kept


def test_what_another_host_of_the_name_held_is_waited_for() -> None:
    """That an address stood here at the start says nothing of later owners with this name."""
    found = Cluster("a", {"web": spread(1, 2)})
    found.start()
    found.run(10.0)
    first, second = found.hosts["a"], Host(found, "x", node="a")
    found.hosts["x"] = second
    assert first.engine is not None
    first.engine.cut = True
    first.kill()
    first.start()
    second.start()
    found.run(40.0)
    assert found.spread() == {"a": 0, "x": 2}
    second.agent_stopped = second.watch_stopped = True
    put(found, Delete(KEYS.host("a")))
    first.engine.cut = False
    found.run(30.0)
    assert found.spread() == {"a": 2, "x": 0}


def test_what_stands_from_before_and_is_not_ours_goes() -> None:
    """An address whose key names another one, or nobody."""
    found = Cluster("a", {"web": spread(1, 2)})
    host = found.hosts["a"]
    host.kernel.ends[FIRST] = 500.0
    put(found, Put(KEYS.owner(FIRST), Owner("z", 7, ttl=5, held=True).value()))
    host.start()
    found.run(3.0)
    assert found.owners(FIRST) == []


def test_a_second_host_of_a_name_takes_nothing() -> None:
    """It says so once, and takes its place when the first has gone."""
    found = cluster("ab")
    second = Host(found, "x", node="a")
    found.hosts["x"] = second
    second.start()
    found.run(60.0)
    assert found.spread() == {"a": 6, "b": 6, "x": 0}
    text = (
        "another host is in the cluster as a: nothing is taken until it goes"
        " (node NAME in the line cluster gives this one another name)"
    )
    assert second.notes == [text]
    found.hosts["a"].kill()
    found.run(60.0)
    assert found.spread() == {"a": 0, "b": 6, "x": 6}


def test_while_the_store_is_away_all_is_held_until_the_fence() -> None:
    """Then it goes, nothing is taken, and all of it comes back with the store."""
    found = cluster()
    found.store.stop()
    found.run(3.0)
    assert found.whole()
    found.run(5.0)
    assert found.spread() == {"a": 0, "b": 0, "c": 0}
    found.run(60.0)
    assert found.spread() == {"a": 0, "b": 0, "c": 0}
    found.store.start()
    found.run(5.0)
    assert found.spread() == {"a": 4, "b": 4, "c": 4}
    said = [note for note in found.hosts["a"].notes if "store" in note or "answer" in note]
    assert said == [
        "no answer in time; what is held stands until its lifetime is over, nothing is taken",
        "the store of the cluster answers",
    ]


def test_a_host_that_is_cut_off_ends_before_others_take_over() -> None:
    """Its processes run, and cannot know. Afterwards it gets its share again."""
    found = cluster()
    engine = found.hosts["a"].engine
    assert engine is not None
    engine.cut = True
    found.run(60.0, lambda: not found.spread()["a"])
    found.run(60.0, found.whole)
    assert found.spread() == {"a": 0, "b": 6, "c": 6}
    engine.cut = False
    found.run(60.0)
    assert found.spread() == {"a": 4, "b": 4, "c": 4}
    assert "a is out of the cluster: its key has gone" in found.hosts["a"].notes


def test_a_drained_host_hands_over_and_gets_its_share_back() -> None:
    """Each address is away for a moment only."""
    found = cluster()
    put(found, Put(KEYS.drain("a"), b"{}"))
    found.run(5.0)
    assert found.spread() == {"a": 0, "b": 6, "c": 6}
    put(found, Delete(KEYS.drain("a")))
    found.run(5.0)
    assert found.spread() == {"a": 4, "b": 4, "c": 4}
    assert found.whole()


def test_an_address_that_is_pinned_moves() -> None:
    """To the node that was said."""
    found = cluster()
    owner = found.owners(FIRST)[0]
    other = "c" if owner != "c" else "a"
    put(found, Put(KEYS.pin(FIRST), node_value(other)))
    found.run(5.0)
    assert found.owners(FIRST) == [other]


def test_a_hold_down_is_waited_for() -> None:
    """A host that joins gets its share when the addresses have stood long enough."""
    found = Cluster("ab", {"web": spread(1, 4, hold_down=30)})
    found.hosts["a"].start()
    found.run(10.0)
    found.hosts["b"].start()
    found.run(15.0)
    assert found.spread() == {"a": 4, "b": 0}
    found.run(15.0)
    assert found.spread() == {"a": 2, "b": 2}


def test_hosts_whose_files_differ_share_what_they_have_in_common() -> None:
    """Every other address goes to those who know it, and everybody says so."""
    found = cluster("ab", 4)
    found.hosts["b"].declare({"web": spread(1, 8)})
    found.run(10.0)
    assert found.spread() == {"a": 2, "b": 6}
    assert "pool web is declared differently on b" in found.hosts["a"].notes
    found.hosts["a"].declare({"web": spread(1, 8)})
    found.run(10.0)
    assert found.spread() == {"a": 4, "b": 4}


def test_a_pool_that_shrinks_is_given_up() -> None:
    """On all hosts."""
    found = cluster("ab", 8)
    for host in found.hosts.values():
        host.declare({"web": spread(1, 4)})
    found.run(5.0)
    assert found.spread() == {"a": 2, "b": 2}
    found.hosts["a"].declare({})
    found.run(5.0)
    assert found.spread() == {"a": 0, "b": 4}


@pytest.mark.parametrize("seed", [14, 33])
def test_hosts_that_hear_of_changes_late_agree_in_the_end(seed: int) -> None:
    """Each has computed the placement at other moments; nobody waits for another one to take."""
    dice = random.Random(seed)
    found = Cluster("abcde", {"web": spread(1, 40)})
    found.start()
    found.run(10.0, found.whole)
    found.run(3.0)
    for count in (20, 40):
        hosts = [*found.hosts.values()]
        dice.shuffle(hosts)
        for host in hosts:
            engine = host.engine
            assert engine is not None
            engine.there, engine.back = dice.random() * 0.15, dice.random() * 0.15
            host.declare({"web": spread(1, count)})
            found.run(dice.random() * 0.3)
            engine.deaf = dice.random() < 0.4
        found.run(dice.random())
        for host in hosts:
            assert host.engine is not None
            host.engine.deaf = False
        found.run(dice.random() * 4)
    assert found.run(60.0, lambda: set(found.spread().values()) == {8}) < 20


def test_files_that_change_on_one_host_after_the_other() -> None:
    """The first one takes what nobody else declares yet, and then gives up what is more than its
    share; it does not give up others meanwhile because it has so many."""
    found = cluster("abc", 12)
    for host in found.hosts.values():
        host.ordered.clear()
        host.declare({"web": spread(1, 24)})
        found.run(0.3)
    found.run(30.0, lambda: set(found.spread().values()) == {8})
    released = {
        name: sum(len(one.keys) for one in host.ordered if isinstance(one, Release))
        for name, host in found.hosts.items()
    }
    assert released == {"a": 8, "b": 0, "c": 0}


def test_a_suspended_host_gives_up_everything_at_once() -> None:
    """It takes its share again once the keys are free."""
    found = cluster()
    host = found.hosts["a"]
    host.ordered.clear()
    host.agent.suspended(host.clock())
    found.run(0.0)
    assert host.ordered[0] == Release([*host.ordered[0].keys])
    assert len(host.ordered[0].keys) == 4
    found.run(5.0)
    assert found.spread() == {"a": 4, "b": 4, "c": 4}


def test_what_was_suspended_stands_for_the_rest_of_its_lifetime() -> None:
    """The exception of docs/cluster.md at its worst: nothing runs any more that could look."""
    found = cluster()
    host = found.hosts["a"]
    host.agent_stopped = host.watch_stopped = True
    host.suspend()
    found.run(60.0, lambda: found.spread() == {"a": 0, "b": 6, "c": 6})
    host.resume()
    assert found.spread() == {"a": 4, "b": 6, "c": 6}
    found.run(found.ttl + fence.LATE)
    assert found.spread() == {"a": 0, "b": 6, "c": 6}


def test_what_was_suspended_goes_first_of_all() -> None:
    """Both processes look at their clocks before anything else; the share comes again later."""
    found = cluster()
    host = found.hosts["a"]
    host.suspend()
    found.run(60.0, lambda: found.spread() == {"a": 0, "b": 6, "c": 6})
    host.resume()
    assert found.spread()["a"] == 4
    host.ordered.clear()
    host.work()
    assert found.spread()["a"] == 0
    assert host.ordered[0].word == "release"
    found.run(30.0, lambda: found.spread() == {"a": 4, "b": 4, "c": 4})
    assert found.whole()


def test_an_address_that_somebody_else_uses_is_not_taken() -> None:
    """It is told, and taken when he has gone."""
    found = Cluster("ab", {"web": spread(1, 2)})
    found.foreign.add(FIRST)
    found.start()
    found.run(30.0)
    assert found.owners(FIRST) == []
    notes = [note for host in found.hosts.values() for note in host.notes]
    assert "10.0.0.1 (web) is free in the cluster, but not on its link" in notes
    found.foreign.clear()
    found.run(15.0)
    assert found.whole()


def test_the_answer_of_a_host_that_was_quicker_is_no_complaint() -> None:
    """Hosts that start at once may want one address: who has it by the store answers rightly."""
    found = cluster("ab", 2)
    agent = next(
        host for node, host in found.hosts.items() if node not in found.owners(FIRST)
    ).agent
    free = ("web", "10.0.0.9")
    for key in (FIRST, free):
        agent.holdings.states[key] = State(CHECKING, 0.0)
    agent.holdings.hear(Taken([FIRST, free]), 0.0)
    assert FIRST not in agent.holdings.states
    assert agent.holdings.states[free].name == FOREIGN
    (note,) = agent.outbox.notes
    assert note == (True, "10.0.0.9 (web) is free in the cluster, but not on its link")


def test_what_the_link_says_counts_until_the_holder_gives_up() -> None:
    """An address that two hosts wanted at once stands on one of them. When that one gives it up,
    the other one takes it at once, and does not wait for the end of its doubt."""
    found = Cluster("ab", {"web": spread(1, 2)})
    found.checking = True
    found.start()
    found.run(10.0, found.whole)
    second = found.hosts["b"]
    given = next(key for key in KEYS_OF_TWO if found.owners(key) == ["a"])
    second.agent.holdings.states[given] = State(FOREIGN, second.clock())
    put(found, Put(KEYS.drain("a"), b"{}"))
    assert found.run(5.0, lambda: found.spread() == {"a": 0, "b": 2}) < 0.5


def test_a_transaction_that_somebody_was_faster_than_delays_nothing_else() -> None:
    """What has changed is known when its event has come; only without one there is a pause."""
    found = cluster("ab", 4)
    host, (mine, *_) = found.hosts["b"], sorted(found.hosts["b"].agent.holdings.wanted)
    holdings = host.agent.holdings
    put(found, Put(KEYS.owner(mine), Owner("b", 1, ttl=5, held=False).value()))
    holdings._doubtful, holdings._pause = {mine: 1}, host.clock() + 60.0
    assert found.run(5.0, lambda: found.owners(mine) == ["b"]) < 0.5
    holdings._doubtful, holdings._pause = {}, host.clock() + 2.0
    put(found, Put(KEYS.owner(mine), Owner("b", 1, ttl=5, held=False).value()))
    found.run(1.0)
    assert found.owners(mine) == []
    assert found.run(5.0, found.whole) > 0.5


def wide(pools: int) -> dict[str, Spread]:
    """Pools of 200 addresses each."""
    return {f"p{one}": Spread(((f"10.0.{one}.1", f"10.0.{one}.200"),)) for one in range(pools)}


def transactions(host: Host) -> list[set[str]]:
    """The keys of owners that each transaction of a host changes that has no answer yet."""
    changes = [one.request for one in host.numbers.values() if isinstance(one.request, Change)]
    found = [{put.key for put in one.operations if "/owners/" in put.key} for one in changes]
    return [keys for keys in found if keys]


def test_several_transactions_are_on_their_way_each_with_addresses_of_its_own() -> None:
    """A first share of hundreds costs one way to the store and back; nothing is held before the
    answer to its own transaction, and no address is asked for twice."""
    found = Cluster("a", wide(2))
    host = found.hosts["a"]
    host.start()
    assert host.engine is not None
    host.engine.there = host.engine.back = 0.2
    found.run(10.0, lambda: bool(transactions(host)))
    asked = transactions(host)
    assert len(asked) == FLIGHTS
    assert sum(map(len, asked)) == len(set().union(*asked)) == len(found.addresses)
    assert not [one for one in host.ordered if isinstance(one, Take)]
    found.run(0.5)
    found.run(10.0, found.whole)
    assert found.whole()


def test_no_more_than_some_transactions_are_on_their_way() -> None:
    """An engine has so many connections, and a member its other hosts. What is lost of them is
    tried again once it is known what has become of it."""
    found = Cluster("a", wide(4))
    host = found.hosts["a"]
    host.start()
    assert host.engine is not None
    host.engine.there = 0.2
    most = 0
    for _ in range(100):
        found.run(0.05)
        most = max(most, len(transactions(host)))
    assert most == FLIGHTS
    assert found.whole()


def test_what_is_freed_and_what_is_taken_wait_for_no_other() -> None:
    """An address that comes has no answer meanwhile, nor has one that goes."""
    found = cluster("abc", 12)
    host = found.hosts["a"]
    mine = next(key for key in sorted(found.addresses) if found.owners(key) == ["a"])
    other = next(key for key in sorted(found.addresses) if found.owners(key) == ["b"])
    assert host.engine is not None
    host.engine.back = 0.4
    both = {KEYS.owner(mine), KEYS.owner(other)}
    put(found, Put(KEYS.pin(mine), node_value("b")), Put(KEYS.pin(other), node_value("a")))
    found.run(0.4, lambda: both <= set().union(*transactions(host)))
    freeing, taking = [next(one for one in transactions(host) if key in one) for key in both]
    assert freeing.isdisjoint(taking)
    found.run(5.0)
    assert found.owners(mine) == ["b"]
    assert found.owners(other) == ["a"]


def test_what_is_on_its_way_is_taken_after_its_answer_only() -> None:
    """The event of a transaction that frees an address may come before its answer, and the address
    be placed here again by then: the answer is that of no other transaction."""
    found = cluster("ab", 4)
    host, other = found.hosts["a"], found.hosts["b"]
    mine = next(key for key in sorted(found.addresses) if found.owners(key) == ["a"])
    assert host.engine is not None
    assert other.engine is not None
    host.engine.back, host.engine.early, other.engine.deaf = 0.4, True, True
    put(found, Put(KEYS.pin(mine), node_value("b")))
    found.run(5.0, lambda: {KEYS.owner(mine)} in transactions(host))
    put(found, Put(KEYS.pin(mine), node_value("a")))
    found.run(0.0)
    assert host.agent.holdings.placed[mine] == "a"
    assert transactions(host) == [{KEYS.owner(mine)}]
    other.engine.deaf = False
    found.run(10.0, found.whole)
    assert found.owners(mine) == ["a"]


def test_one_changed_key_holds_up_no_others_for_long() -> None:
    """Its neighbours come as soon as they are tried without it, however many others come beside;
    the event that tells of the change does not."""
    found = Cluster("a", wide(8))
    host = found.hosts["a"]
    changed = ("p3", "10.0.3.7")
    host.start()
    view = host.agent.view
    read = view.modified
    view.modified = lambda key: 1 if key == changed else read(key)  # type: ignore[method-assign]
    found.run(3.0)
    passed = found.run(20.0, lambda: len(host.kernel.ends) == len(found.addresses) - 1)
    assert passed < 1.0


def test_those_that_stand_are_prolonged_after_others_have_come() -> None:
    """Each transaction that takes is a proof; the watcher makes addresses, and sets the lifetimes
    of all others once, before a fifth of a lifetime has passed."""
    found = cluster("ab", 60, ttl=10)
    host = found.hosts["b"]
    found.run(20.0)
    host.ordered.clear()
    put(found, Put(KEYS.drain("a"), b"{}"))
    found.run(5.0, lambda: found.spread()["b"] == 60)
    orders = [one for one in host.ordered if isinstance(one, (Take, Extend))]
    takes = [number for number, one in enumerate(orders) if isinstance(one, Take)]
    assert len(takes) > 2
    assert len(orders) - len(takes) < len(takes)
    began = next(one.until for one in orders if isinstance(one, Take))
    found.run(2.1)
    last = host.ordered[-1]
    assert isinstance(last, Extend)
    assert last.until >= began


def test_who_leaves_tells_others_first() -> None:
    """They have placed what it gives up before it does, and take it as soon as it is free; its key
    goes when nothing is left."""
    found = cluster("abc", 60)
    host, key = found.hosts["a"], KEYS.host("a")
    host.agent.stop(host.clock())
    assert host.agent.holdings.count("held") == 20
    found.run(5.0, lambda: found.spread()["a"] < 20)
    told = records.read_host(found.store.entries[key].value)
    assert told is not None
    assert told.weight == 0
    assert {*found.hosts["b"].agent.holdings.placed.values()} == {"b", "c"}
    found.run(0.05)
    assert found.whole()  # those that have gone so far are answered for, and a is there still
    assert key in found.store.entries
    assert found.spread()["a"] > 0
    found.run(5.0, lambda: host.agent.ended)
    assert found.whole()
    assert found.spread() == {"a": 0, "b": 30, "c": 30}
    first = next(at for at, one in enumerate(host.ordered) if isinstance(one, Release))
    assert not [one for one in host.ordered[first:] if isinstance(one, Extend)]


def test_who_leaves_while_the_store_is_away_waits_for_no_answer() -> None:
    """All of it goes, within the time that a request has."""
    found = cluster()
    host = found.hosts["a"]
    found.store.stop()
    host.agent.stop(host.clock())
    found.run(1.1)
    assert found.spread()["a"] == 0


def test_the_first_host_waits_for_those_that_come_with_it() -> None:
    """Nothing is given up again when a whole cluster starts within a moment."""
    found = Cluster("abc", {"web": spread(1, 12)})
    for host in found.hosts.values():
        host.start()
        found.run(0.05)
    found.run(10.0, found.whole)
    assert found.spread() == {"a": 4, "b": 4, "c": 4}
    assert not [one for one in every_order(found) if isinstance(one, Release)]


def every_order(found: Cluster) -> list[orders.Message]:
    """The orders of all agents."""
    return [one for host in found.hosts.values() for one in host.ordered]


def test_a_check_that_nobody_answers_is_asked_again() -> None:
    """Neither does an agent that ends wait for its answer."""
    found = Cluster("a", {"web": spread(1, 2)})
    host = found.hosts["a"]
    host.start()
    host.watch_stopped = True
    found.run(10.0)
    host.orders.clear()  # as if it had been forgotten
    found.run(50.0)
    assert [one for one in host.ordered if isinstance(one, Check)] == [Check(KEYS_OF_TWO)] * 2
    host.agent.stop(host.clock())
    assert host.agent.ended


def test_an_owner_that_somebody_overwrites_is_given_up() -> None:
    """And taken again when that is deleted, but never while it is unreadable."""
    found = cluster()
    owner = found.hosts[found.owners(FIRST)[0]]
    put(found, Put(KEYS.owner(FIRST), b"garbage"))
    found.run(60.0)
    assert found.owners(FIRST) == []
    assert f"{KEYS.owner(FIRST)!r} in the store is unreadable" in owner.notes
    put(found, Delete(KEYS.owner(FIRST)))
    found.run(5.0)
    assert found.whole()


def test_a_report_that_crosses_an_order_is_not_its_answer() -> None:
    """Gone counts the orders before it: one that was sent before the address was taken again says
    nothing of it."""
    found = cluster("a", 2)
    host = found.hosts["a"]
    state = host.agent.holdings.states[FIRST]
    host.agent.hear(Gone(state.order - 1, [FIRST]), host.clock())
    assert host.agent.holdings.states[FIRST] is state
    host.agent.hear(Gone(state.order, [FIRST]), host.clock())
    assert host.agent.holdings.states.get(FIRST) is not state


def test_what_was_given_up_is_held_by_another_transaction_only() -> None:
    """The one that frees it is lost, or late: until the key has changed nothing is made, though it
    is still ours by that key, and placed here again."""
    found = cluster("ab", 4)
    host = found.hosts["a"]
    engine = host.engine
    assert engine is not None
    engine.there = 8.0
    put(found, Put(KEYS.drain("a"), b"{}"))
    found.run(0.0)
    assert found.spread() == {"a": 0, "b": 2}
    put(found, Delete(KEYS.drain("a")))
    host.ordered.clear()
    found.run(4.0)
    assert not [one for one in host.ordered if isinstance(one, Take)]
    engine.there = 0.0
    found.run(30.0)
    assert found.whole()


def test_what_is_ours_by_an_answer_that_was_lost_is_removed_before_it_is_freed() -> None:
    """An agent was killed, and another host came; the next agent makes the addresses its own, and
    does not hear of it. Those that go to the other host still stand by the former registration."""
    found = cluster("a", 4)
    host = found.hosts["a"]
    found.hosts["b"] = Host(found, "b")
    found.hosts["b"].start()
    host.begin_agent()
    assert host.engine is not None
    host.engine.there = 0.05
    found.run(5.0, lambda: host.agent.holdings.count("asked") > 0)
    assert len(host.kernel.ends) == 4
    host.engine.mute = True
    found.run(0.3)
    host.engine.mute = False
    found.run(20.0)  # the cluster checks that nobody takes what still stands
    assert found.whole()
    assert found.spread() == {"a": 2, "b": 2}


@pytest.mark.parametrize("name", ["10.0.0.1\nrelease web/10.0.0.2", "10.0.0.1 web/10.0.0.3", "x"])
def test_a_key_that_is_no_address_gives_no_orders(name: str) -> None:
    """It says that this host holds something: its name would be words of the order to remove it."""
    found = cluster("a", 4)
    host = found.hosts["a"]
    owner = Owner("a", host.agent.membership.created, ttl=5, held=True)
    host.ordered.clear()
    put(found, Put(f"{KEYS.all}owners/web/{name}", owner.value()))
    found.run(5.0)
    assert found.whole()
    assert not [one for one in host.ordered if isinstance(one, (Release, Take))]


def test_more_pools_than_a_key_has_room_for() -> None:
    """Those that fit are served, and the others are told of; nothing is put again and again."""
    found = Cluster("ab", {f"p{number:04}": spread(1, 1) for number in range(1200)})
    found.hosts["b"].pools = {"p0000": spread(1, 1)}
    found.start()
    found.run(10.0)
    host = found.hosts["a"]
    assert host.engine is not None
    assert host.engine.sent < 100
    served = len(host.agent.membership.pools)
    assert 500 < served == sum(found.spread().values()) < 1200
    assert f"{1200 - served} of 1200 are not served here" in " ".join(host.notes)


def test_a_key_that_reads_otherwise_than_it_was_put_is_put_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Readers of another release may understand less of it."""
    found = cluster("a", 2)
    monkeypatch.setattr("netalias.cluster.records.read_host", lambda _: None)
    before = found.store.revision
    found.hosts["a"].declare({"web": spread(1, 3)})
    found.run(5.0)
    assert found.store.revision <= before + 2


def test_a_host_at_rest_asks_little() -> None:
    """At most one request in a second, with the usual lifetime."""
    found = cluster(ttl=10)
    before = {name: host.engine.sent for name, host in found.hosts.items() if host.engine}
    found.run(300.0)
    for name, host in found.hosts.items():
        assert host.engine is not None
        assert host.engine.sent - before[name] <= 300


def test_what_one_host_may_cost_the_others() -> None:
    """Its key may tell of millions of addresses, in a few bytes each."""
    found = cluster("ab", 4)
    spreads = {f"p{one:03}": Spread((("10.0.0.0", "10.0.78.31"),)) for one in range(700)}
    value = records.Host("x", 100, spreads).value()
    assert len(value) <= records.VALUE_MAX
    put(found, Put(KEYS.host("x"), value))
    found.run(0.1)
    declared = found.hosts["a"].agent.declared
    assert sum(len(one.addresses) for one in declared.pools) <= declared_pools.HOST_MAX + 4
    assert "web" in [one.name for one in declared.pools]


def test_a_pool_that_is_gone_is_no_longer_declared_differently() -> None:
    """Another one with its name may be, and is told of then."""
    found = cluster("ab", 4)
    found.hosts["b"].declare({"web": spread(1, 6)})
    found.run(1.0)
    declared = found.hosts["a"].agent.declared
    assert [*declared.differing] == ["web"]
    for host in found.hosts.values():
        host.declare({"db": spread(1, 4)})
    found.run(1.0)
    assert not declared.differing


def test_no_line_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part of an order is answered by itself."""
    assert len(Take(1e9, [("w" * 64, "2001:db8:" * 4 + "::1")] * orders.KEYS_MAX).line()) < LINE_MAX
    monkeypatch.setattr(orders, "KEYS_MAX", 2)
    found = cluster("a", 9)
    host = found.hosts["a"]
    host.agent.suspended(host.clock())
    found.run(30.0)
    assert found.whole()
    host.begin_agent()
    found.run(30.0)
    assert found.whole()
    assert {Check, Release, Take} <= {type(one) for one in host.ordered}
    assert max(len(one.keys) for one in host.ordered) == 2


def test_an_agent_that_leaves_makes_no_token() -> None:
    """The next one may have begun, and has written its own into the same file."""
    found = cluster("a", 2)
    host = found.hosts["a"]
    before = [*host.tokens.after().former]
    host.agent.membership.leave(host.clock())
    assert host.tokens.after().former == before
    assert host.agent.membership.created == 0
