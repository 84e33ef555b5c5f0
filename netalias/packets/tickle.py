"""Tickles: segments of TCP that let the peers of an address that has moved notice it.

A peer that only waits for data would not learn for hours that its connection is gone with the host
that had it. A segment that is out of its window makes it answer with its own numbers (RFC 9293,
3.10.7.4), and the host that has the address now, which knows no such connection, resets it. The
segment is an empty ACK with the numbers 0, as those of CTDB. It does no harm where the connection
is still there.
"""

from __future__ import annotations

from _socket import MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_RAW, inet_ntop, socket
from _struct import Struct
from errno import EAGAIN, EINTR, ENOBUFS

from netalias.model import AF_INET
from netalias.packets import ip, refused
from netalias.packets.ip import IPPROTO_TCP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.model.connections import Connection

IPPROTO_RAW = 255
"""A raw socket of it sends packets with their own headers (raw(7), ipv6(7))."""
ACK = 0x10
SEGMENT = Struct("!HHIIBBHHH")
"""The header of TCP without options (RFC 9293, 3.1)."""
WORDS = 5
WINDOW = 1024
BUSY = (EAGAIN, EINTR, ENOBUFS)


def tickle(connection: Connection) -> bytes:
    """The packet that a peer gets as if from its connection."""
    own, peer = connection.address, connection.peer
    fields = connection.port, connection.peer_port, 0, 0, WORDS << 4, ACK, WINDOW
    segment = SEGMENT.pack(*fields, 0, 0)
    total = ip.checksum(segment, ip.pseudo_sum(own, peer, IPPROTO_TCP, SEGMENT.size))
    segment = SEGMENT.pack(*fields, total, 0)
    packet = ip.ipv4 if connection.family == AF_INET else ip.ipv6
    return packet(own, peer, IPPROTO_TCP, segment)


class Tickler:
    """A raw socket for each family, made when it is needed."""

    def __init__(self) -> None:
        self._sockets: dict[int, socket] = {}

    def send(self, connections: Sequence[Connection]) -> int:
        """Send tickles, from the first one on, as many as the queues take now; their number. One
        that cannot go, for want of a route, counts too. Raises NotPermitted, KernelError."""
        for sent, one in enumerate(connections):
            to = inet_ntop(one.family, one.peer), 0
            made = self._socket(one.family)
            try:
                made.sendto(tickle(one), MSG_DONTWAIT, to)
            except OSError as error:
                if error.errno in BUSY:
                    return sent
        return len(connections)

    def _socket(self, family: int) -> socket:
        if family not in self._sockets:
            try:
                self._sockets[family] = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW)
            except OSError as error:
                raise refused("a raw socket", error) from None
        return self._sockets[family]

    def close(self) -> None:
        """Close the sockets."""
        for one in self._sockets.values():
            one.close()
        self._sockets.clear()
