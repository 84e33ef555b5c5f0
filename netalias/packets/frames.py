"""What is sent, as byte templates: one frame, or thousands at once. No socket.

Layouts: RFC 826 over Ethernet II, RFC 4861 4.4 and 4.6.1; ``netalias.packets.formats`` writes the
same down as constructs, and the tests hold the two together. Frames have no padding: drivers add
it. Arguments are packed: a MAC has 6 bytes, an IPv4 address 4, an IPv6 address 16.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_EVERYBODY = b"\xff\xff\xff\xff\xff\xff"
_ARP = b"\x08\x06\x00\x01\x08\x00\x06\x04\x00"
"""ETH_P_ARP, ARPHRD_ETHER, ETH_P_IP, both lengths, and the upper byte of the operation."""
_REQUEST = _ARP + b"\x01"
_REPLY = _ARP + b"\x02"
_NOBODY = b"\0\0\0\0\0\0"
_ANY = b"\0\0\0\0"

_ALL_NODES_MAC = b"\x33\x33\x00\x00\x00\x01"
_IPV6 = b"\x86\xdd\x60\x00\x00\x00\x00\x20\x3a\xff"
"""ETH_P_IPV6, version 6, 32 bytes of payload, ICMPv6, hop limit 255."""
_ADVERTISEMENT = b"\xff\x02" + b"\0" * 13 + b"\x01\x88\x00"
"""ff02::1; type and code."""
_OVERRIDE = b"\x20\x00\x00\x00"
_LINK_LAYER = b"\x02\x01"
"""Target link-layer address, eight bytes."""
_SUM = 32 + 58 + 0xFF02 + 0x0001 + 0x8800 + 0x2000 + 0x0201
"""The words of an advertisement and its pseudo header that are always the same."""


def probe(mac: bytes, address: bytes) -> bytes:
    """ARP probe (RFC 5227, 2.1.1): a request from *mac*, which has no address yet."""
    return _EVERYBODY + mac + _REQUEST + mac + _ANY + _NOBODY + address


def request(mac: bytes, address: bytes) -> bytes:
    """ARP announcement (RFC 5227, 2.3): a request whose sender asks for itself."""
    return _EVERYBODY + mac + _REQUEST + mac + address + _NOBODY + address


def reply(mac: bytes, address: bytes) -> bytes:
    """The same as a broadcast reply, which some switches and routers take only.

    The target's MAC is the sender's (RFC 5944, 4.6): else Linux does not take it for one
    (arp_is_garp in net/ipv4/arp.c).
    """
    return _EVERYBODY + mac + _REPLY + mac + address + mac + address


def advertisement(mac: bytes, address: bytes) -> bytes:
    """Unsolicited neighbour advertisement to all nodes (RFC 4861, 7.2.6), override set.

    The router flag is clear: hosts drop a default router that says it is none, so it is wrong for
    the link-local address by which a router is known, and for no other address.
    """
    # Modulo 0xFFFF a number is congruent to the sum of its 16-bit words, which makes the
    # checksum of RFC 1071 a remainder.
    total = _SUM + 2 * int.from_bytes(address, "big") + int.from_bytes(mac, "big")
    checksum = (-total % 0xFFFF).to_bytes(2, "big")
    head = _ALL_NODES_MAC + mac + _IPV6 + address + _ADVERTISEMENT
    return head + checksum + _OVERRIDE + address + _LINK_LAYER + mac


def probes(mac: bytes, addresses: Iterable[bytes]) -> list[bytes]:
    """A probe from *mac* for each of *addresses*."""
    head = probe(mac, b"")
    return [head + address for address in addresses]


def announcements(mac: bytes, address: bytes) -> tuple[bytes, ...]:
    """All that announces an address: two frames for IPv4, one for IPv6."""
    if len(address) == 16:
        return (advertisement(mac, address),)
    return request(mac, address), reply(mac, address)
