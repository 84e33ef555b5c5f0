"""Decoder of received frames. Malformed ones raise PacketError.

Rules:
- ARP for IPv4 over Ethernet (RFC 826), requests and replies, with any padding;
- neighbour solicitations and advertisements that are valid by RFC 4861, 7.1.1 and 7.1.2;
- the tag of VLAN 0 is a priority and is skipped; a frame with another tag is refused.
"""

from __future__ import annotations

from _struct import Struct

from netalias.errors import PacketError
from netalias.model import Value
from netalias.packets import (
    ARPOP_REPLY,
    ARPOP_REQUEST,
    ETH_P_8021Q,
    ETH_P_ARP,
    ETH_P_IPV6,
    NEIGHBOR_ADVERTISEMENT,
    NEIGHBOR_SOLICITATION,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_U16 = Struct("!H")
_ARP_HEAD = b"\x00\x01\x08\x00\x06\x04"
"""ARPHRD_ETHER, ETH_P_IP, and the lengths of their addresses."""
_ARP = Struct("!H6s4s6s4s")
_IPV6 = Struct("!IHBB16s16s")
_ND = Struct("!BBHI16s")
_IPPROTO_ICMPV6 = 58
_SOLICITED = 0x40000000
_UNSPECIFIED = b"\0" * 16
_SOLICITED_NODE = b"\xff\x02" + b"\0" * 9 + b"\x01\xff"
_SOURCE_LINK_LAYER, _TARGET_LINK_LAYER = 1, 2


class Message(Value):
    """An ARP or neighbour discovery message.

    ``operation`` is ARPOP_* or the type of ICMPv6, ``mac`` the sender's link-layer address in the
    message (of an ND message without one, the source of the frame), ``sender`` and ``target`` are
    packed addresses; the sender is all zero in probes.
    """

    __slots__ = ("mac", "operation", "sender", "target")

    def __init__(self, operation: int, mac: bytes, sender: bytes, target: bytes) -> None:
        self.operation = operation
        self.mac = mac
        self.sender = sender
        self.target = target


def parse(frame: bytes) -> Message:
    """The Message in an Ethernet frame without its checksum. Raises PacketError."""
    if len(frame) < 14:
        raise PacketError(f"{len(frame)} bytes where a header of Ethernet has 14")
    (kind,) = _U16.unpack_from(frame, 12)
    start = 14
    if kind == ETH_P_8021Q:
        kind, start = _tagged(frame)
    if kind == ETH_P_ARP:
        return _arp(frame, start)
    if kind == ETH_P_IPV6:
        return _neighbour(frame, start)
    raise PacketError(f"neither ARP nor IPv6: Ethernet type {kind:#06x}")


def _tagged(frame: bytes) -> tuple[int, int]:
    if len(frame) < 18:
        raise PacketError(f"{len(frame)} bytes where a tagged header has 18")
    number = _U16.unpack_from(frame, 14)[0] & 0xFFF
    if number:
        raise PacketError(f"tagged for VLAN {number}")
    return _U16.unpack_from(frame, 16)[0], 18


def _arp(frame: bytes, start: int) -> Message:
    if len(frame) - start < 28:
        raise PacketError(f"{len(frame) - start} bytes where ARP has 28")
    if frame[start : start + 6] != _ARP_HEAD:
        raise PacketError("ARP for other protocols than IPv4 over Ethernet")
    operation, mac, sender, _, target = _ARP.unpack_from(frame, start + 6)
    if operation not in (ARPOP_REQUEST, ARPOP_REPLY):
        raise PacketError(f"ARP operation {operation}")
    return Message(operation, mac, sender, target)


def _neighbour(frame: bytes, start: int) -> Message:
    if len(frame) - start < 64:
        raise PacketError(f"{len(frame) - start} bytes where neighbour discovery has 64")
    version, length, header, hops, source, destination = _IPV6.unpack_from(frame, start)
    if version >> 28 != 6:
        raise PacketError(f"IP version {version >> 28}")
    if header != _IPPROTO_ICMPV6:
        raise PacketError(f"next header {header}")
    if hops != 255:
        raise PacketError(f"hop limit {hops}: it came through a router")
    start += 40
    end = start + length
    if length < 24 or end > len(frame):
        raise PacketError(f"a payload of {length} in {len(frame) - start} bytes")
    operation, code, _, flags, target = _ND.unpack_from(frame, start)
    check = _CHECKS.get(operation)
    if check is None or code:
        raise PacketError(f"ICMPv6 type {operation}, code {code}")
    if _checksum(source + destination, length, frame[start:end]):
        raise PacketError("wrong checksum")
    if target[0] == 0xFF:
        raise PacketError("the target is a multicast address")
    options = _options(frame, start + 24, end)
    option = check(source, destination, flags, options)
    return Message(operation, options.get(option, frame[6:12]), source, target)


def _checksum(addresses: bytes, length: int, payload: bytes) -> int:
    """The sum of pseudo header and payload (RFC 8200, 8.1) modulo 0xFFFF; 0 when it is valid.

    Modulo 0xFFFF a number is congruent to the sum of its 16-bit words.
    """
    total = int.from_bytes(addresses, "big") + length + _IPPROTO_ICMPV6
    return (total + int.from_bytes(payload + b"\0" * (length & 1), "big")) % 0xFFFF


def _options(frame: bytes, start: int, end: int) -> dict[int, bytes]:
    """Link-layer addresses by the type of their option (RFC 4861, 4.6); skips other options."""
    found: dict[int, bytes] = {}
    while start < end:
        if end - start < 2:
            raise PacketError("an option of one byte")
        kind, size = frame[start], frame[start + 1] * 8
        if not size or start + size > end:
            raise PacketError(f"an option claims {size} of {end - start} bytes")
        if kind in (_SOURCE_LINK_LAYER, _TARGET_LINK_LAYER):
            if size != 8:
                raise PacketError(f"a link-layer address of {size - 2} bytes")
            found.setdefault(kind, frame[start + 2 : start + 8])
        start += size
    return found


def _solicitation(source: bytes, destination: bytes, _: int, options: dict[int, bytes]) -> int:
    """The option with the sender's MAC, of a message valid by RFC 4861, 7.1.1."""
    if source == _UNSPECIFIED:
        if not destination.startswith(_SOLICITED_NODE):
            raise PacketError("a probe that is not for a solicited-node address")
        if _SOURCE_LINK_LAYER in options:
            raise PacketError("a probe with a link-layer address")
    return _SOURCE_LINK_LAYER


def _advertisement(_: bytes, destination: bytes, flags: int, __: dict[int, bytes]) -> int:
    """The option with the sender's MAC, of a message valid by RFC 4861, 7.1.2."""
    if destination[0] == 0xFF and flags & _SOLICITED:
        raise PacketError("a solicited advertisement to a multicast address")
    return _TARGET_LINK_LAYER


_CHECKS: dict[int, Callable[[bytes, bytes, int, dict[int, bytes]], int]] = {
    NEIGHBOR_SOLICITATION: _solicitation,
    NEIGHBOR_ADVERTISEMENT: _advertisement,
}
