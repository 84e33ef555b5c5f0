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
    from collections.abc import Collection, Sequence

    from netalias.packets.ip import Buffer
    from netalias.tunnels.joiner import Write

GSO_ECN = 0x80
_LARGEST = 0xFFFF
_TCP_HEADER, _UDP_HEADER = 20, 8
_TCP_CHECKSUM = 16
_FIN, _PSH, _ACK, _CWR = 0x01, 0x08, 0x10, 0x80
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

_DF_ALONE = b"\x40\0"
_TURNED = 256
"""Turns a sum of little-endian words into one of big-endian words, modulo 65535."""


class _Layout:
    """The places of the fields in packets of TCP whose payload begins at ``data``, of one version.

    ``fields`` are: the words before the length, and it; what else the header of IP shares with
    other packets of a flow; addresses and ports; sequence number; acknowledgement, data offset,
    flags, window; checksum; urgent pointer and options.
    """

    def __init__(self, start: int, data: int) -> None:
        self.start = start
        self.data = data
        rest = data - start - 18
        if start == IPV4_HEADER:
            self.fields = Struct(f"!4s2x4s2x12sI8sH{rest}s")
            self.destination, self.end = 16, 20
            self.uncounted = 0
            self.kind = GSO_TCPV4
        else:
            self.fields = Struct(f"!6s2s36sI8sH{rest}s")
            self.destination, self.end = 24, 40
            self.uncounted = IPV6_HEADER
            self.kind = GSO_TCPV6
        self.source = 2 * self.destination - self.end
        """The places of the addresses; ``destination`` is the second, ``uncounted`` the bytes of
        the header that its field of the length does not count."""


_LAYOUTS = {
    (start, length): _Layout(start, start + length)
    for start in (IPV4_HEADER, IPV6_HEADER)
    for length in range(_TCP_HEADER, 64, 4)
}


def _layout(packet: Buffer) -> _Layout | None:
    """That of a packet that may be joined with others, at first sight.

    It is one of TCP without options of IPv4 or extension headers of IPv6, and has data. One of
    IPv4 has DF, so that its identification means nothing (RFC 6864).
    """
    size = len(packet)
    if size > IPV4_HEADER + _TCP_HEADER and packet[0] == 0x45 and packet[9] == IPPROTO_TCP:
        start, length = IPV4_HEADER, packet[2] << 8 | packet[3]
        if packet[6:8] != _DF_ALONE or length != size:
            return None
    elif size > IPV6_HEADER + _TCP_HEADER and packet[0] >> 4 == 6 and packet[6] == IPPROTO_TCP:
        start, length = IPV6_HEADER, packet[4] << 8 | packet[5]
        if IPV6_HEADER + length != size:
            return None
    else:
        return None
    layout = _LAYOUTS.get((start, (packet[start + 12] >> 4) * 4))
    return layout if layout is not None and layout.data < size else None


class _Run:
    """Packets of one flow, each of which begins where the one before ends.

    All but the last have one length, and one with PSH is the last.
    """

    def __init__(self, layout: _Layout, packet: memoryview) -> None:
        self._layout = layout
        self._packets = [packet]
        self._step = self._total = len(packet)
        self._fields = layout.fields.unpack_from(packet)
        self._sequences = 0
        self._checksums: int = self._fields[5]
        self._psh = 0
        self._next = self._fields[3] + len(packet) - layout.data & 0xFFFFFFFF
        self._is_open = self._fields[4][5] == _ACK

    def extend(self, packets: Sequence[memoryview], at: int) -> int:
        """Take what follows of *packets*, from the index *at* on; the index of the first that is
        something else."""
        if not self._is_open:
            return at
        unpack, step = self._layout.fields.unpack_from, self._step
        size = step - self._layout.data
        first, second, flow, _, middle, _, rest = self._fields
        following, sequences, checksums = self._next, 0, 0
        begin, end = at, min(len(packets), at + (_LARGEST - self._total) // size)
        while at < end and len(packets[at]) == step:
            one, two, three, sequence, four, checksum, five = unpack(packets[at])
            if (
                sequence != following
                or four != middle
                or three != flow
                or five != rest
                or one != first
                or two != second
            ):
                break
            sequences += sequence
            checksums += checksum
            following = following + size & 0xFFFFFFFF
            at += 1
        self._packets += packets[begin:at]
        self._total += (at - begin) * size
        self._next = following
        self._sequences += sequences
        self._checksums += checksums
        if at < end:
            at += self._take_last(packets[at])
        else:
            # It may go on with the next packets of its flow, unless it is full.
            self._is_open = self._total + size <= _LARGEST
        return at

    def _take_last(self, packet: memoryview) -> bool:
        """Add a packet that is shorter or has PSH, if it is the next one."""
        layout, size = self._layout, len(packet)
        if not layout.data < size <= self._step:
            return False
        first, *shared, sequence, middle, checksum, rest = layout.fields.unpack_from(packet)
        known = self._fields
        if (
            sequence != self._next
            or first[:-2] != known[0][:-2]
            or int.from_bytes(first[-2:], "big") != size - layout.uncounted
            or tuple(shared) != known[1:3]
            or middle[:5] + middle[6:] != known[4][:5] + known[4][6:]
            or middle[5] & ~_PSH != _ACK
            or rest != known[6]
        ):
            return False
        self._packets.append(packet)
        self._total += size - layout.data
        self._sequences += sequence
        self._checksums += checksum
        self._psh = middle[5] & _PSH
        self._is_open = False
        return True

    def writes(self, local: Collection[bytes]) -> list[Write]:
        """One superpacket; or the packets as they came, where one of them is damaged."""
        packets, layout = self._packets, self._layout
        first = packets[0]
        if len(packets) == 1:
            return [[PLAIN, first]]
        is_ours = bytes(first[layout.destination : layout.end]) in local
        is_even = not (self._step - layout.data) & 1
        if layout.start == IPV4_HEADER and ones_sum(first[:IPV4_HEADER]) != 0xFFFF:
            return [[PLAIN, one] for one in packets]
        # The first packet whole: its head is what filters look at.
        head = bytearray(first)
        if is_ours and is_even:
            flags, tcp = 0, self._joint_checksum()
        elif self._is_intact():
            flags, tcp = NEEDS_CSUM, self._pseudo_sum()
        else:
            return [[PLAIN, one] for one in packets]
        if layout.start == IPV4_HEADER:
            _TWO.pack_into(head, 2, self._total, 0)
            _U16.pack_into(head, 10, 0)
            _U16.pack_into(head, 10, checksum(head[:IPV4_HEADER]))
        else:
            _U16.pack_into(head, 4, self._total - IPV6_HEADER)
        head[layout.start + 13] |= self._psh
        _U16.pack_into(head, layout.start + _TCP_CHECKSUM, tcp)
        data = layout.data
        vnet = VNET_HDR.pack(
            flags, layout.kind, data, self._step - data, layout.start, _TCP_CHECKSUM
        )
        return [[vnet, memoryview(head), *[one[data:] for one in packets[1:]]]]

    def _pseudo_sum(self) -> int:
        layout, first = self._layout, self._packets[0]
        addresses = (
            first[layout.source : layout.destination],
            first[layout.destination : layout.end],
        )
        return pseudo_sum(*addresses, IPPROTO_TCP, self._total - layout.start)

    def _is_intact(self) -> bool:
        """Whether the checksums of all packets are right. They are verified together: the sum of
        all is divided once. Addresses stand right before TCP, so they are summed up with it."""
        layout = self._layout
        begin, read = layout.source, int.from_bytes
        total = sum([read(one[begin:], "little") for one in self._packets])
        count = len(self._packets)
        lengths = self._total + (count - 1) * layout.data - count * layout.start
        return (total * _TURNED + lengths + count * IPPROTO_TCP) % 0xFFFF == 0

    def _joint_checksum(self) -> int:
        """The checksum of the superpacket, by those of its packets: it is right if they are.

        Each says what the sum of its payload is, since it knows all the rest. The superpacket has
        the sum of all payloads, but one header. Modulo 65535 a sequence number is the sum of its
        two words.
        """
        _, _, flow, _, middle, _, rest = self._fields
        header = self._layout.data - self._layout.start
        each = ones_sum(flow) + ones_sum(middle) + ones_sum(rest) + IPPROTO_TCP + header
        others = len(self._packets) - 1
        return (others * each + self._sequences + self._checksums) % 0xFFFF


def join(packets: Sequence[memoryview], local: Collection[bytes] = ()) -> list[Write]:
    """Writes for the device that have all the packets: those of a flow in their order, joined
    where they can be. Each is a list of buffers for writev(2), with a header of virtio first.

    *local* are packed addresses of this host. The kernel verifies the checksum of a superpacket for
    one of them, so it gets the one that follows from those of the packets. What is forwarded gets
    new checksums, so those of its packets are verified here.
    """
    made: list[_Run | memoryview] = []
    runs: dict[bytes, _Run] = {}
    at = 0
    while at < len(packets):
        packet = packets[at]
        layout = _layout(packet)
        if layout is None:
            # It may belong to any of the flows: an end of one, or an ICMP error about it.
            runs.clear()
            made.append(packet)
            at += 1
            continue
        flow = bytes(packet[layout.source : layout.start + 4])
        run = runs.get(flow)
        following = run.extend(packets, at) if run is not None else at
        if following == at:
            run = runs[flow] = _Run(layout, packet)
            made.append(run)
            following = run.extend(packets, at + 1)
        at = following
    writes: list[Write] = []
    for one in made:
        if isinstance(one, _Run):
            writes += one.writes(local)
        else:
            writes.append([PLAIN, one])
    return writes
