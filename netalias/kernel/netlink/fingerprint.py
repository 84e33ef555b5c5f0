"""Fingerprints of readings: a state of the kernel that was compared before is recognised at once.

recognition.py knows the format, and recognises. Here the bytes of a reading are kept, and it is
found what of them changes by itself: the counters of the devices, and of IFLA_AF_SPEC all that
follows the IPv4 sysctls that aliases need, since the kernel draws a new ND reachable time every few
minutes (neigh_rand_reach_time); the lifetimes of addresses without the mark of netalias, which
count down; and RTA_CACHEINFO of routes, which counts who uses them.

Rules:
- a fingerprint is made of the very bytes that are decoded, so it stands for the state that was
  compared; a later send makes it empty;
- anything unusual (the port id is taken, a dump was repeated) makes it empty, and an empty one
  equals nothing.
"""

from __future__ import annotations

from _socket import MSG_DONTWAIT
from _struct import Struct
from itertools import groupby

from netalias import recognition
from netalias.kernel.netlink import (
    Netlink,
    codec,
    messages,
    read_done,
)
from netalias.model import AF_INET, PROTOCOL
from netalias.recognition import (
    ADDRESSES,
    LINKS,
    LOCAL_ROUTES,
    PORT_ID,
    ROUTED,
    ROUTES,
    ROUTES6,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from netalias import errors
    from netalias.model import Device, Snapshot
    from netalias.model.bare import Bare, Sifted
    from netalias.model.hidden import Leaving, Unread
    from netalias.model.routes import Connected
    from netalias.model.steps import Step
    from netalias.recognition import Holes, Run

    T = TypeVar("T")

LIFETIMES = 8
"""Bytes of ifa_prefered and ifa_valid, at the beginning of struct ifa_cacheinfo."""
FOREVER = b"\xff" * 4
HIDDEN = b" shard\0"
"""The end of the ifalias text of a hidden device (model/hidden.py)."""
ENDLESS = codec.ATTR.pack(20, codec.IFA_CACHEINFO) + FOREVER * 2
"""Beginning of the lifetimes of an address that has it for ever."""
LARGE = 16 << 10
"""Bytes of a datagram from which on columns are worth while: some ten devices, 200 addresses."""
ALIAS_KINDS = (b"macvlan", b"ipvlan", b"dummy")
MARK = bytes([PROTOCOL])
"""The payload of IFA_PROTO of an address that netalias has made."""
LEFT_OUT = frozenset({codec.IFLA_STATS, codec.IFLA_STATS64, codec.IFLA_OPERSTATE})
"""Attributes of devices that change by themselves. Of thousands of new devices the kernel brings
only a hundred a second to their final operstate (linkwatch_fire_event of net/core/link_watch.c),
and no comparison asks for that."""
RTA_CACHEINFO = 12
"""linux/rtnetlink.h."""
SYSCTLS = 4 + 4 + 4 + codec.CONF_AT + codec.CONF.size
"""End of the sysctls that aliases need in IFLA_AF_SPEC, behind the headers of that, of AF_INET and
of IFLA_INET_CONF: the kernel puts these first (rtnl_fill_link_af)."""


class Fingerprinted(Netlink):
    """A Netlink that keeps the bytes of its last reading."""

    _port_id = PORT_ID

    def __init__(self) -> None:
        super().__init__()
        self._datagrams: list[bytes] = []
        self._heard: list[bytes] = []
        self._routes: list[bytes] = []
        self._fixed = self._socket.getsockname()[0] == PORT_ID

    def listen(self) -> None:
        """Read the dumps without decoding them, for digest() and the next snapshot()."""
        self._datagrams, self._heard, self._routes = [], [], []
        if not self._fixed:
            return
        found: list[bytes] = []
        for request in recognition.REQUESTS:
            self._send("reading", request)
            while data := self._receive("reading", MSG_DONTWAIT):
                found.append(data)
            if data is None or not _whole(found):
                self._drain("reading")
                return
        self._datagrams = self._heard = found

    def snapshot(self, family: int = 0) -> Snapshot:
        """The snapshot that listen() has read, or one of new dumps."""
        found = self._kept(lambda: super(Fingerprinted, self).snapshot(family), whole=not family)
        return found if found is not None else self.snapshot(family)

    def snapshot_without(self, bare: Bare) -> Sifted:
        """The same, without some aliases."""
        from netalias.kernel.netlink.sifting import sifted

        self._indexes = {}
        found = self._kept(lambda: sifted(self, bare), whole=True)
        return found if found is not None else super().snapshot_without(bare)

    def hidden_devices(self) -> int:
        """Their number, by the bytes of a reading ahead of the next one."""
        if not self._heard:
            self.listen()
        found = 0
        for data in self._heard:
            found += data.count(HIDDEN)
        return found

    def without_hidden(
        self, expected: Callable[[Sequence[Device]], Mapping[int, frozenset[bytes]]]
    ) -> Unread | None:
        """The snapshot, where the addresses of *expected* devices are cut into columns."""
        from netalias.kernel.netlink.hidden_runs import sifted

        def read() -> Unread | None:
            links = self._links()
            return sifted(self, links, expected(links))

        self._indexes = {}
        return self._kept(read, whole=True)

    def reread_beside(self, names: Collection[str], leaving: Mapping[int, Leaving]) -> Snapshot:
        """The devices by one dump, and the addresses without those *leaving*."""
        from netalias.kernel.netlink.hidden_runs import are_known, sifted

        known = {index: frozenset(one.local) for index, one in leaving.items()}
        found = sifted(self, self._links(), known, are_known)
        return found.snapshot if found is not None else self.reread(names, addresses=True)

    def _kept(self, read: Callable[[], T | None], *, whole: bool) -> T | None:
        """The result of *read* over the dumps that listen() has read, or over new ones, which are
        kept if they are *whole*; None if those that were there are of no use."""
        before, usual = self._sequence, False
        self._sequence, self._ahead = 0, self._heard[::-1]
        ahead = bool(self._ahead)
        if not ahead:
            self._datagrams = self._record = []
            self._routes = []
        try:
            found = read()
            usual = self._sequence == LOCAL_ROUTES and whole and found is not None
        finally:
            self._heard, self._ahead, self._record = [], [], None
            self._sequence = max(before, self._sequence)
            if not usual:
                self._datagrams = []
        return found if usual or not ahead else None

    def connected(self) -> list[Connected]:
        """The connected routes; they enter the digest too, since the caller relies on them."""
        before, usual = self._sequence, False
        self._sequence, self._record = LOCAL_ROUTES, []
        try:
            found = super().connected()
            self._routes, usual = self._record, self._sequence == ROUTES6
        finally:
            self._record = None
            self._sequence = max(before, self._sequence)
            if not usual:
                self._datagrams = []
        return found

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        """Send as Netlink does; the last reading has no digest any more."""
        self._datagrams = self._heard = []
        return super().send(steps)

    def digest(self, salt: bytes) -> bytes:
        """The fingerprint of *salt* and the last reading; empty when there is none."""
        if not self._datagrams or not self._fixed:
            return b""
        datagrams, routed = self._datagrams + self._routes, bool(self._routes)
        shapes: dict[int, _Shape] = {}
        runs = together(run for data in datagrams for run in _runs(data, shapes))
        return recognition.fingerprint(salt, runs, self.cookie(), datagrams, routed=routed)

    def recognises(self, salt: bytes, before: bytes) -> bool:
        """Whether *before* is the digest() of *salt* and the last reading."""
        if not (self._datagrams and self._fixed and recognition.has_salt(before, salt)):
            return False
        if before.startswith(ROUTED):
            self.connected()
        return recognition.matches(before, self.cookie(), self._datagrams + self._routes)


def _whole(found: list[bytes]) -> bool:
    """Whether a dump is complete and consistent. NLM_F_DUMP_INTR is in the first message of a
    datagram at least (nl_dump_check_consistent)."""
    if not found:
        return False
    data = found[-1]
    firsts = [next(messages(one)) for one in found]
    *_, (kind, flags, _, start, end) = messages(data)
    for _, first, _, _, _ in firsts:
        flags |= first
    interrupted = flags & codec.NLM_F_DUMP_INTR
    return kind == codec.NLMSG_DONE and not interrupted and not read_done(data, start, end)


def together(runs: Iterable[Run]) -> Iterator[Run]:
    """Runs with those neighbours joined that are alike; without holes all are alike."""
    number = size = 0
    inside: Holes = ()
    for count, length, holes in runs:
        if not holes:
            count, length = count * length, 1
        if number and (length, holes) == (size, inside):
            number += count
            continue
        if number:
            yield number, size, inside
        number, size, inside = count, length, holes
    if number:
        yield number, size, inside


def _runs(data: bytes, shapes: dict[int, _Shape]) -> Iterator[Run]:
    """The runs of a datagram; *shapes* are those of the datagrams before it, so that nothing
    depends on where the kernel ends one. Raises WireError."""
    sequence = codec.HEADER.unpack_from(data)[3]
    if sequence == LINKS:
        return link_runs(data, shapes)
    divide = DIVIDERS.get(sequence)
    return divide(data) if divide is not None else iter([(len(data), 1, ())])


def address_runs(data: bytes) -> Iterator[Run]:
    """The runs of addresses: left out are finite lifetimes without the mark of netalias. Raises
    WireError."""
    # Each message has type, flags, sequence number and port id of the first one. An address that
    # holds the other bytes by chance only brings its lifetimes into the digest.
    if data.count(ENDLESS) >= data.count(data[4:16]):
        yield len(data), 1, ()
        return
    if len(data) < LARGE:
        for kind, _, _, start, end in messages(data):
            low = _lifetimes(data, start + 8, end) if kind == codec.RTM_NEWADDR else 0
            begin = start - codec.HEADER.size
            yield (
                1,
                (end - begin + 3) & ~3,
                ((low - begin, low - begin + LIFETIMES),) if low else (),
            )
        return
    from netalias.kernel.netlink.runs import Groups

    known: dict[bytes, Holes] = {}
    for at, length, key, count in Groups(apart=True).of(data):
        if not key or key not in known:
            kind = codec.HEADER.unpack_from(data, at)[1]
            low = _lifetimes(data, at + 24, at + length) if kind == codec.RTM_NEWADDR else 0
            known[key] = ((low - at, low - at + LIFETIMES),) if low else ()
        yield count, (length + 3) & ~3, known[key]


def _lifetimes(data: bytes, start: int, end: int) -> int:
    """Offset of the lifetimes of an address if they are finite and it has no mark, or 0. Raises
    WireError."""
    found = 0
    for kind, low, high in codec.spans(data, start, end):
        if kind == codec.IFA_CACHEINFO and data[low + 4 : low + 8] != FOREVER:
            found = low
        elif kind == codec.IFA_PROTO and data[low:high] == MARK:
            return 0
    return found


def route_runs(data: bytes) -> Iterator[Run]:
    """The runs of routes: left out is who uses them, and when. Raises WireError."""
    for kind, _, _, start, end in messages(data):
        begin = start - codec.HEADER.size
        holes: Holes = ()
        if kind == codec.RTM_NEWROUTE:
            found = codec.spans(data, start + codec.RTMSG.size, end)
            holes = tuple(
                (low - begin, high - begin) for kind, low, high in found if kind == RTA_CACHEINFO
            )
        yield 1, (end - begin + 3) & ~3, holes


def link_runs(data: bytes, shapes: dict[int, _Shape]) -> Iterator[Run]:
    """The runs of devices: left out is what changes without the configuration. *shapes* go by the
    length of the message, which thousands of devices share. Raises WireError."""
    at = 0
    while at < len(data):
        length = codec.length_at(data, at)
        size = (length + 3) & ~3
        count = 1
        holes: Holes = ()
        if codec.HEADER.unpack_from(data, at)[1] == codec.RTM_NEWLINK:
            shape = shapes.get(length)
            if shape is None or not shape.fits(data, at):
                shape = shapes[length] = _Shape(data[at : at + length])
            holes = shape.holes
            if len(data) >= LARGE and data[at + size : at + size + 4] == data[at : at + 4]:
                count = shape.alike(memoryview(data)[at : at + (len(data) - at) // size * size])
        yield count, size, holes
        at += size * count


def _kept(message: bytes, kind: int, at: int, end: int) -> tuple[int, int]:
    """Ends of the part of an attribute, from *at* to *end*, that enters the digest, and of the part
    that is the same in all messages of a shape.

    Of IFLA_LINKINFO only the kind enters, unless it is one of aliases: bridges and their ports have
    timers behind it.
    """
    if kind in LEFT_OUT:
        return at + 4, at + 4
    if kind == codec.IFLA_AF_SPEC:
        return _kept_families(message, at, end)
    if kind != codec.IFLA_LINKINFO or end - at < 8:
        return end, end
    inner, low, behind = next(codec.spans(message, at + 4, end))
    if inner != codec.IFLA_INFO_KIND:
        return at + 4, at + 4
    known = message[low:behind].rstrip(b"\0") in ALIAS_KINDS
    return (end, end) if known else (behind, behind)


def _kept_families(message: bytes, at: int, end: int) -> tuple[int, int]:
    """The same for IFLA_AF_SPEC; only its header where no IPv4 sysctls are at their usual place."""
    if end - at >= SYSCTLS:
        length, family = codec.ATTR.unpack_from(message, at + 4)
        inner, kind = codec.ATTR.unpack_from(message, at + 8)
        usual = family & codec.NLA_TYPE_MASK, kind & codec.NLA_TYPE_MASK
        if usual == (AF_INET, codec.IFLA_INET_CONF) and length > inner >= SYSCTLS - 8:
            return at + SYSCTLS, at + 12
    return at + 4, at + 4


class _Shape:
    """``holes``: start and end of the parts of a link message that do not enter the digest. Raises
    WireError.

    ``headers`` are offsets and bytes of the attributes that do not enter as a whole: a message with
    other bytes there has another shape, or its values would be taken for counters. The first of
    them are the length and type of the message.
    """

    __slots__ = ("_heads", "headers", "holes")

    def __init__(self, message: bytes) -> None:
        holes = []
        self.headers = [(0, message[:8])]
        self._heads: Struct | None = None
        # Behind struct nlmsghdr and struct ifinfomsg.
        for kind, start, end in codec.spans(message, 32, len(message)):
            at = start - codec.ATTR.size
            kept, fixed = _kept(message, kind, at, end)
            if kept < end:
                self.headers.append((at, message[at:fixed]))
                holes.append((kept, end))
        self.holes = tuple(holes)

    def fits(self, data: bytes, start: int) -> bool:
        """Whether the message at *start*, of the same length, has this shape."""
        return all(data.startswith(header, start + at) for at, header in self.headers)

    def alike(self, messages: memoryview) -> int:
        """The number of *messages*, all as long as the first one, that follow that with the same
        shape, itself included."""
        if self._heads is None:
            form, low = "=", 0
            for at, header in self.headers:
                form += f"{at - low}x{len(header)}s"
                low = at + len(header)
            (length,) = codec.HEADER.unpack_from(messages)[:1]
            self._heads = Struct(f"{form}{((length + 3) & ~3) - low}x")
        _, rows = next(groupby(self._heads.iter_unpack(messages)))
        return len([*rows])


DIVIDERS = {ADDRESSES: address_runs, ROUTES: route_runs, ROUTES6: route_runs}
"""Sequence number of a dump, beside that of devices: the function that divides it into runs. What
has none is kept whole."""
