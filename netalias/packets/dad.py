"""IPv6 addresses that are in use: the kernel probes, and its verdict is awaited.

A ``DadMonitor`` is opened before the addresses are added, so that it misses no announcement.

Rules:
- an address is good once it is no longer tentative, or optimistic (RFC 4429), which is usable;
- it is in use when the kernel has set IFA_F_DADFAILED, or when it is gone: the kernel removes one
  with a finite lifetime;
- after a loss of announcements (ENOBUFS), and for an address without one, all are read by a dump;
- the MAC of the other host is in its neighbour advertisement or probe (RFC 4862, 5.4.3), received
  on the main device before the kernel handles it.
"""

from __future__ import annotations

from _socket import inet_ntop

from netalias import errors
from netalias.kernel.netlink import codec, read_error
from netalias.kernel.netlink.subscription import Subscription
from netalias.model import AF_INET6, IFA_F_DADFAILED, IFA_F_OPTIMISTIC, IFA_F_TENTATIVE
from netalias.packets import NEIGHBOR_ADVERTISEMENT
from netalias.packets.bpf import NEIGHBOUR
from netalias.packets.parse import parse
from netalias.packets.probe import Environment, InUse
from netalias.packets.socket import PacketSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from netalias.packets.parse import Message

    Place = tuple[int, bytes]
    """A device's index and a packed IPv6 address."""

GONE = -1
"""In place of the flags of an address that was removed."""
_UNSPECIFIED = b"\0" * 16


class DadEnvironment(Environment):
    """The environment with announcements of addresses, and sockets for neighbour discovery."""

    def events(self) -> Subscription:
        """A subscription to changes of IPv6 addresses."""
        return Subscription(groups=(codec.RTNLGRP_IPV6_IFADDR,))

    def packet_socket(self, index: int) -> PacketSocket:
        """A packet socket that receives neighbour discovery."""
        return PacketSocket(index, NEIGHBOUR)


class DadMonitor:
    """A monitor of IPv6 addresses, with a packet socket on each of the devices *mains* (indexes).

    *ours* are the MACs of this host. Raises NotPermitted, NoSuchDevice, MainDown, KernelError.
    """

    def __init__(
        self,
        mains: Iterable[int],
        ours: Collection[bytes] = (),
        *,
        environment: Environment | None = None,
    ) -> None:
        self._environment = environment or DadEnvironment()
        self._ours = ours
        self._flags: dict[Place, int] = {}
        self._dumping = 0
        self._doubt = False
        self._listeners: list[PacketSocket] = []
        self._events = self._environment.events()
        try:
            for index in dict.fromkeys(mains):
                self._listeners.append(self._environment.packet_socket(index))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> DadMonitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, *, aside: bool = False) -> None:
        """Close the sockets; with *aside* a child holds them meanwhile (``packets.leave``)."""
        self._events.close()
        if aside and self._listeners:
            self._environment.leave(self._listeners)
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    def wait(self, asked: Collection[Place], limit: float) -> list[InUse]:
        """The addresses in use, once the kernel has decided on all of *asked*, which exist already.

        Raises StateError when some are undecided after *limit* seconds, KernelError.
        """
        found, undecided = self.verdicts(asked, limit)
        if undecided:
            raise _late(undecided, limit)
        return found

    def verdicts(
        self, asked: Collection[Place], limit: float, *, usable: bool = True
    ) -> tuple[list[InUse], list[Place]]:
        """The addresses in use, and those that are undecided after *limit* seconds.

        Without *usable* an optimistic address is awaited too. Raises KernelError.
        """
        environment = self._environment
        end = environment.clock() + limit
        macs: dict[bytes, bytes] = {}
        wanted = {address for _, address in asked}
        self._look()
        if not self._dumping and not all(place in self._flags for place in asked):
            self._ask()
        while undecided := self._undecided(asked, usable):
            left = end - environment.clock()
            if left <= 0:
                break
            environment.wait([self._events, *self._listeners], left)
            self._look()
            self._hear(wanted, macs)
        # The kernel announces a verdict after the socket has received the frame that caused it.
        self._hear(wanted, macs)
        late = set(undecided)
        found = [
            InUse(address, index, self._name(index), macs.get(address, b""))
            for index, address in asked
            if (index, address) not in late and self._failed((index, address))
        ]
        return found, list(undecided)

    def _name(self, index: int) -> str:
        """The name of a device, which may have vanished with its address."""
        try:
            return self._environment.name(index)
        except errors.NoSuchDevice:
            return f"index {index}"

    def _undecided(self, asked: Collection[Place], usable: bool) -> Collection[Place]:
        """The undecided ones of *asked*: all of them while a dump is read."""
        if self._dumping:
            return asked
        return [place for place in asked if not self._decided(place, usable)]

    def _decided(self, place: Place, usable: bool) -> bool:
        """Whether there is a verdict; an address missing in a complete dump is gone."""
        flags = self._flags.get(place, GONE)
        if flags == GONE or flags & IFA_F_DADFAILED:
            return True
        if flags & IFA_F_OPTIMISTIC:
            return usable
        return not flags & IFA_F_TENTATIVE

    def _failed(self, place: Place) -> bool:
        flags = self._flags.get(place, GONE)
        return flags == GONE or bool(flags & IFA_F_DADFAILED)

    def _ask(self) -> None:
        """Request a dump, and drop the known flags: an address may be gone."""
        self._flags.clear()
        self._doubt = False
        self._dumping = self._events.ask_addresses()

    def _look(self) -> None:
        """Apply the announcements that are there."""
        for event in self._events.read():
            if event is None:
                self._doubt = True
            else:
                self._take(*event)
        if self._doubt and not self._dumping:
            self._ask()

    def _take(
        self, kind: int, flags: int, sequence: int, data: bytes, start: int, end: int
    ) -> None:
        if flags & codec.NLM_F_DUMP_INTR:
            self._doubt = True
        if kind in (codec.RTM_NEWADDR, codec.RTM_DELADDR):
            entry = codec.read_address(data, start, end)
            if entry.family == AF_INET6:
                place = entry.index, entry.local
                self._flags[place] = entry.flags if kind == codec.RTM_NEWADDR else GONE
        elif sequence == self._dumping and kind in (codec.NLMSG_DONE, codec.NLMSG_ERROR):
            self._dumping = 0
            if kind == codec.NLMSG_ERROR:
                code, text = read_error(data, flags, start, end)
                raise errors.kernel_error("list of addresses", code, text)

    def _hear(self, wanted: Collection[bytes], macs: dict[bytes, bytes]) -> None:
        """Note the MACs of hosts that claim one of the *wanted* addresses, or probe for it."""
        for listener in self._listeners:
            for frame in listener.receive():
                try:
                    message = parse(frame)
                except errors.PacketError:
                    continue
                if message.target in wanted and message.mac not in self._ours and _claims(message):
                    macs[message.target] = message.mac


def _claims(message: Message) -> bool:
    """Whether it is an advertisement or a probe, and no mere resolution of the address."""
    return message.operation == NEIGHBOR_ADVERTISEMENT or message.sender == _UNSPECIFIED


def _late(places: Collection[Place], limit: float) -> errors.StateError:
    index, address = min(places)
    return errors.StateError(
        f"{inet_ntop(AF_INET6, address)} is still being checked after {limit:g} s"
        f" ({len(places)} such, device of index {index})",
        "a device without a carrier does not check",
    )
