"""Thousands of announcements: IPv4 as request and as reply, IPv6 as an advertisement, at a rate.

Which device a frame leaves by: up to NEAR addresses of a main device go over the devices of the
aliases themselves, so that their siblings, macvlans in bridge mode, hear them too. More go over
the main device, with the MAC of the alias as source: the kernel copies each broadcast of a macvlan
to all of its siblings (macvlan_broadcast in drivers/net/macvlan.c), N times N in all. On Linux 6.18
one frame takes 28 us over one of 64 macvlans and 112 us over one of 256, where it takes 1 us over
the main device; of 1000 and more some are lost (ENOBUFS).

What has no device or no MAC of its own (label, ipvlan, dummy) is announced over the main device
with the MAC of that: then ``index`` and ``main`` are the same.
"""

from __future__ import annotations

from time import monotonic, sleep

from netalias import errors, packets
from netalias.kernel.netlink.subscription import local_addresses
from netalias.model import Value
from netalias.packets import leave
from netalias.packets.pacing import BURST, Bucket, Sender
from netalias.packets.socket import name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

RATE = 2000.0
"""Frames a second, behind BURST that go at once. Switches that look at ARP drop what is over their
limit, and a lost announcement is a black hole until the neighbour's entry expires. 2000 is what
the limiters of larger ones can be set to at most (HPE 12900E: 5 to 2000 a second); the defaults of
inspected ports (15 a second) are out of reach for anybody with many addresses."""
NEAR = 64
INTERVAL = 2.0
"""ANNOUNCE_INTERVAL of RFC 5227, 1.1."""
FRESH = 1.0
"""Seconds after which it is looked at again which addresses are still here."""

Framed = tuple[bytes, bytes]
"""A packed address and a frame that announces it."""


class Announcement(Value):
    """*address* is that of *mac*, both packed, on the device *index* above the device *main*."""

    __slots__ = ("address", "index", "mac", "main")

    def __init__(self, index: int, main: int, mac: bytes, address: bytes) -> None:
        self.index = index
        self.main = main
        self.mac = mac
        self.address = address


class Environment:
    """What announcing asks of the machine: tests put their own in its place."""

    clock = staticmethod(monotonic)
    sleep = staticmethod(sleep)
    name = staticmethod(name)
    leave = staticmethod(leave)
    local_addresses = staticmethod(local_addresses)
    sender = Sender


def announce(
    items: Sequence[Announcement],
    rate: float = RATE,
    rounds: int = 1,
    interval: float = INTERVAL,
    *,
    environment: Environment | None = None,
    aside: bool = False,
) -> list[errors.NetaliasError]:
    """Announce all of them, *rounds* times, the rounds *interval* seconds apart.

    What has gone meanwhile is left out: it may be another host's by now.
    *rate* is frames a second, 0 for no limit. A device that refuses (down, vanished, stuck) does
    not keep the others from being announced: its error is returned, once. ``aside``: a child
    closes the socket (``packets.leave``). Raises NotPermitted, KernelError.
    """
    environment = environment or Environment()
    sender = environment.sender()
    refusals: dict[int, errors.NetaliasError] = {}
    try:
        bucket = Bucket(rate, environment.clock)
        ways = _ways(items)
        here = _Here(environment)
        begin = environment.clock()
        for number in range(rounds):
            environment.sleep(max(0.0, begin + number * interval - environment.clock()))
            for index, packed in ways.items():
                if index not in refusals:
                    try:
                        _over(environment, sender, bucket, environment.name(index), packed, here)
                    except errors.StateError as error:
                        refusals[index] = error
    finally:
        if aside:
            environment.leave(sender.fileno())
        sender.close()
    return list(refusals.values())


class _Here:
    """The addresses that are here: all of them at first."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._since = environment.clock()
        self._known: Container[bytes] | None = None

    def frames(self, framed: Iterable[Framed]) -> list[bytes]:
        """Those whose address is still here. Raises KernelError."""
        if self._environment.clock() - self._since >= FRESH:
            self._known = self._environment.local_addresses()
            self._since = self._environment.clock()
        known = self._known
        return [frame for address, frame in framed if known is None or address in known]


def _ways(items: Iterable[Announcement]) -> dict[int, list[Framed]]:
    """The frames by the device they leave by, in the order of *items*."""
    mains: dict[int, list[Announcement]] = {}
    for item in items:
        mains.setdefault(item.main, []).append(item)
    found: dict[int, list[Framed]] = {}
    for main, group in mains.items():
        near = len(group) <= NEAR
        for item in group:
            packed = packets.announcements(item.mac, item.address)
            framed = [(item.address, frame) for frame in packed]
            found.setdefault(item.index if near else main, []).extend(framed)
    return found


def _over(
    environment: Environment,
    sender: Sender,
    bucket: Bucket,
    device: str,
    packed: list[Framed],
    here: _Here,
) -> None:
    at = 0
    while at < len(packed):
        room = bucket.take(min(BURST, len(packed) - at))
        sender.send(device, here.frames(packed[at : at + room]))
        at += room
        if at < len(packed) and not room:
            environment.sleep(bucket.wait(len(packed) - at))
