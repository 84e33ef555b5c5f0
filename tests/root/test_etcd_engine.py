"""The engine for etcd over members that a test plays: which member is asked, what is sent again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from select import poll
from socket import socket
from typing import TYPE_CHECKING

import pytest
from support import Namespace

from netalias.cluster.etcd.engine import FORGET, LINKS, OPENING, RETRY, EtcdEngine
from netalias.cluster.etcd.names import Names
from netalias.cluster.etcd.settings import Settings
from netalias.cluster.etcd.streams import CREATING, LASTING
from netalias.cluster.store import (
    Change,
    Compacted,
    Done,
    Events,
    Follow,
    Grant,
    Granted,
    Put,
    Read,
    Snapshot,
    Unreachable,
)

if TYPE_CHECKING:
    from netalias.cluster.store import Request, Result

HEADER = {"revision": "7"}
MINE = Change((), [Put("/n/a", b"1")])
TURNS = 200
MOMENT = 20
"""Milliseconds that a turn may wait for the kernel; no time passes for the engine meanwhile."""


class Member:
    """A listening socket, and the connections that it has accepted."""

    def __init__(self, host: str) -> None:
        self.socket = socket()
        self.socket.bind((host, 0))
        self.socket.listen(64)
        self.socket.setblocking(False)
        self.url = f"http://{host}:{self.socket.getsockname()[1]}"
        self.connections: list[socket] = []

    def accept(self) -> None:
        """Take those who have come."""
        while True:
            try:
                connection, _ = self.socket.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            self.connections.append(connection)

    def requests(self) -> list[tuple[socket, str, dict[str, object]]]:
        """The requests that have come: connection, path, fields."""
        self.accept()
        found = []
        for connection in self.connections:
            try:
                data = connection.recv(1 << 16)
            except OSError:
                continue
            if data:
                head, _, body = data.partition(b"\r\n\r\n")
                found.append((connection, head.split()[1].decode(), json.loads(body)))
        return found

    def end(self) -> None:
        """End all connections."""
        self.accept()
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    def close(self) -> None:
        if self.socket.fileno() >= 0:
            self.end()
            self.socket.close()


def sized(fields: object, status: str = "200 OK") -> bytes:
    body = json.dumps(fields).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def line(**result: object) -> bytes:
    """A chunk with a line of a watch."""
    return chunk(json.dumps({"result": {"header": HEADER} | result}).encode() + b"\n")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def put(revision: int) -> dict[str, object]:
    return {"kv": {"key": "YQ==", "mod_revision": str(revision)}}


class Stage:
    """An engine with members; its clock stands still unless a test moves it on."""

    def __init__(self, count: int = 2, *, patience: bool = True) -> None:
        self.now = 1000.0
        self.members = [Member(f"127.0.0.{number + 1}") for number in range(count)]
        settings = Settings([one.url for one in self.members])
        self.engine = EtcdEngine(settings, patience=patience)
        self.results: list[Result] = []

    def send(self, request: Request, timeout: float = 5.0) -> int:
        return self.engine.send(request, self.now, timeout)

    def turn(self) -> None:
        state = poll()
        for fileno, events in self.engine.wanted(self.now).items():
            state.register(fileno, events)
        for fileno, events in state.poll(MOMENT):
            self.engine.ready(fileno, events, self.now)
        due = self.engine.due(self.now)
        if due is not None and due <= 0:
            self.engine.tick(self.now)
        self.results += [one.result for one in self.engine.answers()]

    def until(self, found: Callable[[], object]) -> object:
        """The first true result of a call, between turns."""
        for _ in range(TURNS):
            self.turn()
            if result := found():
                return result
        raise AssertionError("it does not come")

    def request(self, number: int) -> tuple[socket, str, dict[str, object]]:
        """The next request to a member."""
        found = self.until(self.members[number].requests)
        assert isinstance(found, list)
        assert len(found) == 1
        one: tuple[socket, str, dict[str, object]] = found[0]
        return one

    def result(self) -> Result:
        """The next result."""
        self.until(lambda: self.results)
        return self.results.pop(0)

    def close(self) -> None:
        self.engine.close()
        for member in self.members:
            member.close()


def staged(count: int) -> Iterator[Stage]:
    namespace = Namespace()
    namespace.raise_lo()
    with namespace:
        stage = Stage(count)
        yield stage
        stage.close()
    namespace.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    yield from staged(2)


@pytest.fixture
def alone() -> Iterator[Stage]:
    """With a single member."""
    yield from staged(1)


def test_one_connection_for_all(stage: Stage) -> None:
    """Requests one after the other use it; another one is opened beside a request in flight."""
    for _ in range(3):
        stage.send(MINE)
        connection, path, _ = stage.request(0)
        assert path == "/v3/kv/txn"
        connection.send(sized({"header": HEADER, "succeeded": True}))
        assert stage.result() == Done(True, 7)
    assert len(stage.members[0].connections) == 1
    stage.send(MINE)
    stage.send(MINE)
    stage.until(lambda: stage.members[0].accept() or len(stage.members[0].connections) == 2)


def test_a_bounded_number_of_connections(stage: Stage) -> None:
    """Further requests wait, and are sent when others have their answers."""
    for number in range(LINKS + 5):
        stage.send(Read(f"/{number}"))
    waiting: list[tuple[socket, str, dict[str, object]]] = []

    def all_of(count: int) -> bool:
        waiting.extend(stage.members[0].requests())
        return len(waiting) >= count

    stage.until(lambda: all_of(LINKS))
    for _ in range(10):
        stage.turn()
    assert len(stage.members[0].connections) == LINKS
    for connection, _, _ in waiting:
        connection.send(sized({"header": HEADER}))
    waiting.clear()
    stage.until(lambda: all_of(5))
    assert len(stage.members[0].connections) == LINKS


def test_a_member_that_ends_the_connection(stage: Stage) -> None:
    """A reading goes to the next member, and so does all that follows; a change is Unreachable and
    is sent to nobody else."""
    stage.send(Read("/n/"))
    stage.request(0)
    stage.members[0].end()
    connection, path, _ = stage.request(1)
    assert path == "/v3/kv/range"
    connection.send(sized({"header": HEADER}))
    assert stage.result() == Snapshot(7, [])
    stage.send(MINE)
    stage.request(1)
    stage.members[1].end()
    assert isinstance(stage.result(), Unreachable)
    assert stage.engine.member() == stage.members[0].url
    assert stage.members[0].requests() == []


def test_a_member_that_is_not_there(stage: Stage) -> None:
    """A change goes to the next one: none of it has left."""
    stage.members[0].close()
    stage.send(MINE)
    connection, _, _ = stage.request(1)
    connection.send(sized({"header": HEADER, "succeeded": True}))
    assert stage.result() == Done(True, 7)


def test_no_member_is_there(stage: Stage) -> None:
    """They are tried again, with a pause when all have failed, until the time is over."""
    for member in stage.members:
        member.close()
    stage.send(MINE, 1.0)
    stage.until(lambda: (stage.engine.due(stage.now) or 0.0) >= RETRY / 2)
    stage.now += 1.0
    result = stage.result()
    assert isinstance(result, Unreachable)
    assert "Connection refused" in str(result)
    assert stage.engine.due(stage.now) is None


def test_an_idle_connection_that_ends(stage: Stage) -> None:
    """It is no failure: the next request opens another one at the same member."""
    stage.send(Read("/n/"))
    connection, _, _ = stage.request(0)
    connection.send(sized({"header": HEADER}))
    stage.result()
    stage.members[0].end()
    stage.until(lambda: not stage.engine.wanted(stage.now))
    stage.send(MINE)
    stage.request(0)
    assert stage.engine.trouble() == ""


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nxyz",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        sized({"header": {"revision": "many"}}),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}more",
        sized({"message": "etcdserver: request timed out", "code": 14}, "503 Unavailable"),
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_member_that_talks_nonsense(stage: Stage, answer: bytes) -> None:
    """It is left for the next one."""
    stage.send(Read("/n/"))
    connection, _, _ = stage.request(0)
    connection.send(answer)
    connection, _, _ = stage.request(1)
    connection.send(sized({"header": HEADER}))
    assert stage.result() == Snapshot(7, [])


def test_a_silent_member(stage: Stage) -> None:
    """After a while a reading is asked of the next one; a change waits for its whole time."""
    stage.send(Read("/n/"))
    stage.request(0)
    stage.now += 1.5
    connection, _, _ = stage.request(1)
    connection.send(sized({"header": HEADER}))
    assert stage.result() == Snapshot(7, [])
    stage.send(MINE)
    stage.request(1)
    stage.now += 4.9
    for _ in range(5):
        stage.turn()
    assert stage.results == []
    stage.now += 0.1
    assert isinstance(stage.result(), Unreachable)
    assert stage.members[0].requests() == []


def test_no_late_answer(stage: Stage) -> None:
    """The connection of a request whose time is over is closed, for no answer to another one."""
    stage.send(MINE, 1.0)
    connection, _, _ = stage.request(0)
    stage.now += 1.0
    assert isinstance(stage.result(), Unreachable)
    stage.until(lambda: ended(connection))


def ended(connection: socket) -> bool:
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False


def test_cancelled(stage: Stage) -> None:
    """No answer comes, and the connection is not used for another request."""
    number = stage.send(Read("/n/"))
    connection, _, _ = stage.request(0)
    stage.engine.cancel(number)
    stage.until(lambda: ended(connection))
    assert stage.engine.due(stage.now) is None


def answer(stage: Stage, number: int, cluster: str, revision: int = 7) -> None:
    """A member of this cluster answers the next request."""
    connection, _, _ = stage.request(number)
    header = {"cluster_id": cluster, "revision": str(revision)}
    connection.send(sized({"header": header, "succeeded": True, "ID": "1", "TTL": "5"}))


def test_a_member_of_another_etcd(stage: Stage) -> None:
    """It is not believed, whatever it says, for as long as the one that is known may have given
    anything that still holds; then it is."""
    stage.send(Read("/n/"))
    answer(stage, 0, "1")
    assert isinstance(stage.result(), Snapshot)
    stage.members[0].close()
    stage.until(lambda: not stage.engine.wanted(stage.now))
    stage.send(MINE, 2.0)
    answer(stage, 1, "2")
    result = stage.result()
    assert isinstance(result, Unreachable)
    assert "another etcd, or to a backup (2, not 1)" in str(result)
    assert not stage.engine.replaced()
    stage.now += FORGET
    stage.send(Read("/n/"))
    answer(stage, 1, "2")
    assert isinstance(stage.result(), Snapshot)
    assert stage.engine.replaced()


def test_a_member_with_the_past_of_a_backup(stage: Stage) -> None:
    """One that knows less than was answered before is not believed, but for leases, of which any
    member tells what it knows; in the end it is, and counts anew."""
    stage.send(Read("/n/"))
    answer(stage, 0, "1", 9)
    stage.result()
    stage.send(Grant(5))
    answer(stage, 0, "1", 8)
    assert stage.result() == Granted(1, 5)
    for request in (Read("/n/"), MINE):
        stage.send(request, 1.0)
        place = stage.engine.member() == stage.members[1].url
        answer(stage, place, "1", 8)
        if request is not MINE:
            answer(stage, not place, "1", 9)
            assert isinstance(stage.result(), Snapshot)
        else:
            assert "backup (revision 8)" in str(stage.result())
    stage.now += FORGET - 1
    stage.send(Grant(5))
    answer(stage, stage.engine.member() == stage.members[1].url, "1", 3)
    stage.result()
    stage.now += 1  # a lease has not shown that it is the etcd of before
    for _ in range(2):
        stage.send(Read("/n/"))
        answer(stage, stage.engine.member() == stage.members[1].url, "1", 3)
        assert stage.result() == Snapshot(3, [])


def test_a_watch_of_another_etcd(stage: Stage) -> None:
    """Its events are not taken; the member of the known one is asked."""
    stage.send(Read("/n/"))
    answer(stage, 0, "1")
    stage.result()
    stage.send(Follow("", 3))
    connection, _, _ = stage.request(0)
    foreign = {"header": {**HEADER, "cluster_id": "2"}}
    connection.send(CHUNKED + line(**foreign, created=True, events=[put(4)]))
    opened(stage, 1)
    assert stage.results == []


# A Follow -----------------------------------------------------------------------------------------


def opened(stage: Stage, number: int = 0, revision: int = 3) -> socket:
    """The connection of a watch that a member has just been asked for."""
    connection, path, fields = stage.request(number)
    assert path == "/v3/watch"
    create = fields["create_request"]
    assert isinstance(create, dict)
    assert create["start_revision"] == revision
    connection.send(CHUNKED + line(created=True))
    stage.turn()
    stage.turn()
    return connection


def test_followed(stage: Stage) -> None:
    """Events come as the lines do, in any pieces."""
    stage.send(Follow("", 3))
    connection = opened(stage)
    data = line(events=[put(3), put(4)])
    connection.send(data[:20])
    for _ in range(3):
        stage.turn()
    assert stage.results == []
    connection.send(data[20:])
    found = stage.result()
    assert isinstance(found, Events)
    assert [one.revision for one in found.events] == [3, 4]


def test_a_watch_that_is_silent(stage: Stage) -> None:
    """It is opened anew from time to time, after the last event, at the same member."""
    stage.send(Follow("", 3))
    connection = opened(stage)
    connection.send(line(events=[put(5)]))
    stage.result()
    stage.now += LASTING + 1
    other = opened(stage, revision=6)
    assert ended(connection)
    other.send(line(events=[put(6)]))
    assert isinstance(stage.result(), Events)
    assert stage.engine.trouble() == ""


@pytest.mark.parametrize(
    "last",
    [
        b"",
        chunk(b'{"error":{"grpc_code":14,"message":"closing"}}\n') + b"0\r\n\r\n",
        b"0\r\n\r\n",
        b"4\r\nxyz\n\r\n",
        line(canceled=True, cancel_reason="etcdserver: no leader"),
    ],
)
def test_the_end_of_a_watch(stage: Stage, last: bytes) -> None:
    """Whatever it is, the next member is asked, from where it was."""
    stage.send(Follow("", 3))
    connection = opened(stage)
    connection.send(line(events=[put(8)]) + last)
    stage.result()
    stage.members[0].end()
    opened(stage, 1, revision=9)


def test_a_watch_that_is_not_created(stage: Stage) -> None:
    """A member that accepts it and says nothing is left for the next one."""
    stage.send(Follow("", 3))
    stage.request(0)
    stage.now += CREATING + OPENING
    opened(stage, 1)


def test_a_watch_goes_with_the_member(stage: Stage) -> None:
    """When another member is asked because of a request, a watch is opened there too: the one that
    was left may be cut off, and silent for ever."""
    stage.send(Follow("", 3))
    connection = opened(stage)
    stage.send(MINE, 1.0)
    stage.request(0)
    stage.now += 1.0
    stage.result()
    opened(stage, 1)
    assert ended(connection)


def test_a_watch_of_an_only_member(alone: Stage) -> None:
    """When a request there fails, it is opened anew: TCP may have lost its way for long."""
    alone.send(Follow("", 3))
    connection = opened(alone)
    alone.send(MINE, 1.0)
    alone.request(0)
    alone.now += 1.0
    assert isinstance(alone.result(), Unreachable)
    opened(alone)
    assert ended(connection)


def test_compacted(stage: Stage) -> None:
    """It is the end, and the connection, which etcd leaves open and silent, is closed."""
    stage.send(Follow("", 3))
    connection = opened(stage)
    connection.send(line(canceled=True, compact_revision="11"))
    assert isinstance(stage.result(), Compacted)
    stage.until(lambda: ended(connection))
    assert stage.engine.due(stage.now) is None


# Names --------------------------------------------------------------------------------------------


def test_a_name_is_looked_up_beside_everything_else() -> None:
    """Nothing waits for it; a name that is not known is an error that says so."""
    namespace = Namespace()
    namespace.raise_lo()
    with namespace:
        stage = Stage(1)
        port = stage.members[0].url.rpartition(":")[2]
        found = {"etcd.example": ["127.0.0.1"]}

        def look(host: str) -> list[str]:
            if host not in found:
                raise OSError(-2, "Name or service not known")
            return found[host]

        stage.engine = EtcdEngine(Settings([f"http://etcd.example:{port}"]), names=Names(look))
        stage.send(Read("/n/"))
        connection, _, _ = stage.request(0)
        connection.send(sized({"header": HEADER}))
        assert stage.result() == Snapshot(7, [])
        stage.engine.close()
        stage.engine = EtcdEngine(Settings(["http://nobody.example"]), names=Names(look))
        stage.send(Read("/n/"), 1.0)
        stage.until(stage.engine.trouble)
        stage.now += 1.0
        assert "http://nobody.example: the name is not known" in str(stage.result())
        stage.close()
    namespace.close()


def test_a_command_does_not_wait_for_those_who_refuse(stage: Stage) -> None:
    """No time passes before it knows; a member that is silent is waited for."""
    stage.close()
    stage = Stage(patience=False)
    for one in stage.members:
        one.socket.close()
    stage.send(Read("/n/"))
    (result,) = stage.until(lambda: stage.results)  # type: ignore[misc]
    assert isinstance(result, Unreachable)
    assert "Connection refused" in str(result)
    stage.close()
    stage = Stage(patience=False)
    stage.members[0].socket.close()
    stage.send(Read("/n/"))
    for _ in range(40):
        stage.turn()
        stage.now += 0.1
    assert stage.results == []
    stage.now += 2.0
    (result,) = stage.until(lambda: stage.results)  # type: ignore[misc]
    assert isinstance(result, Unreachable)
    stage.close()
