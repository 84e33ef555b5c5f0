"""A socket that answers what is there at this very moment: one word, one text, and the end.

AF_UNIX, SOCK_STREAM, for everybody: what it tells is no secret, and nothing can be changed through
it. A client sends a word and a newline, or ends its side, reads the text, and meets the end of it.
What is no word is answered by a line ``error: ...``.

Nothing here waits. Clients can neither stop nor burden who runs it: their number, their words and
the texts that are held for them are bounded, who does not read is cut off, and a quarter of the
time at most is spent on making texts; who asks meanwhile shares the next one.
"""

from __future__ import annotations

import os
import stat
from _socket import AF_UNIX, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, socket
from errno import EADDRINUSE, ECONNABORTED, ECONNREFUSED
from select import POLLERR, POLLHUP, POLLIN, POLLOUT
from time import monotonic

from netalias import errors
from netalias.engine import texts as live

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CLIENTS = 64
"""At once; others wait in the queue of the socket."""
BACKLOG = 64
WORD_MAX = 64
"""Bytes of a request, its newline included."""
IDLE = 5.0
"""Seconds without a byte in either direction, after which a client is cut off."""
LONGEST = 60.0
"""Seconds after which it is cut off anyhow."""
REST = 3
"""So many times as long as a text has taken, no other one is made."""
HELD = 16 << 20
"""Bytes of texts that are being sent; where it is more, the next one is made later."""
PATH_MAX = 107
"""struct sockaddr_un has 108 bytes for the path and its end."""
MODE = 0o666
"""Connecting takes the right to write (unix(7))."""
PAUSE = 1.0
"""Seconds without accepting anybody, where there are no descriptors left."""


class Client:
    """A connection: ``request`` while it is sent, then ``word``, then ``text`` from ``sent`` on.

    ``seen`` is when the last byte went over it, ``since`` when it was accepted.
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
        """Whether it has asked, and its text is not made yet."""
        return self.word is not None and self.text is None

    @property
    def wanted(self) -> int:
        """The events to poll for; that it has hung up is always told."""
        if self.text is not None:
            return POLLOUT
        return POLLIN if self.word is None else 0

    @property
    def deadline(self) -> float:
        """When it is cut off; while a text is not made yet that is no fault of its own."""
        last = self.since + LONGEST
        return last if self.waits else min(self.seen + IDLE, last)


class Server:
    """A server at *path*; *render* gives the text for one of *words*, *clock* counts seconds.

    For a poll loop: wanted() says which descriptors, ready() is told of each that is, due() says
    when tick() is to be called at the latest. Who makes one has the claim of the texts
    (live.Texts), or knows by other means to be the only one. *render* may raise NetaliasError.
    Raises StateError where the socket cannot be made, and where somebody serves it already.
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
        """Drop all clients and take the socket away, if it is still this one."""
        for client in list(self._clients.values()):
            self._drop(client)
        try:
            if os.path.samestat(os.lstat(self._path), self._file):
                os.unlink(self._path)
        except FileNotFoundError:
            pass  # somebody has taken it away: that is what is wanted
        self._server.close()

    def wanted(self, now: float) -> dict[int, int]:
        """Descriptor: the events of poll(2) to wait for; 0 for none but those that always come."""
        found = {fileno: client.wanted for fileno, client in self._clients.items()}
        if len(found) < CLIENTS and now >= self._accepting:
            found[self._server.fileno()] = POLLIN
        return found

    def due(self, now: float) -> float | None:
        """Seconds until tick() is to be called; None while nobody is connected."""
        times = [client.deadline for client in self._clients.values()]
        if any(client.waits for client in self._clients.values()) and not self._full():
            times.append(self._rested)
        if now < self._accepting:
            times.append(self._accepting)
        return max(0.0, min(times) - now) if times else None

    def ready(self, fileno: int, events: int, now: float) -> None:
        """What poll(2) told of one of these descriptors; of others nothing is done."""
        if fileno == self._server.fileno():
            self._accept(now)
        elif fileno in self._clients:
            client = self._clients[fileno]
            try:
                self._serve(client, events, now)
            except OSError:
                self._drop(client)  # it has gone, and that is all there is to say

    def tick(self, now: float) -> None:
        """Make the texts that are asked for, and cut off who is late."""
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
                    self._accepting = now + PAUSE  # EMFILE: it would be told again at once
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
        """The text that is asked for longest, once for all who ask for it."""
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
        """The end of the text. What is left unread would be ECONNRESET for who reads it."""
        try:
            client.connection.recv(1 << 16)
        except BlockingIOError:
            pass
        self._drop(client)

    def _drop(self, client: Client) -> None:
        self._clients.pop(client.connection.fileno(), None)
        client.connection.close()


def _bound(path: str) -> socket:
    size = len(os.fsencode(path))
    if size > PATH_MAX:
        raise errors.LimitError(f"{path}: a socket's path has {PATH_MAX} bytes at most, not {size}")
    server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
    try:
        live.made(os.path.dirname(path)).close()
        try:
            server.bind(path)
        except OSError as error:
            if error.errno != EADDRINUSE or _served(path):
                raise
            os.unlink(path)  # left behind by one that was killed
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
    """Whether somebody listens there, or it is no socket at all."""
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
