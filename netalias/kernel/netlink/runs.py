"""Dumps of thousands of addresses that differ in address and label only: no object for each.

The messages of one length are cut into columns at once (struct.Struct.iter_unpack). Neighbours that
are equal in all but address, label and time of their setting are one group: what one of them is,
all are. Anything else is left to codec.py.
"""

from __future__ import annotations

from _operator import itemgetter
from _struct import Struct
from itertools import groupby, repeat

from netalias.kernel.netlink import codec
from netalias.model import AF_INET
from netalias.model.bare import is_bare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, TypeVar

    from netalias.kernel.netlink.interrupted import Body
    from netalias.model import Device
    from netalias.model.bare import Left, Names

    T = TypeVar("T")
    Row = tuple[Any, ...]
    """Head, outer address, between, local address, label with its padding, rest. Where devices may
    differ the head is in three parts, the second of which is the ifindex."""

HEADER, ADDRESS = 16, 4
"""Bytes of struct nlmsghdr, and of an IPv4 address."""
INDEX = HEADER + 4
"""Offset of ifa_index, a number of four bytes."""
STAMPS = 8
"""Bytes of cstamp and tstamp, at the end of struct ifa_cacheinfo."""
ORDER = (codec.IFA_ADDRESS, codec.IFA_LOCAL, codec.IFA_LABEL)
"""The attributes that a cut message begins with (inet_fill_ifaddr of net/ipv4/devinet.c)."""
PADDING = repeat(b"\0")
"""The NULs at the end of each label, which are stripped."""
_same, _same_apart = itemgetter(0, 2, 5), itemgetter(0, 2, 4, 7)


def cut(message: bytes, *, apart: bool = False) -> Struct | None:
    """The layout that cuts messages of this length into the columns of a Row, with *apart* those of
    different devices; None if this one is no IPv4 address with a label, has other attributes in
    front, or no lifetimes at its end."""
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
    # Of the header of the label only the type enters: its length is that of the text.
    rest = end - STAMPS - after
    head = f"{INDEX}sI{outer - INDEX - 4}s" if apart else f"{outer}s"
    return Struct(f"={head}{ADDRESS}s4s{ADDRESS}s4x{after - label}s{rest}s{STAMPS}x")


def interrupted(message: bytes) -> bool:
    """Whether a message is marked as part of an inconsistent dump."""
    return bool(codec.HEADER.unpack_from(message)[2] & codec.NLM_F_DUMP_INTR)


class Groups:
    """Divider of datagrams into groups of addresses that are alike, with *apart* those of one
    device each, too; remembers how to cut."""

    def __init__(self, *, apart: bool = False) -> None:
        self._cuts: dict[int, Struct | None] = {}
        self._apart = apart
        self._same = _same_apart if apart else _same

    def of(self, data: bytes) -> Iterator[tuple[int, int, tuple[bytes, ...], list[Row]]]:
        """Offset, length of a message, what all have in common, and rows of each group; a message
        that cannot be cut has no rows. Raises WireError."""
        at, size = 0, len(data)
        while at < size:
            length = codec.length_at(data, at)
            form = self._form(data, at, length)
            if form is None:
                yield at, length, (), []
                at += length + 3 & ~3
                continue
            head = data[at : at + 4]
            whole = memoryview(data)[at : at + (size - at) // length * length]
            for key, rows in groupby(form.iter_unpack(whole), self._same):
                if key[0][:4] != head:
                    break
                found: list[Row] = [*rows]
                yield at, length, key, found
                at += length * len(found)

    def _form(self, data: bytes, at: int, length: int) -> Struct | None:
        if length not in self._cuts or self._cuts[length] is None:
            message = data[at : at + length]
            self._cuts[length] = cut(message, apart=self._apart) if length % 4 == 0 else None
        return self._cuts[length]


class Sieve:
    """The addresses of a dump: ``bodies`` are the messages that remain, ``left`` the addresses that
    are as *labels* says, by name of the device. *names* are those of the devices with an entry
    there, *sequence* is the one of the dump, as it stands in a message."""

    def __init__(self, labels: Names, names: Mapping[int, str], sequence: bytes) -> None:
        self._sequence = sequence
        self.bodies: list[Body] = []
        self.left: Left = {name: set() for name in names.values()}
        self._labels = labels
        self._names = names
        self._known: dict[tuple[bytes, ...], str] = {}
        self._groups = Groups()

    def take(self, data: bytes) -> None:
        """Sift the messages of a datagram. Raises WireError."""
        for at, length, key, rows in self._groups.of(data):
            if key not in self._known:
                body = data[at : at + length]
                entry = codec.read_address(body, HEADER, length) if rows else None
                bare = entry is not None and is_sound(body, self._sequence) and is_bare(entry)
                self._known[key] = self._names.get(entry.index, "") if bare else ""  # type: ignore[union-attr]
            name = self._known[key]
            places = misfits(self._fit, name, rows) if name else range(len(rows) or 1)
            for begin in [at + place * length for place in places]:
                self.bodies.append((data, begin + HEADER, begin + length))

    def _fit(self, name: str, rows: Sequence[Row]) -> bool:
        """Whether all rows are as they should be; then they are left out."""
        _, outer, _, local, labels, _ = zip(*rows, strict=True)
        texts = [*map(bytes.rstrip, labels, PADDING)]
        if outer != local or [*map(self._labels[name].get, local)] != texts:
            return False
        self.left[name].update(local)
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
) -> tuple[list[Body], Left] | None:
    """The addresses of a dump without the *labels* that are as they should be, by all devices and
    the *datagrams* of the dump; None where that is not whole or not consistent. Raises
    WireError."""
    sequence = sequence_of(datagrams)
    sieve = Sieve(labels, {one.index: one.name for one in links if one.name in labels}, sequence)
    for data in datagrams:
        sieve.take(data)
    bodies = complete(sieve.bodies, sequence, codec.RTM_NEWADDR)
    return (bodies, sieve.left) if bodies is not None else None


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
