"""The server of texts, and the clients that it meets."""

from __future__ import annotations

import os
import resource
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import until

from netalias import errors
from netalias.system import server as server_module
from netalias.system.server import HELD, IDLE, LONGEST, PAUSE, WORD_MAX, Server
from netalias.system.slots import EACH

WORDS = ("aliases", "json")


class Clock:
    """Time stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1024.0

    def __call__(self) -> float:
        return self.now


class Client:
    """A connection that takes what there is."""

    def __init__(self, path: str, request: bytes = b"") -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.setblocking(False)
        self.data = b""
        self.ended = False
        self.say(request)

    def say(self, request: bytes) -> None:
        self.socket.sendall(request)

    def over(self) -> bool:
        """Read without waiting; whether that was the end."""
        try:
            while not self.ended:
                data = self.socket.recv(1 << 16)
                self.data += data
                self.ended = not data
        except BlockingIOError:
            pass
        return self.ended


class Served:
    """A small poll loop around Server, moved on by the tests."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self.path = str(path)
        self.rendered: list[str] = []
        self.text = b"text of %s\n"
        self.cost = self.worked = self.step = 0.0
        self.answers = Server(self.path, WORDS, self.render, self.clock, self.work)
        self.clients: list[Client] = []

    def work(self) -> float:
        """The time of work, which passes only where a test says so."""
        self.worked += self.step
        return self.worked

    def render(self, word: str) -> bytes:
        self.rendered.append(word)
        self.clock.now += self.cost
        return bytes(bytearray(self.text.replace(b"%s", word.encode())))  # a new object each time

    def client(self, request: bytes = b"") -> Client:
        made = Client(self.path, request)
        self.clients.append(made)
        return made

    def turn(self) -> int:
        """One turn of a loop; the number of descriptors and timers that were served."""
        waiting = select.poll()
        for fileno, events in self.answers.wanted(self.clock()).items():
            waiting.register(fileno, events)
        ready = waiting.poll(0)
        for fileno, events in ready:
            self.answers.ready(fileno, events, self.clock())
        late = self.answers.due(self.clock()) == 0.0
        if late:
            self.answers.tick(self.clock())
        return len(ready) + late

    def settle(self) -> None:
        """Until nothing is ready any more, and nothing due."""
        for _ in range(10_000):
            if not self.turn():
                return
        raise AssertionError("it never comes to rest")

    def serve(self, done: Callable[[], Any]) -> None:
        """Until it is so."""
        until(lambda: (self.turn(), done())[1])

    def answer(self, request: bytes) -> bytes:
        """The bytes that one client gets."""
        client = self.client(request)
        self.serve(client.over)
        return client.data

    @property
    def connected(self) -> int:
        return len(self.answers._clients)

    def close(self) -> None:
        for client in self.clients:
            client.socket.close()
        self.answers.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """With nobody connected."""
    made = Served(tmp_path / "net.sock")
    yield made
    made.close()


@pytest.mark.parametrize("request_", [b"aliases\n", b"aliases\r\n", b"  aliases \nmore"])
def test_a_word_is_answered(server: Served, request_: bytes):
    """One text, and the end of it: bytes behind the word are no error for the reader."""
    assert server.answer(request_) == b"text of aliases\n"
    assert server.connected == 0


def test_the_end_of_a_side_ends_a_word(server: Served):
    """As ``printf aliases | socat - UNIX:net.sock`` does it."""
    client = server.client(b"json")
    server.settle()
    assert not client.over()
    client.socket.shutdown(socket.SHUT_WR)
    server.serve(client.over)
    assert client.data == b"text of json\n"


def test_a_word_in_pieces(server: Served):
    """Byte by byte."""
    client = server.client()
    for byte in b"aliases\n":
        assert server.rendered == []
        client.say(bytes([byte]))
        server.settle()
    server.serve(client.over)
    assert client.data == b"text of aliases\n"


@pytest.mark.parametrize(
    "request_",
    [b"\n", b"alias\n", b"ALIASES\n", b"\xff\x00\x80\n", b"a" * WORD_MAX * 2, b"a" * 100_000],
)
def test_what_is_no_word(server: Served, request_: bytes):
    """One line of error that says what there is; nothing is made for it."""
    client = server.client()
    client.socket.setblocking(True)
    client.say(request_[:4096])
    client.socket.setblocking(False)
    server.serve(client.over)
    assert client.data.startswith(b"error: '")
    assert client.data.endswith(b"is none of aliases, json\n")
    assert client.data.count(b"\n") == 1
    assert len(client.data) < 500
    assert server.rendered == []


def test_an_error_of_ours_is_a_line(server: Served, monkeypatch: pytest.MonkeyPatch):
    """The kernel could not be read: that is no text, and no end of the server."""

    def broken(word: str) -> bytes:
        raise errors.StateError("it cannot be read")

    monkeypatch.setattr(server.answers, "_render", broken)
    assert server.answer(b"json\n") == b"error: it cannot be read\n"
    monkeypatch.undo()
    assert server.answer(b"json\n") == b"text of json\n"


def test_everybody_may_connect(server: Served):
    """Whatever the umask of the server, which stays; and it removes no socket but its own."""
    server.answers.close()
    before = os.umask(0o077)
    try:
        server.answers = Server(server.path, WORDS, server.render)
    finally:
        assert os.umask(before) == 0o077
    assert os.stat(server.path).st_mode & 0o777 == 0o666
    server.answers.close()
    assert not os.path.exists(server.path)


def test_nobody_connected_nothing_due(server: Served):
    """Idle costs nothing: one descriptor is polled, and there is no timer."""
    assert server.answers.due(server.clock()) is None
    assert len(server.answers.wanted(server.clock())) == 1
    server.answer(b"aliases\n")
    assert server.answers.due(server.clock()) is None


# Hostile clients


def test_a_server_that_was_held_up(server: Served) -> None:
    """It was stopped, or others had the processor, for longer than a client may be idle: whoever
    has asked meanwhile, or has taken what was sent, is answered; whoever has not is dropped."""
    server.text = b"x" * (1 << 20)
    asked, silent, slow = server.client(), server.client(), server.client(b"json\n")
    server.settle()
    assert not slow.over()
    asked.say(b"aliases\n")
    server.clock.now += IDLE + 1
    server.answers.tick(server.clock())
    server.serve(asked.over)
    server.serve(slow.over)
    assert len(asked.data) == len(slow.data) == 1 << 20
    server.serve(silent.over)
    assert silent.data == b""


def test_who_never_reads_is_cut_off(server: Served):
    """Others are served meanwhile; IDLE seconds after the last byte it is over."""
    server.text = b"x" * (1 << 20)
    lazy = server.client(b"aliases\n")
    server.settle()
    assert server.connected == 1
    assert len(server.answer(b"json\n")) == 1 << 20
    server.clock.now += IDLE - 0.1
    server.turn()
    assert server.connected == 1
    assert server.answers.due(server.clock()) == pytest.approx(0.1)
    server.clock.now += 0.1
    server.turn()
    assert server.connected == 0
    assert lazy.over()
    assert len(lazy.data) < 1 << 20


def test_who_reads_slowly_is_waited_for(server: Served):
    """As long as bytes move, for LONGEST seconds."""
    server.text = b"x" * (1 << 20)
    slow = server.client(b"aliases\n")
    server.settle()
    for _ in range(4):
        server.clock.now += IDLE - 1
        got = 0
        while got < 100_000:
            got += len(slow.socket.recv(65536))
            server.settle()
        assert server.connected == 1
    server.clock.now += LONGEST
    server.turn()
    assert server.connected == 0


def test_half_a_word(server: Served):
    """It never comes to an end: neither does the patience with it last."""
    server.client(b"alia")
    server.settle()
    server.clock.now += IDLE
    server.turn()
    assert server.connected == 0


@pytest.mark.parametrize("request_", [b"", b"alia", b"aliases\n"])
def test_who_hangs_up(server: Served, request_: bytes):
    """Before, within or after its word, without reading: no signal, no error, no descriptor."""
    server.text = b"x" * (1 << 20)
    for _ in range(10):
        client = server.client(request_)
        client.socket.close()
        server.settle()
    early = server.client(request_)
    server.settle()
    early.socket.close()
    server.settle()
    assert server.connected == 0


def test_who_hangs_up_while_its_text_is_waited_for(server: Served):
    """It is not polled without end."""
    server.cost = 0.5
    server.answer(b"json\n")
    client = server.client(b"aliases\n")
    server.settle()
    assert server.connected == 1
    client.socket.close()
    server.settle()
    assert server.connected == 0


def test_a_hundred_at_once(server: Served):
    """A user has EACH connections; of those that ask for nothing the longest idle goes."""
    silent = []
    for _ in range(EACH):
        silent.append(server.client())
        server.settle()
        server.clock.now += 0.01
    assert server.connected == EACH
    late = [server.client(b"aliases\n") for _ in range(36)]
    server.serve(lambda: all(client.over() for client in late))
    assert {client.data for client in late} == {b"text of aliases\n"}
    assert [client.over() for client in silent] == [True] * 36 + [False] * (EACH - 36)
    for client in silent[36:]:
        client.say(b"aliases\n")
    server.serve(lambda: all(client.over() for client in silent))
    assert [client.data for client in silent] == [b""] * 36 + [b"text of aliases\n"] * (EACH - 36)
    assert server.connected == 0


def test_a_thousand_that_say_nothing(server: Served):
    """Each gets its time, and goes; then others are served."""
    for _ in range(1000):
        server.client().socket.close()
        server.settle()
    assert server.connected == 0
    assert server.answer(b"aliases\n") == b"text of aliases\n"


def test_texts_take_a_quarter_of_the_time(server: Served):
    """Requests during the pause share the next text, which is made after all of them."""
    server.cost = 0.125
    server.answer(b"json\n")
    asking = [server.client(b"json\n") for _ in range(5)] + [server.client(b"aliases\n")]
    server.settle()
    assert server.rendered == ["json"]
    assert server.answers.due(server.clock()) == 0.375
    server.clock.now += 0.375
    server.settle()
    assert server.rendered == ["json", "json"]
    assert [client.over() for client in asking] == [True] * 5 + [False]
    server.clock.now += 0.375
    server.settle()
    assert server.rendered == ["json", "json", "aliases"]
    assert asking[5].over()


def test_texts_that_nobody_reads_are_bounded(server: Served):
    """While HELD bytes are not read, no other text is made; one that many wait for counts once."""
    server.text = b"x" * (HELD // 2 + 1)
    for _ in range(2):
        server.client(b"json\n")
        server.settle()
    assert len(server.rendered) == 2
    asking = server.client(b"aliases\n")
    server.settle()
    assert len(server.rendered) == 2
    server.clock.now += IDLE
    server.serve(asking.over)
    assert len(asking.data) == len(server.text)


def test_no_descriptors_left(server: Served):
    """Nothing is accepted for a moment, instead of the same event without end."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    client = server.client(b"aliases\n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        server.answers.ready(server.answers._server.fileno(), select.POLLIN, server.clock())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert server.answers.wanted(server.clock()) == {}
    assert server.answers.due(server.clock()) == PAUSE
    server.clock.now += PAUSE
    server.serve(client.over)
    assert client.data == b"text of aliases\n"


# The place


def test_what_a_killed_server_left_behind(tmp_path: Path):
    """A socket that nobody listens on is replaced."""
    path = str(tmp_path / "net.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    Server(path, WORDS, lambda word: b"").close()
    assert not os.path.exists(path)


def test_a_server_that_lives(server: Served):
    """It is left alone, and so is its file when another one gives up."""
    with pytest.raises(errors.StateError, match="Address already in use"):
        Served(Path(server.path))
    assert server.answer(b"aliases\n") == b"text of aliases\n"


def test_a_file_of_another_kind(tmp_path: Path):
    """It is nobody's socket, and stays."""
    path = tmp_path / "net.sock"
    path.write_text("notes")
    with pytest.raises(errors.StateError, match="Address already in use"):
        Server(str(path), WORDS, lambda word: b"")
    assert path.read_text() == "notes"


def test_a_socket_that_took_its_place(server: Served):
    """The end of one server does not take away the socket of the next."""
    os.unlink(server.path)
    other = Server(server.path, WORDS, lambda word: b"")
    server.answers.close()
    assert os.path.exists(server.path)
    other.close()


def test_a_path_that_is_too_long(tmp_path: Path):
    """A name is never cut."""
    with pytest.raises(errors.LimitError, match=f"{server_module.PATH_MAX} bytes at most"):
        Server(str(tmp_path / ("x" * 110)), WORDS, lambda word: b"")
