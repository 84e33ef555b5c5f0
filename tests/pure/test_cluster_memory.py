"""The store in memory: the contract, and each of its faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from store_contract import Stage, StoreContract

from netalias.cluster.memory import CONFIRMING, MemoryEngine, MemoryStore
from netalias.cluster.store import (
    OPERATIONS,
    Answer,
    Change,
    Compacted,
    Condition,
    Delete,
    Done,
    Events,
    Follow,
    Grant,
    Granted,
    Put,
    Read,
    Refused,
    Renew,
    Snapshot,
    Unreachable,
)

if TYPE_CHECKING:
    from netalias.cluster.store import Request, Result


class Clock:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def engine(store: MemoryStore) -> MemoryEngine:
    return store.session()


class TestMemory(StoreContract):
    """The contract."""

    @pytest.fixture
    def stage(self, store: MemoryStore, clock: Clock) -> Iterator[Stage]:
        stage = Stage(store.session, store.compact, clock, clock.sleep)
        yield stage
        stage.close()


def results(engine: MemoryEngine, now: float) -> list[Result]:
    """What has come by now."""
    found: list[Answer] = engine.answers()
    engine.tick(now)
    return [answer.result for answer in [*found, *engine.answers()]]


def sent(engine: MemoryEngine, clock: Clock, request: Request) -> list[Result]:
    """What comes at once for a request."""
    engine.send(request, clock(), 5.0)
    return results(engine, clock())


def put(key: str = "/n/a", lease: int = 0) -> Change:
    return Change((), [Put(key, b"", lease)])


def test_more_than_a_transaction_holds() -> None:
    """It is an error of the caller, as is a key twice."""
    conditions = [Condition(str(number), "mod", 0) for number in range(OPERATIONS + 1)]
    with pytest.raises(ValueError, match="more than"):
        Change(conditions)
    with pytest.raises(ValueError, match="twice"):
        Change((), [Put("/a", b""), Delete("/a")])


def test_delays(engine: MemoryEngine, store: MemoryStore, clock: Clock) -> None:
    """A request is done when it arrives, and its answer comes later."""
    engine.there, engine.back = 1.0, 2.0
    engine.send(put(), clock(), 5.0)
    clock.sleep(1.0)
    assert results(engine, clock()) == []
    assert list(store.entries) == ["/n/a"]
    assert engine.due(clock()) == 2.0
    clock.sleep(2.0)
    assert results(engine, clock()) == [Done(True, 2)]


def test_done_after_its_time(engine: MemoryEngine, store: MemoryStore, clock: Clock) -> None:
    """Who has given up does not know whether it will be done yet, and hears no second answer."""
    engine.there = 10.0
    engine.send(put(), clock(), 5.0)
    assert engine.due(clock()) == 5.0
    clock.sleep(5.0)
    assert isinstance(results(engine, clock())[0], Unreachable)
    clock.sleep(5.0)
    assert (results(engine, clock()), list(store.entries)) == ([], ["/n/a"])


def test_cut(engine: MemoryEngine, store: MemoryStore, clock: Clock) -> None:
    """Nothing is done; what had arrived before is done, and its answer is lost."""
    engine.there = 1.0
    engine.send(put("/n/before"), clock(), 5.0)
    engine.cut = True
    engine.send(put("/n/after"), clock(), 5.0)
    clock.sleep(5.0)
    found = results(engine, clock())
    assert [type(one) for one in found] == [Unreachable, Unreachable]
    assert list(store.entries) == ["/n/before"]
    assert engine.trouble() == "no answer in time"


def test_lost_answers(engine: MemoryEngine, store: MemoryStore, clock: Clock) -> None:
    """It is done, and nobody says so."""
    engine.mute = True
    assert sent(engine, clock, put()) == []
    clock.sleep(5.0)
    assert isinstance(results(engine, clock())[0], Unreachable)
    assert list(store.entries) == ["/n/a"]


def test_a_lease_over_a_change_of_leader(store: MemoryStore, clock: Clock) -> None:
    """It lives almost twice as long, and ends late."""
    store = MemoryStore(clock, late=0.5)
    engine = store.session()
    sent(engine, clock, Grant(8))
    sent(engine, clock, put(lease=1))
    clock.sleep(7.9)
    store.change_leader()
    clock.sleep(8.4)
    assert list(store.entries) == ["/n/a"]
    clock.sleep(0.1)
    store.catch_up()
    assert store.entries == {}


def test_the_shortest_lease(clock: Clock) -> None:
    """A store grants no shorter one."""
    engine = MemoryStore(clock, minimum=2).session()
    assert sent(engine, clock, Grant(1)) == [Granted(1, 2)]


def test_an_isolated_leader(engine: MemoryEngine, store: MemoryStore, clock: Clock) -> None:
    """It confirms a lease that the others let end; it answers nothing that decides."""
    sent(engine, clock, Grant(1))
    sent(engine, clock, put(lease=1))
    engine.isolated = clock()
    clock.sleep(CONFIRMING - 0.5)
    store.catch_up()
    assert store.entries == {}
    assert sent(engine, clock, Renew(1)) == [Granted(1, 0)]
    assert sent(engine, clock, Read("")) == []
    clock.sleep(1.0)
    assert sent(engine, clock, Renew(1)) == []


def test_all_stopped_and_started(engine: MemoryEngine, store: MemoryStore, clock: Clock) -> None:
    """No lease ends meanwhile; all begin anew."""
    sent(engine, clock, Grant(3))
    sent(engine, clock, put(lease=1))
    store.stop()
    assert sent(engine, clock, Read("")) == []
    clock.sleep(100)
    assert isinstance(results(engine, clock())[0], Unreachable)
    store.start()
    clock.sleep(2.9)
    found = sent(engine, clock, Read(""))[0]
    assert isinstance(found, Snapshot)
    assert list(found.entries) == ["/n/a"]
    clock.sleep(0.1)
    store.catch_up()
    assert store.entries == {}


def test_a_silent_follow(engine: MemoryEngine, store: MemoryStore, clock: Clock) -> None:
    """Nothing comes, and nothing is lost; compaction meanwhile is told."""
    engine.send(Follow("/n/", 2), clock(), 1.0)
    engine.deaf = True
    other = store.session()
    sent(other, clock, put())
    assert results(engine, clock()) == []
    engine.deaf = False
    assert engine.due(clock()) == 0.0
    found = results(engine, clock())
    assert isinstance(found[0], Events)
    assert [event.revision for event in found[0].events] == [2]
    engine.deaf = True
    sent(other, clock, put())
    sent(other, clock, put())
    store.compact(3)
    engine.deaf = False
    assert [type(one) for one in results(engine, clock())] == [Compacted]
    assert results(engine, clock()) == []


def test_late_events(engine: MemoryEngine, store: MemoryStore, clock: Clock) -> None:
    """They take as long as answers do."""
    engine.back = 1.0
    engine.send(Follow("/n/", 2), clock(), 1.0)
    sent(store.session(), clock, put())
    assert results(engine, clock()) == []
    clock.sleep(1.0)
    assert [type(one) for one in results(engine, clock())] == [Events]


def test_refused(engine: MemoryEngine, clock: Clock) -> None:
    """Everything is, and Follow too."""
    engine.refused = "permission denied"
    engine.send(Follow("/n/", 2), clock(), 1.0)
    assert [type(one) for one in sent(engine, clock, Read(""))] == [Refused, Refused]
    assert engine.trouble() == "permission denied"


def test_cancelled(engine: MemoryEngine, clock: Clock) -> None:
    """No answer comes, also none that is there already."""
    engine.cancel(engine.send(Read(""), clock(), 5.0))
    assert results(engine, clock()) == []
    assert engine.due(clock()) is None


def test_closed(engine: MemoryEngine, clock: Clock) -> None:
    """No answer comes any more."""
    engine.send(Read(""), clock(), 5.0)
    engine.send(Follow("", 1), clock(), 5.0)
    engine.close()
    assert results(engine, clock()) == []
