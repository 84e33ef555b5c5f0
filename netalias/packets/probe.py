"""IPv4 addresses that are in use: acd.py over one packet socket a device, all in parallel.

Rules:
- a device without a carrier is waited for, since a probe right after link-up finds nobody; the loss
  of a carrier during the check is an error and not an answer;
- on a device without ARP (IFF_NOARP, no Ethernet) there is nobody to ask, and no conflict;
- frames without room in the socket may have been a conflict: the addresses probed by then are
  probed again, with a filter without the known ones, and are undecided if that does not help;
- every way out closes every socket.
"""

from __future__ import annotations

from _random import Random
from _socket import inet_ntop
from select import POLLIN, poll
from time import monotonic

from netalias import errors
from netalias.kernel.netlink import codec, read_error
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
TOLD = 0.2
"""Seconds between two reports that a check goes on."""
CARRIER = IFF_UP | IFF_RUNNING | IFF_LOWER_UP


class InUse(Value):
    """A packed *address* that the host with *mac* uses, on the device *index*, called *device*.

    ``mac`` is empty where no frame of that host was received.
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
    """Clock, devices and sockets of the machine; tests put their own in its place."""

    clock = staticmethod(monotonic)

    def __init__(self) -> None:
        self.random: Callable[[], float] = Random().random
        """Random numbers from 0 to 1, seeded by the kernel."""

    def events(self) -> Subscription:
        """A subscription to changes of devices."""
        return Subscription(groups=(codec.RTNLGRP_LINK,))

    def packet_socket(self, index: int) -> PacketSocket:
        """A packet socket that receives ARP."""
        return PacketSocket(index, ARP)

    def name(self, index: int) -> str:
        """The primary name of a device. Raises NoSuchDevice."""
        return name(index)

    def wait(self, files: Sequence[Subscription | PacketSocket], seconds: float) -> None:
        """Wait until a socket is readable or *seconds* are over (rounded up to 1 ms)."""
        ready = poll()
        for file in files:
            ready.register(file.fileno(), POLLIN)
        ready.poll(max(0, -int(-seconds * 1000 // 1)))

    def leave(self, listeners: Sequence[PacketSocket]) -> None:
        """Have a child hold the sockets, so that closing them takes no time (``packets.leave``)."""
        leave(*(listener.fileno() for listener in listeners))


class Links:
    """The flags of devices, kept current by events."""

    def __init__(self, environment: Environment, indexes: Iterable[int]) -> None:
        self._environment = environment
        self.flags = dict.fromkeys(indexes, 0)
        self.events = environment.events()

    def look(self) -> None:
        """Apply the announcements that are there. Raises NoSuchDevice, KernelError."""
        for event in self.events.read():
            if event is None:
                self.events.ask_links(self.flags)
                continue
            kind, flags, sequence, data, start, end = event
            if kind == codec.NLMSG_ERROR and sequence:
                self._missing(*read_error(data, flags, start, end))
            elif kind in (codec.RTM_NEWLINK, codec.RTM_DELLINK) and end - start >= 16:
                self._take(kind, data, start)

    def _take(self, kind: int, data: bytes, start: int) -> None:
        family, _, index, flags, _ = codec.IFINFO.unpack_from(data, start)
        if family or index not in self.flags:  # AF_BRIDGE is about ports of a bridge
            return
        if kind == codec.RTM_DELLINK:
            raise errors.NoSuchDevice(f"the device of index {index} has vanished")
        self.flags[index] = flags

    def _missing(self, code: int, text: str) -> None:
        """Raise the error of a refused request: NoSuchDevice where a device is missing."""
        for index in self.flags:
            self._environment.name(index)
        raise errors.kernel_error("state of a device", code, text)

    def without(self) -> list[int]:
        """The devices with ARP and without a carrier. Raises MainDown for one that is down."""
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
        """Wait for all carriers. Raises StateError after *limit* seconds, and as ``look``."""
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
    """The addresses of *asked* that are in use, as ``verdicts`` finds them.

    Raises StateError too when some are undecided.
    """
    environment = environment or Environment()
    found, undecided = verdicts(asked, ours, timing, limit, environment=environment, aside=aside)
    if undecided:
        index, _ = undecided[0]
        raise errors.StateError(flooded(environment.name(index)))
    return found


def flooded(device: str) -> str:
    """The reason why addresses are undecided, as a sentence."""
    return f"{device} is flooded: frames were lost while conflicts were looked for"


def verdicts(
    asked: Iterable[tuple[int, bytes]],
    ours: Collection[bytes],
    timing: Timing,
    limit: float,
    *,
    environment: Environment | None = None,
    aside: bool = False,
    told: Callable[[], None] | None = None,
) -> tuple[list[InUse], list[tuple[int, bytes]]]:
    """The addresses in use, and the undecided ones, for which frames were lost again and again.

    *asked* are pairs of a device's index and a packed IPv4 address, *ours* the MACs of this host,
    *limit* is the time to wait for a carrier in seconds. With *aside* a child closes the sockets,
    for a process of one thread that is about to end. *told* is called every TOLD seconds at least.
    Raises NotPermitted, NoSuchDevice, MainDown, StateError (no carrier), KernelError.
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
        _run(environment, links, probers, told)
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
    return found, [
        (listener.index, one) for listener, prober in probers for one in prober.undecided
    ]


def _run(
    environment: Environment,
    links: Links,
    probers: Sequence[tuple[PacketSocket, Prober]],
    told: Callable[[], None] | None,
) -> None:
    """Run until every address of every device is clear, in use or given up."""
    while True:
        now = environment.clock()
        # All frames from before now are read before an address is found to be clear at now.
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
        if told is not None:
            told()
            waits.append(TOLD)
        if min(waits):
            environment.wait([links.events, *(listener for listener, _ in probers)], min(waits))


def _hear(listener: PacketSocket, prober: Prober, now: float) -> None:
    for _ in range(READINGS):
        frames = listener.receive()
        if not frames:
            return
        for frame in frames:
            try:
                prober.receive(parse(frame))
            except errors.PacketError:
                continue  # not a valid ARP message
        if listener.lost():
            prober.lost(now)
            listener.only(prober.open)
