"""Superpackets into real packets, and runs of real packets into superpackets.

With offload (tun.py) the kernel hands over TCP and UDP before they are cut into packets, and takes
them before: a superpacket, with a struct virtio_net_hdr in front (linux/virtio_net.h). A peer that
is not netalias, and a carriage without trains, gets the packets that the kernel would have sent:
each with its own checksums. What comes from there is joined again where that is sure to mean the
same, as the kernel does it (GRO), and only after the checksums were verified: nobody verifies those
of a superpacket any more.
"""

from __future__ import annotations

from _struct import Struct

from netalias.errors import PacketError
from netalias.packets.ip import (
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV4_HEADER,
    IPV6_HEADER,
    checksum,
    fold,
    ones_sum,
    pseudo_sum,
)
from netalias.tunnels.tun import (
    GSO_NONE,
    GSO_TCPV4,
    GSO_TCPV6,
    GSO_UDP_L4,
    NEEDS_CSUM,
    PLAIN,
    VNET_HDR,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.packets.ip import Buffer

GSO_ECN = 0x80
_LARGEST = 0xFFFF
_TCP_HEADER, _UDP_HEADER = 20, 8
_TCP_CHECKSUM = 16
_FIN, _SYN, _RST, _PSH, _ACK, _URG, _ECE, _CWR = (1 << bit for bit in range(8))
_U16 = Struct("!H")


# One superpacket into its packets.


def split(vnet: Buffer, packet: Buffer) -> list[bytes]:
    """The packets of a superpacket, or the one packet with its checksum completed.

    ``vnet`` is the header of virtio, ``packet`` what follows it. Raises PacketError
    where they contradict each other.
    """
    flags, kind, _, size, start, offset = VNET_HDR.unpack(vnet)
    kind &= ~GSO_ECN
    if kind == GSO_NONE:
        return [_completed(packet, start, offset) if flags & NEEDS_CSUM else bytes(packet)]
    if kind in (GSO_TCPV4, GSO_TCPV6):
        return _split_tcp(packet, start, size)
    if kind == GSO_UDP_L4:
        return _split_udp(packet, start, size)
    raise PacketError(f"a superpacket of the unknown kind {kind}")


def _completed(packet: Buffer, start: int, offset: int) -> bytes:
    """The checksum field has the sum of the pseudo header (CHECKSUM_PARTIAL), so the sum from
    ``start`` to the end is that of everything."""
    if start + offset + 2 > len(packet):
        raise PacketError(f"a checksum at {start} + {offset} of {len(packet)} bytes")
    whole = bytearray(packet)
    # The checksum 0 of UDP says that there is none; 0xFFFF is the same number. TCP may have it too.
    _U16.pack_into(whole, start + offset, checksum(whole[start:]) or 0xFFFF)
    return bytes(whole)


class _Header:
    """The header of IP before ``start`` as text for each segment: of IPv4 with its length, its
    identification, which counts, and its checksum."""

    __slots__ = ("_constant", "_head", "_identification", "_start", "version")

    def __init__(self, packet: Buffer, start: int) -> None:
        self.version = packet[0] >> 4 if len(packet) else 0
        least = {4: IPV4_HEADER, 6: IPV6_HEADER}.get(self.version)
        if least is None or start < least or start > len(packet):
            raise PacketError(f"a header of IPv{self.version} of {start} bytes")
        self._start = start
        self._head = bytes(packet[:start])
        if self.version == 4:
            (self._identification,) = _U16.unpack_from(packet, 4)
            self._constant = ones_sum(b"".join((
                self._head[:2], b"\0\0\0\0", self._head[6:10], b"\0\0", self._head[12:],
            )))  # fmt: skip

    def pseudo(self, protocol: int) -> int:
        """The sum of the pseudo header, without the length."""
        head = self._head
        if self.version == 4:
            return pseudo_sum(head[12:16], head[16:20], protocol, 0)
        return pseudo_sum(head[8:24], head[24:40], protocol, 0)

    def of(self, number: int, length: int) -> bytes:
        """The header of segment ``number`` with ``length`` bytes behind it."""
        head = self._head
        if self.version == 6:
            behind = self._start - IPV6_HEADER + length
            return b"%b%b%b" % (head[:4], _U16.pack(behind), head[6:])
        identification = (self._identification + number) & 0xFFFF
        total = self._start + length
        check = 0xFFFF ^ fold(self._constant + identification + total)
        return b"%b%b%b%b%b" % (
            head[:2], _TWO.pack(total, identification), head[6:10], _U16.pack(check), head[12:],
        )  # fmt: skip


_TWO = Struct("!HH")
_TCP = Struct("!4sI5sB2sH2s")
"""Ports, sequence number, acknowledgement and data offset, flags, window, checksum, urgent."""


def _split_tcp(packet: Buffer, start: int, size: int) -> list[bytes]:
    header = _Header(packet, start)
    if start + _TCP_HEADER > len(packet):
        raise PacketError("a superpacket without the whole header of TCP")
    ports, sequence, acknowledged, flags, window, _, urgent = _TCP.unpack_from(packet, start)
    data = start + (acknowledged[4] >> 4) * 4
    if not size or not start + _TCP_HEADER <= data < len(packet):
        raise PacketError(f"a superpacket of TCP with {size} bytes a segment")
    options = bytes(packet[start + _TCP_HEADER : data])
    # The data offset shares a word with the flags.
    parts = ports, acknowledged + b"\0", window + urgent, options
    constant = header.pseudo(IPPROTO_TCP) + sum(map(ones_sum, parts))
    length = data - start
    end = len(packet)
    made = []
    for number, at in enumerate(range(data, end, size)):
        payload = packet[at : at + size]
        now = flags
        if number:
            now &= ~_CWR
        if at + size < end:
            now &= ~(_FIN | _PSH)
        behind = length + len(payload)
        total = constant + now + behind + (sequence >> 16) + (sequence & 0xFFFF)
        check = 0xFFFF ^ fold(total + ones_sum(payload))
        tcp = _TCP.pack(ports, sequence, acknowledged, now, window, check, urgent)
        made.append(b"".join((header.of(number, behind), tcp, options, payload)))
        sequence = (sequence + size) & 0xFFFFFFFF
    return made


def _split_udp(packet: Buffer, start: int, size: int) -> list[bytes]:
    header = _Header(packet, start)
    data = start + _UDP_HEADER
    if not size or data >= len(packet):
        raise PacketError(f"a superpacket of UDP with {size} bytes a segment")
    ports = bytes(packet[start : start + 4])
    constant = header.pseudo(IPPROTO_UDP) + ones_sum(ports)
    made = []
    for number, at in enumerate(range(data, len(packet), size)):
        payload = packet[at : at + size]
        length = _UDP_HEADER + len(payload)
        check = 0xFFFF ^ fold(constant + 2 * length + ones_sum(payload)) or 0xFFFF
        udp = _TWO.pack(length, check)
        made.append(b"".join((header.of(number, length), ports, udp, payload)))
    return made


# Runs of packets into superpackets.

_TCP_OVER_IPV4 = Struct("!2sH2x4s2x12sI5sB2s2x2s")
_TCP_OVER_IPV6 = Struct("!4sH2s36sI5sB2s2x2s")
"""Version and TOS, length, what else the first words have, addresses and ports, sequence number,
acknowledgement and data offset, flags, window, urgent pointer."""
_DF_ALONE = b"\x40\0"


class _Segment:
    """A packet of TCP with data that may be joined with others of its ``flow``.

    ``shared`` is what is the same in all packets of a superpacket, ``start`` the offset of TCP,
    ``data`` that of its payload.
    """

    __slots__ = ("data", "flags", "flow", "length", "packet", "sequence", "shared", "start")

    def __init__(
        self, packet: Buffer, start: int, flow: bytes, shared: tuple[bytes, ...], sequence: int
    ) -> None:
        self.packet = packet
        self.start = start
        self.flow = flow
        self.sequence = sequence
        self.flags = packet[start + 13]
        self.data = start + (packet[start + 12] >> 4) * 4
        self.length = len(packet) - self.data
        self.shared = (*shared, bytes(packet[start + _TCP_HEADER : self.data]))

    def is_intact(self) -> bool:
        """Whether the checksum of TCP is right. The addresses stand right before TCP, in both
        families, so they are summed up with it."""
        addresses = 8 if self.start == IPV4_HEADER else 32
        behind = len(self.packet) - self.start
        total = ones_sum(self.packet[self.start - addresses :]) + IPPROTO_TCP + behind
        return fold(total) == 0xFFFF


def _segment(packet: Buffer) -> _Segment | None:
    """The packet as a segment, if it is one that may be joined with others.

    That is one of TCP without options of IPv4 or extension headers of IPv6, that has data and no
    flags but ACK and PSH. One of IPv4 has DF, so that its identification means nothing (RFC 6864).
    """
    size = len(packet)
    if size > IPV4_HEADER + _TCP_HEADER and packet[0] == 0x45 and packet[9] == IPPROTO_TCP:
        first, length, second, flow, sequence, *rest = _TCP_OVER_IPV4.unpack_from(packet)
        start = IPV4_HEADER
        if second[:2] != _DF_ALONE or length != size:
            return None
    elif size > IPV6_HEADER + _TCP_HEADER and packet[0] >> 4 == 6 and packet[6] == IPPROTO_TCP:
        first, length, second, flow, sequence, *rest = _TCP_OVER_IPV6.unpack_from(packet)
        start = IPV6_HEADER
        if IPV6_HEADER + length != size:
            return None
    else:
        return None
    acknowledged, flags, window, urgent = rest
    if (
        flags & ~_PSH != _ACK
        or not start + _TCP_HEADER <= start + (acknowledged[4] >> 4) * 4 < size
    ):
        return None
    return _Segment(packet, start, flow, (first, second, acknowledged, window, urgent), sequence)


class _Run:
    """Segments of one flow, each of which begins where the one before ends."""

    __slots__ = ("_checked", "_segments", "_total")

    def __init__(self, first: _Segment) -> None:
        self._segments = [first]
        self._total = len(first.packet)
        self._checked = False

    def take(self, segment: _Segment) -> bool:
        """Add the next segment, unless the two do not fit. All but the last have one length, and
        the one with PSH is the last."""
        first, last = self._segments[0], self._segments[-1]
        if (
            segment.sequence != (last.sequence + last.length) & 0xFFFFFFFF
            or last.length != first.length
            or segment.length > first.length
            or last.flags & _PSH
            or segment.shared != first.shared
            or self._total + segment.length > _LARGEST
            or not self._is_intact()
            or not segment.is_intact()
        ):
            return False
        self._segments.append(segment)
        self._total += segment.length
        return True

    def _is_intact(self) -> bool:
        """Whether the first segment is, whose headers are those of all."""
        if not self._checked:
            first = self._segments[0]
            header = first.packet[:IPV4_HEADER]
            is_ipv6 = first.start == IPV6_HEADER
            self._checked = first.is_intact() and (is_ipv6 or ones_sum(header) == 0xFFFF)
        return self._checked

    def buffers(self) -> list[Buffer]:
        """One write to the device."""
        first, last = self._segments[0], self._segments[-1]
        if first is last:
            return [PLAIN, first.packet]
        head = bytearray(first.packet[: first.data])
        behind = self._total - first.start
        if first.start == IPV4_HEADER:
            kind = GSO_TCPV4
            _TWO.pack_into(head, 2, self._total, 0)
            _U16.pack_into(head, 10, 0)
            _U16.pack_into(head, 10, checksum(head[:IPV4_HEADER]))
            pseudo = pseudo_sum(head[12:16], head[16:20], IPPROTO_TCP, behind)
        else:
            kind = GSO_TCPV6
            _U16.pack_into(head, 4, behind)
            pseudo = pseudo_sum(head[8:24], head[24:40], IPPROTO_TCP, behind)
        head[first.start + 13] |= last.flags
        _U16.pack_into(head, first.start + _TCP_CHECKSUM, pseudo)
        vnet = VNET_HDR.pack(
            NEEDS_CSUM, kind, first.data, first.length, first.start, _TCP_CHECKSUM
        )  # fmt: skip
        return [vnet + head, *(one.packet[one.data :] for one in self._segments)]


def join(packets: Iterable[Buffer]) -> list[list[Buffer]]:
    """Writes for the device that have all the packets: those of a flow in their order, joined
    where they can be. Each is a list of buffers for writev(2), with a header of virtio first."""
    made: list[_Run | Buffer] = []
    runs: dict[bytes, _Run] = {}
    for packet in packets:
        segment = _segment(packet)
        if segment is None:
            # It may belong to any of the flows: an end of one, or an ICMP error about it.
            runs.clear()
            made.append(packet)
            continue
        run = runs.get(segment.flow)
        if run is None or not run.take(segment):
            run = runs[segment.flow] = _Run(segment)
            made.append(run)
    return [one.buffers() if isinstance(one, _Run) else [PLAIN, one] for one in made]
