"""The datagrams between two ends of ours: superpackets in slices. Pure; joiner.py is the way back.

A superpacket is one header of IP and TCP or UDP before up to 64 KiB of payload. It travels as a
train of datagrams, its slices, each complete in itself: a head of ours, the header of the
superpacket as it was, and a part of the payload. So nothing is kept between trains, and a lost
datagram costs one slice. The checksum of the payload is never computed here: the kernel of the
other end does that where it is needed, as for its own packets.

::

    0      kind       1  index of the slice in its train
    2      start      3  header: where that of TCP or UDP begins, and where it ends
    4 - 5  size       payload of each slice; the last may be shorter
    6 - 7  train      number of the train

The first four bits of a datagram of ours are never 4 or 6: such a one is a whole IP packet, as a
peer sends it that is not netalias.

Sources: struct virtio_net_hdr of linux/virtio_net.h, RFC 791, 8200, 9293, 768, 1624 (checksums).
"""

from __future__ import annotations

from _struct import Struct

from netalias.tunnels.tun import GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4

TCP, UDP, UNSUMMED = 0x81, 0x82, 0x83
"""Kinds: slices of TCP and of UDP; a packet whose checksum is not computed yet, with the offset of
the field in place of ``header``."""
SLICES = (TCP, UDP)
HEAD = Struct("!BBBBHH")
ROOM = HEAD.size
NUMBER = 6
"""Place of the number of the train, the only value of the head that differs between trains."""
CSUM_OFFSET = {TCP: 16, UDP: 6}
GSO = {
    (TCP, 4): GSO_TCPV4,
    (TCP, 6): GSO_TCPV6,
    (UDP, 4): GSO_UDP_L4,
    (UDP, 6): GSO_UDP_L4,
}
KINDS = {GSO_TCPV4: TCP, GSO_TCPV6: TCP, GSO_UDP_L4: UDP}

LONGEST = 65493
"""Bytes of a train: with one more it is cut in software before a virtual cable."""
SEGMENTS = 128
"""Datagrams of a train: UDP_MAX_SEGMENTS of linux/udp.h."""
INDEXES = bytes(range(256))
PACKET = 65535
FIN_PSH, CWR = 0x09, 0x80
TIMESTAMPED = 72
"""Bytes of a header of IPv6 and TCP with timestamps."""
CACHED = 32
"""Layouts that are kept: one flow needs one."""

_U16 = Struct("!H")
_U32 = Struct("!I")


def narrowed(
    head: bytes, start: int, first: int, offset: int, length: int, last: bool
) -> bytearray:
    """The header of a part of a superpacket, which is a superpacket too.

    The part begins with segment *first*, *offset* bytes into the payload, and has *length* bytes;
    *last* tells whether it ends the payload. The checksum of TCP or UDP is the sum of the
    pseudo-header, in which only the length changes.
    """
    made = bytearray(head)
    former = _lengths(made, start, first, length)
    if len(head) - start == 8:
        _U16.pack_into(made, start + 4, 8 + length)
        csum = start + 6
    else:
        csum = start + 16
        (sequence,) = _U32.unpack_from(made, start + 4)
        _U32.pack_into(made, start + 4, (sequence + offset) & 0xFFFFFFFF)
        cleared = (0 if last else FIN_PSH) | (CWR if first else 0)
        made[start + 13] &= ~cleared & 0xFF
    (pseudo,) = _U16.unpack_from(made, csum)
    new = len(head) - start + length
    _U16.pack_into(made, csum, _folded(pseudo + new + (~former & 0xFFFF)))
    return made


def _lengths(made: bytearray, start: int, first: int, length: int) -> int:
    """Write length and identification of IP; the former length behind the header of IP."""
    total = len(made) + length
    if made[0] >> 4 == 6:
        (former,) = _U16.unpack_from(made, 4)
        _U16.pack_into(made, 4, total - 40)
        return int(former) - start + 40
    (former,) = _U16.unpack_from(made, 2)
    (number,) = _U16.unpack_from(made, 4)
    (checksum,) = _U16.unpack_from(made, 10)
    fresh = (number + first) & 0xFFFF
    _U16.pack_into(made, 2, total)
    _U16.pack_into(made, 4, fresh)
    changed = (~checksum & 0xFFFF) + (~former & 0xFFFF) + total + (~number & 0xFFFF) + fresh
    _U16.pack_into(made, 10, ~_folded(changed) & 0xFFFF)
    return int(former) - start


def _folded(total: int) -> int:
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def payload_of(head: bytes | memoryview, header: int) -> int:
    """Bytes behind the first *header* ones of a packet, by its own length."""
    if head[0] >> 4 == 6:
        return (head[4] << 8 | head[5]) + 40 - header
    return (head[2] << 8 | head[3]) - header


class Layout:
    """The slices of superpackets of one shape, which stand in *packet*, a buffer of PACKET bytes.

    ``pieces`` are three for each slice: what is the same in all trains, a place for the number of
    the train and the header, and the payload.
    """

    def __init__(self, packet: memoryview, kind: int, start: int, header: int, size: int) -> None:
        self._packet = packet
        self.start, self.header, self.size = start, header, size
        self.is_stream = kind == TCP
        self.stride = ROOM + header + size
        self.at_once = max(1, min(LONGEST // self.stride, SEGMENTS))
        """Slices of one train."""
        slots = min(-(-(PACKET - header) // size), len(INDEXES))
        self.holds = slots * size
        """Bytes of payload that find room."""
        self._pieces: list[bytes | memoryview] = []
        for index in range(slots):
            head = HEAD.pack(kind, index, start, header, size, 0)
            begin = header + index * size
            self._pieces += [head[:NUMBER], b"", packet[begin : begin + size]]

    def train(self, number: int, length: int) -> bytes:
        """The slices of a packet of *length* bytes, one behind the other."""
        count = max(-(-(length - self.header) // self.size), 1)
        pieces = self._pieces[: 3 * count]
        pieces[1::3] = [_U16.pack(number) + self._packet[: self.header]] * count
        pieces[-1] = self._packet[self.header + (count - 1) * self.size : length]
        return b"".join(pieces)


class Layouts:
    """The layouts in use, made when they are needed; all of the same *packet*."""

    def __init__(self, packet: memoryview) -> None:
        self.packet = packet
        self._made: dict[tuple[int, int, int, int], Layout] = {}

    def get(self, kind: int, start: int, header: int, size: int) -> Layout:
        """The one of these values; *size* is that of the payload of a slice."""
        key = kind, start, header, size
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= CACHED:
                self._made.clear()
            found = self._made[key] = Layout(self.packet, *key)
        return found


def gso_max_size(mtu: int) -> int:
    """The largest superpacket whose slices are one train, for a device of this MTU."""
    return LONGEST // (ROOM + mtu) * (mtu - TIMESTAMPED) + TIMESTAMPED


def unsummed(start: int, offset: int) -> bytes:
    """The head before a packet whose checksum is not computed yet."""
    return HEAD.pack(UNSUMMED, 0, start, offset, 0, 0)


def is_whole(datagram: bytes | memoryview) -> bool:
    """Whether it is one packet of IP and nothing else."""
    length = len(datagram)
    if length < 20:
        return False
    if datagram[0] >> 4 == 4:
        return datagram[2] << 8 | datagram[3] == length
    return datagram[0] >> 4 == 6 and (datagram[4] << 8 | datagram[5]) + 40 == length
