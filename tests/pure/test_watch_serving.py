"""The watcher's side of the bus: connections go to a process, which is started when needed."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from netalias import errors
from netalias.model import GROUP
from netalias.system import descriptors
from netalias.system.backoff import BURST
from netalias.system.journal import Journal
from netalias.watch import subscribers as module
from netalias.watch.subscribers import Subscribers


class Stage:
    """Subscribers whose processes are the other ends of their channels, with the words of each."""

    def __init__(self) -> None:
        self.now = 0.0
        self.said = io.StringIO()
        self.channels: list[socket.socket] = []
        self.words: list[list[str]] = []
        self.refusal: OSError | None = None
        engine = SimpleNamespace(group=GROUP, within=lambda work: work())
        journal = Journal(stream=self.said, environ={}, now=str)
        self.part = Subscribers(engine, journal, lambda: self.now, self._start)  # type: ignore[arg-type]

    def _start(self, channel: int, words: object) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.channels.append(socket.socket(fileno=os.dup(channel)))
        self.words.append([*words])  # type: ignore[misc]

    def add(self, *words: str, uid: int = 0) -> socket.socket:
        """A reader's end of a connection that is served."""
        ours, theirs = socket.socketpair()
        try:
            self.part.add(words, theirs, uid)  # type: ignore[arg-type]
        except BaseException:
            ours.close()
            theirs.close()
            raise
        assert theirs.fileno() < 0
        return ours

    def taken(self, place: int = -1) -> tuple[bytes, socket.socket]:
        """The next message of a process: its bytes, and the connection."""
        with descriptors.receive(self.channels[place]) as found:  # type: ignore[arg-type]
            (one,) = found.take()
            return found.content, socket.socket(fileno=one)

    def turn(self) -> None:
        """One turn of a loop in which all descriptors are ready."""
        for fileno, events in self.part.wanted(self.now).items():
            self.part.ready(fileno, events, self.now)

    def close(self) -> None:
        self.part.close()
        for one in self.channels:
            one.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


def test_the_first_reader_starts_a_process(stage: Stage) -> None:
    """All that it gets is the connection, the user and the words; the next one goes there too."""
    assert stage.part.wanted(0.0) == {}
    one = stage.add("flag", "eth0", uid=7)
    stage.add().close()
    content, connection = stage.taken()
    connection.send(b"a line")
    assert (content, one.recv(9)) == (b"7 flag eth0", b"a line")
    connection.close()
    assert one.recv(9) == b""  # the watcher has no copy of it
    one.close()
    content, connection = stage.taken()
    connection.close()
    assert (content, stage.words) == (b"0", [[str(GROUP)]])
    assert len(stage.part.wanted(0.0)) == 1


def test_routes_have_a_process_of_their_own(stage: Stage) -> None:
    """Nobody else waits for them, or pays with memory."""
    for words in (["all"], ["route"], ["all,route", "eth0"], ["flag"]):
        stage.add(*words).close()
    assert stage.words == [[str(GROUP)], [str(GROUP), "route"]]
    assert len(stage.part.wanted(0.0)) == 2


@pytest.mark.parametrize(("words", "uid"), [("nosuch,", 0), ("all a/b", 0), ("route", 1)])
def test_what_is_wrong_starts_nothing(stage: Stage, words: str, uid: int) -> None:
    """It is refused at once."""
    with pytest.raises(errors.NetaliasError):
        stage.add(*words.split(), uid=uid)
    assert stage.channels == []


def test_a_process_without_readers_is_ended(stage: Stage) -> None:
    """Unless connections are on their way to it; whoever comes later has another one."""
    stage.add().close()
    stage.channels[0].send(b"0")
    stage.turn()
    assert len(stage.part.wanted(0.0)) == 1
    stage.channels[0].send(b"1")
    stage.turn()
    assert stage.part.wanted(0.0) == {}
    assert stage.said.getvalue() == ""
    stage.add().close()
    assert len(stage.channels) == 2
    stage.channels[1].send(b"1")
    stage.add().close()  # it is looked at before the next one is given
    assert len(stage.channels) == 3


def test_a_process_that_dies_is_told_and_started_again(stage: Stage) -> None:
    """For the next reader; where it keeps dying, later and later."""
    for count in range(BURST + 1):
        stage.add().close()
        stage.channels[count].close()
        stage.turn()
        assert stage.said.getvalue().count("has ended") == count + 1
    with pytest.raises(errors.StateError, match="keeps ending"):
        stage.add()
    stage.now += 60.0
    stage.add().close()
    assert len(stage.channels) == BURST + 2


def test_no_process_can_be_started(stage: Stage) -> None:
    """The reader is told why, and the next one tries again."""
    stage.refusal = OSError(11, "Resource temporarily unavailable")
    with pytest.raises(errors.StateError, match="temporarily unavailable"):
        stage.add()
    assert stage.part.wanted(0.0) == {}
    stage.refusal = None
    stage.add().close()


def test_a_process_that_takes_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it: who comes when there is no room is told so."""
    monkeypatch.setattr(module, "ROOM", 4096)

    def fill() -> None:
        for _ in range(1000):
            stage.add().close()

    with pytest.raises(errors.StateError, match="nobody serves subscriptions now"):
        fill()


def test_the_end_of_the_watcher_ends_the_processes(stage: Stage) -> None:
    """Their channels are closed, after what was on its way."""
    for words in ("all", "route"):
        stage.add(words).close()
    stage.part.close()
    for place in range(2):
        stage.taken(place)[1].close()
        assert stage.channels[place].recv(9) == b""
