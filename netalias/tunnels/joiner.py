"""Superpackets out of the datagrams of the other end, regrouped where some are missing. Pure."""

from __future__ import annotations

from _bisect import bisect_right

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
    from collections.abc import Sequence
    from typing import Any

    Write = list[bytes | memoryview]
    """Header of virtio, then the parts of a packet: what writev(2) takes."""

SHORTEST = 20
"""Bytes: a shorter datagram is malformed."""
FIRST_WORDS = {4: slice(ROOM, ROOM + 4), 6: slice(ROOM, ROOM + 6)}
"""The places of a header of IP behind a head as far as its length, by its version."""


class Malformed(Exception):
    """A datagram that is none of ours."""


class Joiner:
    """Superpackets out of what receive_train() gives."""

    def __init__(self) -> None:
        self._shapes: dict[bytes, _Shape] = {}
        """By the head of a slice without its index, and the first byte of its packet."""
        self._view: memoryview | None = None
        self._train: _Train | None = None
        """The last train that came whole and alone."""
        self.malformed = 0
        """Datagrams that were dropped, since the last look."""
        self.messages: list[bytes] = []
        """Messages of hello.py, since the last look."""

    def join(
        self, view: memoryview, length: int, ends: Sequence[int] = (), begin: int = 0
    ) -> list[Write]:
        """The writes to the device for datagrams from *begin* to *length*, which tell their own
        lengths.

        All views are of *view*. What is malformed is counted and left out, as far as the next of
        *ends*: places at which a datagram surely ends.
        """
        if view is not self._view:
            self._shapes.clear()
            self._view, self._train = view, None
        writes: list[Write] = []
        offset = begin
        while offset < length:
            bound = _next(ends, offset, length)
            try:
                if view[offset] in SLICES:
                    write, offset = self._run(view, offset, length, bound)
                    writes.append(write)
                else:
                    offset = self._other(view, offset, bound, writes)
            except Malformed:
                self.malformed += 1
                offset = bound
        return writes

    def again(self, view: memoryview, length: int, ends: Sequence[int]) -> Write | None:
        """The write for a train that differs from one before in number, content and marks of TCP
        alone; None for anything else, which join() takes."""
        train = self._train
        if train is None or view is not self._view or not train.comes_again(length, ends):
            return None
        return train.write

    def _run(self, view: memoryview, offset: int, length: int, bound: int) -> tuple[Write, int]:
        """A train, or the part of one that follows without a gap; and where it ends. The first
        slice ends before *bound*.

        Raises Malformed.
        """
        if length - offset < SHORTEST:
            raise Malformed
        head = bytes(view[offset : offset + ROOM + 1])
        shape = self._shapes.get(head[:1] + head[2:NUMBER] + head[ROOM:]) or self._learn(head)
        inner = offset + ROOM
        whole = payload_of(view[inner : inner + 6], shape.header)
        begin = head[1] * shape.size
        span = shape.span(whole - begin, length - offset)
        if not 0 < min(span, shape.stride) <= bound - offset:
            raise Malformed
        if span > shape.stride:
            span = _without_gap(view, offset, span, shape, head)
        parts = shape.parts_of(view, offset, span)
        payload = span - -(-span // shape.stride) * shape.skip
        if payload == whole and not offset and shape.stride < span == length:
            self._train = _Train(shape, view, length, parts)
        if payload != whole:
            former = bytes(view[inner : inner + shape.header])
            ends = begin + payload == whole
            made = narrowed(former, shape.start, head[1], begin, payload, ends)
            parts[1:2] = [memoryview(made), memoryview(parts[1])[shape.header :]]
        return parts, offset + span

    def _learn(self, head: bytes) -> _Shape:
        """The shape of slices with this head. Raises Malformed."""
        kind, _, start, header, size, _ = HEAD.unpack_from(head)
        version = head[ROOM] >> 4
        if version == 4:
            is_sane = start == (head[ROOM] & 15) * 4 >= 20
        else:
            is_sane = version == 6 and start >= 40
        if not is_sane or not size or header < start + (8 if kind == UDP else 20):
            raise Malformed
        if len(self._shapes) >= CACHED:
            self._shapes.clear()
        shape = _Shape(kind, version, start, header, size)
        self._shapes[head[:1] + head[2:NUMBER] + head[ROOM:]] = shape
        return shape

    def _other(self, view: memoryview, offset: int, bound: int, writes: list[Write]) -> int:
        """A datagram that is no slice, and ends before *bound*; the place at which it ends.

        Raises Malformed.
        """
        kind = view[offset]
        data = view[offset:bound]
        if len(data) < SHORTEST:
            raise Malformed
        if kind in hello.KINDS:
            end = hello.MESSAGE.size
            self.messages.append(bytes(data[:end]))
            return offset + end
        packet = data[ROOM:] if kind == UNSUMMED else data
        if packet[0] >> 4 not in (4, 6):
            raise Malformed
        size = payload_of(packet, 0)
        if not SHORTEST <= size <= len(packet):
            raise Malformed
        vnet = PLAIN
        if kind == UNSUMMED:
            _, _, start, place, _, _ = HEAD.unpack_from(data)
            if start + place + 2 > size:
                raise Malformed
            vnet = VNET_HDR.pack(NEEDS_CSUM, GSO_NONE, 0, 0, start, place)
        writes.append([vnet, packet[:size]])
        return offset + len(data) - len(packet) + size


def _next(ends: Sequence[int], offset: int, length: int) -> int:
    """The first of *ends* behind *offset*, or *length*."""
    place = bisect_right(ends, offset)
    return ends[place] if place < len(ends) else length


class _Shape:
    """Slices whose heads differ in nothing but index and train.

    ``skip`` is the number of bytes before the payload in each, ``stride`` that of a whole slice.
    """

    def __init__(self, kind: int, version: int, start: int, header: int, size: int) -> None:
        self.version = version
        self.start, self.header, self.size = start, header, size
        self.skip = ROOM + header
        self.stride = self.skip + size
        place = CSUM_OFFSET[kind]
        self._many = VNET_HDR.pack(NEEDS_CSUM, GSO[kind, version], header, size, start, place)
        self._one = VNET_HDR.pack(NEEDS_CSUM, GSO_NONE, 0, 0, start, place)
        self._parts: list[bytes | memoryview] = []

    def span(self, payload: int, room: int) -> int:
        """Bytes of the slices with so much payload; where they do not fit, of those that do."""
        if payload <= 0:
            return 0
        full, rest = divmod(payload, self.size)
        found = full * self.stride + (self.skip + rest if rest else 0)
        return found if found <= room else room - room % self.stride

    def parts_of(self, view: memoryview, offset: int, span: int) -> Write:
        """The writes of slices that stand in *span* bytes, with the header of the first one.

        Those at the head of the buffer, where they stand mostly, are laid out once.
        """
        if span <= self.stride:
            return [self._one, view[offset + ROOM : offset + span]]
        last = offset + span - 1 - (span - 1) % self.stride
        if offset:
            parts = self._laid_out(view, offset, offset + span)
        else:
            self._parts = self._parts or self._laid_out(view, 0, len(view))
            parts = self._parts[: last // self.stride + 2]
        parts[-1] = view[last + self.skip : offset + span]
        return parts

    def _laid_out(self, view: memoryview, begin: int, end: int) -> Write:
        skip, stride = self.skip, self.stride
        slices = range(begin + stride, end, stride)
        rest = [view[one + skip : one + stride] for one in slices]
        return [self._many, view[begin + ROOM : begin + stride], *rest]


class _Train:
    """A train that had the whole buffer. ``write`` is what it became: views of the buffer, so it is
    also what another one becomes that differs in number, content and marks alone."""

    def __init__(self, shape: _Shape, view: memoryview, length: int, write: Write) -> None:
        self.write = write
        columns: Any = view.obj
        self._columns = columns
        self._length, self._stride = length, shape.stride
        self._count = count = -(-length // shape.stride)
        self._kinds, self._indexes = columns[:1] * count, INDEXES[:count]
        self._words = words = FIRST_WORDS[shape.version]
        self._values = columns[2:NUMBER], columns[words]

    def comes_again(self, length: int, ends: Sequence[int]) -> bool:
        """Whether *length* bytes of the buffer are such a train; the first datagram ends at the
        first of *ends*."""
        columns, stride, count = self._columns, self._stride, self._count
        again: bool = (
            length == self._length
            and (not ends or ends[0] >= stride or ends[0] == length)
            and columns[1:length:stride] == self._indexes
            and columns[:length:stride] == self._kinds
            and columns[NUMBER:length:stride] == columns[NUMBER : NUMBER + 1] * count
            and columns[NUMBER + 1 : length : stride] == columns[NUMBER + 1 : ROOM] * count
            and (columns[2:NUMBER], columns[self._words]) == self._values
        )
        return again


def _without_gap(view: memoryview, offset: int, span: int, shape: _Shape, head: bytes) -> int:
    """The bytes of *span* that stand without a gap and belong to the train of *head*."""
    columns: Any = view.obj
    end, stride = offset + span, shape.stride
    count = -(-span // stride)
    kinds, indexes = head[:1] * count, INDEXES[head[1] : head[1] + count]
    numbers = [head[one : one + 1] * count for one in (NUMBER, NUMBER + 1)]
    expected = [kinds, indexes, *numbers]
    found = [columns[offset + one : end : stride] for one in (0, 1, NUMBER, NUMBER + 1)]
    if found == expected:
        return span
    pairs = zip(zip(*found, strict=True), zip(*expected, strict=False), strict=False)
    gap = next((one for one, (got, wanted) in enumerate(pairs) if got != wanted), len(indexes))
    return gap * stride
