"""Digests of readings: a state of the kernel that was compared before is recognised at once.

The dumps of an unchanged kernel are equal byte by byte if the requests are. So the socket has a
fixed port id and the dumps have fixed sequence numbers, and the digest leaves out values that
change by themselves: the counters of the devices, and of IFLA_AF_SPEC all that follows the IPv4
sysctls that aliases need, since the kernel draws a new ND reachable time every few minutes
(neigh_rand_reach_time). It also leaves out the lifetimes of
addresses without the mark of netalias, which count down; their offsets are kept with the digest, so
that a recognition need not decode each message.

Rules:
- the digest is made of the very bytes that are decoded, so it stands for the state that was
  compared; a later send makes it empty;
- anything unusual (the port id is taken, a dump was repeated) makes the digest empty, and an empty
  digest equals nothing.
"""

from __future__ import annotations

from _socket import MSG_DONTWAIT
from _struct import Struct
from itertools import chain, groupby

from netalias.kernel.netlink import (
    GET_LOCAL_ROUTES,
    Netlink,
    codec,
    messages,
    numbered,
    read_done,
)
from netalias.model import AF_INET, PROTOCOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeVar

    from netalias import errors
    from netalias.model import Snapshot
    from netalias.model.bare import Labels, Left
    from netalias.model.routes import Connected
    from netalias.model.steps import Step

    T = TypeVar("T")
    Headers = Callable[[tuple[bytes, ...]], object]
    """Columns of a message -> those that must be equal in all of a shape."""

PORT_ID = 0x6E6100
"""Port id of the socket: above every process id (PID_MAX_LIMIT), below those of the kernel."""
LINKS, ADDRESSES, LOCAL_ROUTES = 1, 2, 3
"""Sequence numbers of the three dumps."""
DIGEST_SIZE = 32
HOLE = Struct("=I")
"""Offset of a hole: of lifetimes that are left out."""
ROUTED, UNROUTED = b"r", b"-"
"""First byte of a digest: whether the connected routes were read."""
LIFETIMES = 8
"""Bytes of ifa_prefered and ifa_valid, at the beginning of struct ifa_cacheinfo."""
FOREVER = b"\xff" * 4
LARGE = 16 << 10
"""Bytes of a dump from which on columns are worth while: some ten devices, or 200 addresses."""
ALIAS_KINDS = (b"macvlan", b"ipvlan", b"dummy")
MARK = bytes([PROTOCOL])
"""The payload of IFA_PROTO of an address that netalias has made."""
LEFT_OUT = frozenset({codec.IFLA_STATS, codec.IFLA_STATS64})
"""Attributes of devices that change by themselves."""
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
        self._routes = b""
        self._fixed = self._socket.getsockname()[0] == PORT_ID

    def listen(self) -> None:
        """Read the dumps without decoding them, for digest() and the next snapshot()."""
        self._datagrams = self._heard = []
        self._routes = b""
        if not self._fixed:
            return
        found: list[bytes] = []
        for request in (
            codec.get_links(LINKS),
            codec.get_addresses(ADDRESSES, 0),
            numbered(GET_LOCAL_ROUTES, LOCAL_ROUTES),
        ):
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

    def snapshot_without(self, labels: Labels) -> tuple[Snapshot, Left]:
        """The same, with some addresses left out."""
        found = self._kept(lambda: self._sifted(labels), whole=True)
        return found if found is not None else super().snapshot_without(labels)

    def _sifted(self, labels: Labels) -> tuple[Snapshot, Left] | None:
        """The same by the dumps; None where that of addresses is not whole or not consistent."""
        from netalias.kernel.netlink.runs import sift

        self._indexes = {}
        links, datagrams = self._links(), self.taken(codec.get_addresses(0, 0))
        found = sift(links, datagrams, labels, self.decoded) if datagrams is not None else None
        if found is not None:
            found[0].local_routes = self.local_routes()
        return found

    def _kept(self, read: Callable[[], T | None], *, whole: bool) -> T | None:
        """The result of *read* over the dumps that listen() has read, or over new ones, which are
        kept if they are *whole*; None if those that were there are of no use."""
        before, usual = self._sequence, False
        self._sequence, self._ahead = 0, self._heard[::-1]
        ahead = bool(self._ahead)
        if not ahead:
            self._datagrams = self._record = []
            self._routes = b""
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
        found = super().connected()
        self._routes = repr(sorted(map(repr, found))).encode()
        return found

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        """Send as Netlink does; the last reading has no digest any more."""
        self._datagrams = self._heard = []
        return super().send(steps)

    def digest(self, salt: bytes) -> bytes:
        """The digest of *salt* and the last reading; empty when there is none.

        First whether connected routes were read, one byte, and the offsets of the holes in the
        whole dump of addresses, 4 bytes each; then the hash.
        """
        if not self._datagrams or not self._fixed:
            return b""
        holes = b"".join(map(HOLE.pack, _holes(self._dumped(ADDRESSES))))
        head = (ROUTED if self._routes else UNROUTED) + holes
        return head + self._hash(salt, head)

    def recognises(self, salt: bytes, before: bytes) -> bool:
        """Whether *before* is the digest() of *salt* and the last reading."""
        head = before[:-DIGEST_SIZE]
        if not self._datagrams or not self._fixed or len(head) % HOLE.size != len(ROUTED):
            return False
        if head.startswith(ROUTED):
            self.connected()
        return before == head + self._hash(salt, head)

    def _hash(self, salt: bytes, head: bytes) -> bytes:
        from _blake2 import blake2b

        found = blake2b(salt, digest_size=DIGEST_SIZE)
        found.update(head)
        found.update(self._routes)
        found.update(self._dumped(LOCAL_ROUTES))
        for part in _lasting(self._dumped(LINKS)):
            found.update(part)
        view, low = memoryview(self._dumped(ADDRESSES)), 0
        for (hole,) in HOLE.iter_unpack(head[len(ROUTED) :]):
            found.update(view[low:hole])
            low = hole + LIFETIMES
        found.update(view[low:])
        return found.digest()

    def _dumped(self, sequence: int) -> bytes:
        """The datagrams of one dump, joined."""
        return b"".join(
            data for data in self._datagrams if codec.HEADER.unpack_from(data)[3] == sequence
        )


def _whole(found: list[bytes]) -> bool:
    """Whether a dump is complete and consistent."""
    if not found or any(map(_interrupted, found)):
        return False
    data = found[-1]
    *_, (kind, flags, _, start, end) = messages(data)
    interrupted = flags & codec.NLM_F_DUMP_INTR
    return kind == codec.NLMSG_DONE and not interrupted and not read_done(data, start, end)


def _interrupted(data: bytes) -> bool:
    """Whether the first message of a datagram has the flag (nl_dump_check_consistent)."""
    _, flags, _, _, _ = next(messages(data))
    return bool(flags & codec.NLM_F_DUMP_INTR)


def _holes(data: bytes) -> Iterator[int]:
    """Offsets of the finite lifetimes of addresses without the mark of netalias."""
    if len(data) < LARGE:
        for kind, _, _, start, end in messages(data):
            offset = _lifetimes(data, start + 8, end) if kind == codec.RTM_NEWADDR else 0
            if offset:
                yield offset
        return
    from netalias.kernel.netlink.runs import Groups

    # Neighbours on thousands of devices differ in the ifindex, too.
    known: dict[tuple[bytes, ...], int] = {}
    for at, length, key, rows in Groups().of(data):
        like = (key[0][:20], key[0][24:], *key[1:]) if rows else ()
        if not like or like not in known:
            kind = codec.HEADER.unpack_from(data, at)[1]
            found = _lifetimes(data, at + 24, at + length) if kind == codec.RTM_NEWADDR else 0
            known[like] = found - at if found else 0
        if known[like]:
            offset = at + known[like]
            yield from range(offset, offset + length * (len(rows) or 1), length)


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


def _lasting(data: bytes) -> Iterator[memoryview | bytes]:
    """The parts of the dump of devices that change only with the configuration."""
    view, at = memoryview(data), 0
    # By length of the message, which thousands of devices share.
    shapes: dict[int, _Shape] = {}
    while at < len(data):
        length = codec.length_at(data, at)
        if codec.HEADER.unpack_from(data, at)[1] != codec.RTM_NEWLINK:
            yield view[at : at + length]
            at += (length + 3) & ~3
            continue
        shape = shapes.get(length)
        if shape is None or not shape.fits(data, at):
            shape = shapes[length] = _Shape(data[at : at + length])
        if len(data) < LARGE or data[at + length : at + length + 4] != data[at : at + 4]:
            for low, high in shape.parts:
                yield view[at + low : at + high]
            at += (length + 3) & ~3
            continue
        rows = shape.alike(view[at : at + (len(data) - at) // length * length])
        yield b"".join(chain.from_iterable(rows))
        at += length * len(rows)


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
    """``parts``: start and end of the parts of a link message that enter the digest. Raises
    WireError.

    ``headers`` are offsets and bytes of the attributes that do not enter as a whole: a message with
    other bytes there has another shape, or its values would be taken for counters. The first of
    them are the length and type of the message.
    """

    __slots__ = ("_cut", "headers", "parts")

    def __init__(self, message: bytes) -> None:
        size, low = len(message), 0
        self.parts: list[tuple[int, int]] = []
        self.headers = [(0, message[:8])]
        self._cut: tuple[Struct, Headers] | None = None
        # Behind struct nlmsghdr and struct ifinfomsg.
        for kind, start, end in codec.spans(message, 32, size):
            at = start - codec.ATTR.size
            kept, fixed = _kept(message, kind, at, end)
            if kept < end:
                self.headers.append((at, message[at:fixed]))
                self.parts.append((low, kept))
                low = end
        self.parts.append((low, size))

    def _columns(self) -> tuple[Struct, Headers]:
        """Two functions: one cuts messages into headers and the rest, one gives the headers."""
        from _operator import itemgetter

        form, places, at = "=8s", [0], 8
        for (begin, header), (low, high) in zip(self.headers[1:], self.parts, strict=False):
            form += f"{max(low - at, 0)}x"
            at = max(low, at)
            places.append(3 * len(places) - 1)
            form += f"{begin - at}s{len(header)}s{high - begin - len(header)}s"
            at = high
        low, high = self.parts[-1]
        return Struct(f"{form}{max(low - at, 0)}x{high - max(low, at)}s"), itemgetter(*places)

    def fits(self, data: bytes, start: int) -> bool:
        """Whether the message at *start*, of the same length, has this shape."""
        return all(data.startswith(header, start + at) for at, header in self.headers)

    def alike(self, messages: memoryview) -> list[tuple[bytes, ...]]:
        """The columns of the first of *messages*, and of those after it with the same shape; all
        are as long as the first one."""
        if self._cut is None:
            self._cut = self._columns()
        form, headers = self._cut
        _, rows = next(groupby(form.iter_unpack(messages), headers))
        return [*rows]
