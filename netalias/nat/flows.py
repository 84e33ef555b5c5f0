"""The flows of a translator of our own: who speaks with whom, and as whom. Pure.

A flow has two keys: that of its packets inside, as the programs of this host see them, and that of
the answers as they come from outside. Both are the bytes of a packet in their order::

    protocol, source, destination, source port, destination port

ICMP has the identifier of a query for the port on this side and zeros for that of the peer; a
protocol without ports has zeros for both. Flows end some time after their last packet, by the times
of libalias (BSD), where user-ppp had them from.
"""

from __future__ import annotations

from random import randrange

from netalias.packets.ip import (
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    ones_sum,
)

LIMIT = 65536
"""Flows of a family at most."""
EPHEMERAL = (49152, 65536)
"""Ports that a flow gets if its own is taken (RFC 6335, 6)."""
NO_PORT = b"\0\0"
WITH_PORTS = frozenset((IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6))

FIN, SYN, RST, ACK = 1, 2, 4, 16
ENDING = FIN | SYN | RST
"""Flags of TCP (RFC 9293, 3.1); those that change the state of a flow."""

IDLE = 60.0
"""Seconds without a packet after which a flow ends; those of TCP depend on its state."""
TCP_OPENING, TCP_OPEN, TCP_CLOSING, TCP_CLOSED = 300.0, 86400.0, 90.0, 10.0

SWEEP = 10.0
"""Seconds between two searches for flows that have ended."""
SWEEP_FULL = 1.0
"""The same while there is no room for another one: a search takes as long as many packets."""


class Turn:
    """The change of one end of a packet: its new address and port, and what turns a checksum.

    ``sum`` and ``port_sum`` are added to the complement of a checksum, in one's complement.
    """

    __slots__ = ("address", "port", "port_sum", "sum")

    def __init__(self, old: tuple[bytes, bytes], new: tuple[bytes, bytes]) -> None:
        self.address, self.port = new
        self.sum, self.port_sum = map(turned, old, new)


def turned(old: bytes, new: bytes) -> int:
    """The sum that is added when *new* replaces *old* (RFC 1624, equation 3)."""
    return (0xFFFF ^ ones_sum(old)) + ones_sum(new)


class Flow:
    """One flow, with the time of its last packet and the seconds that it lives on without one.

    ``address`` is that of the program, ``alias`` the one that the peer sees. ``outward`` turns what
    the program sends into what leaves, ``inward`` what comes back; ``same`` says that neither
    changes anything.
    """

    __slots__ = (
        "address", "alias", "inside", "inward", "last", "life", "outside", "outward", "protocol",
        "said", "same",
    )  # fmt: skip

    def __init__(self, inside: bytes, outside: bytes, now: float) -> None:
        size = (len(inside) - 5) // 2
        self.inside = inside
        self.outside = outside
        self.protocol = inside[0]
        self.address = inside[1 : 1 + size]
        self.alias = outside[1 + size : 1 + 2 * size]
        program, seen = (self.address, inside[-4:-2]), (self.alias, outside[-2:])
        self.outward = Turn(program, seen)
        self.inward = Turn(seen, program)
        self.same = program == seen
        self.said = 0
        self.life = TCP_OPENING if self.protocol == IPPROTO_TCP else IDLE
        self.last = now

    def note(self, flags: int, outward: bool) -> None:
        """Follow the flags of a segment of TCP."""
        if flags & RST:
            self.said |= FIN | FIN << 4
        self.said |= (flags & (SYN | FIN)) << (0 if outward else 4)
        ends = bool(self.said & FIN) + bool(self.said & FIN << 4)
        answered = self.said & SYN and self.said & SYN << 4
        self.life = (TCP_OPEN if answered else TCP_OPENING, TCP_CLOSING, TCP_CLOSED)[ends]


class Flows:
    """The flows of one family, by both keys."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.inside: dict[bytes, Flow] = {}
        self.outside: dict[bytes, Flow] = {}
        self.limit = limit
        self._swept = float("-inf")

    def add(self, inside: bytes, alias: bytes, now: float) -> Flow | None:
        """A new flow that the peer sees as *alias*, with its own port if that is free.

        None if no port is free, or if there are as many flows as there may be.
        """
        if len(self.inside) >= self.limit:
            self.sweep(now, SWEEP_FULL)
        else:
            self.sweep(now)
        if len(self.inside) >= self.limit:
            return None
        size = (len(inside) - 5) // 2
        head = inside[:1] + inside[1 + size : 1 + 2 * size] + alias + inside[-2:]
        port = self._free(head, inside[-4:-2])
        if port is None:
            return None
        flow = Flow(inside, head + port, now)
        self.inside[inside] = self.outside[flow.outside] = flow
        return flow

    def _free(self, head: bytes, port: bytes) -> bytes | None:
        """A port with which the key outside is nobody's yet."""
        if head + port not in self.outside:
            return port
        if head[0] not in WITH_PORTS:
            return None
        least, end = EPHEMERAL
        start = randrange(end - least)
        for step in range(end - least):
            port = (least + (start + step) % (end - least)).to_bytes(2, "big")
            if head + port not in self.outside:
                return port
        return None

    @property
    def crowded(self) -> bool:
        """Whether what is left is for the programs of this host: anybody can connect to it from
        sources that are made up, and each of these flows lives for minutes."""
        return len(self.inside) >= self.limit // 2

    def sweep(self, now: float, pause: float = SWEEP) -> None:
        """Forget the flows that have ended, *pause* seconds after the last time at the earliest."""
        if now < self._swept + pause:
            return
        self._swept = now
        for flow in [one for one in self.inside.values() if one.last + one.life <= now]:
            self.remove(flow)

    def remove(self, flow: Flow) -> None:
        """Forget one flow."""
        del self.inside[flow.inside], self.outside[flow.outside]

    def keep(self, old: frozenset[bytes], new: bytes) -> None:
        """Forget the flows that go another way now that *old* addresses leave as *new*."""
        for flow in [*self.inside.values()]:
            if flow.alias != (new if flow.address in old else flow.address):
                self.remove(flow)
