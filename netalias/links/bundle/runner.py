"""One network device, served by several links at once.

Each device has a Session of its own, which opens it and opens it again; its packets are fragments
and beats of the bundle, behind the protocol field of multilink. Fragments carry slices of
superpackets (slices.py), or the frames of a TAP.
"""

from __future__ import annotations

import os
import socket
from select import POLLERR, POLLIN
from time import monotonic

from netalias import errors
from netalias.links import lcp, netdev
from netalias.links.beside import Beside
from netalias.links.bundle import Bundle
from netalias.links.bundle.member import Member
from netalias.links.bundle.slices import Framer, Slicer
from netalias.links.bundle.wire import HEADER
from netalias.links.devices import UDP, parse
from netalias.links.levels import PHASE
from netalias.links.protocols import FIELD, MULTILINK
from netalias.links.runner import ETHERNET, MTU_LEAST, OUTER, SECOND, USUAL_MTU
from netalias.links.session import number
from netalias.system.loop import Loop, Reader, Timer
from netalias.tunnels.frames import ROOM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from netalias.links.link import Link
    from netalias.links.session import Session
    from netalias.system.loop import Pollable
    from netalias.system.signals import Signals
    from netalias.tunnels.tun import Tun

_MULTILINK = MULTILINK.to_bytes(FIELD, "big")
BUFFER = 4 << 20
"""Octets that a socket of UDP may hold either way: the window of a fast link, and all that comes
while this process does not run. The kernel's usual 208 KiB are 90 datagrams."""
BUFFERS = {32: socket.SO_SNDBUF, 33: socket.SO_RCVBUF}
"""SO_SNDBUFFORCE and SO_RCVBUFFORCE of asm-generic/socket.h: the option for who may not use it,
which goes up to net.core.wmem_max and rmem_max."""
WORDS = {
    "up": "up",
    "dead": "dead: nothing was heard; its share goes to the others",
    "closed": "closed; its share goes to the others",
}
"""Event of a bundle: the line of the log."""


def usual_mtu(words: Iterable[str], *, tap: bool) -> int:
    """The MTU of the network device with which no packet is cut. Raises UsageError."""
    room = min(limit(word, tap=tap) for word in words) - HEADER
    return room - (ETHERNET if tap else ROOM)


def limit(word: str, *, tap: bool) -> int:
    """Octets of the largest datagram of the bundle on this device, if it stands on Ethernet; a
    stream has its own way. Raises UsageError."""
    outer = OUTER.get(parse(word).kind, 0)
    if outer:
        return USUAL_MTU - outer - FIELD
    return USUAL_MTU + HEADER + (ETHERNET if tap else 0)


class BundleRunner:
    """Serves *tun* by the links of *words* until end(). *record* is called when something has
    changed, once a second at most as far as that are counters.

    Each of the sessions is made with received(index) and changed(index).
    """

    def __init__(
        self, tun: Tun, mtu: int, words: Sequence[str], record: Callable[[], object]
    ) -> None:
        self.tun = tun
        self.mtu = mtu
        self.sessions: Sequence[Session] = ()
        self.beside = Beside()
        members = [Member(word, limit(word, tap=tun.tap)) for word in words]
        self.bundle = Bundle(number(), members)
        most = min(member.limit for member in members) - HEADER
        self._packets: Framer | Slicer = Framer(tun) if tun.tap else Slicer(tun, most)
        self._record = record
        self._loop: Loop | None = None
        self._up = False
        self._sampled = 0.0
        self._version = 0
        self._flushing = False
        self._dropped = 0
        """The value of ``dropped`` when the bundle changed hands."""
        for member in members:
            member.open = False

    def run(
        self, sessions: Sequence[Session], signals: Signals, beside: Iterable[Pollable] = ()
    ) -> None:
        """Serve until a signal, or until no link can come back. Raises StateError when the device
        is gone."""
        self.sessions = sessions
        if not self._up:
            netdev.set_carrier(self.tun, False)
        parts: list[Pollable] = [
            Reader([signals.fileno()], self.end),
            *beside,
            *sessions,
            _Device(self),
            Timer(self.bundle.due, self._tick),
            Timer(self._second_due, self._second),
        ]
        self._loop = Loop(parts, monotonic)
        try:
            self._loop.run()
        finally:
            for session in sessions:
                session.close(monotonic())

    @property
    def dropped(self) -> int:
        """Packets that the network device did not take, and what came and is none."""
        return self._dropped + self._packets.dropped

    def packed(self, now: float) -> dict[str, object]:
        """The state for another process, as links.spec.BUNDLE has it; nothing waits to be handed
        to a link or to the network device then."""
        self.pump(now)
        while self.bundle.frames:  # a link was lost meanwhile
            self.pump(now)
        return {**self.bundle.plain(), "dropped": self.dropped}

    def adopt(
        self, plain: Any, links: Iterable[Link], sessions: Sequence[Session], now: float
    ) -> None:
        """Go on with the bundle that packed() gave in another process, before run(). *links* are
        those of its members that are open. A link whose device is none of ours is ended."""
        places = _places([one.name for one in plain.members], self.bundle.members)
        self.bundle.resume(plain, places)
        self._dropped = plain.dropped
        self._up = any(one.up for one in self.bundle.members)
        mine = [place for place, one in zip(places, plain.members, strict=True) if one.open]
        for place, link in zip(mine, links, strict=True):
            if place is not None:
                sessions[place].adopt(link, now)
                continue
            link.send([lcp.packed(lcp.TERMINATE, 1)], urgent=True)
            link.close()

    def end(self) -> None:
        """Let run() return."""
        if self._loop is not None:
            self._loop.end()

    def received(self, index: int) -> Callable[[list[bytes]], None]:
        """A function that takes the packets of link *index*."""

        def deliver(packets: list[bytes]) -> None:
            now = monotonic()
            for packet in packets:
                if packet[:FIELD] == _MULTILINK:
                    self.bundle.receive(index, memoryview(packet)[FIELD:], now)
                else:
                    self.bundle.foreign += 1
            self.pump(now)

        return deliver

    def changed(self, index: int) -> Callable[[], None]:
        """A function to be called when link *index* has another phase."""

        def follow() -> None:
            if not self.sessions:
                return
            session, member = self.sessions[index], self.bundle.members[index]
            if session.open and not member.open:
                self._widen(session)
                member.limit = min(member.limit, session.mru - FIELD)
                self.bundle.opened(index, monotonic())
            elif member.open and not session.open:
                self.bundle.closed(index, monotonic())
            self.pump(monotonic())
            if all(one.over for one in self.sessions):
                self.end()
            self._record()

        return follow

    def pump(self, now: float) -> None:
        """Send what is to be sent, give the network device what is in order, and read it while the
        links have room."""
        if self._flushing:  # a link that is lost while something is sent on it
            return
        self._flushing = True
        try:
            self._send()
            while self.bundle.hungry:
                packets = self._packets.read()
                if not packets:
                    break
                self.bundle.offer(packets, now)
                self._send()
            self._write()
        finally:
            self._flushing = False
        self._tell()

    def _send(self) -> None:
        """Hand all frames to their links."""
        frames = self.bundle.frames
        if not frames:
            return
        queues: list[list[bytes]] = [[] for _ in self.sessions]
        for index, parts in frames:
            queues[index].append(b"".join((_MULTILINK, *parts)))
        frames.clear()
        for index, queue in enumerate(queues):
            if queue:
                self.sessions[index].send(queue)
                self.bundle.members[index].blocked = self.sessions[index].full

    def _write(self) -> None:
        """Give the network device the packets that are in order."""
        received = self.bundle.received
        if not received.ready:
            return
        packets, received.ready = received.ready, []
        self._packets.write(packets)

    def _widen(self, session: Session) -> None:
        """Let the kernel hold more of a link of datagrams."""
        link = session.link
        if link is None or link.state.kind != UDP:
            return
        with socket.socket(fileno=os.dup(link.fileno())) as held:
            for option, allowed in BUFFERS.items():
                try:
                    held.setsockopt(socket.SOL_SOCKET, option, BUFFER)
                except OSError:  # root of a user namespace
                    held.setsockopt(socket.SOL_SOCKET, allowed, BUFFER)

    def _tell(self) -> None:
        """Log what became of the links, and give the network device its carrier."""
        bundle = self.bundle
        if bundle.version and bundle.version != self._version:
            self._version = bundle.version
            self.sessions[0].log.warning(f"the peer speaks version {bundle.version} of bundles")
        if not bundle.events:
            return
        for _, index, event in bundle.events:
            self.sessions[index].log.note(PHASE, WORDS[event])
        bundle.events.clear()
        up = any(one.up for one in bundle.members)
        if up != self._up:
            self._up = up
            if up:
                self.fit()
            netdev.set_carrier(self.tun, up)
        self._record()

    def fit(self) -> None:
        """Give the device the MTU that was asked for; others may have changed it meanwhile."""
        try:
            netdev.set_mtu(self.tun.name, max(MTU_LEAST, self.mtu))
        except OSError:
            pass  # the device has gone, which its descriptor will tell

    def _tick(self, now: float) -> None:
        for index, session in enumerate(self.sessions):
            self.bundle.members[index].blocked = session.full
        self.bundle.tick(now)
        self.pump(now)

    def _second_due(self, now: float) -> float:
        return max(0.0, self._sampled + SECOND - now)

    def _second(self, now: float) -> None:
        self._sampled = now
        for session in self.sessions:
            if session.state is not None:
                session.state.sample()
        self._record()


def _places(names: Iterable[str], members: Iterable[Member]) -> list[int | None]:
    """The number that each of the *names* has among *members*; None for one that has none."""
    free: dict[str, list[int]] = {}
    for place, member in enumerate(members):
        free.setdefault(member.name, []).append(place)
    return [free[name].pop(0) if free.get(name) else None for name in names]


class _Device:
    """The side of the network device."""

    def __init__(self, runner: BundleRunner) -> None:
        self._runner = runner

    def wanted(self, now: float) -> dict[int, int]:
        """Packets, while the links take them."""
        return {self._runner.tun.fileno(): POLLIN if self._runner.bundle.hungry else 0}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Packets are there, or the device is gone."""
        if events & POLLERR:
            raise errors.StateError(f"{self._runner.tun.name}: the device is gone")
        self._runner.pump(now)

    def due(self, now: float) -> None:
        """Never."""

    def tick(self, now: float) -> None:
        """Nothing."""
