"""A server of texts on a socket: one word, one text, end of file.

AF_UNIX, SOCK_STREAM, for everybody: the texts are no secret, and nothing can be changed through it.
A client sends a word and a newline, or shuts down its side, and reads the text up to end of file.
The answer to an unknown word is a line ``error: ...``. A connection whose request is about a stream
goes to whoever serves that (feed.py).

Nothing here waits. Clients can neither stop nor burden the process, nor keep each other out: each
user has a number of connections, of which the longest idle goes when another one comes, and a share
of the time (slots.py). Words and texts are bounded, a client that does not read is dropped, and a
quarter of the time at most goes into making texts; requests that come meanwhile share the next one.
"""

from __future__ import annotations

import os
import stat
from _socket import (
    AF_UNIX,
    MSG_NOSIGNAL,
    SO_PEERCRED,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)
from errno import EADDRINUSE, ECONNABORTED, ECONNREFUSED
from select import POLLERR, POLLHUP, POLLIN, POLLOUT, poll
from sys import byteorder
from time import monotonic, process_time

from netalias import errors
from netalias.system.slots import Accounts, crowding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Serve = Callable[[Sequence[str], socket, int], object]
    """Serves a stream: the words of the request, the connection, and its user. Raises
    NetaliasError; the connection stays with the server then."""

BACKLOG = 256
"""Connections that are not accepted yet (listen(2)); who comes then waits in connect(2)."""
BURST = 64
"""Connections that are accepted at once; other things are done in between."""
SLOW = 9
"""The pause after accepting, in multiples of the time that it took."""
UCRED = 12
"""Bytes of struct ucred: pid, uid and gid (linux/socket.h)."""
WORD_MAX = 512
"""Bytes of a request, its newline included."""
SHOWN = 64
"""Characters of an unknown one that are repeated."""
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
BUSY = "this user has asked too often: later again"
UMASK = 0o111
"""While a socket is made: connect(2) takes the right to write (unix(7)), for everybody. A chmod(2)
afterwards would follow a link that somebody has put in its place."""
PAUSE = 1.0
"""Seconds without accepting connections, when no descriptor is left."""


class Client:
    """A connection of the user *uid*: ``request`` while it is received, then ``word``, then
    ``text``.

    ``sent`` bytes of the text are sent. ``since`` is the time of accept(2), ``seen`` that of the
    last byte in either direction.
    """

    __slots__ = ("connection", "request", "seen", "sent", "since", "text", "uid", "word")

    def __init__(self, connection: socket, uid: int, now: float) -> None:
        self.connection = connection
        self.uid = uid
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

    def spared(self, now: float) -> bool:
        """Whether its time only seems to be over: its word waits, or there is room again for its
        text, and the server has not looked for so long. Then its time begins anew."""
        if now >= self.since + LONGEST:
            return False
        state = poll()
        state.register(self.connection, self.wanted)
        if any(events & self.wanted for _, events in state.poll(0)):
            self.seen = now
            return True
        return False

    @property
    def gone(self) -> bool:
        """Whether it has closed the connection, not only its own side of it."""
        state = poll()
        state.register(self.connection, 0)
        return bool(state.poll(0))


class Server:
    """A server at *path*, in a folder that exists; a Pollable (system/loop.py).

    *render* gives the text for one of *words* and may raise NetaliasError; *clock* counts seconds,
    *spent* those of work, which on a busy machine are fewer. *adopted* is the descriptor of the
    socket of another process there, which has handed it over, with those who wait to be accepted.
    *streams* has those who serve the requests that begin with other words. The caller makes sure
    that it is the only one to make a server there. Raises LimitError for a path that is too long,
    StateError when the socket cannot be made or has a server already.
    """

    def __init__(
        self,
        path: str,
        words: Sequence[str],
        render: Callable[[str], bytes],
        clock: Callable[[], float] = monotonic,
        spent: Callable[[], float] = process_time,
        adopted: int = -1,
        streams: Mapping[str, Serve] | None = None,
    ) -> None:
        self._path = path
        self._words = words
        self._streams = streams or {}
        self._render = render
        self._clock = clock
        self._spent = spent
        self._clients: dict[int, Client] = {}
        self.accounts = Accounts()
        """The time that is spent for each user."""
        self._served: dict[int, float] = {}
        self._rested = self._accepting = float("-inf")
        self._server = _bound(path) if adopted < 0 else _adopted(adopted)
        self._file = os.lstat(path)

    def fileno(self) -> int:
        """The descriptor of the listening socket."""
        return self._server.fileno()

    @property
    def idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._clients

    def pause(self, paused: bool = True) -> None:
        """Accept nobody, until that ends: who comes waits, for this process or another one."""
        self._accepting = float("inf") if paused else float("-inf")

    def close(self, *, leave: bool = False) -> None:
        """Drop all clients, and unlink the socket unless another one has taken its place; or
        *leave* it to a process that has it too."""
        for client in list(self._clients.values()):
            self._drop(client)
        try:
            if not leave and os.path.samestat(os.lstat(self._path), self._file):
                os.unlink(self._path)
        except FileNotFoundError:
            pass  # somebody else has unlinked it
        self._server.close()

    def wanted(self, now: float) -> dict[int, int]:
        """Descriptor: events of poll(2)."""
        found = {
            fileno: client.wanted
            for fileno, client in self._clients.items()
            if self.accounts.open(client.uid, now)
        }
        if now >= self._accepting:
            found[self._server.fileno()] = POLLIN
        return found

    def due(self, now: float) -> float | None:
        """Seconds until tick(); None without a connection."""
        clients, until = self._clients.values(), self.accounts.until
        times = [client.deadline for client in clients]
        times += [when for when in map(until, {client.uid for client in clients}) if when > now]
        waiting = [until(client.uid) for client in clients if client.waits]
        if waiting and not self._full():
            times.append(max(self._rested, min(waiting)))
        if now < self._accepting < float("inf"):
            times.append(self._accepting)
        return max(0.0, min(times) - now) if times else None

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Serve a descriptor that has *events*."""
        if fileno == self._server.fileno():
            self._accept(now)
        elif fileno in self._clients:
            client, begin = self._clients[fileno], self._spent()
            try:
                self._serve(client, events, now)
            except OSError:
                self._drop(client)  # the client has gone: nobody is left to tell
            self.accounts.charge(client.uid, self._spent() - begin, now)
            if client.waits:
                self._make(now)

    def tick(self, now: float) -> None:
        """Drop the clients whose time is over, and make the next text."""
        for client in list(self._clients.values()):
            if now >= client.deadline and not client.spared(now):
                self._drop(client)
        self._make(now)

    def _accept(self, now: float) -> None:
        """Accept some of those who have come. Nobody waits for a place."""
        start = begin = self._spent()
        for _ in range(BURST):
            try:
                fileno, _ = self._server._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != ECONNABORTED:
                    self._accepting = now + PAUSE  # EMFILE: poll(2) would report it at once
                    return
                continue
            uid = self._admit(socket(AF_UNIX, SOCK_STREAM, 0, fileno), now)
            end = self._spent()
            self.accounts.charge(uid, end - begin, now)
            begin = end
        self._accepting = now + (1 + SLOW) * (begin - start)

    def _admit(self, connection: socket, now: float) -> int:
        """Give a new connection the place of its user, or close it where the user is over its
        share of the time; the user."""
        uid = user(connection)
        if self.accounts.open(uid, now):
            self._make_room(uid, now)
            connection.setblocking(False)
            self._clients[connection.fileno()] = Client(connection, uid, now)
        else:
            refuse(connection, BUSY)
        return uid

    def _make_room(self, uid: int, now: float) -> None:
        """Drop the client that has to go before this user gets another connection. A request that
        has come already is read before: it may be one of a stream, which takes no place here."""
        crowded = crowding(self._clients.values(), uid)
        while crowded is not None and crowded.word is None:
            try:
                self._receive(crowded, now)
            except OSError:
                break
            before, crowded = crowded, crowding(self._clients.values(), uid)
            if crowded is before:
                break
        if crowded is not None:
            self._drop(crowded)

    def _serve(self, client: Client, events: int, now: float) -> None:
        if client.text is not None:
            if events & (POLLOUT | POLLHUP | POLLERR):
                self._send(client, now)
        elif client.word is None:
            self._receive(client, now)
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
            if client.word not in self._words and not self._passed(client, client.word.split()):
                self._answer(client, self._unknown(client.word))

    def _passed(self, client: Client, words: Sequence[str]) -> bool:
        """Whether a request is one of a stream; then it is answered."""
        serve = self._streams.get(words[0]) if words else None
        if serve is None:
            return False
        fileno = client.connection.fileno()
        try:
            serve(words[1:], client.connection, client.uid)
        except errors.NetaliasError as error:
            self._answer(client, _failure(error.line()))
        else:
            del self._clients[fileno]
        return True

    def _unknown(self, word: str) -> bytes:
        choice = ", ".join((*self._words, *self._streams))
        return _failure(f"{word[:SHOWN]!r} is none of {choice}")

    def _make(self, now: float) -> None:
        """Make the text that was requested first, once for all clients that wait for it.

        Of several users the one comes first whose last text is longest ago.
        """
        asking = [client for client in self._clients.values() if client.waits]
        if not asking or now < self._rested or self._full():
            return
        first = self._next(asking, now)
        if first is None:
            return
        begin = self._clock()
        try:
            text = self._render(str(first.word))
        except errors.NetaliasError as error:
            text = _failure(error.line())
        end = self._clock()
        self._rested = end + REST * (end - begin)
        self._served = {client.uid: self._served.get(client.uid, 0.0) for client in asking}
        self._served[first.uid] = end
        for client in asking:
            if client.word == first.word and client.connection.fileno() >= 0:
                client.seen = now
                self._answer(client, text)

    def _next(self, asking: list[Client], now: float) -> Client | None:
        """The client for which a text is made next. Those who have hung up are dropped."""
        due = [client for client in asking if self.accounts.open(client.uid, now)]
        for client in sorted(due, key=lambda client: self._served.get(client.uid, 0.0)):
            if not client.gone:
                return client
            self._drop(client)
        return None

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


def listens(descriptor: int, path: str) -> bool:
    """Whether a descriptor is that of the socket at *path*. Raises OSError."""
    copy = _adopted(os.dup(descriptor))
    try:
        return os.fsdecode(copy.getsockname()) == path and stat.S_ISSOCK(os.lstat(path).st_mode)
    finally:
        copy.close()


def _adopted(descriptor: int) -> socket:
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, descriptor)


def _bound(path: str) -> socket:
    """A listening socket at *path*; one without a listener is replaced."""
    size = len(os.fsencode(path))
    if size > PATH_MAX:
        raise errors.LimitError(f"{path}: a socket's path has {PATH_MAX} bytes at most, not {size}")
    server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
    try:
        before = os.umask(UMASK)
        try:
            _bind(server, path)
        finally:
            os.umask(before)
        server.listen(BACKLOG)
    except OSError as error:
        server.close()
        raise errors.StateError(f"{path}: {error.strerror}") from None
    except BaseException:
        server.close()
        raise
    return server


def _bind(server: socket, path: str) -> None:
    try:
        server.bind(path)
    except OSError as error:
        if error.errno != EADDRINUSE or _served(path):
            raise
        os.unlink(path)  # left by a server that was killed
        server.bind(path)


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


def refuse(connection: socket, text: str) -> None:
    """Close a connection with a line that says why."""
    connection.setblocking(False)
    try:
        connection.send(_failure(text), MSG_NOSIGNAL)
        connection.recv(1 << 16)  # unread, its word would give it ECONNRESET
    except OSError:
        pass  # it has gone already, or said nothing yet
    connection.close()


def user(connection: socket) -> int:
    """The user at the other end (SO_PEERCRED)."""
    return int.from_bytes(connection.getsockopt(SOL_SOCKET, SO_PEERCRED, UCRED)[4:8], byteorder)


def _failure(text: str) -> bytes:
    return f"error: {text}\n".encode("utf-8", "backslashreplace")
