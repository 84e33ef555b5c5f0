"""Dumps of thousands of addresses that differ in address and label only: no object for each.

Neighbours that are equal in all but address, label and time of their setting are one group: what
one of them is, all are. To find them, whatever may differ is overwritten with zeros, one byte of
all messages of a length at a time (a slice with that step), and the rest is compared as a whole.
Addresses and labels are cut into columns (struct.Struct.iter_unpack). Anything else is left to
codec.py.
"""

from __future__ import annotations

from _struct import Struct
from itertools import repeat
from sys import byteorder

from netalias.kernel.netlink import codec
from netalias.model import AF_INET
from netalias.model.bare import is_bare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, TypeVar

    from netalias.kernel.netlink.interrupted import Body
    from netalias.model import Device
    from netalias.model.bare import Left, Names

    T = TypeVar("T")
    Row = tuple[Any, ...]
    """Ifindex, outer address, local address, label with its padding."""

HEADER, ADDRESS = 16, 4
"""Bytes of struct nlmsghdr, and of an IPv4 address."""
INDEX = range(HEADER + 4, HEADER + 8)
"""The bytes of ifa_index."""
STAMPS = 8
"""Bytes of cstamp and tstamp, at the end of struct ifa_cacheinfo."""
ORDER = (codec.IFA_ADDRESS, codec.IFA_LOCAL, codec.IFA_LABEL)
"""The attributes that a cut message begins with (inet_fill_ifaddr of net/ipv4/devinet.c)."""
METRIC = codec.IFA_RT_PRIORITY
SLOT = range(2) if byteorder == "little" else range(2, 4)
"""The bytes of a noted metric that are the slot."""
PADDING = repeat(b"\0")
"""The NULs at the end of each label, which are stripped."""
_INDEX = Struct("=I")


class Form:
    """The layout of messages of one ``length``: ``values`` cuts the Row of each, ``free`` are the
    offsets of the bytes that may differ between those that are alike."""

    __slots__ = ("free", "length", "values")

    def __init__(self, length: int, free: Iterable[int], values: Struct) -> None:
        self.length = length
        self.free = tuple(free)
        self.values = values

    def plain(self, messages: bytes) -> bytes:
        """Some *messages*, with zeros for what may differ."""
        found = bytearray(messages)
        zeros = bytes(len(messages) // self.length)
        for at in self.free:
            found[at :: self.length] = zeros
        return bytes(found)


def cut(message: bytes, *, apart: bool = False, noted: bool = False) -> Form | None:
    """The layout of messages like this one, with *apart* those of different devices, and with
    *noted* those whose metrics have the same upper half (kinds/label.py); None if it is no IPv4
    address with a label, has other attributes in front, or no lifetimes at its end."""
    kind = codec.HEADER.unpack_from(message)[1]
    if kind != codec.RTM_NEWADDR or len(message) < HEADER + 8 or message[HEADER] != AF_INET:
        return None
    spans = [*codec.spans(message, HEADER + 8, len(message))]
    if tuple(kind for kind, _, _ in spans[:3]) != ORDER or len(spans) < 4:
        return None
    (_, outer, _), (_, local, _), (_, label, _) = spans[:3]
    after, (last, lifetimes, end) = spans[3][1] - 4, spans[-1]
    if last != codec.IFA_CACHEINFO or end != len(message) or end - lifetimes != 2 * STAMPS:
        return None
    if local != outer + ADDRESS + 4:
        return None
    head, label_size = outer - INDEX.stop, after - label
    values = Struct(f"={INDEX.start}xI{head}x{ADDRESS}s4x{ADDRESS}s4x{label_size}s{end - after}x")
    # Of the header of the label only the type is the same: its length is that of the text.
    addresses = *range(outer, outer + ADDRESS), *range(local, local + ADDRESS)
    free = *addresses, label - 4, label - 3, *range(label, after), *range(end - STAMPS, end)
    if noted:
        free += tuple(at + byte for kind, at, _ in spans if kind == METRIC for byte in SLOT)
    return Form(len(message), (*INDEX, *free) if apart else free, values)


def interrupted(message: bytes) -> bool:
    """Whether a message is marked as part of an inconsistent dump."""
    return bool(codec.HEADER.unpack_from(message)[2] & codec.NLM_F_DUMP_INTR)


class Groups:
    """Divider of datagrams into groups of addresses that are alike, as cut() says; remembers how to
    cut."""

    def __init__(self, *, apart: bool = False, noted: bool = False) -> None:
        self._forms: dict[int, Form | None] = {}
        self._apart = apart
        self._noted = noted

    def of(self, data: bytes) -> Iterator[tuple[int, int, bytes, int]]:
        """Offset, length of a message, what all have in common, and number of messages of each
        group; one that cannot be cut has nothing in common with others. Raises WireError."""
        at, size = 0, len(data)
        while at < size:
            length = codec.length_at(data, at)
            form = self._form(data, at, length)
            if form is None:
                yield at, length, b"", 1
                at += length + 3 & ~3
                continue
            head = data[at : at + 4]
            # As far as the lowest byte of their lengths is equal; the others are in the plain text.
            lengths = data[at : size - length + 1 : length]
            count = len(lengths) - len(lengths.lstrip(head[:1]))
            plain = form.plain(data[at : at + count * length])
            begin = 0
            while plain.startswith(head, begin):
                key, number = leading(plain, begin, length)
                yield at + begin, length, key, number
                begin += length * number
            at += begin

    def rows(self, data: bytes, at: int, length: int, count: int) -> list[Row]:
        """The rows of a group; none for a message that cannot be cut."""
        form = self._forms.get(length)
        messages = memoryview(data)[at : at + length * count]
        return [*form.values.iter_unpack(messages)] if form is not None else []

    def _form(self, data: bytes, at: int, length: int) -> Form | None:
        if self._forms.get(length) is None:
            message = data[at : at + length]
            form = cut(message, apart=self._apart, noted=self._noted) if length % 4 == 0 else None
            self._forms[length] = form
        return self._forms[length]


def leading(data: bytes, at: int, length: int) -> tuple[bytes, int]:
    """The message *at* an offset, and the number of those from there on that are equal to it."""
    key = data[at : at + length]
    count = step = 1
    while step:
        begin = at + count * length
        if data.startswith(key * step, begin):
            count += step
            step *= 2
        else:
            step //= 2
    return key, count


class Sieve:
    """The addresses of a dump: ``bodies`` are the messages that remain, ``left`` the addresses that
    are as *labels* says, by name of the device, of which the first came after the first ``ahead``
    bodies. *names* are those of the devices with an entry there, *sequence* is the one of the dump,
    as it stands in a message."""

    def __init__(self, labels: Names, names: Mapping[int, str], sequence: bytes) -> None:
        self._sequence = sequence
        self.bodies: list[Body] = []
        self.left: Left = {name: set() for name in names.values()}
        self.ahead: dict[str, int] = {}
        self._labels = labels
        self._names = names
        self._known: dict[bytes, str] = {}
        self._groups = Groups()

    def take(self, data: bytes) -> None:
        """Sift the messages of a datagram. Raises WireError."""
        for at, length, key, count in self._groups.of(data):
            if key not in self._known:
                body = data[at : at + length]
                entry = codec.read_address(body, HEADER, length) if key else None
                bare = entry is not None and is_sound(body, self._sequence) and is_bare(entry)
                self._known[key] = self._names.get(entry.index, "") if bare else ""  # type: ignore[union-attr]
            name, places = self._known[key], iter(range(count))
            if name:
                rows = self._groups.rows(data, at, length, count)
                places = misfits(self._fit, name, rows)
            for begin in [at + place * length for place in places]:
                self.bodies.append((data, begin + HEADER, begin + length))

    def _fit(self, name: str, rows: Sequence[Row]) -> bool:
        """Whether all rows are as they should be; then they are left out."""
        _, outer, local, labels = zip(*rows, strict=True)
        texts = [*map(bytes.rstrip, labels, PADDING)]
        if outer != local or [*map(self._labels[name].get, local)] != texts:
            return False
        self.left[name].update(local)
        self.ahead.setdefault(name, len(self.bodies))
        return True


def misfits(
    fit: Callable[[T, Sequence[Row]], bool], what: T, rows: Sequence[Row], first: int = 0
) -> Iterator[int]:
    """The places of the rows that do not *fit* to *what*, counted from *first* on. That is asked of
    many at once, and of halves where it is not so: one among hundreds is no reason to look at each
    of them."""
    if fit(what, rows):
        return
    if len(rows) == 1:
        yield first
        return
    half = len(rows) // 2
    yield from misfits(fit, what, rows[:half], first)
    yield from misfits(fit, what, rows[half:], first + half)


def sift(
    links: Sequence[Device], datagrams: Sequence[bytes], labels: Names
) -> tuple[list[Body], Left, dict[str, int]] | None:
    """The addresses of a dump without the *labels* that are as they should be, by all devices and
    the *datagrams* of the dump, and of how many IPv4 addresses at least these come behind, by name
    of the device; None where the dump is not whole or not consistent. Raises WireError."""
    sequence = sequence_of(datagrams)
    sieve = Sieve(labels, {one.index: one.name for one in links if one.name in labels}, sequence)
    for data in datagrams:
        sieve.take(data)
    bodies = complete(sieve.bodies, sequence, codec.RTM_NEWADDR)
    if bodies is None:
        return None
    indexes = {one.name: one.index for one in links if one.name in sieve.ahead}
    ahead = {
        name: sum(_is_of(body, indexes[name], sequence) for body in sieve.bodies[:count])
        for name, count in sieve.ahead.items()
    }
    return bodies, sieve.left, ahead


def _is_of(body: Body, index: int, sequence: bytes) -> bool:
    """Whether a message of the dump is an IPv4 address of the device with this index."""
    data, start, _ = body
    if data[start - HEADER + 8 : start - HEADER + 12] != sequence or data[start] != AF_INET:
        return False
    return bool(_INDEX.unpack_from(data, start - HEADER + INDEX.start)[0] == index)


def sequence_of(datagrams: Sequence[bytes]) -> bytes:
    """The sequence number of a dump, as it stands in its last message."""
    return datagrams[-1][-12:-8] if datagrams else b""


def is_sound(message: bytes, sequence: bytes) -> bool:
    """Whether a message belongs to the dump with this sequence number, which is consistent so
    far."""
    return message[8:12] == sequence and not interrupted(message)


def complete(left: Sequence[Body], sequence: bytes, wanted: int) -> list[Body] | None:
    """The bodies of the *wanted* messages among those that are left of a dump; None where that is
    not whole or not consistent."""
    bodies: list[Body] = []
    ended = False
    for body in left:
        data, start, _ = body
        head = data[start - HEADER : start]
        if head[8:12] != sequence:
            continue
        if ended or interrupted(head):
            return None
        kind = codec.HEADER.unpack(head)[1]
        ended = kind == codec.NLMSG_DONE and not any(data[start : start + 4])
        if kind == wanted:
            bodies.append(body)
        elif not ended:
            return None
    return bodies if ended else None
