"""The users of the server of texts: none keeps the others out, and none takes much time."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_system_server import Client, Served

from netalias.system import server as server_module
from netalias.system.server import BURST, SLOW
from netalias.system.slots import ADVANCE, ALL, EACH, ROOT, SHARE


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """With nobody connected."""
    made = Served(tmp_path / "net.sock")
    yield made
    made.close()


class Users:
    """Connections belong to the user that is set here when they are accepted."""

    def __init__(self, server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server = server
        self._uid = 0
        monkeypatch.setattr(server_module, "user", lambda connection: self._uid)

    def client(self, uid: int, request: bytes = b"") -> Client:
        """A client of a user, accepted."""
        self._uid = uid
        made = self.server.client(request)
        self.server.answers.ready(
            self.server.answers._server.fileno(), select.POLLIN, self.server.clock()
        )
        return made


@pytest.fixture
def users(server: Served, monkeypatch: pytest.MonkeyPatch) -> Users:
    """Connections of invented users."""
    return Users(server, monkeypatch)


def test_the_user_at_the_other_end(server: Served):
    """The kernel knows it, also after the end of the other process."""
    server.client()
    server.settle()
    (client,) = server.answers._clients.values()
    assert client.uid == os.getuid()


def test_one_user_does_not_crowd_out_another(users: Users):
    """However many connections it opens: one that was there stays, and new ones come."""
    there = users.client(1)
    flood = [users.client(2) for _ in range(5 * EACH)]
    assert users.server.connected == EACH + 1
    new = users.client(3, b"json\n")
    there.say(b"json\n")
    users.server.serve(lambda: there.over() and new.over())
    assert there.data == new.data == b"text of json\n"
    assert [client.over() for client in flood] == [True] * (4 * EACH) + [False] * EACH


def test_many_users_do_not_crowd_out_root(users: Users):
    """All of them together have ALL connections, root has its own beside these."""
    root = [users.client(ROOT) for _ in range(EACH)]
    for uid in range(1, ALL + 50):
        users.client(uid)
    assert users.server.connected == EACH + ALL
    assert not any(client.over() for client in root)
    root[0].say(b"json\n")
    users.server.serve(root[0].over)
    assert root[0].data == b"text of json\n"


def test_asking_all_the_time(server: Served, users: Users):
    """New connections of a user that is over its share are closed with a line; what others ask is
    answered meanwhile."""
    server.answers.accounts.charge(1, 2 * ADVANCE * SHARE, server.clock())
    again = users.client(1, b"json\n")
    assert again.over()
    assert again.data.startswith(b"error: this user has asked too often")
    assert server.connected == 0
    other = users.client(2, b"json\n")
    server.serve(other.over)
    assert other.data == b"text of json\n"
    server.clock.now += ADVANCE
    late = users.client(1, b"json\n")
    server.serve(late.over)
    assert late.data == b"text of json\n"


def test_the_work_for_a_user_is_charged(server: Served, users: Users):
    """Accepting and reading; the text itself has a bound of its own, since others may share it."""
    server.step = 0.001
    accounts = server.answers.accounts
    slow = users.client(1)
    accepted = accounts._paid[1]
    assert accepted == pytest.approx(server.clock() + 0.001 / SHARE)
    slow.say(b"alias")
    (fileno,) = server.answers._clients
    server.answers.ready(fileno, select.POLLIN, server.clock())
    assert accounts._paid[1] - accepted == pytest.approx(0.001 / SHARE)


def test_a_user_over_its_share_is_not_polled(server: Served, users: Users):
    """Its bytes wake nobody until its time is paid for, and then it goes on where it was."""
    slow = users.client(1, b"al")
    server.settle()
    begun = server.clock()
    server.answers.accounts.charge(1, 2 * ADVANCE * SHARE, begun)
    slow.say(b"iases\n")
    assert server.turn() == 0
    assert server.answers.due(server.clock()) == pytest.approx(ADVANCE)
    server.clock.now += ADVANCE
    server.serve(slow.over)
    assert slow.data == b"text of aliases\n"


def test_the_turn_of_each_user(server: Served, users: Users):
    """A text for one user comes after those for others, whoever has more requests."""
    server.cost = 0.125
    users.client(1, b"aliases\n")
    server.settle()
    for _ in range(3):
        users.client(1, b"aliases\n")
    users.client(2, b"json\n")
    server.settle()
    server.clock.now += 0.375
    server.settle()
    assert server.rendered == ["aliases", "json"]


def test_nothing_is_made_for_who_has_hung_up(server: Served, users: Users):
    """Asking and hanging up costs no text; the end of a side alone is not the end."""
    server.cost = 0.5
    server.answer(b"json\n")
    for _ in range(5):
        users.client(1, b"aliases\n").socket.close()
    half = users.client(2, b"aliases\n")
    half.socket.shutdown(socket.SHUT_WR)
    server.clock.now += 0.5 * 3
    server.serve(half.over)
    assert half.data == b"text of aliases\n"
    for _ in range(5):
        users.client(3, b"json\n").socket.close()
    server.clock.now += 0.5 * 3
    server.settle()
    assert server.rendered == ["json", "aliases"]


def test_accepting_takes_a_tenth_of_the_time(server: Served):
    """A burst of connections, then other things."""
    server.step = 0.001
    for _ in range(BURST + 10):
        server.client()
    now = server.clock()
    server.answers.ready(server.answers._server.fileno(), select.POLLIN, now)
    assert server.connected == BURST
    pause = (1 + SLOW) * BURST * server.step
    assert server.answers._accepting == pytest.approx(now + pause)
    assert server.answers._server.fileno() not in server.answers.wanted(now)
    assert server.answers._server.fileno() in server.answers.wanted(now + pause + 1e-6)
