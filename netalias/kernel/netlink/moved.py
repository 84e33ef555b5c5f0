"""Addresses that have left their device, or come to another one, since somebody began to look."""

from __future__ import annotations

from netalias.kernel.netlink import codec
from netalias.kernel.netlink.subscription import Subscription
from netalias.model import AF_UNSPEC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.kernel.netlink.subscription import Message

    Place = tuple[bytes, int]
    """A packed address and the index of a device."""


class Moved:
    """The changes of all addresses of the namespace of the calling thread, from now on. *buffer* is
    the receive buffer in bytes, 0 for a large one. Raises KernelError."""

    def __init__(self, buffer: int = 0) -> None:
        groups = codec.RTNLGRP_IPV4_IFADDR, codec.RTNLGRP_IPV6_IFADDR
        self._subscription = Subscription(groups=groups, buffer=buffer)
        self._left: set[Place] = set()
        self._came: dict[bytes, int] = {}
        self._present: set[Place] | None = None
        """The addresses that are there, or were; None until announcements are lost."""

    def close(self) -> None:
        """Close the socket."""
        self._subscription.close()

    def read(self) -> None:
        """Take in what has changed up to now. Raises WireError, KernelError."""
        lost = False
        for message in self._subscription.read():
            if message is None:
                lost = True
            else:
                self._take(message)
        if lost:
            self._read_anew()

    def moved(self, address: bytes, index: int) -> bool:
        """Whether a packed address is not, or not only, on the device *index* any more, on which it
        was."""
        place = address, index
        gone = place in self._left or (self._present is not None and place not in self._present)
        return gone or self._came.get(address, index) != index

    def _read_anew(self) -> None:
        """Read all addresses; announcements that come meanwhile count as well."""
        body = codec.IFADDR.pack(AF_UNSPEC, 0, 0, 0, 0)
        self._present = set()
        self._left.clear()
        for message in self._subscription.answers(codec.RTM_GETADDR, body):
            self._take(message)

    def _take(self, message: Message) -> None:
        kind, flags, _, data, start, end = message
        entry = codec.read_address(data, start, end)
        place = entry.local, entry.index
        if kind == codec.RTM_DELADDR:
            self._left.add(place)
            if self._came.get(entry.local) == entry.index:
                del self._came[entry.local]
        else:
            self._left.discard(place)
            if self._present is not None:
                self._present.add(place)
            if not flags & codec.NLM_F_MULTI:  # an announcement, and no answer
                self._came[entry.local] = entry.index
