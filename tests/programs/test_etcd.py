"""The store over a real etcd, of one member and of three: the contract, and the faults of etcd."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from etcd_members import Members
from store_contract import PATIENCE, Stage, StoreContract
from support import Namespace, until

from netalias.cluster.asking import ask, turn
from netalias.cluster.etcd.engine import EtcdEngine
from netalias.cluster.etcd.settings import Settings
from netalias.cluster.store import (
    CREATED,
    Answer,
    Change,
    Condition,
    Delete,
    Done,
    Follow,
    Grant,
    Granted,
    NoLease,
    Put,
    Read,
    Renew,
    Snapshot,
    Unreachable,
)

LATE = 0.6
"""Seconds after its end at which a lease is surely found to be over: it is looked for every 0.5."""


def members(folder: Path, count: int) -> Iterator[Members]:
    namespace = Namespace()
    found = None
    try:
        found = Members(namespace, folder, count)
        with namespace:
            yield found
    finally:
        if found is not None:
            found.close()
        namespace.close()


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Members]:
    """A single member for all tests."""
    yield from members(tmp_path_factory.mktemp("one"), 1)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Members]:
    """Three members; each test leaves them running."""
    yield from members(tmp_path_factory.mktemp("three"), 3)


def emptied(cluster: Members) -> Stage:
    """A stage over a store without a key."""
    settings = Settings(cluster.urls)
    stage = Stage(lambda: EtcdEngine(settings), cluster.compact)
    keys = stage.read("").entries
    for first in range(0, len(keys), 128):
        gone = [Delete(key) for key in list(keys)[first : first + 128]]
        stage.ask(Change((), gone), Done)
    return stage


class TestOneMember(StoreContract):
    """The contract."""

    @pytest.fixture
    def stage(self, one: Members) -> Iterator[Stage]:
        stage = emptied(one)
        yield stage
        stage.close()

    def test_more_than_a_page(self, stage: Stage) -> None:
        """A Read of many entries is all of them, of one revision, whatever changes meanwhile."""
        count = 4500
        for first in range(0, count, 128):
            keys = range(first, min(count, first + 128))
            stage.ask(Change((), [Put(f"/n/{key:05}", b"x" * 900) for key in keys]), Done)
        other = stage.another()
        number = stage.engine.send(Read("/n/"), time.monotonic(), PATIENCE)
        stage.engine, first_engine = other, stage.engine
        stage.put("/n/99999", b"")
        answers: list[Answer] = []
        while not answers:  # a failure too, when its time is over
            turn(first_engine, time.monotonic, 0.1)
            answers = first_engine.answers()
        (answer,) = answers
        assert answer.number == number
        assert isinstance(answer.result, Snapshot), answer.result
        entries = answer.result.entries
        assert len(entries) in (count, count + 1)
        assert sorted(entries) == list(entries)


@pytest.mark.early
class TestThreeMembers:
    """The faults of etcd 3.4, as they happen."""

    @pytest.fixture
    def stage(self, three: Members) -> Iterator[Stage]:
        three.ready()
        stage = emptied(three)
        yield stage
        stage.close()

    def engine(self, three: Members, *numbers: int) -> EtcdEngine:
        """An engine that knows these members alone."""
        return EtcdEngine(Settings([three.urls[number] for number in numbers]))

    def test_a_member_that_is_killed(self, stage: Stage, three: Members) -> None:
        """Requests and a Follow go on at the next one, and no event is lost."""
        first = stage.put("/n/a", b"1")
        follower = stage.another()
        number = follower.send(Follow("/n/", first), time.monotonic(), 1.0)
        assert len(stage.events(number, 1, follower)) == 1
        assert follower.member() == three.urls[0]
        three.signal(0, signal.SIGKILL)
        try:
            until(lambda: changed(stage, "/n/a", b"2"))
            found = stage.events(number, 1, follower)
            assert [one.entry and one.entry.value for one in found][-1] == b"2"
            assert follower.member() != three.urls[0]
        finally:
            three.start(0)

    def test_a_member_that_ends_in_order(self, stage: Stage, three: Members) -> None:
        """A Follow there is told so by a last line, and goes on elsewhere."""
        revision = stage.put("/n/a", b"1")
        follower = stage.another()
        number = follower.send(Follow("/n/", revision), time.monotonic(), 1.0)
        stage.events(number, 1, follower)
        three.signal(0, signal.SIGTERM)
        try:
            until(lambda: changed(stage, "/n/a", b"2"))
            stage.events(number, 1, follower)
            assert follower.member() != three.urls[0]
        finally:
            three.start(0)

    def test_a_member_that_is_stopped(self, stage: Stage, three: Members) -> None:
        """It accepts connections and answers nothing: what may be repeated has its answer from
        another one, a change is Unreachable."""
        three.signal(1, signal.SIGSTOP)
        try:
            for request, result in (
                (Read("/n/"), Snapshot),
                (Change([Condition("/n/a", CREATED, 0)]), Done),
            ):
                engine = self.engine(three, 1, 2)
                assert isinstance(ask(engine, request, time.monotonic, PATIENCE), result)
                assert engine.member() == three.urls[2]
                engine.close()
            engine = self.engine(three, 1, 2)
            with pytest.raises(Unreachable, match=r"127\.0\.0\.2:2379: no answer"):
                ask(engine, Change((), [Put("/n/a", b"")]), time.monotonic, 1.0)
            assert until(lambda: changed(stage, "/n/b", b"", engine))
            engine.close()
        finally:
            three.signal(1, signal.SIGCONT)

    def test_a_member_that_is_cut_off(self, stage: Stage, three: Members) -> None:
        """It tells no old truths: not of entries, and not of conditions that need no change."""
        revision = stage.put("/n/a", b"1")
        three.ready()
        lone = self.engine(three, 2)
        check = Change([Condition("/n/a", CREATED, revision)])
        assert isinstance(ask(lone, check, time.monotonic, PATIENCE), Done)
        others = [0, 1]
        for number in others:
            three.signal(number, signal.SIGSTOP)
        try:
            for request in (check, Read("/n/")):
                with pytest.raises(Unreachable):
                    ask(lone, request, time.monotonic, 1.0)
        finally:
            for number in others:
                three.signal(number, signal.SIGCONT)
            lone.close()

    def test_a_leader_that_is_cut_off(self, stage: Stage, three: Members) -> None:
        """It may still confirm a lease; what decides, a transaction that depends on the key, is
        Unreachable from the beginning."""
        three.ready()
        leader = three.leader()
        engine = self.engine(three, leader)
        granted = ask(engine, Grant(60), time.monotonic, PATIENCE)
        assert isinstance(granted, Granted)
        put = Change((), [Put("/n/a", b"", granted.lease)])
        done = ask(engine, put, time.monotonic, PATIENCE)
        assert isinstance(done, Done)
        others = [one for one in range(3) if one != leader]
        for number in others:
            three.signal(number, signal.SIGSTOP)
        try:
            engine.send(Renew(granted.lease), time.monotonic(), 1.0)
            check = Change([Condition("/n/a", CREATED, done.revision)])
            with pytest.raises(Unreachable):
                ask(engine, check, time.monotonic, 1.0)
        finally:
            for number in others:
                three.signal(number, signal.SIGCONT)
            engine.close()

    def test_a_lease_over_a_change_of_leader(self, stage: Stage, three: Members) -> None:
        """It begins anew: its key lives longer than the lease was granted for."""
        assert until(lambda: outlived(three))

    def test_all_members_stopped_and_started(self, stage: Stage, three: Members) -> None:
        """A Follow goes on, and what was stored is there."""
        revision = stage.put("/n/a", b"1")
        follower = stage.another()
        number = follower.send(Follow("/n/", revision), time.monotonic(), 1.0)
        stage.events(number, 1, follower)
        for each in range(3):
            three.signal(each, signal.SIGKILL)
        with pytest.raises(Unreachable, match="Connection refused"):
            ask(stage.engine, Read("/n/"), time.monotonic, 1.0)
        assert "Connection refused" in stage.engine.trouble()
        for each in range(3):
            three.start(each)
        three.ready()
        until(lambda: changed(stage, "/n/a", b"2"))
        found = stage.events(number, 1, follower)
        assert [one.entry and one.entry.value for one in found][-1] == b"2"
        assert stage.engine.trouble() == ""


def outlived(three: Members) -> bool:
    """Whether the key of a lease, whose leader was killed, was there after its time. A machine that
    was too slow to look in time is asked again."""
    three.ready()
    leader = three.leader()
    followers = [one for one in range(3) if one != leader]
    engine = EtcdEngine(Settings([three.urls[number] for number in followers]))
    granted = ask(engine, Grant(2), time.monotonic, PATIENCE)
    assert isinstance(granted, Granted)
    since = time.monotonic()
    put = Change((), [Put("/n/leased", b"", granted.lease)])
    assert isinstance(ask(engine, put, time.monotonic, PATIENCE), Done)
    time.sleep(granted.ttl * 0.7)
    three.signal(leader, signal.SIGKILL)
    killed = time.monotonic()
    try:
        until(lambda: answered(engine))
        time.sleep(max(0.0, since + granted.ttl + LATE - time.monotonic()))
        found = entries(engine)
        seen = time.monotonic()
        until(lambda: not entries(engine))
        with pytest.raises(NoLease):
            ask(engine, Renew(granted.lease), time.monotonic, PATIENCE)
    finally:
        three.start(leader)
        engine.close()
    if killed > since + granted.ttl or seen > killed + granted.ttl:
        return False
    assert found
    return True


def answered(engine: EtcdEngine) -> bool:
    """Whether the store answers; a change of leader takes some time."""
    try:
        return isinstance(ask(engine, Read("/n/"), time.monotonic, 2.0), Snapshot)
    except Unreachable:
        return False


def entries(engine: EtcdEngine) -> bool:
    found = ask(engine, Read("/n/"), time.monotonic, PATIENCE)
    assert isinstance(found, Snapshot)
    return bool(found.entries)


def changed(stage: Stage, key: str, value: bytes, engine: EtcdEngine | None = None) -> bool:
    """Whether a change was made, which may be Unreachable while a leader is chosen."""
    change = Change((), [Put(key, value)])
    try:
        ask(engine or stage.engine, change, time.monotonic, 2.0)
    except Unreachable:
        return False
    return True
