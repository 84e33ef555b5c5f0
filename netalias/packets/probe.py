"""Whether somebody has these IPv4 addresses: acd.py over one listener a device, all in parallel.

Rules:
- a device without a carrier is waited for, since a probe right after link-up finds nobody; one
  that loses it during the check has not been heard out, which is an error and not an answer;
- where no ARP is spoken (IFF_NOARP, no Ethernet), nobody can be asked, and nobody conflicts;
- frames that found no room in the socket may have been the conflict: what was asked by then is
  asked again, with a filter that keeps out what is known, and undecided if that does not help;
- every way out closes every socket.
"""

from __future__ import annotations

from _random import Random
from _socket import inet_ntop
from select import POLLIN, poll
from time import monotonic

from netalias import errors
from netalias.kernel.netlink import codec
from netalias.kernel.netlink.subscription import Subscription
from netalias.model import AF_INET, AF_INET6, IFF_LOWER_UP, IFF_NOARP, IFF_RUNNING, IFF_UP, Value
from netalias.packets import leave
from netalias.packets.acd import Prober
from netalias.packets.bpf import ARP
from netalias.packets.parse import parse
from netalias.packets.socket import PacketSocket, name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from netalias.packets.acd import Timing

READINGS = 64
"""Readings of socket.AT_ONCE frames that empty a full buffer: every frame from before them is
heard, and a flood that goes on does not keep the check from its end."""
CARRIER = IFF_UP | IFF_RUNNING | IFF_LOWER_UP


class InUse(Value):
    """*address* (packed) is used on the device *index*, called *device*, by *mac*.

    ``mac`` is empty where the other one was not heard.
    """

    __slots__ = ("address", "device", "index", "mac")

    def __init__(self, address: bytes, index: int, device: str, mac: bytes) -> None:
        self.address = address
        self.index = index
        self.device = device
        self.mac = mac

    def __str__(self) -> str:
        family = AF_INET if len(self.address) == 4 else AF_INET6
        text = f"{inet_ntop(family, self.address)} is in use on {self.device}"
        return f"{text} by {self.mac.hex(':')}" if self.mac else text


class Environment:
    """What a check asks of the machine: tests put their own in its place."""

    clock = staticmethod(monotonic)

    def __init__(self) -> None:
        self.random: Callable[[], float] = Random().random
        """From 0 to 1, seeded by the kernel."""

    def events(self) -> Subscription:
        """The devices as they change."""
        return Subscription(groups=(codec.RTNLGRP_LINK,))

    def packet_socket(self, index: int) -> PacketSocket:
        """A listener that hears ARP."""
        return PacketSocket(index, ARP)

    def name(self, index: int) -> str:
        """That of a device. Raises NoSuchDevice."""
        return name(index)

    def wait(self, files: Sequence[Subscription | PacketSocket], seconds: float) -> None:
        """Until one of the sockets can be read, or the time is over (rounded up to 1 ms)."""
        ready = poll()
        for file in files:
            ready.register(file.fileno(), POLLIN)
        ready.poll(max(0, -int(-seconds * 1000 // 1)))

    def leave(self, listeners: Sequence[PacketSocket]) -> None:
        """The listeners are closed by a child (``packets.leave``)."""
        leave(*(listener.fileno() for listener in listeners))


class Links:
    """The flags of devices, followed by event."""

    def __init__(self, environment: Environment, indexes: Iterable[int]) -> None:
        self._environment = environment
        self.flags = dict.fromkeys(indexes, 0)
        self.events = environment.events()

    def look(self) -> None:
        """Take in what was announced. Raises NoSuchDevice, KernelError."""
        for event in self.events.read():
            if event is None:
                self.events.ask_links(self.flags)
                continue
            kind, flags, sequence, data, start, end = event
            if kind == codec.NLMSG_ERROR and sequence:
                self._missing(*codec.read_error(data, flags, start, end))
            elif kind in (codec.RTM_NEWLINK, codec.RTM_DELLINK) and end - start >= 16:
                self._take(kind, data, start)

    def _take(self, kind: int, data: bytes, start: int) -> None:
        family, _, index, flags, _ = codec.IFINFO.unpack_from(data, start)
        if family or index not in self.flags:  # AF_BRIDGE tells of ports, not of devices
            return
        if kind == codec.RTM_DELLINK:
            raise errors.NoSuchDevice(f"the device of index {index} has vanished")
        self.flags[index] = flags

    def _missing(self, code: int, text: str) -> None:
        """A question was refused: for a device that is not there, by its name if it has one."""
        for index in self.flags:
            self._environment.name(index)
        raise errors.kernel_error("state of a device", code, text)

    def without(self) -> list[int]:
        """The devices that speak ARP and have no carrier now. Raises MainDown for one down."""
        missing = []
        for index, flags in self.flags.items():
            if flags & IFF_NOARP:
                continue
            if not flags & IFF_UP:
                raise errors.MainDown(f"{self._environment.name(index)} is down")
            if flags & CARRIER != CARRIER:
                missing.append(index)
        return missing

    def await_carrier(self, limit: float) -> None:
        """Until all have one. Raises StateError after *limit* seconds, and as ``look``."""
        environment = self._environment
        end = environment.clock() + limit
        self.events.ask_links(self.flags)
        environment.wait([self.events], limit)
        self.look()
        while missing := self.without():
            left = end - environment.clock()
            if left <= 0:
                device = environment.name(missing[0])
                raise errors.StateError(f"{device} has no carrier", "is the cable plugged in?")
            environment.wait([self.events], left)
            self.look()


def check(
    asked: Iterable[tuple[int, bytes]],
    ours: Collection[bytes],
    timing: Timing,
    limit: float,
    *,
    environment: Environment | None = None,
    aside: bool = False,
) -> list[InUse]:
    """Which of *asked*, pairs of a device's index and a packed IPv4 address, somebody has.

    As ``verdicts``; raises StateError too when frames were lost so that some are undecided.
    """
    environment = environment or Environment()
    found, undecided = verdicts(asked, ours, timing, limit, environment=environment, aside=aside)
    if undecided:
        index, _ = undecided[0]
        raise errors.StateError(flooded(environment.name(index)))
    return found


def flooded(device: str) -> str:
    """Why addresses are undecided."""
    return f"{device} is flooded: frames were lost while conflicts were looked for"


def verdicts(
    asked: Iterable[tuple[int, bytes]],
    ours: Collection[bytes],
    timing: Timing,
    limit: float,
    *,
    environment: Environment | None = None,
    aside: bool = False,
) -> tuple[list[InUse], list[tuple[int, bytes]]]:
    """Which of *asked*, pairs of a device's index and a packed IPv4 address, somebody has, and
    which are undecided, since frames were lost again and again.

    *ours* are the MACs of this host, *limit* the seconds to wait for a carrier. ``aside``: a child
    closes the sockets, for a process of one thread that is about to end. Raises NotPermitted,
    NoSuchDevice, MainDown, StateError (no carrier), KernelError.
    """
    environment = environment or Environment()
    groups: dict[int, list[bytes]] = {}
    for index, address in asked:
        groups.setdefault(index, []).append(address)
    listeners: list[PacketSocket] = []
    links = Links(environment, groups)
    try:
        links.await_carrier(limit)
        probers = []
        for index, addresses in groups.items():
            if links.flags[index] & IFF_NOARP:
                continue
            listener = environment.packet_socket(index)
            listeners.append(listener)
            if listener.ethernet:
                listener.only(addresses)
                ours_here = {*ours, listener.mac}
                now = environment.clock()
                probers.append(
                    (
                        listener,
                        Prober(listener.mac, addresses, ours_here, timing, now, environment.random),
                    )
                )
        _run(environment, links, probers)
    finally:
        links.events.close()
        if aside and listeners:
            environment.leave(listeners)
        for listener in listeners:
            listener.close()
    found = [
        InUse(address, listener.index, listener.name, mac)
        for listener, prober in probers
        for address, mac in prober.conflicts.items()
    ]
    return found, [(listener.index, one) for listener, prober in probers for one in prober.unheard]


def _run(
    environment: Environment, links: Links, probers: Sequence[tuple[PacketSocket, Prober]]
) -> None:
    """Until every address of every device is clear or in use."""
    while True:
        now = environment.clock()
        # What came before now is heard before anything is found to be clear by now.
        waits = []
        for listener, prober in probers:
            _hear(listener, prober, now)
            listener.send(prober.due(now))
            wait = prober.next(environment.clock())
            if wait is not None:
                waits.append(wait)
        links.look()
        missing = links.without()
        if missing:
            device = environment.name(missing[0])
            raise errors.StateError(f"{device} lost its carrier while conflicts were looked for")
        if not waits:
            return
        if min(waits):
            environment.wait([links.events, *(listener for listener, _ in probers)], min(waits))


def _hear(listener: PacketSocket, prober: Prober, now: float) -> None:
    for _ in range(READINGS):
        frames = listener.receive()
        if not frames:
            return
        for frame in frames:
            try:
                prober.heard(parse(frame))
            except errors.PacketError:
                continue  # whatever it is, it is not the ARP of a neighbour
        if listener.lost():
            prober.lost(now)
            listener.only(prober.open)
