"""The two datagrams of a bundle: a fragment with its sequence number, and the beat of a link.

A fragment is RFC 1990's (section 3), with a tag of the session and 32 bits of sequence::

    1011BE00  session, 2 octets  sequence, 4 octets  the packet, or a part of it

B stands in the first fragment of a packet, E in the last one, both where a packet is whole. The
upper four bits are none of an IP packet's version, so a peer that sends plain packets is told apart
at once. spec.py has both layouts as declarations. Numbers are in network order.
"""

from __future__ import annotations

from _struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview

VERSION = 1
"""The version of both layouts. Links of another version never come up."""

FRAGMENT = 0xB0
BEAT = 0xB1
BEGIN = 0x08
END = 0x04
WHOLE = BEGIN | END

_HEADER = Struct(">BHI")
HEADER = _HEADER.size
"""Octets in front of each packet or part."""
pack_header = _HEADER.pack
"""(FRAGMENT with BEGIN and END, tag of the session, sequence) -> octets."""
unpack_header = _HEADER.unpack_from
"""The reverse, from the beginning of a datagram of HEADER octets at least."""

TICK = 0.01
"""Seconds: the unit of a beat's interval."""
MICROSECONDS = 1_000_000
MODULUS = 1 << 32
"""Sequence numbers, clocks and counters are sent modulo this."""
NEVER = MODULUS - 1
"""``held`` of a beat whose sender has heard none on this link."""

HEARS = 0x01
"""A flag of a beat: its sender hears this link."""

_BEAT = Struct(">BBBBIIIIIIIIII")
BEAT_SIZE = _BEAT.size


class Beat:
    """The heartbeat of one link, and what its sender has received on it.

    - ``version``, ``interval`` (the next one comes within so many TICKs), ``flags``;
    - ``instance``: the random number of the sender's session; ``peer``: that of the other end, 0
      while it is unknown;
    - ``next``: every later fragment on this link has this sequence number or a higher one;
    - ``stamp``: the sender's clock in microseconds; ``echo``: the last stamp that it got on this
      link; ``held``: the microseconds since then, NEVER for none;
    - ``last``: the highest sequence number received on this link; ``frames`` and ``octets``:
      fragments received on it, headers not counted; ``arrived``: the clock when the last one came.
    """

    __slots__ = (
        "arrived", "echo", "flags", "frames", "held", "instance", "interval", "last", "next",
        "octets", "peer", "stamp", "version",
    )  # fmt: skip

    def __init__(
        self,
        *,
        instance: int,
        peer: int = 0,
        interval: int = 10,
        flags: int = 0,
        next: int = 0,
        stamp: int = 0,
        echo: int = 0,
        held: int = NEVER,
        last: int = 0,
        frames: int = 0,
        octets: int = 0,
        arrived: int = 0,
        version: int = VERSION,
    ) -> None:
        self.version = version
        self.interval = interval
        self.flags = flags
        self.instance = instance
        self.peer = peer
        self.next = next
        self.stamp = stamp
        self.echo = echo
        self.held = held
        self.last = last
        self.frames = frames
        self.octets = octets
        self.arrived = arrived

    def pack(self) -> bytes:
        """The datagram."""
        return _BEAT.pack(
            BEAT, self.version, self.interval, self.flags, self.instance, self.peer, self.next,
            self.stamp, self.echo, self.held, self.last, self.frames, self.octets, self.arrived,
        )  # fmt: skip


def unpack_beat(datagram: Buffer) -> Beat | None:
    """The beat in *datagram*; None where it is too short. Another version has other fields."""
    view = memoryview(datagram)
    if len(view) < BEAT_SIZE:
        return None
    (
        _, version, interval, flags, instance, peer, next_, stamp, echo, held, last, frames,
        octets, arrived,
    ) = _BEAT.unpack_from(view)  # fmt: skip
    return Beat(
        version=version, interval=interval, flags=flags, instance=instance, peer=peer, next=next_,
        stamp=stamp, echo=echo, held=held, last=last, frames=frames, octets=octets,
        arrived=arrived,
    )  # fmt: skip


def clock(now: float) -> int:
    """*now*, in seconds, as a beat has it."""
    return int(now * MICROSECONDS) % MODULUS


def unwrap(number: int, near: int) -> int:
    """The number, without modulus, that is *number* modulo MODULUS and nearest to *near*."""
    return near + (number - near + (MODULUS >> 1)) % MODULUS - (MODULUS >> 1)
