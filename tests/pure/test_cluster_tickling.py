"""A host that tickles: it publishes its connections, and tickles for those of the addresses that it
takes from others, through the process of the agent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest
from test_cluster_process import FLOAT, Stage, held, taken

from netalias import errors
from netalias.cluster import tickles
from netalias.cluster.agent import Agent
from netalias.cluster.process import Carrier
from netalias.cluster.records import Keys, Owner
from netalias.cluster.store import Change, Delete, Put
from netalias.cluster.tickling import FIRST, Tickling
from netalias.cluster.tokens import Tokens
from netalias.model.connections import Connection
from netalias.system.journal import Journal
from netalias.system.lines import Link, pair

LINE = "cluster etcd http://etcd node a ttl 5 tickles on"
A, B = b"\x0a\0\0\x0a", b"\x0a\0\0\x0b"
PEER = b"\xc0\0\2\x09"
KEY = tickles.key("/netalias", "a")


class Tickled(Stage):
    """A stage whose connections are made up; ``sent`` are the tickles, each with its time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.connections: list[Connection] = []
        self.sent: list[tuple[float, Connection]] = []
        self.room = 1000
        self.trouble = ""
        self.watcher.close()
        self.carrier.close()
        self.watcher, theirs = pair()
        journal = Journal(stream=self.said, environ={}, now=lambda: "")
        self.carrier = Carrier(
            Link(theirs), self.connect, Tokens(str(folder)), journal,
            lambda: self.now, lambda: self.now, self.end, self.tickling,
        )  # fmt: skip

    def tickling(self, agent: Agent, prefix: str, node: str) -> Tickling:
        return Tickling(agent, prefix, node, self.collect, self.send)

    def collect(self, addresses: Collection[bytes]) -> list[Connection]:
        if self.trouble:
            raise errors.StateError(self.trouble)
        return [one for one in self.connections if one.address in addresses]

    def send(self, connections: Sequence[Connection]) -> int:
        some = connections[: self.room]
        self.sent += [(self.now, one) for one in some]
        return len(some)

    def has(self, *addresses: str) -> None:
        """Another host, which has gone long ago, has freed these addresses."""
        for address in addresses:
            free = Owner("b", 1, held=False, ttl=5)
            put = Put(Keys("/netalias").owner(("web", address)), free.value())
            self.store.execute(Change([], [put]))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Tickled]:
    stage = Tickled(tmp_path)
    yield stage
    stage.carrier.close()
    stage.watcher.close()


def start(stage: Tickled) -> None:
    """Both addresses are taken, from whoever had them."""
    stage.write(LINE, FLOAT, "")
    orders = stage.orders(5)
    for one in orders:
        if type(one).__name__ == "Check":
            stage.write("checked " + " ".join(map("/".join, one.keys)))
    orders += stage.orders(5)
    assert len(taken(orders)) == 2


def published(stage: Tickled) -> list[Connection]:
    """The connections that stand in the store."""
    entry = stage.store.entries.get(KEY)
    return [] if entry is None else tickles.decode(entry.value, {A, B})


def test_published_where_they_have_changed(stage: Tickled) -> None:
    """The connections of held addresses, within an interval; the same ones are not put again."""
    start(stage)
    assert published(stage) == []
    stage.connections = [Connection(A, 80, PEER, 5), Connection(b"\1\2\3\4", 80, PEER, 6)]
    stage.orders(2 * tickles.INTERVAL)
    assert published(stage) == stage.connections[:1]
    revision = stage.store.entries[KEY].modified
    stage.orders(2 * tickles.INTERVAL)
    assert stage.store.entries[KEY].modified == revision
    assert stage.sent == []


def test_tickled_when_it_takes(stage: Tickled) -> None:
    """Peers of addresses that another host had get tickles, so many times; those of others none."""
    mine, other = Connection(A, 80, PEER, 5), Connection(b"\1\2\3\4", 80, PEER, 6)
    value = tickles.encode([mine, other])
    stage.store.execute(Change([], [Put(tickles.key("/netalias", "b"), value)]))
    stage.has("10.0.0.10")
    start(stage)
    stage.orders(5)
    assert [one for _, one in stage.sent] == [mine] * tickles.TIMES
    times = [at for at, _ in stage.sent]
    assert times[-1] - times[0] >= tickles.APART * (tickles.TIMES - 1) - 0.2
    assert times[0] >= 1000 + FIRST


def test_a_full_queue(stage: Tickled) -> None:
    """What the device does not take now is sent later."""
    stage.room = 1
    many = [Connection(A, 80, PEER, number) for number in range(1, 6)]
    put = Put(tickles.key("/netalias", "b"), tickles.encode(many))
    stage.store.execute(Change([], [put]))
    stage.has("10.0.0.10")
    start(stage)
    stage.orders(10)
    assert sorted(one.peer_port for _, one in stage.sent) == sorted([1, 2, 3, 4, 5] * tickles.TIMES)


def test_nobody_had_it(stage: Tickled) -> None:
    """An address that is new, or whose host has published nothing, or nonsense."""
    stage.store.execute(Change([], [Put(tickles.key("/netalias", "b"), b"\xff{")]))
    stage.has("10.0.0.10")
    start(stage)
    stage.orders(5)
    assert stage.sent == []


def test_connections_that_cannot_be_read(stage: Tickled) -> None:
    """It is said once, and the rest goes on."""
    stage.trouble = "no sock_diag"
    start(stage)
    stage.orders(3 * tickles.INTERVAL)
    assert stage.said.getvalue().count("no sock_diag") == 1
    assert not stage.ended


def test_off_by_default(tmp_path: Path) -> None:
    """Without the word nothing is collected, and nothing published."""
    plain = Stage(tmp_path)
    held(plain)
    plain.orders(2 * tickles.INTERVAL)
    assert KEY not in plain.store.entries
    plain.carrier.close()
    plain.watcher.close()


def test_put_again_after_a_failure(stage: Tickled) -> None:
    """A value of which nobody knows whether it stands is put again."""
    start(stage)
    stage.connections = [Connection(A, 80, PEER, 5)]
    stage.engines[0].mute = True
    stage.orders(tickles.INTERVAL)
    stage.engines[0].mute = False
    stage.store.execute(Change([], [Delete(KEY)]))
    stage.orders(3 * tickles.INTERVAL)
    assert published(stage) == stage.connections
