"""A link between two processes that exchange lines, over a pair of sockets. Nothing waits."""

from __future__ import annotations

from select import POLLIN, POLLOUT
from socket import AF_UNIX, MSG_NOSIGNAL, SOCK_STREAM, socket, socketpair

from netalias.errors import PacketError

CHUNK = 1 << 16
LINE_MAX = 1 << 20
"""Bytes of a line."""
HELD = 16 << 20
"""Bytes that wait to be written at most: the other end has stopped long ago."""


class Link:
    """One end; *connection* is a connected socket."""

    def __init__(self, connection: socket) -> None:
        self._connection = connection
        self._connection.setblocking(False)
        self._inbox = b""
        self._outbox = b""

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._connection.fileno()

    @property
    def events(self) -> int:
        """The events to wait for in poll(2)."""
        return POLLIN | (POLLOUT if self._outbox else 0)

    def put(self, line: str) -> None:
        """Have a line written when there is room. Raises PacketError for more than HELD."""
        self._outbox += f"{line}\n".encode("utf-8", "surrogateescape")
        if len(self._outbox) > HELD:
            raise PacketError("the other end does not read")

    def write(self) -> None:
        """Write what the link takes now. Raises OSError."""
        try:
            count = self._connection.send(self._outbox, MSG_NOSIGNAL)
        except BlockingIOError:
            return
        self._outbox = self._outbox[count:]

    def read(self) -> list[str]:
        """The lines that have come. Raises ConnectionResetError when the other end is closed,
        OSError, PacketError for a line without an end."""
        try:
            found = self._connection.recv(CHUNK)
        except BlockingIOError:
            return []
        if not found:
            raise ConnectionResetError
        *lines, self._inbox = (self._inbox + found).split(b"\n")
        if len(self._inbox) > LINE_MAX:
            raise PacketError("a line without an end")
        return [line.decode("utf-8", "surrogateescape") for line in lines]

    def close(self) -> None:
        """Close this end."""
        self._connection.close()


def pair() -> tuple[Link, socket]:
    """One end, and the socket of the other one, for another process."""
    ours, theirs = socketpair(AF_UNIX, SOCK_STREAM)
    return Link(ours), theirs


def inherited(fileno: int) -> Link:
    """The end that another process has left in this descriptor."""
    return Link(socket(fileno=fileno))
