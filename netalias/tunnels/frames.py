"""The datagrams between two ends of ours: slices of superpackets, regrouped after loss. Pure.

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
    from typing import Any

    Write = list[bytes | memoryview]
    """Header of virtio, then the parts of a packet: what writev(2) takes."""

TCP, UDP, UNSUMMED = 0x81, 0x82, 0x83
"""Kinds: slices of TCP and of UDP; a packet whose checksum is not computed yet, with the offset of
the field in place of ``header``."""
SLICES = (TCP, UDP)
HEAD = Struct("!BBBBHH")
ROOM = HEAD.size
COPIED = 6
"""The rest of the head stands before the header of the superpacket, and is copied with it."""
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
_CACHED = 32
"""Layouts that are kept: one flow needs one."""

_U16 = Struct("!H")
_U32 = Struct("!I")


class Malformed(Exception):
    """A datagram that is none of ours."""


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
    """A buffer of slots, one for each slice of a train, all heads but the number written.

    ``parts`` are what readv(2) fills: the header of virtio, then the first slot behind its head,
    then the payload of every other slot.
    """

    def __init__(self, kind: int, start: int, header: int, size: int) -> None:
        self.key = kind, start, header, size
        self.kind, self.start, self.header, self.size = self.key
        self.stride = ROOM + header + size
        self.slots = min(-(-PACKET // size), len(INDEXES))
        self.at_once = max(1, min(LONGEST // self.stride, SEGMENTS))
        """Slices of one train."""
        self.vnet = bytearray(VNET_HDR.size)
        self.buffer = bytearray(self.slots * self.stride)
        self.view = memoryview(self.buffer)
        offsets = range(0, len(self.buffer), self.stride)
        for index, offset in enumerate(offsets):
            HEAD.pack_into(self.buffer, offset, kind, index, start, header, size, 0)
        skip = ROOM + header
        self.heads = [self.view[one + COPIED : one + skip] for one in offsets]
        self.payloads = [self.view[one + skip : one + self.stride] for one in offsets]
        self.parts = [
            memoryview(self.vnet),
            self.view[ROOM : self.stride],
            *self.payloads[1:],
        ]
        self.holds = self.slots * size
        """Bytes of payload that find room."""

    def ends(self, place: int) -> bool:
        """Whether the header at *place* of the buffer is as long as that of the layout."""
        if self.kind == UDP:
            return True
        return self.start + (self.buffer[place + self.start + 12] >> 4 << 2) == self.header

    def train(self, payload: int, number: int) -> int:
        """Copy the header of the first slot into all that are in use; the length of the train."""
        count = -(-payload // self.size) or 1
        _U16.pack_into(self.buffer, COPIED, number)
        head = bytes(self.heads[0])
        for one in self.heads[1:count]:
            one[:] = head
        return count * (ROOM + self.header) + payload

    def fill(self, head: bytes | bytearray, payload: memoryview) -> None:
        """Put the header into the first slot and the payload into all."""
        self.view[ROOM : ROOM + self.header] = head
        size = self.size
        for index, slot in enumerate(self.payloads[: -(-len(payload) // size)]):
            part = payload[index * size : (index + 1) * size]
            slot[: len(part)] = part


class Layouts:
    """The layouts in use, made when they are needed."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int, int, int], Layout] = {}

    def get(self, kind: int, start: int, header: int, size: int) -> Layout:
        """The one of these values; *size* is that of the payload of a slice."""
        key = kind, start, header, size
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= _CACHED:
                self._made.clear()
            found = self._made[key] = Layout(*key)
        return found


class Joiner:
    """Superpackets out of what receive_train() gives."""

    def __init__(self) -> None:
        self._parts: dict[tuple[int, int], list[bytes | memoryview]] = {}
        self._view: memoryview | None = None
        self._headers: dict[tuple[int, int, int, int, int], bytes] = {}
        self.malformed = 0
        """Datagrams that were dropped, since the last look."""

    def join(self, view: memoryview, length: int, size: int) -> list[Write]:
        """The writes to the device for *length* bytes of datagrams of *size* bytes each.

        All views are of *view*. What is malformed is counted and left out.
        """
        whole = self._whole(view, length, size)
        if whole is not None:
            return [whole]
        writes: list[Write] = []
        run: _Run | None = None
        for offset in range(0, length, size):
            datagram = view[offset : min(offset + size, length)]
            if run is not None and run.takes(datagram):
                continue
            if run is not None:
                writes.append(run.write(self))
                run = None
            try:
                if datagram[0] in SLICES:
                    run = _Run(datagram)
                else:
                    writes.append(_packet(datagram))
            except (Malformed, IndexError):
                self.malformed += 1
        if run is not None:
            writes.append(run.write(self))
        return writes

    def _whole(self, view: memoryview, length: int, size: int) -> Write | None:
        """A train without a gap; None for everything else."""
        if length < ROOM or view[0] not in SLICES:
            return None
        kind, index, start, header, segment, _ = HEAD.unpack_from(view)
        count = -(-length // size)
        stride = ROOM + header + segment
        if index or count > len(INDEXES) or (size != stride and (count > 1 or size > stride)):
            return None
        columns: Any = view.obj
        if (
            columns[1:length:size] != INDEXES[:count]
            or columns[6:length:size] != columns[6:7] * count
            or columns[7:length:size] != columns[7:8] * count
            or not _sane(view[ROOM:], start, header, kind)
        ):
            return None
        payload = length - count * (ROOM + header)
        if payload_of(view[ROOM : ROOM + 6], header) != payload or segment < 1:
            return None
        parts = self._views(view, size, header)[: count + 1]
        parts[0] = self.header(kind, view[ROOM] >> 4, start, header, segment if count > 1 else 0)
        last = (count - 1) * size
        parts[-1] = view[last + ROOM + (header if count > 1 else 0) : length]
        return parts

    def _views(self, view: memoryview, size: int, header: int) -> list[bytes | memoryview]:
        """A place for the header of virtio, then the parts of all datagrams of the buffer."""
        if view is not self._view:
            self._parts.clear()
            self._view = view
        found = self._parts.get((size, header))
        if found is None:
            if len(self._parts) >= _CACHED:
                self._parts.clear()
            skip = ROOM + header
            offsets = range(size, len(view), size)
            found = [b"", view[ROOM:size], *(view[one + skip : one + size] for one in offsets)]
            self._parts[size, header] = found
        return found

    def header(self, kind: int, version: int, start: int, header: int, segment: int) -> bytes:
        """The header of virtio of a superpacket; with *segment* 0 of a single packet."""
        key = kind, version, start, header, segment
        found = self._headers.get(key)
        if found is None:
            if len(self._headers) >= _CACHED:
                self._headers.clear()
            gso = GSO[kind, version] if segment else GSO_NONE
            length = header if segment else 0
            offset = CSUM_OFFSET[kind]
            found = VNET_HDR.pack(NEEDS_CSUM, gso, length, segment, start, offset)
            self._headers[key] = found
        return found


class _Run:
    """Slices of one train that follow one another without a gap.

    Raises Malformed.
    """

    def __init__(self, datagram: memoryview) -> None:
        if len(datagram) < ROOM:
            raise Malformed
        self.kind, self.first, self.start, self.header, self.size, self.train = HEAD.unpack_from(
            datagram
        )
        skip = ROOM + self.header
        if (
            not self.size
            or not skip <= len(datagram) <= skip + self.size
            or not _sane(datagram[ROOM:], self.start, self.header, self.kind)
        ):
            raise Malformed
        self._head = bytes(datagram[ROOM:skip])
        self._parts = [datagram[skip:]]
        self._open = len(datagram) == skip + self.size

    def takes(self, datagram: memoryview) -> bool:
        """Take a slice that follows; whether it does."""
        skip = ROOM + self.header
        expected = self.kind, self.first + len(self._parts), self.start, self.header, self.size
        if not self._open or not skip < len(datagram) <= skip + self.size:
            return False
        if HEAD.unpack_from(datagram) != (*expected, self.train):
            return False
        self._parts.append(datagram[skip:])
        self._open = len(datagram) == skip + self.size
        return True

    def write(self, joiner: Joiner) -> Write:
        """The run as a superpacket."""
        offset = self.first * self.size
        length = sum(map(len, self._parts))
        ends = offset + length >= payload_of(self._head, self.header)
        head = narrowed(self._head, self.start, self.first, offset, length, ends)
        segment = self.size if len(self._parts) > 1 else 0
        version = head[0] >> 4
        vnet = joiner.header(self.kind, version, self.start, self.header, segment)
        return [vnet, memoryview(head), *self._parts]


def _sane(packet: memoryview, start: int, header: int, kind: int) -> bool:
    """Whether the header of a slice can be what its head says."""
    if len(packet) < header or start + (8 if kind == UDP else 20) > header:
        return False
    version = packet[0] >> 4
    if version == 4:
        return start == (packet[0] & 15) * 4 >= 20
    return version == 6 and start >= 40


def _packet(datagram: memoryview) -> Write:
    """A datagram that is a packet of its own. Raises Malformed."""
    if datagram[0] >> 4 in (4, 6):
        return [PLAIN, datagram]
    if len(datagram) <= ROOM or datagram[0] != UNSUMMED:
        raise Malformed
    _, _, start, offset, _, _ = HEAD.unpack_from(datagram)
    packet = datagram[ROOM:]
    if packet[0] >> 4 not in (4, 6) or start + offset + 2 > len(packet):
        raise Malformed
    return [VNET_HDR.pack(NEEDS_CSUM, GSO_NONE, 0, 0, start, offset), packet]


def unsummed(start: int, offset: int) -> bytes:
    """The head before a packet whose checksum is not computed yet."""
    return HEAD.pack(UNSUMMED, 0, start, offset, 0, 0)
