"""Connection tracking entries: which flow leaves with which address, by ctnetlink.

What is done to a flow is decided by its first packet and stands in its entry: a new rule never
applies to it. So the entries that leave with a former address are deleted; the next packet is
decided anew. Layouts: linux/netfilter/nfnetlink_conntrack.h.

An entry has two tuples: how packets go out, and how the answers come in. The source of the first
one is the address that the program has; the destination of the second one is the address with
which packets leave, the same one or a translated one.
"""

from __future__ import annotations

from errno import EINVAL, ENOENT, EOPNOTSUPP
from itertools import islice
from sys import byteorder

from netalias import errors
from netalias.errors import WireError
from netalias.kernel.netlink.codec import attr, nest
from netalias.kernel.netlink.exchange import Exchange
from netalias.model import AF_INET, AF_INET6
from netalias.nat.lacking import NETLINK_NETFILTER, probed
from netalias.nat.messages import family_header, parts, within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from netalias.kernel.netlink.exchange import Failure, Request
    from netalias.nat import Translation

# Message types: linux/netfilter/nfnetlink.h, enum cntl_msg_types.
NFNL_SUBSYS_CTNETLINK = 1
IPCTNL_MSG_CT_NEW = NFNL_SUBSYS_CTNETLINK << 8 | 0
IPCTNL_MSG_CT_GET = NFNL_SUBSYS_CTNETLINK << 8 | 1
IPCTNL_MSG_CT_DELETE = NFNL_SUBSYS_CTNETLINK << 8 | 2
IPCTNL_MSG_CT_GET_STATS = NFNL_SUBSYS_CTNETLINK << 8 | 5

# Attributes: enum ctattr_type, ctattr_tuple, ctattr_ip, ctattr_filter.
CTA_TUPLE_ORIG = 1
CTA_TUPLE_REPLY = 2
CTA_ID = 12
CTA_ZONE = 18
CTA_FILTER = 25
CTA_TUPLE_IP = 1
CTA_FILTER_ORIG_FLAGS = 1
CTA_FILTER_REPLY_FLAGS = 2
CTA_IP_SRC = {AF_INET: 1, AF_INET6: 3}
CTA_IP_DST = {AF_INET: 2, AF_INET6: 4}

# Bits of the flags of a filter: net/netfilter/nf_internals.h.
CTA_FILTER_F_CTA_IP_SRC = 1
CTA_FILTER_F_CTA_IP_DST = 2
FILTER = nest(
    CTA_FILTER,
    attr(CTA_FILTER_ORIG_FLAGS, CTA_FILTER_F_CTA_IP_SRC.to_bytes(4, byteorder)),
    attr(CTA_FILTER_REPLY_FLAGS, CTA_FILTER_F_CTA_IP_DST.to_bytes(4, byteorder)),
)
"""Which fields of the tuples in a request count; a deletion takes it since Linux 6.8. A kernel
before that wants whole tuples, so it refuses the request."""
OPERATION = "tracked connections"
FEW = 16
"""Filtered deletions in place of which all entries are read. The kernel goes through its table for
each, in a fraction of a millisecond; for a reading it takes a lock for each of its buckets, some
hundred thousand, which takes 15 ms however few entries there are."""
PACK = 500
"""Deletions in one send."""
PASSES = 3
"""Readings until one finds nothing to delete: a packet may have been decided before the rules were
changed, and have got its entry after the first reading."""


class Entry:
    """One entry: the packed addresses that tell how it leaves, and what identifies it."""

    __slots__ = ("family", "found", "leaves", "source")

    def __init__(self, family: int, found: dict[int, bytes]) -> None:
        self.family = family
        self.found = found
        self.source = _address(found, CTA_TUPLE_ORIG, CTA_IP_SRC[family])
        self.leaves = _address(found, CTA_TUPLE_REPLY, CTA_IP_DST[family])

    def deletion(self) -> Request:
        """The request that deletes exactly this entry."""
        body = family_header(self.family) + nest(CTA_TUPLE_ORIG, self.found[CTA_TUPLE_ORIG])
        for kind in (CTA_ID, CTA_ZONE):
            if kind in self.found:
                body += attr(kind, self.found[kind])
        return IPCTNL_MSG_CT_DELETE, 0, body


class Conntrack:
    """The entries of the namespace of the calling thread. Raises KernelError, StateError where the
    kernel does not track connections."""

    def __init__(self) -> None:
        self._exchange = probed("connection tracking", Exchange, OPERATION, NETLINK_NETFILTER)
        self._filters = True

    def close(self) -> None:
        """Close the socket."""
        self._exchange.close()

    def check(self) -> None:
        """Raises StateError where the kernel does not track connections."""
        what = "connection tracking (CONFIG_NF_CT_NETLINK)"
        body = family_header(AF_INET)
        probed(what, self._exchange.one, OPERATION, IPCTNL_MSG_CT_GET_STATS, body)

    def flush(self, family: int, flows: Iterable[tuple[bytes, bytes]]) -> bool:
        """Delete the entries of these flows, each the source and the address with which it leaves.

        False where only the first of them were, or none: then sift() has to find the others. Never
        by filter for IPv6: kernels up to 6.18 at least take the address in it for the only one that
        does not match (ctnetlink_filter_match_tuple), and would delete the entries of all others.
        """
        if not self._filters or family != AF_INET:
            return False
        some = [*islice(flows, FEW + 1)]
        requests = [
            (IPCTNL_MSG_CT_DELETE, 0, filtered(family, source, leaves))
            for source, leaves in some[:FEW]
        ]
        refused = self._exchange.change(OPERATION, requests) if requests else []
        if any(code in (EINVAL, EOPNOTSUPP) for _, code, _ in refused):
            self._filters = False
            return False
        self._report(refused)
        return len(some) <= FEW

    def sift(self, wanted: Translation) -> None:
        """Read all entries, and delete those of old addresses, and of the new one, that leave with
        another address than they should."""
        sources = wanted.old if wanted.new is None else wanted.old | {wanted.new}
        for _ in range(PASSES):
            wrong = [
                one.deletion()
                for one in self.entries(wanted.family)
                if one.source in sources and one.leaves != (wanted.new or one.source)
            ]
            for at in range(0, len(wrong), PACK):
                self._report(self._exchange.change(OPERATION, wrong[at : at + PACK]))
            if not wrong:
                return

    def _report(self, refused: list[Failure]) -> None:
        for _, code, text in refused:
            if code != ENOENT:  # it has ended meanwhile
                raise errors.kernel_error(OPERATION, code, text)

    def flows(self, family: int, addresses: Collection[bytes]) -> dict[bytes, int]:
        """How many flows each of these addresses has begun, by one dump; those with none are not
        there."""
        found: dict[bytes, int] = {}
        for one in self.entries(family):
            if one.source in addresses:
                found[one.source] = found.get(one.source, 0) + 1
        return found

    def entries(self, family: int) -> Iterator[Entry]:
        """All entries of a family, by one dump."""
        body = family_header(family)
        for found in self._exchange.dump(OPERATION, IPCTNL_MSG_CT_GET, body, IPCTNL_MSG_CT_NEW):
            yield read_entry(*found, family)


def filtered(family: int, source: bytes, leaves: bytes) -> bytes:
    """The body of a request for all entries with this source that leave with this address."""
    first = nest(CTA_TUPLE_ORIG, nest(CTA_TUPLE_IP, attr(CTA_IP_SRC[family], source)))
    reply = nest(CTA_TUPLE_REPLY, nest(CTA_TUPLE_IP, attr(CTA_IP_DST[family], leaves)))
    return family_header(family) + first + reply + FILTER


def read_entry(data: bytes, start: int, end: int, family: int) -> Entry:
    """The Entry of an IPCTNL_MSG_CT_NEW. Raises WireError."""
    return Entry(family, parts(data, start, end))


def _address(found: dict[int, bytes], tuple_kind: int, kind: int) -> bytes:
    address = within(within(found.get(tuple_kind, b"")).get(CTA_TUPLE_IP, b"")).get(kind)
    if address is None:
        raise WireError("a tracked connection without addresses")
    return address
