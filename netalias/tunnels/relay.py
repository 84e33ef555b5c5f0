"""Packets between a device and a carriage, both ways, in one process.

Whole packets at first; superpackets as trains once the peer has answered that it takes them
(hello.py). ``outgoing`` and ``incoming`` are filters on the head of a packet: they may change it in
place, and what they answer is 0, or the index of the counter of a packet that is dropped.
``parts`` are served beside the two ways: timers and sockets of others stand there.
"""

from __future__ import annotations

import os
from select import POLLERR, POLLHUP, POLLIN, POLLNVAL
from time import monotonic

from netalias import errors
from netalias.system.loop import Loop, Timer
from netalias.tunnels import counters, hello
from netalias.tunnels import tun as device
from netalias.tunnels.counters import Counters
from netalias.tunnels.errqueue import Told
from netalias.tunnels.joiner import Joiner
from netalias.tunnels.outward import Outward
from netalias.tunnels.tun import NEEDS_CSUM, VNET_HDR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.system.loop import Pollable
    from netalias.tunnels.carriage import Carriage, Source
    from netalias.tunnels.joiner import Write
    from netalias.tunnels.outward import Outgoing
    from netalias.tunnels.tun import Tun

    Incoming = Callable[[memoryview, int, bool, Source], int]
    """The same as Outgoing, with the source of the outer packet."""

AT_ONCE = 64
"""Whole packets of one side before the other has its turn."""
TRAINS = 16
"""The same of trains."""
GONE = POLLERR | POLLHUP | POLLNVAL
_HEADER = VNET_HDR.size
_OFFLOADS = {
    0: 0,
    hello.TRAINS: device.TCP,
    hello.TRAINS | hello.UDP_TRAINS: device.ALL,
}
"""Agreed abilities: what the device may hand over."""


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
        self.negotiation = hello.Negotiation(_instance(), self._abilities())
        self.parts: list[Pollable] = [
            _Side([tun.fileno()], self._device_ready),
            _Side(carriage.filenos(), self._carriage_ready),
        ]
        self._joiner = Joiner()
        self._told = Told()
        self._outward: Outward | None = None
        self._agreed = 0
        self._loop: Loop | None = None
        if carriage.trains:
            self.parts.append(Timer(self._due, self._greet))

    def run(self) -> None:
        """Relay until end(). Raises StateError when the device is gone."""
        self.tun.set_offload(0)
        self.count.values[counters.AGREED] = 0
        self._loop = Loop(self.parts, monotonic)
        self._loop.run()

    def end(self) -> None:
        """Let run() return."""
        if self._loop is not None:
            self._loop.end()

    def bye(self) -> None:
        """Tell the peer that this end goes for good, not only its process."""
        if self.carriage.trains and self.carriage.peer is not None:
            self._send_message(self.negotiation.bye())

    # The two ways ----------------------------------------------------------------------------

    def _device_ready(self, events: int) -> None:
        if events & GONE:
            raise errors.StateError(f"{self.tun.name}: the device is gone")
        if self._outward is None:
            self.pump_out()
        else:
            self._outward.pump()

    def _carriage_ready(self, events: int) -> None:
        if events & POLLERR:
            for text in self._told.fresh(self.carriage.failures()):
                self.say(text)
        if self.carriage.trains:
            self._pump_trains()
        else:
            for packet, source in self.carriage.receive():
                self._write([device.PLAIN, packet], source)

    def pump_out(self) -> None:
        """Whole packets of the device to the carriage, AT_ONCE at most."""
        values = self.count.values
        for _ in range(AT_ONCE):
            read = self.tun.read()
            if not read:
                return
            packet = memoryview(bytearray(read))[_HEADER:]
            dropped = 0
            for one in self.outgoing:
                dropped = dropped or one(packet, 0, False)
            if dropped:
                values[dropped] += 1
            elif self.carriage.send((packet,), tos(packet), df(packet)):
                values[counters.SENT_PACKETS] += 1
                values[counters.SENT_BYTES] += len(packet)
            else:
                values[counters.UNSENT] += 1

    def _pump_trains(self) -> None:
        """Whole packets and slices of a carriage of trains, TRAINS at most."""
        joiner = self._joiner
        for _ in range(TRAINS):
            got = self.carriage.receive_train()
            if got is None:
                return
            view, length, size, source = got
            if not length:
                continue
            if self._agreed and view[0] >> 4 in (4, 6):
                self._remind()
            writes = joiner.join(view, length, size)
            if joiner.malformed:
                self.count.values[counters.MALFORMED] += joiner.malformed
                joiner.malformed = 0
            if joiner.messages:
                self._hear()
            for write in writes:
                self._write(write, source)

    def _write(self, write: Write, source: Source) -> None:
        """Filter what has come, and give it to the device."""
        values = self.count.values
        for one in self.incoming:
            size, partial = int.from_bytes(write[0][4:6], "little"), write[0][0] == NEEDS_CSUM
            dropped = one(memoryview(write[1]), size, partial, source)
            if dropped:
                values[dropped] += 1
                return
        try:
            written = os.writev(self.tun.fileno(), write)
        except OSError:
            values[counters.REFUSED] += 1
            return
        values[counters.RECEIVED_BYTES] += written - _HEADER
        if len(write) > 2:
            values[counters.RECEIVED_TRAINS] += 1
        values[counters.RECEIVED_PACKETS] += len(write) - 1

    # What the peer is able to do -------------------------------------------------------------

    def _abilities(self) -> int:
        """The abilities of this end: the kernel tells by what it grants."""
        if not self.carriage.trains or self.tun.tap:
            return 0
        granted = self.tun.set_offload(device.ALL)
        return {0: 0, device.TCP: hello.TRAINS}.get(granted, hello.TRAINS | hello.UDP_TRAINS)

    def _due(self, now: float) -> float | None:
        return None if self.carriage.peer is None else self.negotiation.due(now)

    def _greet(self, now: float) -> None:
        self._send_message(self.negotiation.tick(now))
        self._follow()

    def _remind(self) -> None:
        """The peer sends whole packets though it can do more: it has restarted."""
        self._send_message(self.negotiation.forgotten(monotonic()))

    def _hear(self) -> None:
        """Messages of the peer."""
        for message in self._joiner.messages:
            answer = self.negotiation.receive(message, monotonic())
            if answer is None:
                self.count.values[counters.MALFORMED] += 1
            else:
                self._send_message(answer)
        self._joiner.messages.clear()
        self._follow()

    def _send_message(self, message: bytes) -> None:
        if message:
            self.carriage.send_train(message, len(message))

    def _follow(self) -> None:
        """Do as is agreed now."""
        agreed = self.negotiation.agreed
        if agreed == self._agreed:
            return
        self._agreed = self.count.values[counters.AGREED] = agreed
        self.tun.set_offload(_OFFLOADS.get(agreed, 0))
        self._outward = None
        if agreed & hello.TRAINS:
            self._outward = Outward(self.tun, self.carriage, self.count.values, self.outgoing)


class _Side:
    """Calls *work* with the events of descriptors."""

    def __init__(self, filenos: Sequence[int], work: Callable[[int], object]) -> None:
        self._wanted = dict.fromkeys(filenos, POLLIN)
        self._work = work

    def wanted(self, now: float) -> dict[int, int]:
        """Packets and errors, always."""
        return self._wanted

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Do the work."""
        self._work(events)

    def due(self, now: float) -> None:
        """Never."""

    def tick(self, now: float) -> None:
        """Nothing."""


def _instance() -> int:
    return int.from_bytes(os.urandom(8), "big") or 1


def tos(packet: memoryview) -> int:
    """TOS or traffic class of an IP packet."""
    if packet[0] >> 4 == 4:
        return packet[1]
    return (packet[0] << 4 | packet[1] >> 4) & 0xFF


def df(packet: memoryview) -> bool:
    """Whether the packet may not be fragmented; one of IPv6 never may."""
    return packet[0] >> 4 != 4 or bool(packet[6] & 0x40)
