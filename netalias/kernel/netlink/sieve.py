"""The addresses that matter for one alias, among the thousands on its main device.

Those that do not are hosts under labels of other slots: they bring no network. One with a peer is
none: its network is that of the peer. Neighbours in a dump that are alike (runs.py) are passed over
by columns; only what is left is looked at one by one.
"""

from __future__ import annotations

from _struct import Struct

from netalias.kernel.netlink import codec
from netalias.kernel.netlink.runs import HEADER, Groups
from netalias.model import AF_INET, AF_INET6, GROUP, NOTED, Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from typing import Protocol

    from netalias.model import Address, Device
    from netalias.model.local_routes import LocalRoute

    class Asked(Protocol):
        """The Netlink, which imports this file."""

        def named(self, names: Iterable[str]) -> list[Device]: ...
        def on(self, index: int) -> list[Address]: ...
        def taken(self, request: bytes) -> list[bytes] | None: ...
        def local_routes(self) -> Sequence[LocalRoute]: ...


HOST = {AF_INET: 32, AF_INET6: 128}
"""Prefix length of a host address."""
INET = Struct("=HH4sHH4sHH")
"""IFA_ADDRESS and IFA_LOCAL of an IPv4 address, which come first, and the header of IFA_LABEL, next
where there is no broadcast address (inet_fill_ifaddr)."""
INET6 = Struct("=HH16sHHI")
"""IFA_ADDRESS, before which IFA_LOCAL would come, and IFA_RT_PRIORITY, where an IPv6 address has a
metric (inet6_fill_ifaddr)."""
SLOT = Struct("=H")
"""Slot of an IPv6 label in its metric (kinds/label.py), in the half that is written first or not;
other bytes that are equal do no harm."""
BODY = HEADER + codec.IFADDR.size
"""Place of the first attribute in a message."""
OUTER, LOCAL, LABEL = BODY + 4, BODY + 12, BODY + INET.size
"""Places of the values of INET, and of the text of the label behind it."""
RUN = 4
"""Messages that are alike from which on columns are worth while."""


class Sieve:
    """Patterns of the addresses that matter: those of the alias with this *slot* (negative for
    none), and the packed addresses *local*."""

    def __init__(self, slot: int, local: Collection[bytes]) -> None:
        self._others: Collection[int] = ()
        self._seen: set[int] = set()
        self._hosts: dict[bytes, bool] = {}
        # The end of an IFA_LABEL: the main device may have had another name.
        label = [b":%d\0" % slot] if slot >= 0 else []
        metric = [SLOT.pack(slot)] if slot >= 0 else []
        self._patterns = {
            AF_INET: [*label, *(codec.attr(codec.IFA_LOCAL, one) for one in local)],
            AF_INET6: [*metric, *local],
        }

    def entries(
        self, datagrams: Iterable[bytes], index: int, others: Collection[int] = ()
    ) -> list[Address] | None:
        """The addresses of a dump, of the main device *index* those that matter, of the hidden
        devices *others* these and the first; None if the dump was interrupted. Raises WireError."""
        self._others = others
        groups, found = Groups(), []
        for data in datagrams:
            for start, end in self._bodies(groups, data, index):
                _, kind, flags, _, _ = codec.HEADER.unpack_from(data, start - HEADER)
                if flags & codec.NLM_F_DUMP_INTR:
                    return None
                if kind == codec.RTM_NEWADDR and self._matters(data, start, end, index):
                    found.append(codec.read_address(data, start, end))
        return found

    def _bodies(self, groups: Groups, data: bytes, index: int) -> Iterator[tuple[int, int]]:
        """Start and end of the bodies of the messages of a datagram that may matter."""
        for at, length, key, count in groups.of(data):
            places: Iterable[int] = range(count)
            if key and count >= RUN:
                where = codec.IFADDR.unpack_from(data, at + HEADER)[4]
                ours = where == index or where in self._others
                if ours and self._are_hosts(key, data, at, length, count):
                    first = {0} if where in self._others and where not in self._seen else set()
                    places = sorted(first | self._places(data, at, length, count))
            for begin in [at + place * length for place in places]:
                yield begin + HEADER, begin + length

    def _are_hosts(self, key: bytes, data: bytes, at: int, length: int, count: int) -> bool:
        """Whether all messages of a group are hosts without a peer, under labels of aliases."""
        if key not in self._hosts:
            flags = codec.HEADER.unpack_from(data, at)[2]
            entry = codec.read_address(data, at + HEADER, at + length)
            host = entry.prefixlen == HOST[AF_INET] and not entry.metric
            self._hosts[key] = host and not flags & codec.NLM_F_DUMP_INTR
        colon = data.find(b":", at + LABEL, at + length) - at
        if not self._hosts[key] or colon < 0:
            return False
        end = at + length * count
        return data[at + colon : end : length] == b":" * count and all(
            data[at + OUTER + byte : end : length] == data[at + LOCAL + byte : end : length]
            for byte in range(LOCAL - OUTER - codec.ATTR.size)
        )

    def _places(self, data: bytes, at: int, length: int, count: int) -> set[int]:
        """The places in a group that hold one of the patterns."""
        places = set()
        end = at + length * count
        for pattern in self._patterns[AF_INET]:
            found = data.find(pattern, at, end)
            while found >= 0:
                places.add((found - at) // length)
                found = data.find(pattern, found + 1, end)
        return places

    def _matters(self, data: bytes, start: int, end: int, index: int) -> bool:
        if end - start < codec.IFADDR.size:
            return True  # the reader says what is wrong
        family, length, _, _, where = codec.IFADDR.unpack_from(data, start)
        if where in self._others and where not in self._seen:
            self._seen.add(where)
            return True
        if (where != index and where not in self._seen) or length != HOST.get(family):
            return True
        if not PLAIN[family](data, start + codec.IFADDR.size):
            return True
        body = data[start:end]
        return any(pattern in body for pattern in self._patterns[family])


def _plain_inet(data: bytes, at: int) -> bool:
    """Whether an IPv4 address has no peer, and the label of an alias: another one may decide about
    labels."""
    if len(data) < at + INET.size:
        return False
    _, outer, peer, _, inner, local, size, last = INET.unpack_from(data, at)
    if (outer, inner, last, peer) != (codec.IFA_ADDRESS, codec.IFA_LOCAL, codec.IFA_LABEL, local):
        return False
    return b":" in data[at + INET.size : at + INET.size + size - codec.ATTR.size]


def _plain_inet6(data: bytes, at: int) -> bool:
    """Whether an IPv6 address has no peer, and the metric of a label: another one may decide about
    labels."""
    if len(data) < at + INET6.size:
        return False
    _, outer, _, _, inner, metric = INET6.unpack_from(data, at)
    ours = metric >> 16 == GROUP or metric >> 23 == NOTED >> 23
    return (outer, inner) == (codec.IFA_ADDRESS, codec.IFA_RT_PRIORITY) and ours


PLAIN = {AF_INET: _plain_inet, AF_INET6: _plain_inet6}


def part(kernel: Asked, names: Iterable[str], local: Collection[bytes]) -> Snapshot:
    """The answer to Kernel.reread() among many addresses: the devices with these names, and of
    their addresses those that may be, or depend on, one of the packed addresses *local*."""
    devices = {device.index: device for device in kernel.named(names)}
    entries = []
    for index in devices:
        datagrams = kernel.taken(codec.get_addresses(0, 0, index))
        found = Sieve(-1, local).entries(datagrams, index) if datagrams is not None else None
        found = kernel.on(index) if found is None else found
        # A kernel without strict checks lists the addresses of all devices each time.
        entries += [entry for entry in found if entry.index == index]
    return Snapshot(devices.values(), entries, kernel.local_routes())
