"""Packets that get another address and port in place, their checksums with them. Pure.

A checksum is amended by what has changed (RFC 1624), so a superpacket costs what its headers cost.
Where the kernel left the sum of the payload to the device (CHECKSUM_PARTIAL of linux/skbuff.h), the
field holds the sum of the pseudo header, which has no ports in it and is not complemented.
"""

from __future__ import annotations

from netalias.nat.flows import NO_PORT, turned
from netalias.packets.ip import (
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV4_HEADER,
    IPV6_HEADER,
    checksum,
    fold,
    pseudo_sum,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.nat.flows import Turn
    from netalias.packets.ip import Head

SOURCE, DESTINATION = 0, 1
_ADDRESS_AT = {4: (12, 16), 6: (8, 24)}
"""The places of both addresses in a header of IP, by its version."""
_IPV4_SUM = 10
ICMP_HEADER = 8
"""A header of ICMP, before what an error quotes."""
IDENTIFIER = 4
"""The place of the identifier in a query of ICMP (RFC 792, RFC 4443 4.1)."""
_ICMP_SUM = 2
_PORT_AT = {
    IPPROTO_TCP: (0, 2),
    IPPROTO_UDP: (0, 2),
    IPPROTO_ICMP: (IDENTIFIER, IDENTIFIER),
    IPPROTO_ICMPV6: (IDENTIFIER, IDENTIFIER),
}
"""The places of both ports in a payload; an identifier is that of this host, whoever sends it."""
_SUM_AT = {IPPROTO_TCP: 16, IPPROTO_UDP: 6, IPPROTO_ICMP: _ICMP_SUM, IPPROTO_ICMPV6: _ICMP_SUM}


def translate(
    packet: memoryview, start: int, protocol: int, end: int, turn: Turn, partial: bool = False
) -> None:
    """Turn one *end* of a packet, SOURCE or DESTINATION, whose payload begins at *start*.

    The packet may be cut off behind its ports, as one that an error quotes. *partial* says that
    its checksum is left to the device.
    """
    _address(packet, _ADDRESS_AT[packet[0] >> 4][end], turn.address, turn.sum)
    if protocol not in _PORT_AT:
        return
    at = start + _PORT_AT[protocol][end]
    packet[at : at + 2] = turn.port
    at = start + _SUM_AT[protocol]
    if at + 2 > len(packet):
        return
    former = packet[at] << 8 | packet[at + 1]
    if partial:
        value = fold(former + turn.sum)
    elif protocol == IPPROTO_ICMP:  # it covers no addresses
        value = _amended(former, turn.port_sum)
    elif protocol != IPPROTO_UDP:
        value = _amended(former, turn.sum + turn.port_sum)
    elif former:
        value = _amended(former, turn.sum + turn.port_sum) or 0xFFFF
    else:
        return  # the sender made none (RFC 768)
    packet[at] = value >> 8
    packet[at + 1] = value & 0xFF


def readdress(packet: memoryview, end: int, new: bytes) -> None:
    """Replace one address in the header of IP alone, with the checksum of that header."""
    at = _ADDRESS_AT[packet[0] >> 4][end]
    _address(packet, at, new, turned(bytes(packet[at : at + len(new)]), new))


def _address(packet: memoryview, at: int, new: bytes, change: int) -> None:
    packet[at : at + len(new)] = new
    if packet[0] >> 4 == 4:
        value = _amended(packet[_IPV4_SUM] << 8 | packet[_IPV4_SUM + 1], change)
        packet[_IPV4_SUM] = value >> 8
        packet[_IPV4_SUM + 1] = value & 0xFF


def _amended(former: int, change: int) -> int:
    return 0xFFFF ^ fold((0xFFFF ^ former) + change)


def finish_error(packet: memoryview, head: Head) -> None:
    """Compute the checksum of an ICMP error anew, since what it quotes has changed."""
    at = head.start + _ICMP_SUM
    packet[at : at + 2] = bytes(2)
    body = packet[head.start : head.end]
    more = 0
    if head.version == 6:
        more = pseudo_sum(packet[8:24], packet[24:40], IPPROTO_ICMPV6, len(body))
    packet[at : at + 2] = checksum(body, more).to_bytes(2, "big")


def ports(packet: memoryview, start: int, protocol: int, *, outward: bool) -> bytes | None:
    """The ports of a key (flows.py) for a payload; None if they are cut off.

    *outward* says that the packet goes from this host to the peer.
    """
    if protocol not in _PORT_AT:
        return NO_PORT + NO_PORT
    at, to = _PORT_AT[protocol]
    if at != to:
        found = bytes(packet[start : start + 4])
        return found if len(found) == 4 else None
    found = bytes(packet[start + at : start + at + 2])
    if len(found) < 2:
        return None
    return found + NO_PORT if outward else NO_PORT + found


class Quote:
    """The packet that an ICMP error is about, cut off anywhere.

    ``key`` is its key (flows.py); None where too little of it is there, or it is a later fragment.
    *outward* says that this host has sent it.
    """

    __slots__ = ("key", "packet", "protocol", "start")

    def __init__(self, error: memoryview, head: Head, *, outward: bool) -> None:
        self.packet = packet = error[head.start + ICMP_HEADER : head.end]
        self.key: bytes | None = None
        self.protocol = self.start = 0
        least = IPV4_HEADER if head.version == 4 else IPV6_HEADER
        if len(packet) < least or packet[0] >> 4 != head.version:
            return
        if head.version == 4:
            self.start, self.protocol = (packet[0] & 15) * 4, packet[9]
            addresses = packet[12:20]
            if packet[6] & 0x1F or packet[7]:
                return
        else:
            self.start, self.protocol = least, packet[6]
            addresses = packet[8:40]
        found = ports(packet, self.start, self.protocol, outward=outward)
        if found is not None and self.start >= least:
            self.key = b"%c%b%b" % (self.protocol, addresses.tobytes(), found)

    def translate(self, end: int, turn: Turn) -> None:
        """Make it what it is on the other side."""
        translate(self.packet, self.start, self.protocol, end, turn)


def answer_key(key: bytes) -> bytes:
    """The key of the answer to a packet with this one."""
    size = (len(key) - 5) // 2
    source, destination = key[1 : 1 + size], key[1 + size : 1 + 2 * size]
    return key[:1] + destination + source + key[-2:] + key[-4:-2]
