"""Superpackets out of the datagrams of the other end, regrouped where some are missing. Pure."""

from __future__ import annotations

from netalias.tunnels import hello
from netalias.tunnels.frames import (
    CACHED,
    CSUM_OFFSET,
    GSO,
    HEAD,
    INDEXES,
    NUMBER,
    ROOM,
    SLICES,
    UDP,
    UNSUMMED,
    narrowed,
    payload_of,
)
from netalias.tunnels.tun import GSO_NONE, NEEDS_CSUM, PLAIN, VNET_HDR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Write = list[bytes | memoryview]
    """Header of virtio, then the parts of a packet: what writev(2) takes."""

SHORTEST = 20
"""Bytes: no datagram is taken for shorter, so that a buffer of nonsense is few of them."""


class Malformed(Exception):
    """A datagram that is none of ours."""


class Joiner:
    """Superpackets out of what receive_train() gives."""

    def __init__(self) -> None:
        self._shapes: dict[bytes, _Shape] = {}
        """By the head of the first slice and the first byte of its packet."""
        self._view: memoryview | None = None
        self._headers: dict[tuple[int, int, int, int, int], bytes] = {}
        self.malformed = 0
        """Datagrams that were dropped, since the last look."""
        self.messages: list[bytes] = []
        """Messages of hello.py, since the last look."""

    def join(self, view: memoryview, length: int, size: int = 0) -> list[Write]:
        """The writes to the device for *length* bytes of datagrams of *size* bytes each.

        With *size* 0 each is as long as it says itself. All views are of *view*. What is malformed
        is counted and left out.
        """
        if view[0] in SLICES and length > ROOM:
            whole = self._whole(view, length, size)
            if whole is not None:
                return [whole]
        writes: list[Write] = []
        run: _Run | None = None
        offset = 0
        while offset < length:
            end = offset + (size or _length(view[offset:length]))
            datagram = view[offset : min(end, length)]
            offset = end
            if run is not None and run.takes(datagram):
                continue
            if run is not None:
                writes.append(run.write(self))
                run = None
            try:
                if datagram[0] in SLICES:
                    run = _Run(datagram)
                elif datagram[0] in hello.KINDS:
                    self.messages.append(bytes(datagram))
                else:
                    writes.append(_packet(datagram))
            except (Malformed, IndexError):
                self.malformed += 1
        if run is not None:
            writes.append(run.write(self))
        return writes

    def _whole(self, view: memoryview, length: int, size: int) -> Write | None:
        """A train without a gap, as most are; None for everything else."""
        if view is not self._view:
            self._shapes.clear()
            self._view = view
        head = bytes(view[: ROOM + 1])
        shape = self._shapes.get(head[:NUMBER] + head[ROOM:])
        if shape is None:
            shape = self._learn(view)
            if shape is None:
                return None
        stride = shape.stride
        if size not in (0, stride):
            return None
        count = -(-length // stride)
        last = (count - 1) * stride
        columns: Any = view.obj
        if (
            columns[1:length:stride] != INDEXES[:count]
            or columns[NUMBER + 1 : length : stride] != head[NUMBER + 1 : ROOM] * count
            or columns[last + NUMBER] != head[NUMBER]
            or payload_of(view[ROOM : ROOM + 6], shape.header)
            != length - count * (ROOM + shape.header)
        ):
            return None
        parts = shape.parts[: count + 1]
        if count == 1:
            return [shape.single, view[ROOM:length]]
        parts[-1] = view[last + ROOM + shape.header : length]
        return parts

    def _learn(self, view: memoryview) -> _Shape | None:
        """The shape of trains whose first slice stands in *view*; None if it is not the first."""
        kind, index, start, header, size, _ = HEAD.unpack_from(view)
        if index or not size or not _sane(view[ROOM:], start, header, kind):
            return None
        if len(self._shapes) >= CACHED:
            self._shapes.clear()
        version = view[ROOM] >> 4
        shape = _Shape(view, header, size)
        shape.single = self.header(kind, version, start, header, 0)
        shape.parts[0] = self.header(kind, version, start, header, size)
        self._shapes[bytes(view[:NUMBER]) + bytes(view[ROOM : ROOM + 1])] = shape
        return shape

    def header(self, kind: int, version: int, start: int, header: int, segment: int) -> bytes:
        """The header of virtio of a superpacket; with *segment* 0 of a single packet."""
        key = kind, version, start, header, segment
        found = self._headers.get(key)
        if found is None:
            if len(self._headers) >= CACHED:
                self._headers.clear()
            gso = GSO[kind, version] if segment else GSO_NONE
            length = header if segment else 0
            offset = CSUM_OFFSET[kind]
            found = VNET_HDR.pack(NEEDS_CSUM, gso, length, segment, start, offset)
            self._headers[key] = found
        return found


class _Shape:
    """Trains whose first slices have the same head: the parts to write for the whole buffer.

    ``single`` is the header of virtio for a train of one slice; that for more is the first part.
    """

    def __init__(self, view: memoryview, header: int, size: int) -> None:
        self.header = header
        self.stride = stride = ROOM + header + size
        self.single = PLAIN
        skip = ROOM + header
        offsets = range(stride, len(view), stride)
        self.parts: list[bytes | memoryview] = [
            b"",
            view[ROOM:stride],
            *(view[one + skip : one + stride] for one in offsets),
        ]


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


def _length(data: memoryview) -> int:
    """Bytes of the datagram at the head of *data*, as it says itself; all where it cannot be.

    That of a slice follows from its index and the length of its superpacket.
    """
    if len(data) < ROOM:
        return len(data)
    kind, index, _, header, size, _ = HEAD.unpack_from(data)
    try:
        if kind >> 4 in (4, 6):
            found = payload_of(data, 0)
        elif kind in hello.KINDS:
            found = hello.MESSAGE.size
        elif kind == UNSUMMED:
            found = ROOM + payload_of(data[ROOM:], 0)
        elif kind in SLICES:
            rest = payload_of(data[ROOM:], header) - index * size
            found = ROOM + header + max(0, min(size, rest))
        else:
            found = len(data)
    except IndexError:
        found = len(data)
    return max(found, SHORTEST)
