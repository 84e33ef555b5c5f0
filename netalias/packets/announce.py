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
    from collections.abc import Iterable, Sequence
    from typing import Protocol

    class Changes(Protocol):
        """kernel/netlink/moved.py."""

        def read(self) -> None: ...

        def moved(self, address: bytes, index: int) -> bool: ...


RATE = 2000.0
"""Frames a second, after BURST at once. Switches that inspect ARP drop those above a limit, and
a lost announcement is a black hole until the neighbour's entry expires. 2000 is the largest limit
of large switches (HPE 12900E: 5 to 2000 a second); the defaults of inspected ports (15 a second)
are too low for many addresses at any rate."""
INTERVAL = 2.0
"""Seconds between two rounds (ANNOUNCE_INTERVAL of RFC 5227, 1.1)."""

Framed = tuple[bytes, int, bytes]
"""A packed address, the index of the device that has it, and a frame that announces it."""


class Announcement(Value):
    """An *address* with its *mac*, both packed, of the device *index* on the device *main*. The
    device *carrier* has the address, by default that with *index*."""

    __slots__ = ("address", "carrier", "index", "mac", "main")

    def __init__(self, index: int, main: int, mac: bytes, address: bytes, carrier: int = 0) -> None:
        self.index = index
        self.main = main
        self.mac = mac
        self.address = address
        self.carrier = carrier or index


class Environment:
    """Clock, devices and sockets of the machine; tests put their own in its place."""

    clock = staticmethod(monotonic)
    sleep = staticmethod(sleep)
    name = staticmethod(name)
    leave = staticmethod(leave)
    sender = Sender


def announce(
    items: Sequence[Announcement],
    rate: float = RATE,
    *,
    environment: Environment | None = None,
    aside: bool = False,
    changes: Changes | None = None,
) -> list[errors.NetaliasError]:
    """Announce *items*; an error for each device that failed.

    *rate* is frames a second, 0 for no limit. By *changes* an address is left out that has left its
    carrier meanwhile, or come to another device: whoever has it now may have another MAC. A device
    that refuses frames (down, vanished, stuck) does not keep the others from being announced. With
    *aside* a child closes the socket (``packets.leave``). Raises NotPermitted, KernelError.
    """
    environment = environment or Environment()
    bucket = Bucket(rate, environment.clock)
    sender = environment.sender()
    refusals: list[errors.NetaliasError] = []
    try:
        for index, packed in _ways(items).items():
            try:
                _over(environment, sender, bucket, environment.name(index), packed, changes)
            except errors.StateError as error:
                refusals.append(error)
    finally:
        if aside:
            environment.leave(sender.fileno())
        sender.close()
    return refusals


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
            way += zip(repeat(item.address), repeat(item.carrier), frames)
    return found


def _over(
    environment: Environment,
    sender: Sender,
    bucket: Bucket,
    device: str,
    packed: list[Framed],
    changes: Changes | None,
) -> None:
    at = 0
    while at < len(packed):
        room = bucket.take(min(BURST, len(packed) - at))
        sender.send(device, _true(packed[at : at + room], changes))
        at += room
        if at < len(packed) and not room:
            environment.sleep(bucket.wait(len(packed) - at))


def _true(framed: Sequence[Framed], changes: Changes | None) -> list[bytes]:
    """The frames whose address is where it was."""
    if changes is None:
        return [frame for *_, frame in framed]
    changes.read()
    return [frame for address, index, frame in framed if not changes.moved(address, index)]
