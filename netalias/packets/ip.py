"""IPv4 and IPv6 packets: their heads, their checksums, and ICMP errors about them.

RFC 791 (IPv4), RFC 8200 (IPv6), RFC 792 and RFC 4443 (ICMP), RFC 1071 and RFC 1624 (checksums).
Packets are bytes-like and begin with the header of IP; addresses are packed, in network order.
What is malformed raises PacketError, so any bytes may be given.
"""

from __future__ import annotations

from _struct import Struct

from netalias.errors import PacketError
from netalias.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Buffer: TypeAlias = bytes | bytearray | memoryview


# Protocols (linux/in.h, linux/in6.h).
IPPROTO_ICMP = 1
IPPROTO_IPIP = 4
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_IPV6 = 41
IPPROTO_FRAGMENT = 44
IPPROTO_ICMPV6 = 58

IPV4_HEADER, IPV6_HEADER = 20, 40
"""The length of a header without options or extension headers."""
IPV6_MIN_MTU = 1280
"""Every link of IPv6 carries that many bytes without fragments (RFC 8200, 5)."""

_IPV4 = Struct("!BBHHHBBH4s4s")
_IPV6 = Struct("!IHBB16s16s")
_ICMP = Struct("!BBHI")
_ICMP_HEADER = 8
_DF, _MF, _OFFSET = 0x4000, 0x2000, 0x1FFF
_TTL = 64

_EXTENSIONS = {0: 8, 43: 8, 60: 8, 135: 8, 51: 4}
"""Extension header -> the unit of its length: hop-by-hop, routing, destination options, mobility;
the one of authentication counts four bytes (RFC 8200 4, RFC 6275 6.1, RFC 4302 2)."""

# ICMP errors, by the version of IP.
_QUOTED = {4: 576, 6: IPV6_MIN_MTU}
"""The longest error (RFC 1812 4.3.2.3, RFC 4443 2.4 c)."""
TOO_BIG = {4: (3, 4), 6: (2, 0)}
UNREACHABLE = {4: (3, 1), 6: (1, 3)}
"""Type and code."""
_ICMP_QUERIES = frozenset((0, 8, 9, 10, 13, 14, 15, 16, 17, 18))
"""Types of ICMP that are no errors (RFC 792, RFC 950, RFC 1256)."""
_NO_ERRORS = {IPPROTO_ICMP: _ICMP_QUERIES, IPPROTO_ICMPV6: range(128, 256)}
"""Protocol -> types of its messages that are no errors (RFC 4443, 2.1)."""
_INTERNETWORK_CONTROL = 0xC0
"""The TOS of ICMP errors of IPv4 (RFC 1812, 4.3.2.5)."""


class Head(Value):
    """The fields of the headers of IP.

    ``tos`` is the whole octet (DSCP and ECN), ``df`` whether routers may not fragment it (always,
    for IPv6), ``fragment`` whether it is a fragment, ``offset`` that of a fragment in bytes,
    ``protocol`` that of the payload behind extension headers, which begins at ``start``; the
    packet ends at ``end``.
    """

    __slots__ = (
        "destination", "df", "end", "fragment", "offset", "protocol", "source", "start", "tos",
        "ttl", "version",
    )  # fmt: skip

    version: int
    tos: int
    df: bool
    fragment: bool
    offset: int
    ttl: int
    protocol: int
    source: bytes
    destination: bytes
    start: int
    end: int


def parse(packet: Buffer, *, cut: bool = False) -> Head:
    """The Head of a packet, which may have trailing bytes; with *cut* it may also end anywhere
    behind its headers, as the head of a superpacket does. Raises PacketError."""
    if not len(packet):
        raise PacketError("an empty packet")
    version = packet[0] >> 4
    if version == 4:
        return _parse_ipv4(packet, cut)
    if version == 6:
        return _parse_ipv6(packet, cut)
    raise PacketError(f"neither IPv4 nor IPv6: version {version}")


def _parse_ipv4(packet: Buffer, cut: bool) -> Head:
    if len(packet) < IPV4_HEADER:
        raise PacketError(f"{len(packet)} bytes where a header of IPv4 has 20")
    first, tos, end, _, bits, ttl, protocol, _, source, destination = _IPV4.unpack_from(packet)
    start = (first & 15) * 4
    end = min(end, len(packet)) if cut else end
    if not IPV4_HEADER <= start <= end <= len(packet):
        raise PacketError(f"lengths of IPv4 that cannot be: {start}, {end} of {len(packet)} bytes")
    head = Head()
    head.version = 4
    head.tos = tos
    head.df = bool(bits & _DF)
    head.fragment = bool(bits & (_MF | _OFFSET))
    head.offset = (bits & _OFFSET) * 8
    head.ttl = ttl
    head.protocol = protocol
    head.source = source
    head.destination = destination
    head.start = start
    head.end = end
    return head


def _parse_ipv6(packet: Buffer, cut: bool) -> Head:
    if len(packet) < IPV6_HEADER:
        raise PacketError(f"{len(packet)} bytes where a header of IPv6 has 40")
    first, length, following, ttl, source, destination = _IPV6.unpack_from(packet)
    end = min(IPV6_HEADER + length, len(packet)) if cut else IPV6_HEADER + length
    if end > len(packet):
        raise PacketError(f"{end} bytes by the header of IPv6, where {len(packet)} are")
    head = Head()
    head.version = 6
    head.tos = first >> 20 & 0xFF
    head.df = True
    head.fragment = False
    head.offset = 0
    head.ttl = ttl
    head.source = source
    head.destination = destination
    head.end = end
    _walk(packet, head, following)
    return head


def _walk(packet: Buffer, head: Head, following: int) -> None:
    """Go over the extension headers, as far as the first fragment header of a later fragment."""
    start = IPV6_HEADER
    while (following in _EXTENSIONS or following == IPPROTO_FRAGMENT) and not head.offset:
        if start + 8 > head.end:
            raise PacketError("an extension header of IPv6 that is cut off")
        if following == IPPROTO_FRAGMENT:
            bits = packet[start + 2] << 8 | packet[start + 3]
            head.fragment = bool(bits & 0xFFF9)
            head.offset = bits & 0xFFF8
            length = 8
        else:
            length = 8 + packet[start + 1] * _EXTENSIONS[following]
        following = packet[start]
        start += length
        if start > head.end:
            raise PacketError("an extension header of IPv6 that is longer than its packet")
    head.protocol = following
    head.start = start


# Checksums. A sum is that of RFC 1071: 16-bit words in one's complement, 0 to 0xFFFF, where only
# zeros have the sum 0.

_LONGEST = 1536
_SHORTEST = 256
_MASKS = tuple((bits, (1 << bits) - 1) for bits in (6144, 3072, 1536, 768))


def ones_sum(data: Buffer) -> int:
    """The one's complement sum of data, which is read as 16-bit words and padded with a zero.

    2**16 is 1 modulo 65535, so it is the remainder of one long number. Division is the dearest of
    operations, so packets of common length are folded in halves before. The order of bytes does
    not matter until the end (RFC 1071, 2 B); little-endian numbers are made in less time.
    """
    number = int.from_bytes(data, "little")
    if not number:
        return 0
    if _SHORTEST < len(data) <= _LONGEST:
        for bits, mask in _MASKS:
            number = (number >> bits) + (number & mask)
    # 1 to 65535, never 0.
    number = (number - 1) % 0xFFFF + 1
    return (number & 0xFF) << 8 | number >> 8


def checksum(data: Buffer, more: int = 0) -> int:
    """The checksum of RFC 1071 over data; ``more`` is the sum of what else it covers."""
    return 0xFFFF ^ fold(ones_sum(data) + more)


def fold(total: int) -> int:
    """A sum of words, of any size, as one of 16 bits."""
    return (total - 1) % 0xFFFF + 1 if total else 0


def amend(former: int, old: int, new: int) -> int:
    """The checksum ``former`` after one 16-bit word has changed (RFC 1624, equation 3)."""
    return 0xFFFF ^ fold((0xFFFF ^ former) + (0xFFFF ^ old) + new)


def pseudo_sum(source: Buffer, destination: Buffer, protocol: int, length: int) -> int:
    """The sum of the pseudo header of TCP, UDP or ICMPv6 (RFC 9293 3.1, RFC 8200 8.1).

    ``length`` is at most 65535 bytes, that of the header and the data behind it.
    """
    return fold(ones_sum(source) + ones_sum(destination) + protocol + length)


# Packets that are built.


def ipv4(
    source: bytes,
    destination: bytes,
    protocol: int,
    payload: Buffer,
    *,
    tos: int = 0,
    df: bool = False,
    ttl: int = _TTL,
) -> bytes:
    """A packet of IPv4 without options, of identification 0."""
    first = (0x45, tos, IPV4_HEADER + len(payload), 0, _DF if df else 0, ttl, protocol)
    header = _IPV4.pack(*first, 0, source, destination)
    header = _IPV4.pack(*first, checksum(header), source, destination)
    return header + bytes(payload)


def ipv6(
    source: bytes,
    destination: bytes,
    protocol: int,
    payload: Buffer,
    *,
    tos: int = 0,
    ttl: int = _TTL,
) -> bytes:
    """A packet of IPv6 without extension headers."""
    header = _IPV6.pack(6 << 28 | tos << 20, len(payload), protocol, ttl, source, destination)
    return header + bytes(payload)


def too_big(packet: Buffer, mtu: int) -> bytes:
    """The ICMP error to the sender of a packet that is larger than ``mtu`` bytes.

    Of IPv4 it is "fragmentation needed" (RFC 1191, 4), of IPv6 "packet too big", with 1280 bytes
    at least. The packet may be cut off behind its headers. Raises PacketError where no error may
    be sent (RFC 1122 3.2.2, RFC 4443 2.4 e).
    """
    head = parse(packet, cut=True)
    if head.version == 4:
        return _icmp_error(packet, head, TOO_BIG[4], mtu)
    return _icmp_error(packet, head, TOO_BIG[6], max(mtu, IPV6_MIN_MTU))


def unreachable(packet: Buffer) -> bytes:
    """The ICMP error to the sender of a packet whose destination cannot be reached.

    Of IPv4 it is "host unreachable", of IPv6 "address unreachable". Raises PacketError where no
    error may be sent.
    """
    head = parse(packet, cut=True)
    return _icmp_error(packet, head, UNREACHABLE[head.version], 0)


def _icmp_error(packet: Buffer, head: Head, kind: tuple[int, int], last: int) -> bytes:
    """The error comes from the destination: an address of this host would be a martian on the
    device through which it comes in, and any other may be refused by rp_filter."""
    _check_answerable(packet, head)
    version = head.version
    header = IPV4_HEADER if version == 4 else IPV6_HEADER
    quoted = packet[: min(head.end, _QUOTED[version] - header - _ICMP_HEADER)]
    addresses = head.destination, head.source
    if version == 4:
        message = _ICMP.pack(*kind, 0, last) + bytes(quoted)
        message = _ICMP.pack(*kind, checksum(message), last) + bytes(quoted)
        return ipv4(*addresses, IPPROTO_ICMP, message, tos=_INTERNETWORK_CONTROL)
    message = _ICMP.pack(*kind, 0, last) + bytes(quoted)
    more = pseudo_sum(*addresses, IPPROTO_ICMPV6, len(message))
    message = _ICMP.pack(*kind, checksum(message, more), last) + bytes(quoted)
    return ipv6(*addresses, IPPROTO_ICMPV6, message)


def _check_answerable(packet: Buffer, head: Head) -> None:
    if head.offset:
        raise PacketError("no ICMP error is sent about a later fragment")
    if _is_special(head.source) or _is_special(head.destination):
        raise PacketError("no ICMP error is sent about addresses that are not of one host")
    harmless = _NO_ERRORS.get(head.protocol)
    if harmless and (head.start >= head.end or packet[head.start] not in harmless):
        raise PacketError("no ICMP error is sent about another")


def _is_special(address: bytes) -> bool:
    """Whether it is no address of one host: unspecified, loopback of IPv4, multicast, broadcast."""
    if len(address) == 4:
        return address[0] in (0, 127) or address[0] >= 224
    return address[0] == 0xFF or not any(address)
