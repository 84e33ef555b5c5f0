"""Entries of connection tracking, as ctnetlink tells them and as a line of nf_conntrack.

An entry has two tuples: how packets go out, and how the answers come in. The source of the first
one is the address that the program has; the destination of the second one is the address with
which packets leave, the same one or a translated one.

Layouts: linux/netfilter/nfnetlink_conntrack.h; lines: ct_seq_show() of
net/netfilter/nf_conntrack_standalone.c.
"""

from __future__ import annotations

from _socket import inet_pton
from sys import byteorder

from netalias.errors import WireError
from netalias.kernel.netlink.codec import NLA_F_NESTED, attr, nest
from netalias.model import AF_INET, AF_INET6
from netalias.nat.messages import SIZES, family_header, parts, within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netalias.kernel.netlink.exchange import Request

# Message types: linux/netfilter/nfnetlink.h, enum cntl_msg_types.
NFNL_SUBSYS_CTNETLINK = 1
IPCTNL_MSG_CT_NEW = NFNL_SUBSYS_CTNETLINK << 8 | 0
IPCTNL_MSG_CT_GET = NFNL_SUBSYS_CTNETLINK << 8 | 1
IPCTNL_MSG_CT_DELETE = NFNL_SUBSYS_CTNETLINK << 8 | 2
IPCTNL_MSG_CT_GET_STATS = NFNL_SUBSYS_CTNETLINK << 8 | 5

# Attributes: enum ctattr_type, ctattr_tuple, ctattr_ip, ctattr_l4proto, ctattr_filter.
CTA_TUPLE_ORIG = 1
CTA_TUPLE_REPLY = 2
CTA_ID = 12
CTA_ZONE = 18
CTA_FILTER = 25
CTA_TUPLE_IP = 1
CTA_TUPLE_PROTO = 2
CTA_PROTO_NUM = 1
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
"""The fields of the tuples that count in a request; a deletion takes it since Linux 6.8. A kernel
before that wants whole tuples, so it refuses the request."""

FIELDS = {
    AF_INET: {"type": (5, 1), "code": (6, 1), "id": (4, 2)},
    AF_INET6: {"type": (8, 1), "code": (9, 1), "id": (7, 2)},
}
"""Fields of ICMP in a line: attribute (CTA_PROTO_ICMP_*, CTA_PROTO_ICMPV6_*), bytes."""
for _some in FIELDS.values():
    _some |= {"sport": (2, 2), "dport": (3, 2), "srckey": (2, 2), "dstkey": (3, 2)}
UNREAD = (OSError, ValueError, IndexError, KeyError)
"""The errors of read_lines() for a text that it does not understand."""
WORDS = {AF_INET: b"ipv4 ", AF_INET6: b"ipv6 "}
USUAL = {
    family: b"".join(
        kind.to_bytes(2, byteorder)
        for kind in (CTA_TUPLE_ORIG | NLA_F_NESTED, CTA_TUPLE_IP | NLA_F_NESTED, source)
    )
    for family, source in CTA_IP_SRC.items()
}
"""The types of the attributes in front of the source, as the kernel begins an entry."""


class Entry:
    """One entry: the packed addresses that tell how it leaves, and the payloads of the attributes
    that identify it."""

    __slots__ = ("family", "found", "leaves", "source")

    def __init__(self, family: int, source: bytes, leaves: bytes, found: dict[int, bytes]) -> None:
        self.family = family
        self.source = source
        self.leaves = leaves
        self.found = found

    def deletion(self) -> Request:
        """The request that deletes exactly this entry."""
        body = family_header(self.family) + nest(CTA_TUPLE_ORIG, self.found[CTA_TUPLE_ORIG])
        for kind in (CTA_ID, CTA_ZONE):
            if kind in self.found:
                body += attr(kind, self.found[kind])
        return IPCTNL_MSG_CT_DELETE, 0, body


def filtered(family: int, source: bytes, leaves: bytes) -> bytes:
    """The body of a request for all entries with this source that leave with this address."""
    first = nest(CTA_TUPLE_ORIG, nest(CTA_TUPLE_IP, attr(CTA_IP_SRC[family], source)))
    reply = nest(CTA_TUPLE_REPLY, nest(CTA_TUPLE_IP, attr(CTA_IP_DST[family], leaves)))
    return family_header(family) + first + reply + FILTER


def read_entry(data: bytes, start: int, end: int, family: int) -> Entry:
    """The Entry of an IPCTNL_MSG_CT_NEW. Raises WireError."""
    found = parts(data, start, end)
    source = _address(found, CTA_TUPLE_ORIG, CTA_IP_SRC[family])
    return Entry(family, source, _address(found, CTA_TUPLE_REPLY, CTA_IP_DST[family]), found)


def _address(found: dict[int, bytes], tuple_kind: int, kind: int) -> bytes:
    address = within(within(found.get(tuple_kind, b"")).get(CTA_TUPLE_IP, b"")).get(kind)
    if address is None:
        raise WireError("a tracked connection without addresses")
    return address


def begun(data: bytes, start: int, family: int) -> bytes | None:
    """The source of an entry whose body begins there, without reading all of it; None where it is
    not at the usual place."""
    kinds = (
        data[start + 6 : start + 8] + data[start + 10 : start + 12] + data[start + 14 : start + 16]
    )
    return data[start + 16 : start + 16 + SIZES[family]] if kinds == USUAL[family] else None


def read_lines(text: bytes, family: int, asked: Callable[[bytes], bool]) -> Iterator[Entry]:
    """The entries of a family in the text of nf_conntrack, those whose source is *asked* for.

    Only their lines are read to the end. Raises one of UNREAD for what is not understood, such as
    an entry with a zone for one direction.
    """
    word = WORDS[family]
    for line in text.splitlines():
        if not line.startswith(word):
            continue
        head, _, rest = line.partition(b" src=")
        source = inet_pton(family, rest[: rest.index(b" ")].decode("ascii"))
        if asked(source):
            words = [one for one in rest.split() if b"=" in one]
            yield _entry(family, source, head.split()[3], words)


def _entry(family: int, source: bytes, protocol: bytes, words: list[bytes]) -> Entry:
    if any(word.startswith(b"zone-") for word in words):
        raise ValueError("an entry with a zone for one direction")
    pairs = [word.decode("ascii").split("=", 1) for word in words]
    first = dict(reversed(pairs))  # the first of each name
    target, leaves = (inet_pton(family, value) for name, value in pairs if name == "dst")
    addresses = attr(CTA_IP_SRC[family], source) + attr(CTA_IP_DST[family], target)
    layer = attr(CTA_PROTO_NUM, bytes([int(protocol)]))
    for name, (kind, size) in FIELDS[family].items():
        if name in first:
            layer += attr(kind, int(first[name], 0).to_bytes(size, "big"))
    found = {CTA_TUPLE_ORIG: nest(CTA_TUPLE_IP, addresses) + nest(CTA_TUPLE_PROTO, layer)}
    if int(first.get("zone", "0")):
        found[CTA_ZONE] = int(first["zone"]).to_bytes(2, "big")
    return Entry(family, source, leaves, found)
