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
from netalias.packets import leave, name
from netalias.packets.acd import Prober
from netalias.packets.bpf import ARP
from netalias.packets.pacing import PAUSE, Attempt
from netalias.packets.parse import parse
from netalias.packets.socket import PacketSocket

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
        self._unknown = set(self.flags)
        self.events = environment.events()

    def ask(self) -> None:
        """Request the state of all devices."""
        self.events.ask_links(self.flags)

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
        self._unknown.discard(index)

    def _missing(self, code: int, text: str) -> None:
        """Raise the error of a refused request: NoSuchDevice where a device is missing."""
        for index in self.flags:
            self._environment.name(index)
        raise errors.kernel_error("state of a device", code, text)

    def without(self) -> list[int]:
        """The devices with ARP and without a carrier, or whose state is not known yet. Raises
        MainDown for one that is down."""
        missing = []
        for index, flags in self.flags.items():
            if index in self._unknown:
                missing.append(index)
                continue
            if flags & IFF_NOARP:
                continue
            if not flags & IFF_UP:
                raise errors.MainDown(f"{self._environment.name(index)} is down")
            if flags & CARRIER != CARRIER:
                missing.append(index)
        return missing


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
    probing = Probing(asked, ours, timing, limit, environment)
    try:
        while (wait := probing.turn()) is not None:
            if told is not None and probing.begun:
                told()
                wait = min(wait, TOLD)
            if wait:
                environment.wait(probing.files, wait)
        return probing.verdicts()
    finally:
        probing.close(aside=aside)


class _Way:
    """The way to one device: a packet socket, the schedule of its addresses, and what is to be
    sent."""

    __slots__ = ("frames", "listener", "prober")

    def __init__(self, listener: PacketSocket, prober: Prober, clock: Callable[[], float]) -> None:
        self.listener = listener
        self.prober = prober
        self.frames = Attempt(clock)

    def turn(self, now: float, clock: Callable[[], float]) -> float | None:
        """Hear and send; the seconds until there is more to do, None at the end."""
        _hear(self.listener, self.prober, now)
        if not self.frames.pending:
            self.frames.add(self.prober.due(now))
        self.listener.push(self.frames)
        # Probes count as sent when the next ones are asked for, which is not before all are.
        return PAUSE if self.frames.pending else self.prober.next(clock())


class Probing:
    """A check that does not wait: ``turn`` is called when one of ``files`` is readable, and after
    the seconds that the last call gave. The arguments are those of verdicts().

    Raises NotPermitted, NoSuchDevice, MainDown, StateError, KernelError, as each turn does.
    """

    def __init__(
        self,
        asked: Iterable[tuple[int, bytes]],
        ours: Collection[bytes],
        timing: Timing,
        limit: float,
        environment: Environment | None = None,
    ) -> None:
        self._environment = environment or Environment()
        self._ours = ours
        self._timing = timing
        self._groups: dict[int, list[bytes]] = {}
        for index, address in asked:
            self._groups.setdefault(index, []).append(address)
        self._end = self._environment.clock() + limit
        self._listeners: list[PacketSocket] = []
        self._ways: list[_Way] = []
        self.begun = False
        """Whether all devices had a carrier, and probes are sent."""
        self._links = Links(self._environment, self._groups)
        self._links.ask()

    @property
    def files(self) -> list[Subscription | PacketSocket]:
        """The sockets that are to be polled for reading."""
        return [self._links.events, *(way.listener for way in self._ways)]

    def turn(self) -> float | None:
        """Do what there is to do; the seconds until the next call, None at the end."""
        if not self.begun:
            left = self._until_carrier()
            if left:
                return left
            self._begin()
        return self._probe()

    def _until_carrier(self) -> float:
        """The seconds for which a carrier is still waited for; 0 when all have one."""
        self._links.look()
        missing = self._links.without()
        left = self._end - self._environment.clock()
        if missing and left <= 0:
            device = self._environment.name(missing[0])
            raise errors.StateError(f"{device} has no carrier", "is the cable plugged in?")
        return left if missing else 0.0

    def _begin(self) -> None:
        environment = self._environment
        for index, addresses in self._groups.items():
            if self._links.flags[index] & IFF_NOARP:
                continue
            listener = environment.packet_socket(index)
            self._listeners.append(listener)
            if listener.ethernet:
                listener.only(addresses)
                ours, now = {*self._ours, listener.mac}, environment.clock()
                prober = Prober(
                    listener.mac, addresses, ours, self._timing, now, environment.random
                )
                self._ways.append(_Way(listener, prober, environment.clock))
        self.begun = True

    def _probe(self) -> float | None:
        environment = self._environment
        now = environment.clock()
        # All frames from before now are read before an address is found to be clear at now.
        waits = [way.turn(now, environment.clock) for way in self._ways]
        self._links.look()
        missing = self._links.without()
        if missing:
            device = environment.name(missing[0])
            raise errors.StateError(f"{device} lost its carrier while conflicts were looked for")
        return min((wait for wait in waits if wait is not None), default=None)

    def verdicts(self) -> tuple[list[InUse], list[tuple[int, bytes]]]:
        """The addresses in use, and the undecided ones."""
        found = [
            InUse(address, way.listener.index, way.listener.name, mac)
            for way in self._ways
            for address, mac in way.prober.conflicts.items()
        ]
        return found, [
            (way.listener.index, one) for way in self._ways for one in way.prober.undecided
        ]

    def close(self, *, aside: bool = False) -> None:
        """Close the sockets; with *aside* a child holds them meanwhile (``packets.leave``)."""
        self._links.events.close()
        if aside and self._listeners:
            self._environment.leave(self._listeners)
        for listener in self._listeners:
            listener.close()


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
