"""Recognition of a state of the kernel that was compared before: no message is decoded.

A fingerprint says which bytes of some dumps change by themselves, and has the digest of all
others (kernel/netlink/fingerprint.py makes it). The dumps of an unchanged kernel are equal byte by
byte if the requests are, so the socket has a fixed port id, and the requests have fixed sequence
numbers.

Rules:
- the lengths and types of all messages and attributes are among the bytes of the digest: if that is
  the same they stand where they stood, and what is left out is what was left out before;
- what is not as it was, or cannot be read, is not recognised, and is no error: somebody else reads
  and compares it then;
- no module of ours is imported: a command that cron runs every minute ends here.
"""

from __future__ import annotations

from _blake2 import blake2b
from _socket import AF_NETLINK, MSG_DONTWAIT, MSG_TRUNC, SOCK_CLOEXEC, SOCK_RAW, SOL_SOCKET, socket
from _struct import Struct, error, pack  # type: ignore[attr-defined]
from itertools import chain
from os import O_CLOEXEC, O_RDONLY, close, open, read
from sys import byteorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Holes = tuple[tuple[int, int], ...]
    """Start and end of each part of a message that is left out."""
    Run = tuple[int, int, Holes]
    """Number of messages in a row, bytes of each, and the holes of each."""
    Data = bytes | memoryview

PORT_ID = 0x6E6100
"""Port id of the socket: above every process id (PID_MAX_LIMIT), below those of the kernel."""
LINKS, ADDRESSES, LOCAL_ROUTES, ROUTES, ROUTES6 = 1, 2, 3, 4, 5
"""Sequence numbers of the dumps."""
ROUTED, UNROUTED = b"r", b"-"
"""First byte of a fingerprint: whether the connected routes were read, by the last two dumps."""
SALT_SIZE, DIGEST_SIZE = 16, 32
"""Bytes of the digests of a salt and of a reading."""
HEAD = len(ROUTED) + SALT_SIZE
"""Bytes of a fingerprint in front of its runs."""
RUN, HOLE = Struct("=III"), Struct("=II")
"""Count, length and number of holes of a run; start and end of a hole, which follow it."""
BUFFER = 64 << 10
"""Bytes of a datagram at most. Those of a dump have half of that, but for one very large device."""
CONF_ALL = "/proc/sys/net/ipv4/conf/all/"
COMMON = ("arp_announce", "arp_filter", "arp_ignore")
"""The sysctls of CONF_ALL that aliases depend on; they are in no dump."""

# linux/netlink.h, linux/if_link.h, linux/rtnetlink.h, asm-generic/socket.h. The requests are those
# of kernel/netlink/codec.py, which is not loaded here; a test holds the two together.
NETLINK_ROUTE = 0
SOL_NETLINK = 270
OPTIONS = NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK = 11, 10, 12
SO_NETNS_COOKIE = 71
_DUMP = 0x301
_SKIP_STATS = pack("=HHI", 8, 29, 8)


def _routes(sequence: int, *, family: int = 0, table: int = 0, protocol: int, kind: int) -> bytes:
    """RTM_GETROUTE for all routes like this."""
    header = pack("=IHHII", 28, 26, _DUMP, sequence, 0)
    return header + pack("=BBBBBBBBI", family, 0, 0, 0, table, protocol, 0, kind, 0)


REQUESTS = (
    pack("=IHHII", 40, 18, _DUMP, LINKS, 0) + bytes(16) + _SKIP_STATS,
    pack("=IHHII", 24, 22, _DUMP, ADDRESSES, 0) + bytes(8),
    _routes(LOCAL_ROUTES, table=255, protocol=97, kind=2),
)
"""RTM_GETLINK without the long statistics, RTM_GETADDR, and RTM_GETROUTE for the local routes with
our mark."""
ROUTE_REQUESTS = (
    _routes(ROUTES, family=2, protocol=2, kind=1),
    _routes(ROUTES6, family=10, protocol=2, kind=1),
)
"""RTM_GETROUTE for the connected routes, those of the protocol "kernel", of both families."""


def fingerprint(
    salt: bytes, runs: Iterable[Run], namespace: int, datagrams: Iterable[Data], *, routed: bool
) -> bytes:
    """The fingerprint of *salt* and of a reading: the cookie of the namespace, 0 for unknown, and
    the *datagrams* of all dumps, of which *runs* say what is left out; *routed* if the connected
    routes are among them. Empty where the runs do not fit.
    """
    head = [ROUTED if routed else UNROUTED, _digest(salt, SALT_SIZE)]
    for count, length, holes in runs:
        head.append(RUN.pack(count, length, len(holes)))
        head += [HOLE.pack(*hole) for hole in holes]
    return _closed(b"".join(head), namespace, datagrams)


def has_salt(before: bytes, salt: bytes) -> bool:
    """Whether *before* is a fingerprint of *salt*, and of any reading."""
    return before[len(ROUTED) : HEAD] == _digest(salt, SALT_SIZE)


def matches(before: bytes, namespace: int, datagrams: Iterable[Data]) -> bool:
    """Whether *before* is a fingerprint of this reading, and of any salt."""
    head = before[:-DIGEST_SIZE]
    return bool(head) and before == _closed(head, namespace, datagrams)


def recognised(before: bytes, salt: bytes) -> bool:
    """Whether *before* is the fingerprint of *salt* and of a new reading, in the namespace of the
    calling thread."""
    if not has_salt(before, salt):
        return False
    requests = (*REQUESTS, *ROUTE_REQUESTS) if before.startswith(ROUTED) else REQUESTS
    try:
        own = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)
        try:
            own.bind((PORT_ID, 0))
            for option in OPTIONS:
                try:
                    own.setsockopt(SOL_NETLINK, option, 1)
                except OSError:
                    continue  # an older kernel
            return matches(before, cookie(own), _dumped(own, requests))
        finally:
            own.close()
    except OSError:
        return False


def cookie(own: socket) -> int:
    """The cookie of the namespace of a socket (SO_NETNS_COOKIE, Linux 5.14), or 0."""
    try:
        return int.from_bytes(own.getsockopt(SOL_SOCKET, SO_NETNS_COOKIE, 8), byteorder)
    except OSError:
        return 0


def common() -> bytes:
    """The contents of the sysctls COMMON, in the namespace of the calling thread."""
    return b"".join(map(_content, COMMON))


def _content(name: str) -> bytes:
    try:
        file = open(CONF_ALL + name, O_RDONLY | O_CLOEXEC)
        try:
            return read(file, 16)
        finally:
            close(file)
    except OSError:
        return b"\n"


def _dumped(own: socket, requests: Iterable[bytes]) -> Iterator[memoryview]:
    """The datagrams of dumps, one after the other in one buffer. Raises OSError."""
    buffer = memoryview(bytearray(BUFFER))
    for request in requests:
        own.send(request)
        try:
            # The kernel queues the next one before a read returns: an empty queue is the end.
            while True:
                size, sender = own.recvfrom_into(buffer, 0, MSG_TRUNC | MSG_DONTWAIT)
                if size > BUFFER or sender[0]:
                    return
                yield buffer[:size]
        except BlockingIOError:
            continue


def _digest(data: bytes, size: int) -> bytes:
    return blake2b(data, digest_size=size).digest()


def _closed(head: bytes, namespace: int, datagrams: Iterable[Data]) -> bytes:
    """*head* with the digest of a reading behind it; empty where its runs do not fit."""
    found = blake2b(head, digest_size=DIGEST_SIZE)
    found.update(b"%d\n" % namespace)
    try:
        for part in lasting(_runs(head), datagrams):
            found.update(part)
    except (ValueError, error):
        return b""
    return head + found.digest()


def _runs(head: bytes) -> Iterator[Run]:
    """The runs that stand in a fingerprint. Raises ValueError, struct.error for other bytes."""
    at = HEAD
    while at < len(head):
        count, length, number = RUN.unpack_from(head, at)
        at += RUN.size
        holes = tuple(HOLE.iter_unpack(head[at : at + number * HOLE.size]))
        if len(holes) < number or not (count and length):
            raise ValueError("no run")
        yield count, length, holes
        at += number * HOLE.size


def lasting(runs: Iterator[Run], datagrams: Iterable[Data]) -> Iterator[Data]:
    """The bytes of the *datagrams* that are in no hole. Raises ValueError where these are not as
    the runs say, struct.error where a hole is not inside of its message."""
    left, length, cut = 0, 1, None
    for datagram in datagrams:
        data = memoryview(datagram)
        at, size = 0, len(data)
        while at < size:
            if not left:
                left, length, holes = next(runs, (0, 1, ()))
                cut = _without(length, holes) if holes else None
            count = min(left, (size - at) // length)
            if not count:
                raise ValueError("another message")
            part = data[at : at + count * length]
            yield part if cut is None else b"".join(chain.from_iterable(cut.iter_unpack(part)))
            left -= count
            at += count * length
    if left or next(runs, None) is not None:
        raise ValueError("fewer messages")


def _without(length: int, holes: Holes) -> Struct:
    """The layout of messages of this length without their *holes*. Raises struct.error."""
    form, at = "=", 0
    for low, high in holes:
        form += f"{low - at}s{high - low}x"
        at = high
    return Struct(f"{form}{length - at}s")
