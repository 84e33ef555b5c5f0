"""UDP without a connection: everybody is heard, and the peer may change.

For those above who know their peer by a key. A connected socket would hear one address alone.
"""

from __future__ import annotations

from _socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    socket,
)
from errno import ENOTCONN

from netalias import errors
from netalias.tunnels.udp import MAPPED, Udp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from netalias.tunnels.carriage import Datagrams, Source

    T = TypeVar("T")

MTU = (IPPROTO_IP, 14), (IPPROTO_IPV6, 24)
"""Levels and numbers of IP_MTU and IPV6_MTU (linux/in.h, linux/in6.h)."""


def kind(text: str) -> type[RoamingUdp]:
    """The class for a carriage with a key: ``udp:7777``. Raises UsageError for any other one."""
    word = text.partition(":")[0]
    if word != RoamingUdp.word:
        raise errors.UsageError(f"key: carriage {word} cannot have one", "carriage udp can")
    return RoamingUdp


def open_roaming(text: str, peer: str = "") -> RoamingUdp:
    """A new socket without a connection, which sends to *peer* first. Raises as Carriage.open()
    does."""
    made = kind(text).open(text.partition(":")[2])
    assert isinstance(made, RoamingUdp)
    if peer:
        made.connect((peer, made.port))
    return made


def adopt_roaming(text: str, fd: int, peer: str = "") -> RoamingUdp:
    """The same about a descriptor that is inherited. Raises UsageError, StateError."""
    made = kind(text).adopt(fd, text.partition(":")[2])
    assert isinstance(made, RoamingUdp)
    if peer:
        made.connect((peer, made.port))
    return made


class RoamingUdp(Udp):
    """A socket of UDP whose peer is the one that connect() named last; see Carriage."""

    sized = True

    def __init__(self, sock: socket, port: int) -> None:
        super().__init__(_Unconnected(sock), port)  # type: ignore[arg-type]

    def _hears(self, datagram: memoryview, source: Source) -> bool:
        """Anybody: the key tells."""
        if self.peer is None:
            self.connect(source)
        return True

    def receive_train(self) -> tuple[memoryview, int, int, Source] | None:
        """Datagrams that came together, and their sender; an address of IPv4 is one."""
        got = super().receive_train()
        if got is None:
            return None
        view, length, size, (address, port, *_) = got
        return view, length, size, (address.removeprefix(MAPPED), port)


class _Unconnected:
    """A socket that remembers the peer in place of connecting to it."""

    def __init__(self, sock: socket) -> None:
        self._socket = sock
        self._peer: Source | None = None
        self._dual = sock.family == AF_INET6
        self.fileno = sock.fileno
        self.setsockopt = sock.setsockopt
        self.recvmsg = sock.recvmsg
        self.recvmsg_into = sock.recvmsg_into
        self.close = sock.close

    def getpeername(self) -> Source:
        """Nobody: there is no connection."""
        raise OSError(ENOTCONN, "not connected")

    def connect(self, peer: Source) -> None:
        """Send to this address from now on; one of IPv4 is mapped where the socket needs that."""
        address = peer[0]
        if self._dual and ":" not in address:
            address = MAPPED + address
        self._peer = (address, peer[1])

    def send(self, data: Datagrams) -> int:
        """To the peer. Raises OSError."""
        if self._peer is None:
            raise OSError(ENOTCONN, "not connected")
        return self._socket.sendto(data, self._peer)

    def getsockname(self) -> tuple[str, int]:
        """The own address towards the peer; empty where there is no way to it."""
        try:
            return self._asked(lambda probe: (str(probe.getsockname()[0]), 0))
        except OSError:
            return "", 0

    def getsockopt(self, level: int, option: int) -> int:
        """An option; the MTU of the path, which only a connected socket tells, by another one.
        Raises OSError."""
        if (level, option) not in MTU:
            return self._socket.getsockopt(level, option)
        return self._asked(lambda probe: probe.getsockopt(level, option))

    def _asked(self, work: Callable[[socket], T]) -> T:
        """The answer of a socket that is connected to the peer. Raises OSError."""
        if self._peer is None:
            raise OSError(ENOTCONN, "not connected")
        address, port = self._peer[0].removeprefix(MAPPED), self._peer[1]
        family = AF_INET6 if ":" in address else AF_INET
        probe = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)
        try:
            probe.connect((address, port))
            return work(probe)
        finally:
            probe.close()
