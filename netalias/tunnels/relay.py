"""Packets between a device and a carriage, both ways, in one process.

``Relay.parts`` is served beside the two: timers and sockets of others stand there. ``outgoing`` and
``incoming`` are filters on the head of a packet; they may change it in place, and what they answer
is 0, or the index of the counter of a packet that is dropped.
"""

from __future__ import annotations

from select import POLLERR, POLLHUP, POLLIN, POLLNVAL
from time import monotonic

from netalias import errors
from netalias.system.loop import Loop
from netalias.tunnels import counters
from netalias.tunnels.counters import Counters
from netalias.tunnels.tun import VNET_HDR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.system.loop import Pollable
    from netalias.tunnels.carriage import Carriage, Source
    from netalias.tunnels.tun import Tun

    Outgoing = Callable[[memoryview, int], int]
    """(packet, size of its segments or 0) -> 0 or the index of a counter."""
    Incoming = Callable[[memoryview, int, Source], int]
    """The same with the source of the outer packet."""

AT_ONCE = 64
"""Packets of one side before the other has its turn."""
_HEADER = VNET_HDR.size
_GONE = POLLHUP | POLLNVAL


class Relay:
    """One device, one carriage. ``say`` is called with each sentence for the log."""

    def __init__(
        self,
        tun: Tun,
        carriage: Carriage,
        count: Counters | None = None,
        say: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.tun = tun
        self.carriage = carriage
        self.count = count or Counters.create()
        self.say = say
        self.outgoing: list[Outgoing] = []
        self.incoming: list[Incoming] = []
        self.parts: list[Pollable] = [_Device(self), _Wire(self)]
        self._loop: Loop | None = None

    def run(self) -> None:
        """Relay until end(). Raises StateError when the device is gone."""
        self.tun.set_offload(False)
        self._loop = Loop(self.parts, monotonic)
        self._loop.run()

    def end(self) -> None:
        """Let run() return."""
        if self._loop is not None:
            self._loop.end()

    def pump_out(self) -> None:
        """Packets of the device to the carriage, AT_ONCE at most."""
        values = self.count.values
        for _ in range(AT_ONCE):
            read = self.tun.read()
            if not read:
                return
            packet = memoryview(bytearray(read))[_HEADER:]
            dropped = next(filter(None, (one(packet, 0) for one in self.outgoing)), 0)
            if dropped:
                values[dropped] += 1
            elif self.carriage.send((packet,), tos(packet), df(packet)):
                values[counters.SENT_PACKETS] += 1
                values[counters.SENT_BYTES] += len(packet)
            else:
                values[counters.UNSENT] += 1

    def pump_in(self) -> None:
        """Packets of the carriage to the device."""
        for packet, source in self.carriage.receive():
            self.deliver(packet, source)

    def deliver(self, packet: memoryview, source: Source) -> None:
        """Filter one packet that has come, and give it to the device."""
        values = self.count.values
        dropped = 0 if packet and packet[0] >> 4 in (4, 6) else counters.MALFORMED
        for one in self.incoming:
            dropped = dropped or one(packet, 0, source)
        if dropped:
            values[dropped] += 1
            return
        try:
            self.tun.write(packet)
        except OSError:
            values[counters.REFUSED] += 1
        else:
            values[counters.RECEIVED_PACKETS] += 1
            values[counters.RECEIVED_BYTES] += len(packet)


class _Device:
    """The side of the device."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._wanted = {relay.tun.fileno(): POLLIN}

    def wanted(self, now: float) -> dict[int, int]:
        """Packets, always."""
        return self._wanted

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Packets are there, or the device is gone."""
        if events & POLLERR:
            raise errors.StateError(f"{self._relay.tun.name}: the device is gone")
        self._relay.pump_out()

    def due(self, now: float) -> None:
        """Never."""

    def tick(self, now: float) -> None:
        """Nothing."""


class _Wire:
    """The side of the carriage."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._wanted = {relay.carriage.fileno(): POLLIN}

    def wanted(self, now: float) -> dict[int, int]:
        """Packets and errors, always."""
        return self._wanted

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Packets have come, or what the network says of packets sent."""
        if events & POLLERR:
            for text in self._relay.carriage.failures():
                self._relay.say(text)
        self._relay.pump_in()

    def due(self, now: float) -> None:
        """Never."""

    def tick(self, now: float) -> None:
        """Nothing."""


def tos(packet: memoryview) -> int:
    """TOS or traffic class of an IP packet."""
    if packet[0] >> 4 == 4:
        return packet[1]
    return (packet[0] << 4 | packet[1] >> 4) & 0xFF


def df(packet: memoryview) -> bool:
    """Whether the packet may not be fragmented; one of IPv6 never may."""
    return packet[0] >> 4 != 4 or bool(packet[6] & 0x40)
