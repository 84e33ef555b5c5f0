"""Both ends of a tunnel tell what they are able to do: messages, and the state of one end. Pure.

An end says HELLO until it is answered. A peer that never answers is not netalias, or an old one: it
gets whole IP packets. Each end has a random number, its instance; another one in a HELLO is a peer
that has restarted, and what was agreed with the former one is void.

::

    0        kind        1        version of this layout
    2 - 3    abilities   4 - 11   instance
    12 - 19  echo        the instance that is answered; 0 in HELLO and BYE
    20 - 21  room        the largest datagram that is not fragmented, as this end knows
    22 - 23  largest     bytes of the largest superpacket that it takes
"""

from __future__ import annotations

from _struct import Struct

HELLO, ANSWER, BYE = 0x91, 0x92, 0x93
KINDS = (HELLO, ANSWER, BYE)
VERSION = 1
MESSAGE = Struct("!BBHQQHH")

TRAINS, UDP_TRAINS = 0x01, 0x02
"""Abilities: slices of TCP, and of UDP (a kernel that takes superpackets of UDP)."""
MARKS = 0x04
"""Another one, of one end alone: it hands marks of congestion of outer packets on to inner ones, so
these may have theirs outside (RFC 6040). It is told once a packet came that is capable."""

FIRST, LAST = 0.25, 60.0
"""Seconds between two HELLOs to a peer that does not answer, doubled from one to the next."""
ALIVE = 10.0
"""Seconds between those to a peer that does."""
PATIENCE = 35.0
"""Seconds without an answer after which nothing is agreed any more."""
REMINDER = 1.0
"""Seconds between HELLOs because of a peer that seems to have forgotten."""


class Negotiation:
    """One end. What it returns is to be sent to the peer; *now* is of a clock that never jumps.

    ``agreed`` are the abilities that both ends have but MARKS, ``told`` those that the peer has;
    both are 0 before an answer.
    """

    def __init__(self, instance: int, abilities: int, room: int = 0, largest: int = 65535) -> None:
        self.instance = instance
        self.abilities = abilities
        self.room = room
        self.largest = largest
        self.agreed = self.told = 0
        self.peer = 0
        """The instance of the peer, 0 for none yet."""
        self._pause = FIRST
        self._next: float | None = None
        self._answered = 0.0
        self._reminded = 0.0

    def due(self, now: float) -> float:
        """Seconds until tick()."""
        return 0.0 if self._next is None else self._next - now

    def tick(self, now: float) -> bytes:
        """The time for another HELLO."""
        if self.agreed and now - self._answered > PATIENCE:
            self.agreed, self.told, self._pause = 0, 0, FIRST
        self._next = now + (ALIVE if self.agreed else self._pause)
        self._pause = min(self._pause * 2, LAST)
        return self._message(HELLO)

    def forgotten(self, now: float) -> bytes:
        """A whole packet came from a peer that is able to do more; empty if it was told of late."""
        if now - self._reminded < REMINDER:
            return b""
        self._reminded = now
        return self._message(HELLO)

    def receive(self, message: bytes | memoryview, now: float) -> bytes | None:
        """A message of the peer: the answer, or nothing; None where it is malformed."""
        if len(message) != MESSAGE.size or message[0] not in KINDS or message[1] != VERSION:
            return None
        kind, _, abilities, instance, echo, _, _ = MESSAGE.unpack(message)
        if not instance or instance == self.instance:
            return None  # an echo of ours
        if kind == BYE:
            if instance == self.peer:
                self.agreed, self.told, self.peer, self._pause = 0, 0, 0, FIRST
            return b""
        if kind == ANSWER and echo != self.instance:
            return b""  # to our former self
        if instance != self.peer and kind == HELLO:
            self._next = now  # it is new: let it know of us at once
        self.peer = instance
        self.told = abilities
        self.agreed = self.abilities & abilities & ~MARKS
        self._answered = now
        self._pause = FIRST
        if kind == ANSWER:
            self._next = now + ALIVE
            return b""
        return self._message(ANSWER, instance)

    def bye(self) -> bytes:
        """The last message of an end that goes for good."""
        return self._message(BYE)

    def _message(self, kind: int, echo: int = 0) -> bytes:
        return MESSAGE.pack(
            kind, VERSION, self.abilities, self.instance, echo, self.room, self.largest
        )
