"""The process of the bus: connections that the watcher hands over."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from netalias import errors
from netalias.model import GROUP, Device
from netalias.model.events import LINK, State, apply
from netalias.monitor.bus import Bus
from netalias.monitor.request import message
from netalias.monitor.serving import IDLE, Handed
from netalias.system import descriptors
from netalias.system.journal import Journal


class Stage:
    """A bus over a state, the channel of a watcher, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.state = State()
        self.bus = Bus(self.state, GROUP, lambda: self.now, lambda: 0.0)
        self.watcher, theirs = descriptors.packets()
        self.watcher.setblocking(False)
        theirs.setblocking(False)
        self.theirs = theirs
        self.said = io.StringIO()
        self.ended: list[bool] = []
        self.handed = Handed(
            theirs,
            self.bus,
            Journal(stream=self.said, environ={}, now=str),
            lambda: self.now,
            lambda: self.ended.append(True),
        )

    def reader(self, *words: str, uid: int = 0) -> socket.socket:
        """A reader that has been handed over and served."""
        ours, theirs = socket.socketpair()
        descriptors.send(self.watcher, message(words, uid), [theirs.fileno()])
        theirs.close()
        self.handed.ready(self.theirs.fileno(), 1, self.now)
        while self.bus.feeds.due(self.now) == 0.0:
            self.bus.feeds.tick(self.now)
        return ours

    def numbers(self) -> list[bytes]:
        """The numbers that the watcher has been told since."""
        found = []
        try:
            while True:
                found.append(self.watcher.recv(99))
        except BlockingIOError:
            return found

    def close(self) -> None:
        self.bus.feeds.close()
        self.watcher.close()
        self.theirs.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


def lines(reader: socket.socket) -> list[dict[str, Any]]:
    """The lines that a reader has got."""
    return [json.loads(line) for line in reader.recv(1 << 16).splitlines()]


def test_a_connection_becomes_a_reader(stage: Stage) -> None:
    """By the words that come with it."""
    apply(stage.state, (LINK, 2), Device(2, "eth0"))
    with stage.reader() as every, stage.reader("flag") as flags:
        assert [one["event"] for one in lines(every)] == ["reset", "arrival", "synced"]
        assert [one["event"] for one in lines(flags)] == ["reset", "synced"]


def test_a_refusal_is_told(stage: Stage) -> None:
    """One line, and the end."""
    with stage.reader("route", uid=1) as refused:
        assert refused.recv(999).startswith(b"error: only root may subscribe to route")
        assert refused.recv(9) == b""
    assert not len(stage.bus.feeds)


def test_the_watcher_is_told_while_nobody_reads(stage: Stage) -> None:
    """How many have come, so that it can tell whether more are on their way."""
    one = stage.reader()
    stage.reader("mtu").close()
    assert stage.handed.due(stage.now) == IDLE
    stage.handed.tick(stage.now)
    assert stage.numbers() == []
    one.close()
    for fileno in stage.bus.feeds.wanted(stage.now):
        stage.bus.feeds.ready(fileno, 0x10, stage.now)
    stage.now += IDLE
    assert stage.handed.due(stage.now) == 0
    stage.handed.tick(stage.now)
    assert stage.numbers() == [b"2"]
    assert stage.handed.due(stage.now) == IDLE
    assert not stage.ended


@pytest.mark.parametrize("unread", [False, True])
def test_it_ends_when_the_watcher_hangs_up(stage: Stage, unread: bool) -> None:
    """Whether that has read the last number or not (ECONNRESET)."""
    if unread:
        stage.handed.tick(stage.now)
    stage.watcher.close()
    stage.handed.ready(stage.theirs.fileno(), 1, stage.now)
    assert stage.ended
    stage.handed.tick(stage.now)  # no error


def test_a_connection_that_cannot_be_taken(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told in the log, and counts: the watcher has sent it."""

    def fails(channel: object) -> descriptors.Message:
        raise errors.StateError("a message has lost descriptors")

    monkeypatch.setattr(descriptors, "receive", fails)
    stage.handed.ready(stage.theirs.fileno(), 1, stage.now)
    stage.handed.tick(stage.now)
    assert stage.numbers() == [b"1"]
    assert "lost descriptors" in stage.said.getvalue()
