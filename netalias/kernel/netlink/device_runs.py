"""Dumps of thousands of devices that differ in ifindex, names and MAC only: no object for each.

As in runs.py, neighbours that are equal in all that counts are one group: what the first of them
is, all are. They are cut twice: what has to be equal, and then the values of those that are.

Rules:
- the header of every attribute has to be equal, so that each value is where it is in the first one;
- the payloads of FREE may differ: no comparison of a bare device asks for them;
- what is compared is compared by columns, a whole group at once. A group in which one device is not
  as it should be is looked at device by device.
"""

from __future__ import annotations

from _struct import Struct
from itertools import groupby, repeat
from sys import byteorder

from netalias.kernel.netlink import codec
from netalias.kernel.netlink.runs import HEADER, PADDING, Groups, is_sound, misfits
from netalias.model.bare import KIND, is_bare, records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from netalias.kernel.netlink.interrupted import Body
    from netalias.kernel.netlink.runs import Row
    from netalias.model import Device
    from netalias.model.bare import Bare, Gone

    Key = tuple[bytes, ...]

# linux/if_link.h.
IFLA_CARRIER = 33
IFLA_CARRIER_CHANGES = 35
IFLA_CARRIER_UP_COUNT = 47
IFLA_CARRIER_DOWN_COUNT = 48
FREE = frozenset(
    {
        codec.IFLA_STATS,
        codec.IFLA_STATS64,
        codec.IFLA_OPERSTATE,
        codec.IFLA_AF_SPEC,
        IFLA_CARRIER,
        IFLA_CARRIER_CHANGES,
        IFLA_CARRIER_UP_COUNT,
        IFLA_CARRIER_DOWN_COUNT,
    }
)
"""Attributes that may differ between devices that are alike."""
IFINDEX = -1
INDEX, ATTRIBUTES = HEADER + 4, HEADER + 16
"""Offsets of ifi_index, a number of four bytes, and of the first attribute."""
TEXTS = frozenset({codec.IFLA_IFNAME, codec.IFLA_IFALIAS, codec.IFLA_ALT_IFNAME})
VALUES = (IFINDEX, codec.IFLA_IFNAME, codec.IFLA_IFALIAS, codec.IFLA_ADDRESS, codec.IFLA_ALT_IFNAME)
"""The values of a device, in the order of its message (rtnl_fill_ifinfo of
net/core/rtnetlink.c)."""


class Form:
    """The layouts of the messages of one sort: ``same`` gives the bytes that are equal in all of a
    group, ``values`` the VALUES of each."""

    __slots__ = ("same", "values")

    def __init__(self, same: Struct, values: Struct) -> None:
        self.same = same
        self.values = values

    def alike(self, messages: memoryview) -> tuple[Key, int]:
        """The bytes that are equal in the first of these *messages* and in those that follow it,
        and the number of these messages."""
        key, rows = next(groupby(self.same.iter_unpack(messages)))
        return key, len([*rows])


def cut(message: bytes, mark: bytes) -> Form | None:
    """The layouts of messages like this one; None if it is none of a device with all VALUES and
    the attribute *mark*. Raises WireError."""
    if codec.HEADER.unpack_from(message)[1] != codec.RTM_NEWLINK or mark not in message:
        return None
    same = values = "="
    at, found = 0, []
    for kind, low, high in _differing(message):
        same += f"{low - at}s{high - low}x"
        form = "I" if kind == IFINDEX else f"{high - low}{'s' if kind in VALUES else 'x'}"
        values += f"{low - at}x{form}"
        found += [kind] if kind in VALUES else []
        if kind in TEXTS and message[high : high + 1] != b"\0":
            return None
        at = high
    if tuple(found) != VALUES:
        return None
    rest = len(message) - at
    return Form(Struct(f"{same}{rest}s"), Struct(f"{values}{rest}x"))


def _differing(message: bytes) -> Iterator[tuple[int, int, int]]:
    """Attribute, start and end of what may differ between devices that are alike; texts without
    their NUL."""
    yield IFINDEX, INDEX, INDEX + 4
    for kind, low, high in codec.spans(message, ATTRIBUTES, len(message)):
        if kind == codec.IFLA_PROP_LIST:
            for inner, first, last in codec.spans(message, low, high):
                if inner == codec.IFLA_ALT_IFNAME:
                    yield inner, first, last - 1
        elif kind in TEXTS:
            yield kind, low, high - 1
        elif kind in FREE or kind == codec.IFLA_ADDRESS:
            yield kind, low, high


class Group:
    """Devices that are alike: ``like`` is the first one. ``rows`` are the VALUES of each; the
    messages, of ``length`` bytes, begin ``at`` an offset of ``data``."""

    __slots__ = ("at", "data", "length", "like", "rows")

    def __init__(self, like: Device, data: bytes, at: int, length: int, rows: list[Row]) -> None:
        self.like = like
        self.data = data
        self.at = at
        self.length = length
        self.rows = rows

    def without(self, gone: set[int]) -> Iterator[Body]:
        """The messages of the devices that are not *gone*."""
        for place, row in enumerate(self.rows):
            if row[0] not in gone:
                begin = self.at + place * self.length
                yield self.data, begin + HEADER, begin + self.length


class Devices:
    """The bare devices of a reading that are as *bare* says. ``bodies`` are the messages that
    cannot be about one; *sequence* is the one of the dump of devices, as it stands in a message.

    take() is called with the dump of devices, then match(), then sift() with that of addresses.
    """

    def __init__(self, bare: Bare, sequence: bytes) -> None:
        self.bodies: list[Body] = []
        self._bare = bare
        self._mark = codec.attr_u32(codec.IFLA_GROUP, bare.group)
        self._sequence = sequence
        self._forms: dict[tuple[int, bytes], Form] = {}
        self._likes: dict[Key, Device | None] = {}
        self._groups: list[Group] = []
        self._matched: list[tuple[str, Sequence[bytes], Sequence[Row]]] = []
        """Main device, addresses and rows of devices that are as they should be, up to these."""
        self._expected: dict[int, tuple[bytes, bytes]] = {}
        """The address and the label that the devices of these groups should have, by ifindex."""
        self._gone: set[int] = set()

    def take(self, data: bytes) -> None:
        """Take in a datagram of the dump of devices. Raises WireError."""
        at, size = 0, len(data)
        while at < size:
            length = codec.length_at(data, at)
            group = self._group(data, at, length)
            if group is None:
                self.bodies.append((data, at + HEADER, at + length))
                at += length + 3 & ~3
            else:
                self._groups.append(group)
                at += length * len(group.rows)

    def _group(self, data: bytes, at: int, length: int) -> Group | None:
        """The devices from the message at this offset on that are alike; None for a message that
        cannot be about a bare device."""
        # Names of other lengths are at other places, in messages that may have the same length.
        sort = length, data[at + ATTRIBUTES : at + ATTRIBUTES + codec.ATTR.size]
        there = memoryview(data)[at : at + (len(data) - at) // length * length]
        form = self._forms.get(sort)
        key, count = form.alike(there) if form is not None else ((), 0)
        if key not in self._likes:
            message = data[at : at + length]
            form = cut(message, self._mark) if length % 4 == 0 else None
            if form is None:
                return None
            self._forms[sort] = form
            key, count = form.alike(there)
            found = codec.read_link(message, HEADER, length)
            usual = is_sound(message, self._sequence) and _may_be_bare(found)
            self._likes[key] = found if usual else None
        like = self._likes[key]
        if form is None or like is None:
            return None
        return Group(like, data, at, length, [*form.values.iter_unpack(there[: length * count])])

    def match(self, links: Iterable[Device]) -> None:
        """Find those that are as they should be, up to their addresses; their main devices are
        among *links*."""
        names = self._bare.devices
        mains = {one.index: one for one in links if one.name in names}
        addresses = {
            index: {name: address for address, name in names[main.name].items()}
            for index, main in mains.items()
        }
        for group in self._groups:
            main = mains.get(group.like.link)
            if main is not None and group.like.mtu == main.mtu:
                for _ in misfits(self._fit, (main.name, addresses[main.index]), group.rows):
                    pass  # they are found again among the remaining()

    def _fit(self, where: tuple[str, Mapping[bytes, bytes]], rows: Sequence[Row]) -> bool:
        """Whether all devices are as they should be; then their addresses are expected. *where* is
        the main device, and the addresses there by name of the alias."""
        main, wanted = where
        indexes, names, texts, _, aliases = zip(*rows, strict=True)
        addresses: list[Any] = [*map(wanted.get, aliases)]
        if None in addresses or records(aliases) != ([*names], [*texts]):
            return False
        self._expected.update(zip(indexes, zip(addresses, names, strict=True), strict=True))
        self._matched.append((main, addresses, rows))
        return True

    def sift(self, datagrams: Sequence[bytes], sequence: bytes) -> list[Body]:
        """The messages of a dump of addresses that are not those of devices which are as they
        should be, each with one bare address. Raises WireError."""
        while True:
            found, others = self._sifted(datagrams, sequence)
            self._gone = {*found}
            # One with further addresses stays, with all of them in their order.
            more = self._gone.intersection(map(_index, others))
            if len(self._gone) < len(found):  # listed twice: such a dump is not believed
                more = self._gone
            if not more:
                return others
            for index in more:
                del self._expected[index]

    def _sifted(self, datagrams: Sequence[bytes], sequence: bytes) -> tuple[list[int], list[Body]]:
        """The devices of the addresses that are as expected, and the other messages."""
        groups = Groups(apart=True)
        bare: dict[bytes, bool] = {}
        found: list[int] = []
        others: list[Body] = []
        for data in datagrams:
            for at, length, key, count in groups.of(data):
                if key not in bare:
                    message = data[at : at + length]
                    entry = codec.read_address(message, HEADER, length) if key else None
                    sound = entry is not None and is_sound(message, sequence)
                    bare[key] = sound and is_bare(entry)  # type: ignore[arg-type]
                places = iter(range(count))
                if bare[key]:
                    rows = groups.rows(data, at, length, count)
                    places = misfits(self._are_expected, found, rows)
                for begin in [at + place * length for place in places]:
                    others.append((data, begin + HEADER, begin + length))
        return found, others

    def _are_expected(self, found: list[int], rows: Sequence[Row]) -> bool:
        """Whether bare addresses are those of their devices; then these are *found*."""
        indexes, outer, local, labels = zip(*rows, strict=True)
        pairs = zip(local, map(bytes.rstrip, labels, PADDING), strict=True)
        if outer != local or [*map(self._expected.get, indexes)] != [*pairs]:
            return False
        found += indexes
        return True

    def remaining(self) -> list[Body]:
        """The messages of the devices that might have been bare, and are not as they should be."""
        return [body for group in self._groups for body in group.without(self._gone)]

    def gone(self) -> dict[str, dict[bytes, Gone]]:
        """The devices that are as they should be, by main device and address."""
        found: dict[str, dict[bytes, Gone]] = {}
        for main, addresses, rows in self._matched:
            indexes, _, _, macs, aliases = zip(*rows, strict=True)
            texts = map(str, aliases, repeat("utf-8"), repeat("surrogateescape"))
            pairs = zip(addresses, zip(texts, indexes, macs, strict=True), strict=True)
            there = found.setdefault(main, {})
            if self._gone.issuperset(indexes):
                there.update(pairs)
            else:
                there.update(pair for pair in pairs if pair[1][1] in self._gone)
        return found


def _may_be_bare(device: Device) -> bool:
    """Whether those like this device may be bare, as far as all of them are equal."""
    return device.kind == KIND and device.up and not (device.remote or device.master)


def _index(body: Body) -> int:
    """The ifindex in the message of an address."""
    data, start, _ = body
    return int.from_bytes(data[start + 4 : start + 8], byteorder)
