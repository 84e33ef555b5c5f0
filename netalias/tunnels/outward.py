"""Superpackets of a device as trains of a carriage.

A superpacket is read into one buffer, over which the payloads of all slices of a shape are laid out
before; a train is then one join of these and of the heads. That takes less than a read that
scatters the slices, or a send that gathers them: both cost the kernel and Python for each part.
"""

from __future__ import annotations

from os import readv
from time import monotonic

from netalias.tunnels import counters, frames
from netalias.tunnels.segments import split
from netalias.tunnels.standing import Standing
from netalias.tunnels.tun import GSO_NONE, NEEDS_CSUM, VNET_HDR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.tunnels.carriage import Carriage
    from netalias.tunnels.frames import Layout
    from netalias.tunnels.tun import Tun

    Outgoing = Callable[[memoryview, int, bool], int]
    """(packet, size of its segments or 0, whether its checksum is that of the pseudo header only)
    -> 0 or the index of a counter."""
    Shape = tuple[int, int, int, int]
    """gso_type, gso_size and csum_start of a superpacket, and the data offset of TCP."""

NO_SHAPE = (GSO_NONE, 0, 0, 0)
AT_ONCE = 8
"""Reads of the device before the carriage has its turn."""


class Outward:
    """The way out for a peer that takes trains."""

    def __init__(
        self, tun: Tun, carriage: Carriage, values: memoryview, filters: list[Outgoing]
    ) -> None:
        self._fd = tun.fileno()
        self._carriage = carriage
        self._values = values
        self._filters = filters
        self._number = 0
        self._room = carriage.room()
        self._vnet = bytearray(VNET_HDR.size)
        self._packet = memoryview(bytearray(frames.PACKET))
        self._read = [memoryview(self._vnet), self._packet]
        self._layouts = frames.Layouts(self._packet)
        self._shape: Shape = NO_SHAPE
        self._layout: Layout | None = None
        """The layout of the last superpacket, which had this shape."""
        self._standing = Standing()
        self._slow_down = False
        """Whether the next flow of TCP is to lose a segment."""

    def pump(self) -> None:
        """Take from the device what is there now, AT_ONCE reads at most. Raises OSError."""
        for _ in range(AT_ONCE):
            if not self.once():
                self._standing.look(monotonic(), empty=True)
                return
        if self._standing.look(monotonic(), empty=False):
            self._slow_down = True

    def once(self) -> bool:
        """Take one packet or superpacket from the device; whether there was one. Raises OSError."""
        try:
            length = readv(self._fd, self._read) - VNET_HDR.size
        except BlockingIOError:
            return False
        flags, gso, _, segment, start, offset = VNET_HDR.unpack(self._vnet)
        if gso == GSO_NONE:
            self._single(self._packet[:length], flags, start, offset)
        else:
            self._superpacket(length, gso, segment, start)
        return True

    def _superpacket(self, length: int, gso: int, segment: int, start: int) -> None:
        """Send the superpacket that stands in the buffer."""
        dropped = self._refused(length, segment, NEEDS_CSUM)
        shape = gso, segment, start, self._packet[start + 12]
        if shape != self._shape:
            self._shape, self._layout = shape, self._laid_out(*shape)
        layout = self._layout
        if layout is None or dropped:
            self._values[dropped or counters.UNSENT] += 1
        elif length - layout.header <= layout.holds:
            self._train(layout, length)
        else:
            self._narrowed(layout, length)

    def _laid_out(self, gso: int, segment: int, start: int, offset: int) -> Layout | None:
        """The layout of superpackets of a shape; None where they cannot be cut into slices."""
        kind = frames.KINDS.get(gso)
        header = start + (8 if kind == frames.UDP else offset >> 4 << 2)
        if kind == frames.TCP:
            # Its payload is a stream: slices need not be as long as its segments.
            segment = min(segment, self._room - frames.ROOM - header)
        if kind is None or segment < 1:
            return None
        return self._layouts.get(kind, start, header, segment)

    def _narrowed(self, layout: Layout, length: int) -> None:
        """Send a superpacket of more slices than a layout has, as several ones."""
        header = layout.header
        head, payload = bytes(self._packet[:header]), bytes(self._packet[header:length])
        for offset in range(0, len(payload), layout.holds):
            part = payload[offset : offset + layout.holds]
            ends = offset + len(part) == len(payload)
            first = offset // layout.size
            self._packet[:header] = frames.narrowed(
                head, layout.start, first, offset, len(part), ends
            )
            self._packet[header : header + len(part)] = part
            self._train(layout, header + len(part))

    def _train(self, layout: Layout, length: int) -> None:
        """Send what stands in the buffer as one train, or more where the kernel takes less."""
        values = self._values
        self._number = number = self._number + 1 & 0xFFFF
        train = layout.train(number, length)
        if self._slow_down and layout.is_stream and len(train) > layout.stride:
            self._slow_down = False
            train = train[: (len(train) - 1) // layout.stride * layout.stride]
            values[counters.SLOWED] += 1
        tos, df = self._marks()
        stride, send = layout.stride, self._carriage.send_train
        most = layout.at_once * stride
        if len(train) <= most:
            sent = send(train, stride, tos, df)
        else:
            view = memoryview(train)
            parts = [view[one : one + most] for one in range(0, len(train), most)]
            sent = sum(send(one, stride, tos, df) for one in parts) == len(parts)
        if not sent:
            self._unsent()
            return
        values[counters.SENT_TRAINS] += 1
        values[counters.SENT_PACKETS] += -(-len(train) // stride)
        values[counters.SENT_BYTES] += length

    def _single(self, packet: memoryview, flags: int, start: int, offset: int) -> None:
        """Send a packet that is no superpacket."""
        values = self._values
        dropped = self._refused(len(packet), 0, flags)
        if dropped:
            values[dropped] += 1
            return
        tos, df = self._marks()
        whole = frames.unsummed(start, offset) + packet if flags & NEEDS_CSUM else packet
        if len(packet) <= self._room < len(whole):
            # The path takes the packet, but not the head with it: nothing smaller would be told.
            (whole,) = split(self._vnet, packet)
        if not self._carriage.send_train(whole, len(whole), tos, df):
            if self._carriage.refused is not None:
                self._carriage.refused(packet, self._carriage.errno)
            self._unsent()
            return
        values[counters.SENT_PACKETS] += 1
        values[counters.SENT_BYTES] += len(packet)

    def _refused(self, length: int, segment: int, flags: int) -> int:
        """The counter of the filter that drops the packet in the buffer; 0 for none."""
        for one in self._filters:
            dropped = one(self._packet[:length], segment, bool(flags & NEEDS_CSUM))
            if dropped:
                return dropped
        return 0

    def _marks(self) -> tuple[int, int]:
        """TOS, and whether the packet in the buffer may not be fragmented."""
        packet = self._packet
        first = packet[0]
        if first >> 4 == 4:
            return packet[1], packet[6] & 0x40
        return (first << 4 | packet[1] >> 4) & 0xFF, 1

    def _unsent(self) -> None:
        """The path may take less than it took before."""
        self._values[counters.UNSENT] += 1
        self._room = self._carriage.room()
        self._shape = NO_SHAPE
