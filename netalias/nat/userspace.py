"""Translation by a relay of our own, packet by packet: no rule of the kernel, no connection
tracking.

What a program sends from a former address leaves with the new one, and the answers come back to it.
A superpacket costs one look into a table and one change of its headers. The packet that waits in
the device while the address changes is translated as any other, so a connection that it opens need
not wait until it is sent again.

Ports stay as they are unless two programs would be the same one to a peer (RFC 3022, 2.2). ICMP
errors are translated with the packet that they quote (RFC 5508, 4.2). Fragments follow the first of
their packet; those that come before it wait for it.
"""

from __future__ import annotations

from netalias.errors import PacketError
from netalias.model import AF_INET, AF_INET6
from netalias.nat import NONE
from netalias.nat.flows import ACK, ENDING, LIMIT, SWEEP_FULL, SYN, Flow, Flows
from netalias.nat.rewriting import (
    DESTINATION,
    SOURCE,
    Quote,
    answer_key,
    finish_error,
    ports,
    readdress,
    translate,
)
from netalias.packets.ip import (
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    parse,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from netalias.nat import Translation
    from netalias.packets.ip import Head

PASSED = ""
"""The answer about a packet that goes on, translated or not."""
MALFORMED, DENIED, FULL, WAITING = "malformed", "denied", "full", "waiting"
"""Answers about a packet that does not: it is none; nobody here has asked for it; there is no room
for another flow; it is a fragment that waits for the first one of its packet."""

VERSIONS = {4: AF_INET, 6: AF_INET6}
FRAGMENT_LIFE = 30.0
"""Seconds that the first fragment of a packet is remembered for the others."""
WAIT, WAITING_MOST = 10.0, 64
"""Seconds that fragments wait for the first one, and how many do."""
FRAGMENTS_MOST = 1024

_ERRORS = {IPPROTO_ICMP: frozenset((3, 4, 5, 11, 12)), IPPROTO_ICMPV6: frozenset((1, 2, 3, 4))}
_REQUESTS = {IPPROTO_ICMP: frozenset((8, 13, 15, 17)), IPPROTO_ICMPV6: frozenset((128,))}
"""Types of ICMP: errors, which quote a packet, and requests."""
_USUAL = (IPPROTO_TCP, IPPROTO_UDP)
_FLAGS = 13
"""The place of the flags in a header of TCP."""
_LEAST = {IPPROTO_TCP: 18, IPPROTO_UDP: 8, IPPROTO_ICMP: 8, IPPROTO_ICMPV6: 8}
"""Bytes that a payload has to have for a translation."""


class Side:
    """One family: the addresses, the flows, and what is known of fragments."""

    def __init__(self, limit: int) -> None:
        self.old: frozenset[bytes] = NONE
        self.new: bytes | None = None
        self.flows = Flows(limit)
        self.first: dict[bytes, tuple[float, Flow]] = {}
        self.waiting: list[tuple[float, bytes, bytes]] = []

    def set(self, wanted: Translation | None) -> None:
        """Translate as is *wanted* from now on; what goes another way then is decided anew."""
        old, new = (wanted.old, wanted.new) if wanted else (NONE, None)
        if (old, new) == (self.old, self.new):
            return
        self.old, self.new = old, new
        if new is None:
            self.flows = Flows(self.flows.limit)
        else:
            self.flows.keep(old, new)
        self.first.clear()

    def alias(self, source: bytes) -> bytes:
        """The address with which a packet from *source* leaves."""
        return self.new if self.new is not None and source in self.old else source

    def remember(self, key: bytes, flow: Flow, now: float) -> None:
        """Note the flow of a first fragment."""
        if len(self.first) >= FRAGMENTS_MOST:
            del self.first[next(iter(self.first))]
        self.first[key] = now + FRAGMENT_LIFE, flow

    def fragment(self, key: bytes, now: float) -> Flow | None:
        """The flow of a later fragment."""
        until, flow = self.first.get(key, (0.0, None))
        return flow if until > now else None


class Translator:
    """The translations of one link.

    *clock* is CLOCK_MONOTONIC; with *deny* nothing comes in that no flow has asked for. *deliver*
    is given each fragment that has waited, translated.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        deliver: Callable[[memoryview], object] = lambda packet: None,
        *,
        deny: bool = False,
        limit: int = LIMIT,
    ) -> None:
        self._clock = clock
        self._deliver = deliver
        self._deny = deny
        self._sides = {version: Side(limit) for version in VERSIONS}

    def apply(self, wanted: Iterable[Translation]) -> None:
        """Make exactly these translations; at most one of each family."""
        by_family = {one.family: one for one in wanted if one.old}
        for version, family in VERSIONS.items():
            self._sides[version].set(by_family.get(family))

    def flows(self) -> Mapping[bytes, int]:
        """The numbers of flows by former address; those with none are not there."""
        found: dict[bytes, int] = {}
        now = self._clock()
        for side in self._sides.values():
            side.flows.sweep(now, 0.0)
            for flow in side.flows.inside.values():
                if flow.address in side.old:
                    found[flow.address] = found.get(flow.address, 0) + 1
        return found

    def outgoing(self, packet: memoryview, partial: bool = False) -> str:
        """Translate a packet of this host in place; PASSED, or the reason to drop it.

        *partial* says that its checksum is left to the device: then it may be a superpacket, of
        which there is the head only. A packet that no translation concerns is not changed.
        """
        side, key, start = self._usual(packet)
        flow = side.flows.inside.get(key) if side else None
        if flow is None:
            return self._slowly(packet, partial, self._out)
        flow.last = self._clock()
        if key[0] == IPPROTO_TCP and packet[start + _FLAGS] & ENDING:
            flow.note(packet[start + _FLAGS], outward=True)
        if not flow.same:
            translate(packet, start, flow.protocol, SOURCE, flow.outward, partial)
        return PASSED

    def incoming(self, packet: memoryview, partial: bool = False) -> str:
        """The same with a packet that has come from outside."""
        side, key, start = self._usual(packet)
        flow = side.flows.outside.get(key) if side else None
        if flow is None:
            return self._slowly(packet, partial, self._in)
        flow.last = self._clock()
        if key[0] == IPPROTO_TCP and packet[start + _FLAGS] & ENDING:
            flow.note(packet[start + _FLAGS], outward=False)
        if not flow.same:
            translate(packet, start, flow.protocol, DESTINATION, flow.inward, partial)
        return PASSED

    def _usual(self, packet: memoryview) -> tuple[Side | None, bytes, int]:
        """Family, key and start of the payload of a usual packet: TCP or UDP, with neither options
        nor extension headers, and no fragment."""
        first, length = packet[:1].tobytes(), len(packet)
        if first == b"\x45" and length >= 40:
            if packet[9] in _USUAL and not packet[6] & 0x3F and not packet[7]:
                return self._sides[4], packet[9:10].tobytes() + packet[12:24].tobytes(), 20
        elif length >= 60 and packet[0] >> 4 == 6 and packet[6] in _USUAL:
            return self._sides[6], packet[6:7].tobytes() + packet[8:44].tobytes(), 40
        return None, b"", 0

    def _slowly(
        self,
        packet: memoryview,
        partial: bool,
        direction: Callable[[Side, memoryview, Head, bool], str],
    ) -> str:
        try:
            head = parse(packet, cut=partial)
        except PacketError:
            return MALFORMED
        side = self._sides[head.version]
        if side.new is None and not self._deny:
            return PASSED
        return direction(side, packet, head, partial)

    # Packets of this host.

    def _out(self, side: Side, packet: memoryview, head: Head, partial: bool) -> str:
        old = side.new is not None and head.source in side.old
        if not (old or head.source == side.new or self._deny):
            return PASSED
        now = self._clock()
        if head.offset:
            self._leave(side, packet, head, side.fragment(_fragment(packet, head), now))
            return PASSED
        if head.end - head.start < _LEAST.get(head.protocol, 0):
            return MALFORMED
        if _kind(packet, head, _ERRORS):
            self._error_out(side, packet, head)
            return PASSED
        key = _key(packet, head, outward=True)
        flow = side.flows.inside.get(key) or side.flows.add(key, side.alias(head.source), now)
        if flow is None:
            return FULL if old or self._deny else PASSED
        self._go_on(side, flow, packet, head, outward=True)
        if not flow.same:
            translate(packet, head.start, head.protocol, SOURCE, flow.outward, partial)
        return PASSED

    def _leave(self, side: Side, packet: memoryview, head: Head, flow: Flow | None) -> None:
        """Replace the source alone: a later fragment, or an error, has no port of its own."""
        alias = flow.alias if flow else side.alias(head.source)
        if alias != head.source:
            readdress(packet, SOURCE, alias)

    def _error_out(self, side: Side, packet: memoryview, head: Head) -> None:
        """Translate an error about a packet that has come, and what it quotes."""
        quote = Quote(packet, head, outward=False)
        flow = side.flows.inside.get(answer_key(quote.key)) if quote.key else None
        self._leave(side, packet, head, flow)
        if flow is not None and not flow.same:
            quote.translate(DESTINATION, flow.outward)
        finish_error(packet, head)

    # Packets from outside.

    def _in(self, side: Side, packet: memoryview, head: Head, partial: bool) -> str:
        if head.destination != side.new and head.destination not in side.old and not self._deny:
            return PASSED
        now = self._clock()
        if head.offset:
            return self._later(side, packet, head, now)
        if head.end - head.start < _LEAST.get(head.protocol, 0):
            return MALFORMED
        if _kind(packet, head, _ERRORS):
            return self._error_in(side, packet, head)
        flow = self._asked(side, packet, head, now)
        if flow is None:
            return self._unasked(side, packet, head)
        self._go_on(side, flow, packet, head, outward=False)
        if head.fragment:
            self._release(side, _fragment(packet, head), flow, now)
        if not flow.same:
            translate(packet, head.start, head.protocol, DESTINATION, flow.inward, partial)
        return PASSED

    def _asked(self, side: Side, packet: memoryview, head: Head, now: float) -> Flow | None:
        """The flow that a packet from outside belongs to.

        Whoever connects to a former address, which the network still routes then, is answered from
        it: that begins a flow too. A datagram does not, since it may be a late answer.
        """
        key = _key(packet, head, outward=False)
        if not _begins(packet, head):
            return side.flows.outside.get(key)
        if head.destination not in side.old or self._deny:
            return None
        inside = answer_key(key)
        found = side.flows.inside.get(inside)
        if found is None and side.flows.crowded:
            side.flows.sweep(now, SWEEP_FULL)
        if found is not None or side.flows.crowded:
            return found
        return side.flows.add(inside, head.destination, now)

    def _unasked(self, side: Side, packet: memoryview, head: Head) -> str:
        """The answer about a packet from outside that belongs to no flow."""
        if self._deny:
            return DENIED
        # Nobody would know that its answer is to leave from the former address.
        return FULL if head.destination in side.old and _begins(packet, head) else PASSED

    def _later(self, side: Side, packet: memoryview, head: Head, now: float) -> str:
        """A fragment but the first: it goes where that has gone, or waits for it."""
        key = _fragment(packet, head)
        flow = side.fragment(key, now)
        if flow is not None:
            if not flow.same:
                readdress(packet, DESTINATION, flow.address)
            return PASSED
        side.waiting = [one for one in side.waiting if one[0] > now][1 - WAITING_MOST :]
        side.waiting.append((now + WAIT, key, bytes(packet)))
        return WAITING

    def _release(self, side: Side, key: bytes, flow: Flow, now: float) -> None:
        """Deliver the fragments that have waited for this first one."""
        waiting = [one for one in side.waiting if one[1] == key and one[0] > now]
        side.waiting = [one for one in side.waiting if one[1] != key]
        for _, _, held in waiting:
            packet = memoryview(bytearray(held))
            if not flow.same:
                readdress(packet, DESTINATION, flow.address)
            self._deliver(packet)

    def _error_in(self, side: Side, packet: memoryview, head: Head) -> str:
        """Translate an error about a packet of this host, and what it quotes."""
        quote = Quote(packet, head, outward=True)
        flow = side.flows.outside.get(answer_key(quote.key)) if quote.key else None
        if flow is None:
            return DENIED if self._deny else PASSED
        if not flow.same:
            readdress(packet, DESTINATION, flow.address)
            quote.translate(SOURCE, flow.inward)
            finish_error(packet, head)
        return PASSED

    def _go_on(
        self, side: Side, flow: Flow, packet: memoryview, head: Head, *, outward: bool
    ) -> None:
        flow.last = self._clock()
        if head.protocol == IPPROTO_TCP:
            flow.note(packet[head.start + _FLAGS], outward)
        if head.fragment:
            side.remember(_fragment(packet, head), flow, flow.last)


def _kind(packet: memoryview, head: Head, types: Mapping[int, frozenset[int]]) -> bool:
    """Whether it is ICMP of one of these types."""
    return head.protocol in types and packet[head.start] in types[head.protocol]


def _begins(packet: memoryview, head: Head) -> bool:
    """Whether it opens a connection, or asks by ICMP."""
    if head.protocol == IPPROTO_TCP:
        return packet[head.start + _FLAGS] & (SYN | ACK) == SYN
    return _kind(packet, head, _REQUESTS)


def _key(packet: memoryview, head: Head, *, outward: bool) -> bytes:
    found = ports(packet, head.start, head.protocol, outward=outward) or b""
    return b"%c%b%b%b" % (head.protocol, head.source, head.destination, found)


def _fragment(packet: memoryview, head: Head) -> bytes:
    """The key of the fragments of one packet (RFC 791 3.2, RFC 8200 4.5)."""
    number = packet[4:6] if head.version == 4 else packet[head.start - 4 : head.start]
    return b"%c%b%b%b" % (head.protocol, head.source, head.destination, number.tobytes())
