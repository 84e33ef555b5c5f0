"""Dumps of thousands of addresses that differ in address and label only: no object for each.

The messages of one length are cut into columns at once (struct.Struct.iter_unpack). Neighbours that
are equal in all but address, label and time of their setting are one group: what one of them is,
all are. Anything else is left to codec.py.
"""

from __future__ import annotations

from _operator import itemgetter, methodcaller
from _struct import Struct
from itertools import groupby

from netalias.kernel.netlink import codec
from netalias.model import AF_INET
from netalias.model.bare import is_bare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netalias.kernel.netlink.interrupted import Body
    from netalias.model import Device
    from netalias.model.bare import Left, Names

    Row = tuple[bytes, bytes, bytes, bytes, bytes, bytes]
    """Head, outer address, between, local address, label with its padding, rest."""

HEADER, ADDRESS = 16, 4
"""Bytes of struct nlmsghdr, and of an IPv4 address."""
STAMPS = 8
"""Bytes of cstamp and tstamp, at the end of struct ifa_cacheinfo."""
ORDER = (codec.IFA_ADDRESS, codec.IFA_LOCAL, codec.IFA_LABEL)
"""The attributes that a cut message begins with (inet_fill_ifaddr of net/ipv4/devinet.c)."""
_same = itemgetter(0, 2, 5)
_bare_text = methodcaller("rstrip", b"\0")


def cut(message: bytes) -> Struct | None:
    """The layout that cuts messages of this length into the columns of a Row; None if this one is
    no IPv4 address with a label, has other attributes in front, or no lifetimes at its end."""
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
    return Struct(f"={outer}s{ADDRESS}s4s{ADDRESS}s4x{after - label}s{rest}s{STAMPS}x")


def interrupted(message: bytes) -> bool:
    """Whether a message is marked as part of an inconsistent dump."""
    return bool(codec.HEADER.unpack_from(message)[2] & codec.NLM_F_DUMP_INTR)


class Groups:
    """Divider of datagrams into groups of addresses that are alike; remembers how to cut."""

    def __init__(self) -> None:
        self._cuts: dict[int, Struct | None] = {}

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
            for key, rows in groupby(form.iter_unpack(whole), _same):
                if key[0][:4] != head:
                    break
                found: list[Row] = [*rows]
                yield at, length, key, found
                at += length * len(found)

    def _form(self, data: bytes, at: int, length: int) -> Struct | None:
        if length not in self._cuts or self._cuts[length] is None:
            self._cuts[length] = cut(data[at : at + length]) if length % 4 == 0 else None
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
                sound = body[8:12] == self._sequence and not interrupted(body)
                bare = sound and entry is not None and is_bare(entry)
                self._known[key] = self._names.get(entry.index, "") if bare else ""  # type: ignore[union-attr]
            name = self._known[key]
            if not (name and self._all(name, rows)):
                self._some(name, data, at, length, rows)

    def _all(self, name: str, rows: list[Row]) -> bool:
        """Whether all rows are as they should be; then they are left out."""
        _, outer, _, local, labels, _ = zip(*rows, strict=True)
        texts = tuple(map(_bare_text, labels))
        if outer != local or tuple(map(self._labels[name].get, local)) != texts:
            return False
        self.left[name].update(local)
        return True

    def _some(self, name: str, data: bytes, at: int, length: int, rows: list[Row]) -> None:
        """Look at each row of a group; without rows it is one message."""
        wanted = self._labels[name] if name else {}
        for place in range(len(rows) or 1):
            begin = at + place * length
            if wanted:
                _, outer, _, local, label, _ = rows[place]
                if outer == local and wanted.get(local) == _bare_text(label):
                    self.left[name].add(local)
                    continue
            self.bodies.append((data, begin + HEADER, begin + length))


def sift(
    links: Sequence[Device], datagrams: Sequence[bytes], labels: Names
) -> tuple[list[Body], Left] | None:
    """The addresses of a dump without the *labels* that are as they should be, by all devices and
    the *datagrams* of the dump; None where that is not whole or not consistent. Raises
    WireError."""
    sequence = datagrams[-1][-12:-8] if datagrams else b""
    sieve = Sieve(labels, {one.index: one.name for one in links if one.name in labels}, sequence)
    for data in datagrams:
        sieve.take(data)
    bodies: list[Body] = []
    ended = False
    for body in sieve.bodies:
        data, start, _ = body
        head = data[start - HEADER : start]
        if head[8:12] != sequence:
            continue
        if ended or interrupted(head):
            return None
        kind = codec.HEADER.unpack(head)[1]
        ended = kind == codec.NLMSG_DONE and not any(data[start : start + 4])
        if kind == codec.RTM_NEWADDR:
            bodies.append(body)
        elif not ended:
            return None
    return (bodies, sieve.left) if ended else None
