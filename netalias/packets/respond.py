"""Answers for networks that a host has and its kernel does not answer for: ARP and neighbours.

A Served network is answered for on one device with one MAC. The filter lets in nothing but requests
for the networks of its device, so whatever else the device receives wakes nobody.

Sources: RFC 826; RFC 4861, 4.3, 4.4, 7.1.1 and 7.2.4; linux/filter.h, linux/if_packet.h.
"""

from __future__ import annotations

from _struct import Struct
from errno import EAGAIN, ENOBUFS

from netalias.model import Value
from netalias.packets import ARPOP_REQUEST, ETH_P_ARP, ETH_P_IPV6, NEIGHBOR_SOLICITATION
from netalias.packets.bpf import (
    _AND,
    _EQUAL,
    _INSTRUCTION,
    _LOAD_BYTE,
    _LOAD_HALF,
    _LOAD_WORD,
    _PACKET_OUTGOING,
    _PKTTYPE,
    _RETURN,
    _VLAN_TAG,
    LONGEST,
)
from netalias.packets.socket import SOL_PACKET, PacketSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

PACKET_ADD_MEMBERSHIP = 1
PACKET_MR_ALLMULTI = 2
_MEMBERSHIP = Struct("=iHH8s")
"""struct packet_mreq."""
_JUMP = 0x05
"""BPF_JMP | BPF_JA: its offset has 32 bits, those of other jumps 8."""
MOST = 200
"""Networks of one filter, whose program has 4096 instructions at most (BPF_MAXINSNS)."""

TARGET = {4: 38, 16: 62}
"""Offset of the address that is asked for, by its size."""
Instruction = tuple[int, int, int, int]
"""Operation, both jumps, operand."""
_DROP: Instruction = (_RETURN, 0, 0, 0)
_TAKE: Instruction = (_RETURN, 0, 0, LONGEST)
_SOLICITATION: list[Instruction] = [
    (_LOAD_BYTE, 0, 0, 20),
    (_EQUAL, 1, 0, 58),
    _DROP,
    (_LOAD_BYTE, 0, 0, 54),
    (_EQUAL, 1, 0, NEIGHBOR_SOLICITATION),
    _DROP,
]
"""ICMPv6 without extension headers, neighbour solicitation."""
_REQUEST: list[Instruction] = [
    (_LOAD_WORD, 0, 0, 14),
    (_EQUAL, 1, 0, 0x00010800),
    _DROP,
    (_LOAD_WORD, 0, 0, 18),
    (_EQUAL, 1, 0, 0x06040000 | ARPOP_REQUEST),
    _DROP,
]
"""ARP for IPv4 over Ethernet, request."""

_ARP_REPLY = b"\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02"
_IPV6_HEAD = b"\x86\xdd\x60\x00\x00\x00\x00\x20\x3a\xff"
_ALL_NODES = b"\xff\x02" + bytes(13) + b"\x01"
_ALL_NODES_MAC = b"\x33\x33\x00\x00\x00\x01"
_SOLICITED_NODE = b"\xff\x02" + bytes(9) + b"\x01\xff"
_UNSPECIFIED = bytes(16)
_SOLICITED, _OVERRIDE = 0x40, 0x20
_LINK_LAYER = b"\x02\x01"
"""Option target link-layer address, of eight bytes."""
_SUM = 32 + 58 + 0x8800 + 0x0201
"""Sum of the constant words of an advertisement and its pseudo header, without its flags."""


class Served(Value):
    """A network, packed, that is answered for on the device *index* with *mac*."""

    __slots__ = ("index", "mac", "network", "prefixlen")

    def __init__(self, index: int, network: bytes, prefixlen: int, mac: bytes) -> None:
        self.index = index
        self.network = network
        self.prefixlen = prefixlen
        self.mac = mac


class Networks:
    """Served networks, in which an address is found in as many steps as they have lengths."""

    __slots__ = ("_lengths", "_macs")

    def __init__(self, served: Iterable[Served]) -> None:
        self._macs: dict[tuple[int, int, int], bytes] = {}
        lengths: dict[int, set[int]] = {}
        for one in served:
            bits = len(one.network) * 8
            number = int.from_bytes(one.network, "big") >> bits - one.prefixlen
            self._macs.setdefault((bits, one.prefixlen, number), one.mac)
            lengths.setdefault(bits, set()).add(one.prefixlen)
        self._lengths = {bits: sorted(some, reverse=True) for bits, some in lengths.items()}

    def mac(self, packed: bytes) -> bytes:
        """The MAC of the longest network with an address; empty for none."""
        bits, number = len(packed) * 8, int.from_bytes(packed, "big")
        for length in self._lengths.get(bits, ()):
            mac = self._macs.get((bits, length, number >> bits - length))
            if mac:
                return mac
        return b""


# The filter -----------------------------------------------------------------------------------


def program(served: Sequence[Served]) -> bytes:
    """A filter for untagged ARP requests and neighbour solicitations for addresses of these
    networks. Of more than MOST networks the requests for any address pass."""
    solicitations = [*_SOLICITATION, *_blocks(served, 16), _DROP]
    requests = [*_REQUEST, *_blocks(served, 4), _DROP]
    code = [
        (_LOAD_WORD, 0, 0, _PKTTYPE),
        (_EQUAL, 3, 0, _PACKET_OUTGOING),
        (_LOAD_WORD, 0, 0, _VLAN_TAG),
        (_AND, 0, 0, 0xFFF),
        (_EQUAL, 1, 0, 0),
        _DROP,
        (_LOAD_HALF, 0, 0, 12),
        (_EQUAL, 0, 1, ETH_P_ARP),
        (_JUMP, 0, 0, len(solicitations) + 2),
        (_EQUAL, 1, 0, ETH_P_IPV6),
        _DROP,
        *solicitations,
        *requests,
    ]
    return b"".join(_INSTRUCTION.pack(*one) for one in code)


def _blocks(served: Sequence[Served], size: int) -> list[Instruction]:
    """The instructions that take requests for the networks whose addresses have *size* bytes."""
    networks = [one for one in served if len(one.network) == size]
    if len(served) > MOST:
        return [_TAKE] * bool(networks)
    return [code for one in networks for code in _block(one)]


def _block(one: Served) -> list[Instruction]:
    """The instructions that take requests for one network, and go on behind them for others."""
    tests: list[Instruction] = []
    for at in range(0, len(one.network), 4):
        bits = min(max(one.prefixlen - at * 8, 0), 32)
        if bits:
            value = int.from_bytes(one.network[at : at + 4], "big")
            mask = 0xFFFFFFFF << 32 - bits & 0xFFFFFFFF
            place = TARGET[len(one.network)] + at
            tests += [(_LOAD_WORD, 0, 0, place), (_AND, 0, 0, mask), (_EQUAL, 0, 0, value & mask)]
    behind = len(tests) + 1
    for place, (operation, _, _, operand) in enumerate(tests):
        if operation == _EQUAL:
            tests[place] = operation, 0, behind - place - 1, operand
    return [*tests, _TAKE]


# The answers ----------------------------------------------------------------------------------


def answer(frame: bytes, networks: Networks, others: Collection[bytes]) -> bytes:
    """The frame that answers a request that the filter has let in, with the MAC of the longest of
    the *networks*; empty for none.

    *others* are addresses that are answered for otherwise.
    """
    arp = frame[12:14] == b"\x08\x06"
    at = TARGET[4 if arp else 16]
    target = frame[at : at + (4 if arp else 16)]
    if target in others or len(frame) < at + len(target):
        return b""
    mac = networks.mac(target)
    if not mac:
        return b""
    return _reply(frame, mac, target) if arp else _advertisement(frame, mac, target)


def _reply(frame: bytes, mac: bytes, target: bytes) -> bytes:
    """The ARP reply, to the MAC of the sender in the request."""
    sender, address = frame[22:28], frame[28:32]
    if sender[0] & 1 or address == target:
        return b""
    return sender + mac + _ARP_REPLY + mac + target + sender + address


def _advertisement(frame: bytes, mac: bytes, target: bytes) -> bytes:
    """The neighbour advertisement: to the sender, or to all nodes for one without an address."""
    source, destination = frame[22:38], frame[38:54]
    length = int.from_bytes(frame[18:20], "big")
    payload = frame[54 : 54 + length]
    if frame[21] != 255 or frame[55] or length < 24 or len(payload) < length:
        return b""
    if _sum(source, destination, length, payload):
        return b""
    link = _source_link(payload)
    if link is None:
        return b""
    if source == _UNSPECIFIED:
        if link or destination[:13] != _SOLICITED_NODE:
            return b""
        return _made(_ALL_NODES_MAC, mac, target, _ALL_NODES, _OVERRIDE)
    return _made(link or frame[6:12], mac, target, source, _SOLICITED | _OVERRIDE)


def _made(to: bytes, mac: bytes, target: bytes, destination: bytes, flags: int) -> bytes:
    """A neighbour advertisement from *target* about itself."""
    total = _SUM + 2 * int.from_bytes(target, "big") + int.from_bytes(destination, "big")
    total += int.from_bytes(mac, "big") + (flags << 8)
    checksum = (-total % 0xFFFF).to_bytes(2, "big")
    head = to + mac + _IPV6_HEAD + target + destination + b"\x88\0"
    return head + checksum + bytes((flags, 0, 0, 0)) + target + _LINK_LAYER + mac


def _sum(source: bytes, destination: bytes, length: int, payload: bytes) -> int:
    """0 where the checksum of ICMPv6 is right (RFC 4443, 2.3)."""
    data = source + destination + payload + b"\0" * (length & 1)
    return (int.from_bytes(data, "big") + length + 58) % 0xFFFF


def _source_link(payload: bytes) -> bytes | None:
    """The MAC in the option source link-layer address, empty without one; None where the options
    are malformed."""
    at, found = 24, b""
    while at < len(payload):
        size = payload[at + 1] * 8 if at + 1 < len(payload) else 0
        if not size or at + size > len(payload):
            return None
        if payload[at] == 1 and size == 8:
            found = payload[at + 2 : at + 8]
        at += size
    return None if found and found[0] & 1 else found


# The socket -----------------------------------------------------------------------------------


class Answering(PacketSocket):
    """A packet socket that receives requests for the networks *served*, all of one device.

    It takes all multicast, since nobody joins the groups of 2^24 solicited nodes; the kernel ends
    that with the socket. Raises as PacketSocket does.
    """

    def __init__(self, index: int, served: Sequence[Served]) -> None:
        super().__init__(index, program(served))
        if any(len(one.network) == 16 for one in served):
            joined = _MEMBERSHIP.pack(index, PACKET_MR_ALLMULTI, 0, b"")
            self._socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, joined)

    def send(self, frame: bytes) -> bool:
        """Whether the device took a frame; one that is not is asked for again."""
        try:
            self._socket.send(frame)
        except OSError as error:
            if error.errno not in (EAGAIN, ENOBUFS):
                raise self._gone(error) from None
            return False
        return True
