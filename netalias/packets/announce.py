"""Thousands of announcements at a rate: ARP request and reply for IPv4, an advertisement for IPv6.

Up to NEAR addresses of a main device are announced over the devices of the aliases themselves, so
that their siblings, macvlans in bridge mode, receive them too. More are announced over the main
device, with the MAC of the alias as source: the kernel copies each broadcast of a macvlan to all of
its siblings (macvlan_broadcast in drivers/net/macvlan.c), N times N in all. On Linux 6.18 a frame
takes 28 us over one of 64 macvlans and 112 us over one of 256, but 1 us over the main device; from
1000 on all are lost, at every attempt (ENOBUFS): the copies fill the queue of the processor
(net.core.netdev_max_backlog) before the frame itself is queued. So it is the number of siblings
that counts, and not only that of the addresses which are announced at once.

An alias without a device or MAC of its own (label, ipvlan, dummy) is announced over the main device
with its MAC: then ``index`` and ``main`` are equal.
"""

from __future__ import annotations

from itertools import repeat
from time import monotonic, sleep

from netalias import errors, packets
from netalias.model import Value
from netalias.packets import NEAR, leave, name
from netalias.packets.pacing import BURST, Bucket, Sender

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

RATE = 2000.0
"""Frames a second, after BURST at once. Switches that inspect ARP drop those above a limit, and
a lost announcement is a black hole until the neighbour's entry expires. 2000 is the largest limit
of large switches (HPE 12900E: 5 to 2000 a second); the defaults of inspected ports (15 a second)
are too low for many addresses at any rate."""
INTERVAL = 2.0
"""Seconds between two rounds (ANNOUNCE_INTERVAL of RFC 5227, 1.1)."""
FRESH = 1.0
"""Seconds after which the addresses of this host are read again."""

Framed = tuple[bytes, bytes]
"""A packed address and a frame that announces it."""


class Announcement(Value):
    """An *address* with its *mac*, both packed, of the device *index* on the device *main*."""

    __slots__ = ("address", "index", "mac", "main")

    def __init__(self, index: int, main: int, mac: bytes, address: bytes) -> None:
        self.index = index
        self.main = main
        self.mac = mac
        self.address = address


class Environment:
    """Clock, devices and sockets of the machine; tests put their own in its place."""

    clock = staticmethod(monotonic)
    sleep = staticmethod(sleep)
    name = staticmethod(name)
    leave = staticmethod(leave)
    sender = Sender

    def local_addresses(self) -> Container[bytes]:
        """The packed addresses of this host; few runs last so long that they are asked for."""
        from netalias.kernel.netlink.subscription import local_addresses

        return local_addresses()


def announce(
    items: Sequence[Announcement],
    rate: float = RATE,
    rounds: int = 1,
    interval: float = INTERVAL,
    *,
    environment: Environment | None = None,
    aside: bool = False,
) -> list[errors.NetaliasError]:
    """Announce *items* in *rounds*, *interval* seconds apart; an error for each device that failed.

    An address that is gone meanwhile is left out, since another host may have it by now. *rate* is
    frames a second, 0 for no limit. A device that refuses frames (down, vanished, stuck) does not
    keep the others from being announced. With *aside* a child closes the socket
    (``packets.leave``). Raises NotPermitted, KernelError.
    """
    environment = environment or Environment()
    bucket = Bucket(rate, environment.clock)
    sender = environment.sender()
    refusals: dict[int, errors.NetaliasError] = {}
    try:
        here = _Here(environment)
        ways = _ways(items)
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
    """The addresses of this host, read every FRESH seconds; at first all count as its own."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._since = environment.clock()
        self._known: Container[bytes] | None = None

    def frames(self, framed: Iterable[Framed]) -> list[bytes]:
        """The frames whose address this host still has. Raises KernelError."""
        if self._environment.clock() - self._since >= FRESH:
            self._known = self._environment.local_addresses()
            self._since = self._environment.clock()
        known = self._known
        return [frame for address, frame in framed if known is None or address in known]


def _ways(items: Iterable[Announcement]) -> dict[int, list[Framed]]:
    """The frames by the device that sends them, in the order of *items*."""
    mains: dict[int, list[Announcement]] = {}
    for item in items:
        mains.setdefault(item.main, []).append(item)
    found: dict[int, list[Framed]] = {}
    for main, group in mains.items():
        near = len(group) <= NEAR
        for item in group:
            frames = packets.announcements(item.mac, item.address)
            way = found.setdefault(item.index if near else main, [])
            way += zip(repeat(item.address), frames)
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
