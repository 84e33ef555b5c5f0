"""A server of texts on a socket: one word, one text, end of file.

AF_UNIX, SOCK_STREAM, for everybody: the texts are no secret, and nothing can be changed through it.
A client sends a word and a newline, or shuts down its side, and reads the text up to end of file.
The answer to an unknown word is a line ``error: ...``.

Nothing here waits. Clients can neither stop nor burden the process: their number, their words and
the texts held for them are bounded, a client that does not read is dropped, and a quarter of the
time at most goes into making texts; requests that come meanwhile share the next one.
"""

from __future__ import annotations

import os
import stat
from _socket import AF_UNIX, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, socket
from errno import EADDRINUSE, ECONNABORTED, ECONNREFUSED
from select import POLLERR, POLLHUP, POLLIN, POLLOUT
from time import monotonic

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CLIENTS = 64
"""Connections at once; others wait in the queue of the socket."""
BACKLOG = 64
"""Connections in that queue (listen(2))."""
WORD_MAX = 64
"""Bytes of a request, its newline included."""
IDLE = 5.0
"""Seconds without a byte in either direction, after which a client is dropped."""
LONGEST = 60.0
"""Seconds of a connection at most."""
REST = 3
"""The pause after making a text, in multiples of the time that it took."""
HELD = 16 << 20
"""Bytes of texts that are being sent; above it, no further text is made."""
PATH_MAX = 107
"""Bytes of a path in struct sockaddr_un, without its terminating null byte."""
MODE = 0o666
"""connect(2) takes the right to write (unix(7))."""
PAUSE = 1.0
"""Seconds without accepting connections, when no descriptor is left."""


class Client:
    """A connection: ``request`` while it is received, then ``word``, then ``text``.

    ``sent`` bytes of the text are sent. ``since`` is the time of accept(2), ``seen`` that of the
    last byte in either direction.
    """

    __slots__ = ("connection", "request", "seen", "sent", "since", "text", "word")

    def __init__(self, connection: socket, now: float) -> None:
        self.connection = connection
        self.since = self.seen = now
        self.request = b""
        self.word: str | None = None
        self.text: bytes | None = None
        self.sent = 0

    @property
    def waits(self) -> bool:
        """Whether it has sent its word, and its text is not made yet."""
        return self.word is not None and self.text is None

    @property
    def wanted(self) -> int:
        """The events for poll(2), which reports POLLHUP always."""
        if self.text is not None:
            return POLLOUT
        return POLLIN if self.word is None else 0

    @property
    def deadline(self) -> float:
        """The time at which it is dropped; waiting for its text does not count as idle."""
        last = self.since + LONGEST
        return last if self.waits else min(self.seen + IDLE, last)


class Server:
    """A server at *path*, in a folder that exists; a Pollable (system/loop.py).

    *render* gives the text for one of *words* and may raise NetaliasError; *clock* counts seconds.
    The caller makes sure that it is the only one to make a server there. Raises LimitError for a
    path that is too long, StateError when the socket cannot be made or has a server already.
    """

    def __init__(
        self,
        path: str,
        words: Sequence[str],
        render: Callable[[str], bytes],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._path = path
        self._words = words
        self._render = render
        self._clock = clock
        self._clients: dict[int, Client] = {}
        self._rested = self._accepting = float("-inf")
        self._server = _bound(path)
        self._file = os.lstat(path)

    def close(self) -> None:
        """Drop all clients, and unlink the socket unless another one has taken its place."""
        for client in list(self._clients.values()):
            self._drop(client)
        try:
            if os.path.samestat(os.lstat(self._path), self._file):
                os.unlink(self._path)
        except FileNotFoundError:
            pass  # somebody else has unlinked it
        self._server.close()

    def wanted(self, now: float) -> dict[int, int]:
        """Descriptor: events of poll(2)."""
        found = {fileno: client.wanted for fileno, client in self._clients.items()}
        if len(found) < CLIENTS and now >= self._accepting:
            found[self._server.fileno()] = POLLIN
        return found

    def due(self, now: float) -> float | None:
        """Seconds until tick(); None without a connection."""
        times = [client.deadline for client in self._clients.values()]
        if any(client.waits for client in self._clients.values()) and not self._full():
            times.append(self._rested)
        if now < self._accepting:
            times.append(self._accepting)
        return max(0.0, min(times) - now) if times else None

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Serve a descriptor that has *events*."""
        if fileno == self._server.fileno():
            self._accept(now)
        elif fileno in self._clients:
            client = self._clients[fileno]
            try:
                self._serve(client, events, now)
            except OSError:
                self._drop(client)  # the client has gone: nobody is left to tell

    def tick(self, now: float) -> None:
        """Drop the clients whose time is over, and make the next text."""
        for client in list(self._clients.values()):
            if now >= client.deadline:
                self._drop(client)
        self._make(now)

    def _accept(self, now: float) -> None:
        while len(self._clients) < CLIENTS:
            try:
                fileno, _ = self._server._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != ECONNABORTED:
                    self._accepting = now + PAUSE  # EMFILE: poll(2) would report it at once
                    return
                continue
            connection = socket(AF_UNIX, SOCK_STREAM, 0, fileno)
            connection.setblocking(False)
            self._clients[fileno] = Client(connection, now)

    def _serve(self, client: Client, events: int, now: float) -> None:
        if client.text is not None:
            if events & (POLLOUT | POLLHUP | POLLERR):
                self._send(client, now)
        elif client.word is None:
            self._receive(client, now)
            self._make(now)
        elif events & (POLLHUP | POLLERR):
            self._drop(client)

    def _receive(self, client: Client, now: float) -> None:
        try:
            data = client.connection.recv(WORD_MAX + 1 - len(client.request))
        except BlockingIOError:
            return
        client.seen = now
        client.request += data
        word, newline, _ = client.request.partition(b"\n")
        if newline or not data or len(client.request) > WORD_MAX:
            client.word = word.decode("utf-8", "backslashreplace").strip()
            if client.word not in self._words:
                self._answer(client, self._unknown(client.word))

    def _unknown(self, word: str) -> bytes:
        choice = ", ".join(self._words)
        return _failure(f"{word[:WORD_MAX]!r} is none of {choice}")

    def _make(self, now: float) -> None:
        """Make the text that was requested first, once for all clients that wait for it."""
        asking = [client for client in self._clients.values() if client.waits]
        if not asking or now < self._rested or self._full():
            return
        word = asking[0].word
        begin = self._clock()
        try:
            text = self._render(str(word))
        except errors.NetaliasError as error:
            text = _failure(error.line())
        end = self._clock()
        self._rested = end + REST * (end - begin)
        for client in asking:
            if client.word == word:
                client.seen = now
                self._answer(client, text)

    def _full(self) -> bool:
        texts = {id(one.text): len(one.text) for one in self._clients.values() if one.text}
        return sum(texts.values()) > HELD

    def _answer(self, client: Client, text: bytes) -> None:
        client.text = text
        try:
            self._send(client, client.seen)
        except OSError:
            self._drop(client)

    def _send(self, client: Client, now: float) -> None:
        assert client.text is not None
        rest = memoryview(client.text)[client.sent :]
        try:
            count = client.connection.send(rest, MSG_NOSIGNAL)
        except BlockingIOError:
            return
        client.seen = now
        client.sent += count
        if client.sent == len(client.text):
            self._finish(client)

    def _finish(self, client: Client) -> None:
        """End the connection. Unread bytes of the client would give it ECONNRESET."""
        try:
            client.connection.recv(1 << 16)
        except BlockingIOError:
            pass
        self._drop(client)

    def _drop(self, client: Client) -> None:
        self._clients.pop(client.connection.fileno(), None)
        client.connection.close()


def _bound(path: str) -> socket:
    """A listening socket at *path*; one without a listener is replaced."""
    size = len(os.fsencode(path))
    if size > PATH_MAX:
        raise errors.LimitError(f"{path}: a socket's path has {PATH_MAX} bytes at most, not {size}")
    server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
    try:
        try:
            server.bind(path)
        except OSError as error:
            if error.errno != EADDRINUSE or _served(path):
                raise
            os.unlink(path)  # left by a server that was killed
            server.bind(path)
        os.chmod(path, MODE)  # whatever the umask
        server.listen(BACKLOG)
    except OSError as error:
        server.close()
        raise errors.StateError(f"{path}: {error.strerror}") from None
    except BaseException:
        server.close()
        raise
    return server


def _served(path: str) -> bool:
    """Whether *path* has a listener, or is no socket at all."""
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        return True
    client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
    try:
        client.connect(path)
    except OSError as error:
        return error.errno != ECONNREFUSED
    finally:
        client.close()
    return True


def _failure(text: str) -> bytes:
    return f"error: {text}\n".encode("utf-8", "backslashreplace")
