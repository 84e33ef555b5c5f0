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
from netalias.tunnels import counters, hello, status
from netalias.tunnels import tun as device
from netalias.tunnels.carriage import FULL, NOBODY
from netalias.tunnels.congestion import NOT_ECT, ecn, survives
from netalias.tunnels.counters import Counters
from netalias.tunnels.errqueue import Told
from netalias.tunnels.frames import is_whole
from netalias.tunnels.joiner import Joiner
from netalias.tunnels.merged import regroup
from netalias.tunnels.outward import Outward
from netalias.tunnels.segments import join
from netalias.tunnels.tun import NEEDS_CSUM, VNET_HDR
from netalias.tunnels.whole import Cut, Whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.system.loop import Pollable
    from netalias.tunnels.carriage import Carriage, Datagrams, Source
    from netalias.tunnels.joiner import Write
    from netalias.tunnels.outward import Outgoing
    from netalias.tunnels.tun import Tun

    Incoming = Callable[[memoryview, int, bool, Source], int]
    """The same as Outgoing, with the source of the outer packet."""

TRAINS = 8
"""Trains that come before the device has its turn."""
GONE = POLLERR | POLLHUP | POLLNVAL
_HEADER = VNET_HDR.size
_OFFLOADS = {
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
        self.local: set[bytes] = set()
        """Packed addresses of this host: the kernel verifies checksums of packets for them."""
        self.outgoing: list[Outgoing] = []
        self.incoming: list[Incoming] = []
        self.negotiation = hello.Negotiation(_instance(), self._abilities())
        self.parts: list[Pollable] = [
            _Side([tun.fileno()], self._device_ready),
            _Side(carriage.filenos(), self._carriage_ready),
        ]
        self._joiner = Joiner()
        self._told = Told()
        self._agreed = 0
        self._heeds = False
        """Whether a packet has come that is capable of a mark."""
        self._outward = self._way_out()
        self._loop: Loop | None = None
        if carriage.trains:
            self.parts.append(Timer(self._due, self._greet))

    def run(self) -> None:
        """Relay until end(). Raises StateError when the device is gone."""
        self.count.values[counters.AGREED] = 0
        status.begin(self.count.values)
        self._measure()
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
        self._pump_device()

    def _pump_device(self) -> None:
        try:
            self._outward.pump()
        except OSError as error:
            raise self.tun.gone(error) from None

    def _carriage_ready(self, events: int) -> None:
        if events & POLLERR:
            self._failed(self.carriage.failures())
        if self._agreed:
            self._pump_trains()
            self._pump_device()  # the kernel has answered most packets at once
        elif self.tun.tap:
            for frame, source in self.carriage.receive():
                self._write([device.PLAIN, frame], source)
        else:
            self._pump_whole()

    def _failed(self, texts: list[str]) -> None:
        """The network has said this of what was sent."""
        if texts:
            status.say(self.count, texts[-1])
        for text in self._told.fresh(texts):
            self.say(text)

    def _pump_whole(self) -> None:
        """Whole packets, and what begins to be more than that."""
        packets: list[memoryview] = []
        others: list[memoryview] = []
        received = self.carriage.receive()
        if self.carriage.trains:
            for datagram, _ in received:
                (packets if is_whole(datagram) else others).append(datagram)
        else:
            packets = [packet for packet, _ in received]
        source = self.carriage.peer or NOBODY
        for datagram in others:
            copy = memoryview(bytearray(datagram))
            for write in self._joined(copy, len(copy)):
                self._write(write, source)
        if self.carriage.merges:
            writes = regroup(packets, self.local, self.carriage.room())
        else:
            writes = join(packets, self.local)
        for write in writes:
            self._write(write, source)

    def _pump_trains(self) -> None:
        """Whole packets and slices of a carriage of trains, TRAINS at most."""
        carriage, joiner = self.carriage, self._joiner
        for _ in range(TRAINS):
            got = carriage.receive_train()
            if got is None:
                return
            view, length, _, source = got
            write = None if carriage.marks else joiner.again(view, length, carriage.ends)
            if write is not None:
                self._write(write, source)
            else:
                self._take(view, length, source)
            if length < FULL:
                return  # nothing more was there

    def _take(self, view: memoryview, length: int, source: Source) -> None:
        """Whatever has come together."""
        if length and self._agreed and view[0] >> 4 in (4, 6):
            self._remind()
        begin = 0
        for end, mark in self.carriage.marks or ((length, NOT_ECT),):
            for write in self._joined(view, end, self.carriage.ends, begin):
                if self._survives(write, mark):
                    self._write(write, source)
            begin = end

    def _joined(
        self, view: memoryview, length: int, ends: Sequence[int] = (), begin: int = 0
    ) -> list[Write]:
        """The writes for a train that came, or for the part of it from *begin* to *length*;
        messages in it are heard."""
        if length == begin:
            self.count.values[counters.MALFORMED] += 1
            return []
        joiner = self._joiner
        writes = joiner.join(view, length, ends, begin)
        if joiner.malformed:
            self.count.values[counters.MALFORMED] += joiner.malformed
            joiner.malformed = 0
        if joiner.messages:
            self._hear()
        return writes

    def _survives(self, write: Write, mark: int) -> bool:
        """Give a packet that has come the mark of its datagrams; whether it goes on."""
        packet = memoryview(write[1])
        if not self._heeds and ecn(packet) != NOT_ECT:
            self._heed()
        if mark == NOT_ECT or survives(packet, mark):
            return True
        self.count.values[counters.CONGESTED] += len(write) - 1
        return False

    def _write(self, write: Write, source: Source) -> None:
        """Filter what has come, and give it to the device."""
        values = self.count.values
        vnet, head = write[0], memoryview(write[1])
        for one in self.incoming:
            dropped = one(head, vnet[4] | vnet[5] << 8, vnet[0] == NEEDS_CSUM, source)
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

    def give(self, packet: Datagrams) -> None:
        """Give the device a packet that did not come as one; one that is down takes none."""
        try:
            self.tun.write(packet)
        except OSError:
            self.count.values[counters.REFUSED] += 1

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
        self._measure()
        if not self._agreed:
            status.asks(self.count.values)

    def _measure(self) -> None:
        """Note what the path takes now."""
        if self.carriage.peer is not None:
            self.count.values[status.ROOM] = max(self.carriage.room(), 0)

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
        if self.negotiation.peer:
            status.answered(self.count.values)

    def _heed(self) -> None:
        """Hand marks of congestion on from now on, and tell the peer at once: to know them costs a
        little for each train, and more where no card puts datagrams together. Until it has heard of
        it its datagrams are capable of none."""
        self._heeds = True
        if self.carriage.tell_marks():
            self.negotiation.abilities |= hello.MARKS
            self._send_message(self.negotiation.tick(monotonic()))

    def _send_message(self, message: bytes) -> None:
        if message:
            self.carriage.send_train(message, len(message))

    def _follow(self) -> None:
        """Do as is agreed now."""
        self.carriage.send_marks(bool(self.negotiation.told & hello.MARKS))
        agreed = self.negotiation.agreed
        if agreed == self._agreed:
            return
        self._agreed = self.count.values[counters.AGREED] = agreed
        self._outward = self._way_out()

    def _way_out(self) -> Whole | Outward:
        """The way out as it is agreed; the device hands over what it takes."""
        kind: type[Whole] | type[Outward] = Whole
        offload = 0
        if self._agreed & hello.TRAINS:
            kind, offload = Outward, _OFFLOADS[self._agreed]
        elif self.carriage.trains and not self.tun.tap:
            kind, offload = Cut, device.ALL
        self.tun.set_offload(offload)
        return kind(self.tun, self.carriage, self.count.values, self.outgoing)


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
