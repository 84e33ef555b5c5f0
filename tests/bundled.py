"""Two ends of a bundle over simulated links: rates, delays, queues, loss, order, links that die.

Time is simulated. Whatever an end sends travels as octets, so all that is tested went through the
layouts of the wire. ``Flow`` is one TCP-like flow from A to B, its acknowledgements from B to A.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

from netalias.links.bundle import Bundle
from netalias.links.bundle.member import Member
from netalias.links.spec import BUNDLE

LIMIT = 1472
"""Octets of a datagram on every link."""


class Simulation:
    """Simulated time, and what is to happen at which time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._number = 0

    def at(self, when: float, call: Callable[[], object]) -> None:
        """*call* at a time, after what was asked for that time before."""
        self._number += 1
        heappush(self._queue, (max(when, self.now), self._number, call))

    def after(self, seconds: float, call: Callable[[], object]) -> None:
        """*call* in so many seconds."""
        self.at(self.now + seconds, call)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let so much time pass, or less when *until* gives true."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end and not until():
            self.now, _, call = heappop(self._queue)
            call()
        if not until():
            self.now = end


class Wire:
    """One direction of a link: *rate* in octets a second, *delay* in seconds, a queue of octets.

    ``loss``, ``duplicate``: the share of datagrams; ``jitter``: the most seconds by which one comes
    later, and others before it; ``dead``: nothing goes through, and nobody is told.
    """

    def __init__(
        self, simulation: Simulation, random: Random, rate: float, delay: float, queue: int
    ) -> None:
        self.rate, self.delay, self.queue = rate, delay, queue
        self.loss = self.duplicate = self.jitter = 0.0
        self.dead = False
        self.carried = self.dropped = 0
        self.receive: Callable[[bytes], object] = lambda datagram: None
        self._simulation = simulation
        self._random = random
        self._free = 0.0

    def send(self, datagram: bytes) -> None:
        """Take a datagram; its arrival is asked for."""
        now = self._simulation.now
        waits = max(0.0, self._free - now)
        if self.dead or self._random.random() < self.loss or waits * self.rate > self.queue:
            self.dropped += 1
            return
        self._free = max(now, self._free) + (len(datagram) + 28) / self.rate
        self.carried += len(datagram)
        for _ in range(2 if self._random.random() < self.duplicate else 1):
            late = self._random.random() * self.jitter
            self._simulation.at(self._free + self.delay + late, lambda: self._arrive(datagram))

    def _arrive(self, datagram: bytes) -> None:
        if not self.dead:
            self.receive(datagram)


class End:
    """One end: its bundle, and what came out of it. ``on_packet`` is told of each packet."""

    def __init__(self, simulation: Simulation, instance: int, names: list[str]) -> None:
        self.simulation = simulation
        self.names = names
        self.wires: list[Wire] = []
        self.packets: list[bytes] = []
        self.on_packet: Callable[[bytes], object] = lambda packet: None
        self.more: Callable[[], bytes | None] = lambda: None
        """The queue of the TUN: the next packet to send, or None."""
        self.most_held = 0
        self._next = float("inf")
        self.restart(instance)

    def restart(self, instance: int) -> None:
        """A new process, which knows nothing."""
        members = [Member(name, LIMIT) for name in self.names]
        self.bundle = Bundle(instance, members)

    def change_hands(self, names: list[str] | None = None) -> None:
        """Another process goes on, for links of these names, through the layout."""
        self.flush()
        plain = BUNDLE.parse(BUNDLE.build({**self.bundle.plain(), "dropped": 0}))
        former, self.names = self.names, names or self.names
        self.wires = [self.wires[former.index(name)] for name in self.names]
        self.restart(1)
        places = [self.names.index(name) if name in self.names else None for name in former]
        self.bundle.resume(plain, places)
        self.flush()

    def _tick(self) -> None:
        if self.simulation.now >= self._next:
            self._next = float("inf")
            self.bundle.tick(self.simulation.now)
            self.flush()

    def _arm(self) -> None:
        """Ask for the next tick, in whole milliseconds as poll(2) waits."""
        now = self.simulation.now
        due = now + max(1, int(self.bundle.due(now) * 1000 + 0.999)) / 1000
        if due < self._next:
            self._next = due
            self.simulation.at(due, self._tick)

    def receive(self, index: int, datagram: bytes) -> None:
        """A datagram has come on this link."""
        self.bundle.receive(index, datagram, self.simulation.now)
        self.flush()

    def receive_on(self, name: str, datagram: bytes) -> None:
        """The same by the name of the link, which may have gone."""
        if name in self.names:
            self.receive(self.names.index(name), datagram)

    def flush(self) -> None:
        """Send what is to be sent, take what has come, read the TUN while it may be read."""
        bundle = self.bundle
        while True:
            for index, datagram in bundle.frames:
                if self.wires and bundle.members[index].open:
                    self.wires[index].send(b"".join(datagram))
            bundle.frames.clear()
            packets, bundle.received.ready = bundle.received.ready, []
            self.most_held = max(self.most_held, bundle.received.octets)
            for packet in packets:
                self.packets.append(bytes(packet))
                self.on_packet(bytes(packet))
            packet = self.more() if bundle.hungry else None
            if packet is None:
                break
            bundle.offer([memoryview(packet)], self.simulation.now)
        self._arm()


class Pair:
    """Two ends, A and B, over links of (octets a second, delay, octets of the queue)."""

    def __init__(self, *links: tuple[float, float, int], seed: int = 1) -> None:
        self.simulation = Simulation()
        random = Random(seed)
        names = [f"link{number}" for number in range(len(links))]
        self.a = End(self.simulation, 0xA0001, names)
        self.b = End(self.simulation, 0xB0002, names)
        for end, other in ((self.a, self.b), (self.b, self.a)):
            for index, (rate, delay, queue) in enumerate(links):
                wire = Wire(self.simulation, random, rate, delay, queue)
                wire.receive = lambda datagram, other=other, name=names[index]: other.receive_on(
                    name, datagram
                )
                end.wires.append(wire)
        self.a.flush()
        self.b.flush()

    def both(self, index: int) -> list[Wire]:
        """Both directions of one link."""
        return [self.a.wires[index], self.b.wires[index]]

    def kill(self, index: int, dead: bool = True) -> None:
        """Take a link away, so that nobody is told; or bring it back."""
        for wire in self.both(index):
            wire.dead = dead

    def up(self) -> bool:
        """Whether both ends may use all links."""
        return all(one.up for end in (self.a, self.b) for one in end.bundle.members)


class Flow:
    """One TCP-like flow: numbered segments, cumulative acknowledgements, retransmission.

    A window of *window* segments at most; halved once for all losses of a window (RFC 5681), which
    B names as RFC 2018 does; two segments after a timeout. ``acked`` segments are at B, in order;
    ``disorder`` counts the segments that came to B after one that was sent later.
    """

    SIZE = 1400

    def __init__(self, pair: Pair, window: int = 400) -> None:
        self.pair = pair
        self.most = window
        self.window = 10.0
        self.threshold = float(window)
        self.acked = self.next = self.retransmitted = self.timeouts = 0
        self.disorder = 0
        self.recover = -1
        self._again: list[int] = []
        self._expected = 0
        self._got: set[int] = set()
        self._times = 0
        self._seen = -1
        self._highest = -1
        self._repeated: set[int] = set()
        self._acks: list[list[int]] = []
        self._progress = pair.simulation.now
        pair.a.more, pair.b.more = self._segment, self._acknowledgement
        pair.a.on_packet, pair.b.on_packet = self._on_ack, self._on_segment
        self._watch()

    def _watch(self) -> None:
        """The retransmission timer: RFC 6298's least is a second, Linux's 0.2."""
        now = self.pair.simulation.now
        if self.next > self.acked and now - self._progress > 0.3:
            self.timeouts += 1
            self.threshold, self.window = max(2.0, self.window / 2), 2.0
            self.next, self.recover, self._again = self.acked, -1, []
            self._repeated.clear()
            self._progress = now
        self.pair.simulation.after(0.05, self._watch)
        self.pair.a.flush()

    def _segment(self) -> bytes | None:
        if self._again:
            number = self._again.pop(0)
            self.retransmitted += 1
        elif self.next - self.acked < min(self.window, self.most):
            number = self.next
            self.next += 1
        else:
            return None
        self._times += 1
        return (
            b"\x45"
            + number.to_bytes(4, "big")
            + self._times.to_bytes(4, "big")
            + bytes(self.SIZE - 9)
        )

    def _on_segment(self, packet: bytes) -> None:
        number, sent = int.from_bytes(packet[1:5], "big"), int.from_bytes(packet[5:9], "big")
        if sent < self._seen:
            self.disorder += 1
        self._seen = max(self._seen, sent)
        if number >= self._expected:
            self._got.add(number)
        while self._expected in self._got:
            self._got.discard(self._expected)
            self._expected += 1
        self._highest = max(self._highest, number)
        missing = []
        for one in range(self._expected, self._highest - 2):
            if one not in self._got:
                missing.append(one)
            if len(missing) == 30:
                break
        self._acks.append([self._expected, *missing])
        self.pair.b.flush()

    def _acknowledgement(self) -> bytes | None:
        if not self._acks:
            return None
        return b"\x45" + b"".join(one.to_bytes(4, "big") for one in self._acks.pop(0))

    def _on_ack(self, packet: bytes) -> None:
        number, *missing = (
            int.from_bytes(packet[at : at + 4], "big") for at in range(1, len(packet), 4)
        )
        if number > self.acked:
            self._progress = self.pair.simulation.now
            grown = number - self.acked
            self.acked = number
            self.next = max(self.next, number)
            self.window += grown if self.window < self.threshold else grown / self.window
            self.window = min(self.window, self.most)
        if number > self.recover:
            self._repeated.clear()
        lost = [one for one in missing if one not in self._repeated and one < self.next]
        if lost and not self._repeated:
            self.recover = self.next
            self.threshold = self.window = max(2.0, self.window / 2)
        self._repeated.update(lost)
        self._again.extend(lost)
        self.pair.a.flush()

    def rate(self, seconds: float) -> float:
        """Octets a second that are acknowledged while so much time passes."""
        before = self.acked
        self.pair.simulation.run(seconds)
        return (self.acked - before) * self.SIZE / seconds
