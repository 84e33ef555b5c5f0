"""Superpackets of a device as trains of a carriage.

A read scatters the packet into the slots of the layout that the last one had, each behind room for
its head: what comes next is mostly of the same flow. Anything else is moved there by hand.
"""

from __future__ import annotations

from os import readv

from netalias.tunnels import counters, frames
from netalias.tunnels.tun import GSO_NONE, NEEDS_CSUM, VNET_HDR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.tunnels.carriage import Carriage
    from netalias.tunnels.frames import Layout
    from netalias.tunnels.tun import Tun

    Outgoing = Callable[[memoryview, int], int]
    """(packet, size of its segments or 0) -> 0 or the index of a counter."""

AT_ONCE = 16
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
        self._layouts = frames.Layouts()
        self._number = 0
        self._room = carriage.room()
        self._layout: Layout | None = None
        self._expected = b""
        self._vnet = bytearray(VNET_HDR.size)
        self._packet = memoryview(bytearray(frames.PACKET))
        self._whole = [memoryview(self._vnet), self._packet]

    def pump(self) -> None:
        """Take from the device what is there now, AT_ONCE reads at most. Raises OSError."""
        try:
            for _ in range(AT_ONCE):
                layout = self._layout
                if layout is None:
                    self._one(readv(self._fd, self._whole) - VNET_HDR.size)
                else:
                    self._scattered(layout, readv(self._fd, layout.parts) - VNET_HDR.size)
        except BlockingIOError:
            pass  # the device has nothing more

    def _scattered(self, layout: Layout, length: int) -> None:
        """A read into the slots of *layout*: most often it is what was expected."""
        if layout.vnet == self._expected and layout.ends(frames.ROOM):
            self._send(layout, length - layout.header)
            return
        self._vnet[:] = layout.vnet
        place = 0
        for part in layout.parts[1:]:
            end = min(place + len(part), length)
            self._packet[place:end] = part[: end - place]
            place = end
            if place == length:
                break
        self._one(length)

    def _one(self, length: int) -> None:
        """A packet in one piece, behind its header of virtio."""
        packet = self._packet[:length]
        flags, gso, _, segment, start, offset = VNET_HDR.unpack(self._vnet)
        if gso == GSO_NONE:
            self._layout = None
            self._single(packet, flags, start, offset)
            return
        kind = frames.KINDS.get(gso)
        header = start + (8 if kind == frames.UDP else packet[start + 12] >> 4 << 2)
        if kind == frames.TCP:
            segment = min(segment, self._room - frames.ROOM - header)
        if kind is None or segment < 1:
            self._values[counters.UNSENT] += 1
            return
        layout = self._layouts.get(kind, start, header, segment)
        if layout.holds >= frames.PACKET:
            self._layout, self._expected = layout, bytes(self._vnet)
        self._parts(layout, packet)

    def _parts(self, layout: Layout, packet: memoryview) -> None:
        """Send a superpacket in one piece, or more where the layout is too small for it."""
        head, payload = bytes(packet[: layout.header]), packet[layout.header :]
        for offset in range(0, len(payload), layout.holds):
            part = payload[offset : offset + layout.holds]
            if len(part) != len(payload):
                ends = offset + len(part) == len(payload)
                first = offset // layout.size
                part_head = frames.narrowed(head, layout.start, first, offset, len(part), ends)
                layout.fill(part_head, part)
            else:
                layout.fill(head, part)
            self._send(layout, len(part))

    def _send(self, layout: Layout, payload: int) -> None:
        """Send the superpacket that stands in the slots."""
        values = self._values
        packet = layout.view[frames.ROOM : layout.stride]
        for one in self._filters:
            dropped = one(packet, layout.size)
            if dropped:
                values[dropped] += 1
                return
        self._number = number = self._number + 1 & 0xFFFF
        total = layout.train(payload, number)
        first = packet[0]
        if first >> 4 == 4:
            tos, df = packet[1], packet[6] & 0x40
        else:
            tos, df = (first << 4 | packet[1] >> 4) & 0xFF, 1
        stride, most = layout.stride, layout.at_once * layout.stride
        send = self._carriage.send_train
        for begin in range(0, total, most):
            if not send(layout.view[begin : min(begin + most, total)], stride, tos, df):
                self._unsent()
                return
        values[counters.SENT_TRAINS] += 1
        values[counters.SENT_PACKETS] += -(-payload // layout.size)
        values[counters.SENT_BYTES] += layout.header + payload

    def _unsent(self) -> None:
        """The path may take less than it took before."""
        self._values[counters.UNSENT] += 1
        room = self._carriage.room()
        if room != self._room:
            self._room, self._layout = room, None

    def _single(self, packet: memoryview, flags: int, start: int, offset: int) -> None:
        """Send a packet that is no superpacket."""
        values = self._values
        for one in self._filters:
            dropped = one(packet, 0)
            if dropped:
                values[dropped] += 1
                return
        first = packet[0]
        if first >> 4 == 4:
            tos, df = packet[1], packet[6] & 0x40
        else:
            tos, df = (first << 4 | packet[1] >> 4) & 0xFF, 1
        whole = packet
        if flags & NEEDS_CSUM:
            whole = memoryview(frames.unsummed(start, offset) + packet)
        if not self._carriage.send_train(whole, len(whole), tos, df):
            if self._carriage.refused is not None:
                self._carriage.refused(packet, self._carriage.errno)
            self._unsent()
            return
        values[counters.SENT_PACKETS] += 1
        values[counters.SENT_BYTES] += len(packet)
