"""One network device, served by one link: packets of the device go out, those of the link come in.

The kernel hands over whole superpackets of TCP and UDP, which are cut here into the packets that a
link carries, and takes them again where packets come in a row.

The device has a carrier while the link is open, so that routes over it fail where that is wanted.
What was queued for it while the link was down is dropped: nobody waits for old packets.
"""

from __future__ import annotations

import os
from select import POLLERR, POLLIN
from time import monotonic

from netalias import errors
from netalias.links import netdev
from netalias.links.beside import Beside
from netalias.links.devices import LINK, UDP, parse
from netalias.links.protocols import FIELD, MAC_HEADER, framed, unframed
from netalias.system.loop import Loop, Reader, Timer
from netalias.tunnels.carriage import NOBODY
from netalias.tunnels.segments import join, split
from netalias.tunnels.tun import NEEDS_CSUM, PLAIN, VNET_HDR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.links.session import Session
    from netalias.links.state import LinkState
    from netalias.system.loop import Pollable
    from netalias.system.signals import Signals
    from netalias.tunnels.joiner import Write
    from netalias.tunnels.outward import Outgoing
    from netalias.tunnels.relay import Incoming
    from netalias.tunnels.tun import Tun

AT_ONCE = 64
"""Packets of the device before the link has its turn."""
SECOND = 1.0
USUAL_MTU = 1500
ETHERNET = 14
MTU_LEAST, MTU_MOST = 68, 65535 - 64
OUTER = {UDP: 48, LINK: 2}
"""Kind of device: the bytes that it adds to a packet, IPv6 and UDP for one; streams add none that
count, since they are cut anew."""


def usual_mtu(words: Iterable[str], *, tap: bool) -> int:
    """The MTU of the network device with which no packet is too long for any of the devices, if
    they stand on Ethernet. Raises UsageError."""
    outer = max(OUTER.get(parse(word).kind, 0) for word in words)
    header = FIELD + (len(MAC_HEADER) + ETHERNET if tap else 0)
    return USUAL_MTU - outer - header if outer else USUAL_MTU


class LinkRunner:
    """Serves *tun* by *session*, whose deliver() and changed() are this runner's, until end().

    ``outgoing`` and ``incoming`` are filters as a Relay has them (tunnels/relay.py).
    ``beside`` takes the packets that are none of the device.

    *record* is called with the session when something has changed, once a second at most as far
    as that are counters.
    """

    def __init__(self, tun: Tun, mtu: int, record: Callable[[], object]) -> None:
        self.tun = tun
        self.outgoing: list[Outgoing] = []
        self.incoming: list[Incoming] = []
        self.beside = Beside()
        self.mtu = mtu
        self._record = record
        self._session: Session | None = None
        self._loop: Loop | None = None
        self._up = False
        self._sampled = 0.0
        self._last: tuple[object, ...] = ()

    def run(self, session: Session, signals: Signals, beside: Iterable[Pollable] = ()) -> None:
        """Serve until a signal, or until the session is over. Raises StateError when the device is
        gone."""
        self._session = session
        self._up = session.open
        if not self._up:
            netdev.set_carrier(self.tun, False)
        parts: list[Pollable] = [
            Reader([signals.fileno()], self.end),
            *beside,
            session,
            _Device(self, session),
            Timer(self._due, self._tick),
        ]
        self._loop = Loop(parts, monotonic)
        try:
            self._loop.run()
        finally:
            session.close(monotonic())

    def end(self) -> None:
        """Let run() return."""
        if self._loop is not None:
            self._loop.end()

    def packed(self, now: float) -> None:
        """The state of a bundle, for another process: here none."""

    def changed(self) -> None:
        """The session has another phase."""
        session = self._session
        if session is None:
            return
        if session.over:
            self.end()
        if session.open != self._up:
            self._up = session.open
            if self._up:
                self.fit(session)
                self._drain()
            netdev.set_carrier(self.tun, self._up)
        self._record()

    def deliver(self, packets: list[bytes]) -> None:
        """Give the device the packets of the link."""
        assert self._session is not None
        state = self._session.state
        inner = [one for packet in packets if (one := unframed(packet, tap=self.tun.tap))]
        dropped = len(packets) - len(inner)
        if dropped:
            others = (packet for packet in packets if not unframed(packet, tap=self.tun.tap))
            dropped -= sum(map(self.beside.receive, others))
        # Filters change packets in place.
        views = [memoryview(bytearray(one) if self.incoming else one) for one in inner]
        writes: list[Write] = [[PLAIN, one] for one in views]
        if self.tun.offload:
            writes = join(views)
        for write in writes:
            if self.incoming and self._refuses(write):
                dropped += 1
                continue
            try:
                os.writev(self.tun.fileno(), write)
            except OSError:  # malformed, or the device is down
                dropped += 1
        if state is not None:
            state.counters["in_dropped"] += dropped

    def give(self, packet: memoryview) -> None:
        """Give the device a packet that a filter made."""
        try:
            os.writev(self.tun.fileno(), [PLAIN, packet])
        except OSError:  # the device is down
            if self._session is not None and self._session.state is not None:
                self._session.state.counters["in_dropped"] += 1

    def _refuses(self, write: Write) -> bool:
        """Whether a filter drops what has come."""
        flags, _, _, size, _, _ = VNET_HDR.unpack_from(write[0])
        packet, partial = memoryview(write[1]), bool(flags & NEEDS_CSUM)
        return any(one(packet, size, partial, NOBODY) for one in self.incoming)

    def pump(self, session: Session) -> None:
        """Send what the device has, AT_ONCE packets at most, and no more than the link takes, but
        for the last superpacket."""
        packets: list[bytes] = []
        room = session.room
        while room > 0 and len(packets) < AT_ONCE:
            read = self.tun.read()
            if not read:
                break
            packets += self._packets(read)
            room -= len(read)
        if packets:
            session.send(packets)

    def _packets(self, read: bytes) -> list[bytes]:
        """The packets of one reading, with their protocols: of a superpacket those that it is."""
        whole = memoryview(bytearray(read) if self.outgoing else read)[VNET_HDR.size :]
        flags, _, _, size, _, _ = VNET_HDR.unpack_from(read)
        if any(one(whole, size, bool(flags & NEEDS_CSUM)) for one in self.outgoing):
            return []
        if read[: VNET_HDR.size] == PLAIN:
            found: Sequence[bytes | memoryview] = [whole]
        else:
            try:
                found = split(read[: VNET_HDR.size], whole)
            except errors.PacketError:
                return []
        return [one for packet in found if (one := framed(packet, tap=self.tun.tap))]

    def _drain(self) -> None:
        while self.tun.read():
            pass

    def fit(self, session: Session) -> None:
        """Give the device its MTU, or a lower one: no packet is longer than the peer takes."""
        header = FIELD + (len(MAC_HEADER) + ETHERNET if self.tun.tap else 0)
        try:
            netdev.set_mtu(self.tun.name, max(MTU_LEAST, min(self.mtu, session.mru - header)))
        except OSError:
            pass  # the device has gone, which its descriptor will tell

    def _due(self, now: float) -> float | None:
        state = self._session.state if self._session is not None else None
        if state is None or (not _moving(state) and _counted(state) == self._last):
            return None
        return max(0.0, self._sampled + SECOND - now)

    def _tick(self, now: float) -> None:
        state = self._session.state if self._session is not None else None
        if state is not None:
            self._sampled = now
            self._last = _counted(state)
            state.sample()
            self._record()


def _counted(state: LinkState) -> tuple[object, ...]:
    return (id(state), *state.counters.values())


def _moving(state: LinkState) -> bool:
    return bool(state.rate("in") or state.rate("out"))


class _Device:
    """The side of the network device."""

    def __init__(self, runner: LinkRunner, session: Session) -> None:
        self._runner = runner
        self._session = session

    def wanted(self, now: float) -> dict[int, int]:
        """Packets, while the link takes them."""
        takes = self._session.open and not self._session.full
        return {self._runner.tun.fileno(): POLLIN if takes else 0}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Packets are there, or the device is gone."""
        if events & POLLERR:
            raise errors.StateError(f"{self._runner.tun.name}: the device is gone")
        self._runner.pump(self._session)

    def due(self, now: float) -> None:
        """Never."""

    def tick(self, now: float) -> None:
        """Nothing."""
