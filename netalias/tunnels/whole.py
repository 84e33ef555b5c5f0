"""Whole packets on their way out: for peers that are not netalias, and carriages without trains.

Where a carriage takes trains, the device hands over superpackets, which are cut here: one send
takes many packets. Where each packet is a send of its own, it is cheaper to let the kernel cut
them, and compute their checksums.
"""

from __future__ import annotations

from os import readv

from netalias.errors import PacketError
from netalias.tunnels import counters
from netalias.tunnels.frames import LONGEST, SEGMENTS
from netalias.tunnels.segments import split
from netalias.tunnels.tun import LARGEST, NEEDS_CSUM, VNET_HDR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.tunnels.carriage import Carriage, Datagrams
    from netalias.tunnels.outward import Outgoing
    from netalias.tunnels.tun import Tun

AT_ONCE = 64
"""Reads of the device before the carriage has its turn."""
SUPERPACKETS = 8
"""The same of superpackets."""
_HEADER = VNET_HDR.size


class Whole:
    """The way out of one packet after another; frames of Ethernet, if the device is a TAP."""

    def __init__(
        self, tun: Tun, carriage: Carriage, values: memoryview, filters: list[Outgoing]
    ) -> None:
        self._fd = tun.fileno()
        self._carriage = carriage
        self._values = values
        self._filters = filters
        self._marks = _no_marks if tun.tap else marks
        self._view = memoryview(bytearray(LARGEST))

    def pump(self) -> None:
        """The packets that are there now, AT_ONCE at most. Raises OSError."""
        view, parts, fd = self._view, [self._view], self._fd
        filters, values = self._filters, self._values
        send: Callable[[Datagrams], object] | None = None
        former = (0, 0, 0)
        sent = size = 0
        try:
            for _ in range(AT_ONCE):
                length = readv(fd, parts)
                if view[0] & NEEDS_CSUM or view[1]:
                    # It has waited since before the device was told to cut and to sum up.
                    former = (0, 0, 0)
                    self._one(length)
                    continue
                packet = view[_HEADER:length]
                dropped = 0
                for one in filters:
                    dropped = dropped or one(packet, 0, False)
                if dropped:
                    values[dropped] += 1
                    continue
                # Its version, its TOS and DF, or more of its first bytes.
                words = (packet[0], packet[1], packet[6] & 0x40)
                if words != former:
                    former, send = words, self._prepare(packet)
                try:
                    if send is None:
                        raise OSError
                    send(packet)
                except OSError:
                    if not self._carriage.send((packet,), *self._marks(packet)):
                        values[counters.UNSENT] += 1
                        continue
                    former = (0, 0, 0)
                sent += 1
                size += length - _HEADER
        except BlockingIOError:
            pass  # the device has nothing more
        values[counters.SENT_PACKETS] += sent
        values[counters.SENT_BYTES] += size

    def _prepare(self, packet: memoryview) -> Callable[[Datagrams], object] | None:
        return self._carriage.prepare(packet[0] >> 4, *self._marks(packet))

    def _one(self, length: int) -> None:
        """Send what stands in the buffer, as one packet or many."""
        values = self._values
        vnet, packet = self._view[:_HEADER], self._view[_HEADER:length]
        segment, partial = VNET_HDR.unpack(vnet)[3], bool(vnet[0] & NEEDS_CSUM)
        for one in self._filters:
            dropped = one(packet, segment, partial)
            if dropped:
                values[dropped] += 1
                return
        try:
            packets = split(vnet, packet)
        except PacketError:
            values[counters.MALFORMED] += 1
            return
        sent = self._send(packets)
        values[counters.UNSENT] += len(packets) - sent
        values[counters.SENT_PACKETS] += sent
        values[counters.SENT_BYTES] += sum(map(len, packets[:sent]))

    def _send(self, packets: list[bytes]) -> int:
        """Send packets; how many were sent."""
        return self._carriage.send(packets, *self._marks(packets[0]))


class Cut(Whole):
    """The way out of superpackets, which become trains of packets."""

    def pump(self) -> None:
        """The superpackets that are there now, SUPERPACKETS at most. Raises OSError."""
        try:
            for _ in range(SUPERPACKETS):
                self._one(readv(self._fd, [self._view]))
        except BlockingIOError:
            pass  # the device has nothing more

    def _send(self, packets: list[bytes]) -> int:
        """Send packets of one size, the last of which may be shorter; how many were sent."""
        carriage = self._carriage
        tos, df = marks(packets[0])
        size = len(packets[0])
        count = max(1, min(SEGMENTS, LONGEST // size))
        sent = 0
        for begin in range(0, len(packets), count):
            part = packets[begin : begin + count]
            if not carriage.send_train(b"".join(part), size, tos, df):
                if carriage.refused is not None:
                    carriage.refused(part[0], carriage.errno)
                break
            sent += len(part)
        if sent and len(packets) > 1:
            self._values[counters.SENT_TRAINS] += 1
        return sent


def marks(packet: bytes | memoryview) -> tuple[int, bool]:
    """TOS or traffic class, and whether the packet may not be fragmented, as none of IPv6 may."""
    first = packet[0]
    if first >> 4 == 4:
        return packet[1], packet[6] & 0x40 != 0
    return (first << 4 | packet[1] >> 4) & 0xFF, True


def _no_marks(frame: bytes | memoryview) -> tuple[int, bool]:
    return 0, False
