"""The duties of a tunnel's end towards the packets that go through it (RFC 2003, RFC 2473).

- A packet of the tunnel's own ends is not carried: the tunnel would carry itself (RFC 2003, 4.2).
- A packet with a source that the peer has no right to is dropped, and one without a life left.
- A sender whose packet is too big for the path is told so by ICMP, and by the maximum segment size
  (MSS) of its connections before that; one whose packet cannot be carried at all is told too.

Whoever forwards a packet into the device has counted its hop already, so its TTL stays. DF and TOS
are those of the outer packet too: carriages see to it.
"""

from __future__ import annotations

from _socket import inet_pton
from _struct import Struct
from _struct import error as _StructError  # type: ignore[attr-defined]
from errno import ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENETUNREACH, ENOPROTOOPT
from time import monotonic

from netalias.errors import PacketError
from netalias.model import AF_INET, AF_INET6
from netalias.packets import ip
from netalias.tunnels import counters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Literal

    from netalias.packets.ip import Buffer
    from netalias.tunnels.carriage import Carriage, Source
    from netalias.tunnels.relay import Relay

    Network = tuple[bytes, int]
    """A packed address and a prefix length."""

UNREACHABLE = frozenset((ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENOPROTOOPT))
"""Errors of sending that the sender of a packet is told of; to it the far end is one host, whatever
the network says of it (RFC 2003, 4.1)."""
ERRORS_A_SECOND = 100
"""Errors of ICMP that are sent (RFC 4443, 2.4 f); as many may go at once."""

_SYN = 2
_TCP_HEADER = 20
_MSS, _NO_OPERATION, _END = 2, 1, 0
_U16 = Struct("!H")
_IPV4 = Struct("!B7xBB2x4s4s")
"""The first byte, TTL, protocol, both addresses."""
_IPV6 = Struct("!6xBB16s16s")
"""Protocol, hop limit, both addresses."""
_ADDRESSES = slice(12, 20)
"""The place of both addresses in a header of IPv4."""


class Duties:
    """The filters of one relay, and the answers to packets that it cannot carry.

    ``mtu`` is that of the device. ``sources`` are the networks whose addresses the peer may send
    from; without any it may send from all. ``answer`` gives the device a packet.
    """

    def __init__(
        self,
        carriage: Carriage,
        values: memoryview,
        answer: Callable[[bytes], object],
        *,
        mtu: int,
        sources: Iterable[Network] = (),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._carriage = carriage
        self._values = values
        self._answer = answer
        self._mtu = mtu
        self._sources = _by_length(sources)
        self._clock = clock
        self._left = float(ERRORS_A_SECOND)
        self._asked = clock()
        self._known: Source | None = None
        self._local = self._peer = b""
        self._sent: Buffer | None = None
        self._received: Buffer | None = None
        """The addresses of the last superpackets of IPv4 that passed. What they carry is asked
        nothing more, so the next ones with the same pass too."""

    def attach(self, relay: Relay) -> None:
        """Serve a relay from now on."""
        relay.outgoing.append(self.outgoing)
        relay.incoming.append(self.incoming)
        self._carriage.refused = self.refused
        self._carriage.dropped = self.dropped

    # Filters --------------------------------------------------------------------------------------

    def outgoing(self, packet: memoryview, size: int, partial: bool) -> int:
        """The counter of a packet that is not to be carried, or 0."""
        if self._carriage.peer is not self._known:
            self._learn()
        if size and packet[_ADDRESSES] == self._sent and packet[0] >> 4 == 4:
            return 0
        try:
            start, _, protocol, source, destination = _head(packet)
            peer = self._peer
            if destination == peer or source == peer or source == self._local:
                return counters.LOOP
            if size:
                self._sent = bytes(packet[_ADDRESSES])
            elif protocol == ip.IPPROTO_TCP and packet[start + 13] & _SYN:
                self._clamp(packet, start, partial)
        except (_StructError, IndexError):
            return counters.MALFORMED
        return 0

    def incoming(self, packet: memoryview, size: int, partial: bool, source: Source) -> int:
        """The same of a packet that has come from the peer."""
        if self._carriage.peer is not self._known:
            self._learn()
        if size and packet[_ADDRESSES] == self._received and packet[0] >> 4 == 4 and packet[8]:
            return 0
        try:
            start, ttl, protocol, sender, _ = _head(packet)
            if not ttl:
                return counters.EXPIRED
            if sender == self._local or (self._sources and not self._may_send(sender)):
                return counters.SOURCE
            if size:
                self._received = bytes(packet[_ADDRESSES])
            elif protocol == ip.IPPROTO_TCP and packet[start + 13] & _SYN:
                self._clamp(packet, start, partial)
        except (_StructError, IndexError):
            return counters.MALFORMED
        return 0

    def _learn(self) -> None:
        """Note the outer addresses; where they are of the other family nothing equals them."""
        self._known = self._carriage.peer
        self._peer = _packed(self._known[0]) if self._known else b""
        self._local = _packed(self._carriage.local)
        self._sent = self._received = None

    def _may_send(self, sender: bytes) -> bool:
        number = int.from_bytes(sender, "big")
        return any(number >> host in some for host, some in self._sources.get(len(sender), ()))

    def _clamp(self, packet: memoryview, start: int, partial: bool) -> None:
        """Lower the MSS of a connection that begins, so that its packets fit into the path."""
        if len(packet) < start + _TCP_HEADER or _is_later(packet):
            return
        room = min(self._mtu, self._carriage.room() or self._mtu)
        if clamp(packet, start, room - start - _TCP_HEADER, partial):
            self._values[counters.CLAMPED] += 1

    # Answers --------------------------------------------------------------------------------------

    def dropped(self, counter: int) -> None:
        """A carriage has dropped a packet that came."""
        self._values[counter] += 1

    def refused(self, packet: Buffer, errno: int) -> None:
        """A packet could not be sent: tell its sender."""
        try:
            if errno == EMSGSIZE:
                told, counter = ip.too_big(packet, self._carriage.room()), counters.TOLD_TOO_BIG
            elif errno in UNREACHABLE:
                told, counter = ip.unreachable(packet), counters.TOLD_UNREACHABLE
            else:
                return
        except PacketError:
            return
        if self._may_tell():
            self._answer(told)
            self._values[counter] += 1

    def _may_tell(self) -> bool:
        now = self._clock()
        self._left = min(self._left + (now - self._asked) * ERRORS_A_SECOND, ERRORS_A_SECOND)
        self._asked = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _head(packet: memoryview) -> tuple[int, int, int, bytes, bytes]:
    """Length of the header, TTL, protocol, source and destination of a packet. Raises IndexError or
    the error of struct for one that has none."""
    if packet[0] >> 4 == 4:
        first, ttl, protocol, source, destination = _IPV4.unpack_from(packet)
        return (first & 15) * 4, ttl, protocol, source, destination
    if packet[0] >> 4 == 6:
        protocol, ttl, source, destination = _IPV6.unpack_from(packet)
        return ip.IPV6_HEADER, ttl, protocol, source, destination
    raise IndexError


def _by_length(sources: Iterable[Network]) -> dict[int, list[tuple[int, set[int]]]]:
    """By the size of an address: the numbers of host bits, and of networks with so many. A packet
    takes as many steps as there are lengths, of hundreds of networks too."""
    found: dict[int, dict[int, set[int]]] = {}
    for packed, length in sources:
        host = len(packed) * 8 - length
        some = found.setdefault(len(packed), {}).setdefault(host, set())
        some.add(int.from_bytes(packed, "big") >> host)
    return {size: [*some.items()] for size, some in found.items()}


def network(text: str) -> Network:
    """``192.0.2.0/24`` or one address. Raises OSError, ValueError."""
    address, _, length = text.partition("/")
    packed = _packed(address)
    return packed, int(length) if length else len(packed) * 8


def _packed(address: str) -> bytes:
    """A packed address, of IPv4 also where it is written as one of IPv6."""
    text = address.removeprefix("::ffff:").partition("%")[0]
    if not text:
        return b""
    return inet_pton(AF_INET6 if ":" in text else AF_INET, text)


def _is_later(packet: memoryview) -> bool:
    """Whether it is a later fragment of IPv4, which has no header of TCP."""
    return packet[0] >> 4 == 4 and bool((packet[6] & 0x1F) | packet[7])


def clamp(packet: memoryview, start: int, most: int, partial: bool) -> bool:
    """Lower the MSS option of a TCP header at *start*, in place; whether it was larger than *most*.

    A *partial* checksum is that of the pseudo header alone, which has no options in it.
    """
    at = _mss_at(packet, start)
    if not at or most < 1:
        return False
    (former,) = _U16.unpack_from(packet, at)
    if former <= most:
        return False
    _U16.pack_into(packet, at, most)
    if not partial:
        # An option may stand across two words: then its bytes count the other way round.
        order: Literal["little", "big"] = "little" if (at - start) & 1 else "big"
        old, new = (int.from_bytes(one.to_bytes(2, "big"), order) for one in (former, most))
        (checksum,) = _U16.unpack_from(packet, start + 16)
        _U16.pack_into(packet, start + 16, ip.amend(checksum, old, new))
    return True


def _mss_at(packet: memoryview, start: int) -> int:
    """The offset of the number in the MSS option (RFC 9293, 3.7.1), or 0."""
    at = start + _TCP_HEADER
    end = min(start + (packet[start + 12] >> 4) * 4, len(packet))
    while at + 4 <= end and packet[at] != _END:
        if packet[at] == _NO_OPERATION:
            at += 1
        elif packet[at] == _MSS:
            return at + 2
        else:
            at += max(packet[at + 1], 2)
    return 0
