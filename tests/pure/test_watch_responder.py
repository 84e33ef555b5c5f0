"""The responder of a watcher over sockets of a test: what it serves, its limit, what fails."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from netalias import errors
from netalias.engine import call
from netalias.model import AF_INET, AF_INET6, IFF_LOOPBACK, IFF_UP, Address, Device
from netalias.model.events import LINK, Entry, State, address_key, local_key
from netalias.model.local_routes import LocalRoute
from netalias.packets.respond import Served
from netalias.watch import responder
from netalias.watch.responder import DELAY, Responder, served_in

MAC = bytes((2, 0, 0, 0, 0, 1))
NETWORK, NETWORK6 = bytes((10, 9, 0, 0)), b"\x20\x01\x0d\xb8" + bytes(12)
ONE, TWO = Served(2, NETWORK, 16, MAC), Served(3, NETWORK6, 64, MAC)


class Socket:
    """A socket with *frames* that have come in."""

    made: list[Socket] = []
    refused: list[int] = []

    def __init__(self, index: int, served: Sequence[Served]) -> None:
        if index in self.refused:
            raise errors.MainDown("eth0 is down")
        self.name = f"eth{index}"
        self.served = list(served)
        self.frames: list[bytes] = []
        self.sent: list[bytes] = []
        self.broken = self.closed = False
        self.made.append(self)

    def fileno(self) -> int:
        return id(self) & 0xFFFFFF

    def receive(self) -> list[bytes]:
        if self.broken:
            raise errors.MainDown("eth0 is down")
        found, self.frames = self.frames, []
        return found

    def send(self, frame: bytes) -> bool:
        self.sent.append(frame)
        return True

    def close(self) -> None:
        self.closed = True


class Stage:
    """A responder, its time, and what it is to serve."""

    def __init__(self, limit: int = 100) -> None:
        self.now = 100.0
        self.served: list[Served] = []
        self.said: list[str] = []
        journal: Any = SimpleNamespace(info=self.said.append, warning=self.said.append)
        self.it = Responder(lambda: (self.served, set()), journal, call, lambda: self.now, limit)

    def serve(self, *served: Served) -> None:
        """Let these networks be served, a moment later."""
        self.served = list(served)
        self.it.changed()
        self.wait(self.it.due(self.now) or 0.0)

    def wait(self, seconds: float) -> None:
        """Let time pass, and what is due happen."""
        self.now += seconds
        self.it.tick(self.now)

    def come(self, socket: Socket, count: int) -> None:
        """Let this many requests come in."""
        socket.frames += [b"frame"] * count
        self.it.ready(socket.fileno(), 1, self.now)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Without sockets yet."""
    Socket.made, Socket.refused = [], []
    monkeypatch.setattr(responder, "Answering", Socket)
    monkeypatch.setattr(responder, "answer", lambda frame, served, others: frame)
    return Stage()


def test_without_networks_it_waits_for_nothing(stage: Stage) -> None:
    """No descriptor, no time, and no wish to hear of changes."""
    assert (stage.it.wanted(stage.now), stage.it.due(stage.now)) == ({}, None)
    assert not stage.it.active
    stage.serve()
    assert (stage.it.wanted(stage.now), stage.it.due(stage.now)) == ({}, None)


def test_a_socket_for_each_device(stage: Stage) -> None:
    """One whose networks stay the same is left alone; others are made anew, or closed."""
    stage.serve(ONE, TWO)
    assert [one.served for one in Socket.made] == [[ONE], [TWO]]
    assert len(stage.it.wanted(stage.now)) == 2
    assert stage.it.due(stage.now) is None
    stage.serve(ONE, TWO)
    assert len(Socket.made) == 2
    stage.serve(ONE)
    assert [one.closed for one in Socket.made] == [False, True]
    stage.serve(Served(2, NETWORK, 17, MAC))
    assert [one.closed for one in Socket.made] == [True, True, False]
    stage.it.close()
    assert all(one.closed for one in Socket.made)


def test_changes_are_collected(stage: Stage) -> None:
    """A burst of them is one look."""
    stage.it.changed()
    stage.now += DELAY / 2
    stage.it.changed()
    assert stage.it.due(stage.now) == pytest.approx(DELAY / 2)


def test_the_limit(stage: Stage) -> None:
    """Of a second's worth at once no more; then nothing is read until some are allowed again."""
    stage.serve(ONE)
    (socket,) = Socket.made
    stage.come(socket, 150)
    assert len(socket.sent) == 100
    assert stage.it.wanted(stage.now) == {}
    due = stage.it.due(stage.now)
    assert due is not None
    stage.wait(due)
    assert stage.it.wanted(stage.now)
    stage.come(socket, 50)
    more = len(socket.sent) - 100
    assert more in (4, 5)  # what a twentieth of a second allows
    stage.wait(9.0)
    stage.come(socket, 150)
    assert len(socket.sent) == 200 + more


def test_requests_without_an_answer_count(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour who sends nothing but those takes no more of the watcher's time than another."""
    looked: list[bytes] = []
    monkeypatch.setattr(responder, "answer", lambda frame, *_: looked.append(frame) or b"")
    stage.serve(ONE)
    (socket,) = Socket.made
    stage.come(socket, 150)
    assert (len(looked), socket.sent) == (100, [])
    assert stage.it.wanted(stage.now) == {}


def test_what_cannot_be_found_out_is_tried_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a descriptor for /proc/sys, say: what was served stays, and comes later."""
    stage.serve(ONE)
    stage.served = [ONE, TWO]

    def refused() -> None:
        raise errors.StateError("/proc/sys: too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(stage.it, "_served", refused)
        stage.it.changed()
        with pytest.raises(errors.StateError):
            stage.wait(stage.it.due(stage.now) or 0.0)
    assert not Socket.made[0].closed
    stage.wait(stage.it.due(stage.now) or 0.0)
    assert [one.served for one in Socket.made] == [[ONE], [TWO]]


def test_a_device_that_goes_down_is_opened_again(stage: Stage) -> None:
    """With back-off as long as it stays down; it is told once."""
    stage.serve(ONE)
    Socket.made[0].broken = True
    Socket.refused = [2]
    stage.come(Socket.made[0], 1)
    assert Socket.made[0].closed
    for _ in range(3):
        stage.wait(stage.it.due(stage.now) or 0.0)
    assert len(Socket.made) == 1
    Socket.refused = []
    stage.wait(stage.it.due(stage.now) or 0.0)
    assert len(Socket.made) == 2
    assert sum("nobody answers" in line for line in stage.said) == 1


def state(flags: int = IFF_UP, ignore: int = 0) -> State:
    """eth0 with a prefix of each family, and an address in one of them."""
    made = State()
    made.put((LINK, 2), Device(2, "eth0", flags, mac=MAC, arp_ignore=ignore))
    for route in (
        LocalRoute(2, AF_INET, NETWORK, 16, 5),
        LocalRoute(2, AF_INET6, NETWORK6, 64, 6),
    ):
        made.put(local_key(route), route)
    for local in (bytes((10, 9, 1, 2)), bytes((10, 0, 0, 1))):
        entry = Address(2, AF_INET, local, 32)
        made.put(address_key(entry), Entry(entry))
    return made


@pytest.mark.parametrize(
    ("flags", "ignore", "common", "families"),
    [
        (IFF_UP, 0, 0, [16]),
        (IFF_UP, 1, 0, [4, 16]),
        (IFF_UP, 0, 1, [4, 16]),
        (0, 1, 0, []),
        (IFF_UP | IFF_LOOPBACK, 1, 0, []),
    ],
)
def test_what_the_kernel_does_not_answer_for(
    flags: int, ignore: int, common: int, families: list[int]
) -> None:
    """IPv6 always, IPv4 by arp_ignore; never over a device that is down or has no neighbours."""
    engine: Any = SimpleNamespace(common=lambda: {"arp_ignore": common})
    served, others = served_in(state(flags, ignore), engine)
    assert sorted(len(one.network) for one in served) == families
    assert all((one.index, one.mac) == (2, MAC) for one in served)
    assert others == ({bytes((10, 9, 1, 2))} if 4 in families else set())
