"""The promises of a store (netalias/cluster/store.py), as tests that every engine has to pass.

A test class derives from StoreContract and gives ``stage``, a Stage over a store of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import pytest

from netalias.cluster.asking import ask, turn
from netalias.cluster.store import (
    CREATED,
    MODIFIED,
    Change,
    Compacted,
    Condition,
    Delete,
    Done,
    Entry,
    Event,
    Events,
    Follow,
    Grant,
    Granted,
    NoLease,
    Put,
    Read,
    Renew,
    Revoke,
    Snapshot,
)

if TYPE_CHECKING:
    from netalias.cluster.store import Engine, Request

Kind = TypeVar("Kind")
PATIENCE = 30.0
"""Seconds after which a test gives up."""


class Stage:
    """A store with engines."""

    def __init__(
        self,
        engine: Callable[[], Engine],
        compact: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.make = engine
        self.compact = compact
        self.clock = clock
        self.wait = wait
        self.engine = engine()
        self.made = [self.engine]

    def another(self) -> Engine:
        """A further engine."""
        self.made.append(self.make())
        return self.made[-1]

    def close(self) -> None:
        for engine in self.made:
            engine.close()

    def ask(self, request: Request, kind: type[Kind]) -> Kind:
        """The result, of this kind."""
        result = ask(self.engine, request, self.clock, PATIENCE)
        assert isinstance(result, kind)
        return result

    def put(self, key: str, value: bytes, lease: int = 0) -> int:
        """The revision of a change that puts one key."""
        done = self.ask(Change((), [Put(key, value, lease)]), Done)
        assert done.done
        return done.revision

    def read(self, prefix: str) -> Snapshot:
        return self.ask(Read(prefix), Snapshot)

    def events(self, number: int, count: int, engine: Engine | None = None) -> list[Event]:
        """The next *count* events of a Follow."""
        engine = engine or self.engine
        found: list[Event] = []
        until = time.monotonic() + PATIENCE
        while len(found) < count and time.monotonic() < until:
            for answer in engine.answers():
                if answer.number == number:
                    assert isinstance(answer.result, Events), answer.result
                    found += answer.result.events
            if len(found) < count:
                turn(engine, self.clock, 0.1)
        return found


class StoreContract:
    """The tests."""

    def test_an_empty_store(self, stage: Stage) -> None:
        """It has a revision and no entries."""
        found = stage.read("/n/")
        assert found.revision >= 1
        assert found.entries == {}

    def test_an_entry_knows_its_revisions(self, stage: Stage) -> None:
        """The first change is that of its creation, each change is one revision later."""
        first = stage.put("/n/a", b"one")
        second = stage.put("/n/a", b"two")
        assert second == first + 1
        assert stage.read("/n/").entries == {"/n/a": Entry("/n/a", b"two", first, second)}

    @pytest.mark.parametrize("value", [b"", b"\x00\xff\n", bytes(range(256)), b"x" * 100_000])
    def test_any_value(self, stage: Stage, value: bytes) -> None:
        """Bytes come back as they went."""
        stage.put("/n/a", value)
        assert stage.read("/n/a").entries["/n/a"].value == value

    def test_a_prefix_is_a_beginning(self, stage: Stage) -> None:
        """Other keys are not read; the entries are in the order of their keys."""
        keys = ["/n/b", "/n/a", "/n", "/o", "/n0", "/n/ä", "/m"]
        for key in keys:
            stage.put(key, b"")
        assert list(stage.read("/n/").entries) == ["/n/a", "/n/b", "/n/ä"]
        assert len(stage.read("").entries) == len(keys)

    def test_a_key_of_any_bytes(self, stage: Stage) -> None:
        """One that is no UTF-8 comes back as the same text, and can be deleted by it."""
        key = b"/n/\xff\xfe".decode(errors="surrogateescape")
        stage.put(key, b"1")
        assert list(stage.read("/n/").entries) == [key]
        stage.ask(Change((), [Delete(key)]), Done)
        assert stage.read("/n/").entries == {}

    def test_a_transaction_is_one_revision(self, stage: Stage) -> None:
        """Its operations are seen together."""
        stage.put("/n/gone", b"")
        operations = [Put("/n/a", b"1"), Put("/n/b", b"2"), Delete("/n/gone")]
        done = stage.ask(Change((), operations), Done)
        entries = stage.read("/n/").entries
        assert [(one.created, one.modified) for one in entries.values()] == [
            (done.revision,) * 2
        ] * 2

    def test_the_largest_transaction(self, stage: Stage) -> None:
        """So many conditions and operations are taken."""
        keys = [f"/n/{number}" for number in range(128)]
        absent = [Condition(key, CREATED, 0) for key in keys]
        puts = [Put(key, b"") for key in keys]
        assert stage.ask(Change(absent, puts), Done).done
        assert not stage.ask(Change(absent, puts), Done).done
        assert len(stage.read("/n/").entries) == len(keys)

    def test_a_condition_that_does_not_hold(self, stage: Stage) -> None:
        """Then nothing is done at all; revisions are those of creation, or of the last change."""
        first = stage.put("/n/a", b"1")
        second = stage.put("/n/a", b"2")
        for which, revision, holds in [
            (CREATED, first, True),
            (CREATED, second, False),
            (MODIFIED, second, True),
            (MODIFIED, first, False),
            (CREATED, 0, False),
            (MODIFIED, 0, False),
        ]:
            asked = Change([Condition("/n/a", which, revision)])
            assert stage.ask(asked, Done).done is holds
        wrong = Change([Condition("/n/a", MODIFIED, first)], [Put("/n/b", b""), Delete("/n/a")])
        done = stage.ask(wrong, Done)
        assert (done.done, done.revision) == (False, second)
        assert list(stage.read("/n/").entries) == ["/n/a"]

    def test_deleting_what_is_not_there(self, stage: Stage) -> None:
        """It is done, and changes nothing."""
        before = stage.read("/n/").revision
        assert stage.ask(Change((), [Delete("/n/a")]), Done).done
        assert stage.read("/n/").revision == before

    def test_created_again(self, stage: Stage) -> None:
        """A key that was deleted meanwhile is another one."""
        first = stage.put("/n/a", b"1")
        stage.ask(Change((), [Delete("/n/a")]), Done)
        stage.put("/n/a", b"1")
        assert not stage.ask(Change([Condition("/n/a", CREATED, first)]), Done).done

    def test_a_lease_and_its_keys(self, stage: Stage) -> None:
        """They go together, in one revision, when it is revoked."""
        granted = stage.ask(Grant(60), Granted)
        assert granted.ttl >= 60
        stage.put("/n/a", b"", granted.lease)
        last = stage.put("/n/b", b"", granted.lease)
        stage.put("/n/kept", b"")
        assert stage.read("/n/a").entries["/n/a"].lease == granted.lease
        engine = stage.another()
        number = engine.send(Follow("/n/", last + 1), stage.clock(), 1.0)
        assert stage.ask(Renew(granted.lease), Granted) == granted
        assert stage.ask(Revoke(granted.lease), Done).done
        assert list(stage.read("/n/").entries) == ["/n/kept"]
        kept, *gone = stage.events(number, 3, engine)
        assert kept.key == "/n/kept"
        assert {one.key: one.entry for one in gone} == {"/n/a": None, "/n/b": None}
        assert len({one.revision for one in gone}) == 1

    def test_a_lease_that_is_gone(self, stage: Stage) -> None:
        """Whoever uses it is told so, and nothing is put."""
        lease = stage.ask(Grant(60), Granted).lease
        stage.ask(Revoke(lease), Done)
        for request in (Renew(lease), Revoke(lease), Change((), [Put("/n/a", b"", lease)])):
            with pytest.raises(NoLease):
                stage.ask(request, Done)
        assert stage.read("/n/").entries == {}

    def test_a_lease_ends(self, stage: Stage) -> None:
        """Its keys go by themselves when nobody renews it."""
        granted = stage.ask(Grant(1), Granted)
        revision = stage.put("/n/a", b"", granted.lease)
        number = stage.engine.send(Follow("/n/", revision + 1), stage.clock(), 1.0)
        stage.wait(granted.ttl)
        assert [one.entry for one in stage.events(number, 1)] == [None]

    def test_followed_from_a_revision(self, stage: Stage) -> None:
        """Whatever happened from it on, that included, and what happens then; each in its order."""
        first = stage.put("/n/a", b"1")
        second = stage.put("/n/a", b"2")
        stage.put("/o", b"")
        engine = stage.another()
        number = engine.send(Follow("/n/", first), stage.clock(), 1.0)
        assert stage.events(number, 2, engine) == [
            Event("/n/a", first, Entry("/n/a", b"1", first, first)),
            Event("/n/a", second, Entry("/n/a", b"2", first, second)),
        ]
        third = stage.ask(Change((), [Delete("/n/a")]), Done).revision
        assert stage.events(number, 1, engine) == [Event("/n/a", third, None)]

    def test_followed_twice(self, stage: Stage) -> None:
        """Two prefixes in one engine: one ends, the other goes on."""
        revision = stage.read("").revision + 1
        engine = stage.another()
        one = engine.send(Follow("/n/", revision), stage.clock(), 1.0)
        two = engine.send(Follow("/o/", revision), stage.clock(), 1.0)
        stage.put("/n/a", b"")
        assert [event.key for event in stage.events(one, 1, engine)] == ["/n/a"]
        engine.cancel(one)
        stage.put("/n/a", b"")
        stage.put("/o/a", b"")
        assert [event.key for event in stage.events(two, 1, engine)] == ["/o/a"]

    def test_followed_from_what_is_forgotten(self, stage: Stage) -> None:
        """It ends with Compacted; from the state that is read then, it goes on."""
        first = stage.put("/n/a", b"1")
        stage.put("/n/a", b"2")
        stage.compact(stage.put("/n/a", b"3"))
        with pytest.raises(Compacted):
            ask(stage.engine, Follow("/n/", first), stage.clock, PATIENCE)
        engine = stage.another()
        number = engine.send(Follow("/n/", stage.read("/n/").revision + 1), stage.clock(), 1.0)
        stage.put("/n/a", b"4")
        found = stage.events(number, 1, engine)
        assert [one.entry and one.entry.value for one in found] == [b"4"]

    def test_followed_from_the_future(self, stage: Stage) -> None:
        """A store that is younger than its reader thinks has lost its past: it is read again."""
        with pytest.raises(Compacted):
            ask(stage.engine, Follow("/n/", 1_000_000), stage.clock, PATIENCE)

    def test_many_requests_at_once(self, stage: Stage) -> None:
        """Each has one answer, under its number."""
        engine = stage.engine
        sent = [
            engine.send(Change((), [Put(f"/n/{number}", b"")]), stage.clock(), PATIENCE)
            for number in range(20)
        ]
        found: list[int] = []
        while len(found) < len(sent):
            for answer in engine.answers():
                assert isinstance(answer.result, Done)
                found.append(answer.number)
            turn(engine, stage.clock, 0.1)
        assert sorted(found) == sent
        assert len(stage.read("/n/").entries) == len(sent)
