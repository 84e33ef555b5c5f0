"""Connections of TCP to an address, as connection tracking knows them: also those that this host
only passes on to another one, and those whose destination it translates.
"""

from __future__ import annotations

from netalias import errors
from netalias.kernel.netlink.connections import read_both
from netalias.kernel.netlink.exchange import Exchange
from netalias.model.connections import Connection
from netalias.nat.entries import (
    CTA_IP_DST,
    CTA_IP_SRC,
    CTA_PROTO_NUM,
    CTA_TUPLE_IP,
    CTA_TUPLE_ORIG,
    CTA_TUPLE_PROTO,
    IPCTNL_MSG_CT_GET,
    IPCTNL_MSG_CT_NEW,
)
from netalias.nat.lacking import ABSENT, NETLINK_NETFILTER
from netalias.nat.messages import SIZES, family_header, parts, within
from netalias.packets.ip import IPPROTO_TCP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

OPERATION = "tracked connections"

# Attributes of linux/netfilter/nfnetlink_conntrack.h, and the state of linux/netfilter/
# nf_conntrack_tcp.h.
CTA_PROTO_SRC_PORT = 2
CTA_PROTO_DST_PORT = 3
CTA_PROTOINFO = 4
CTA_PROTOINFO_TCP = 1
CTA_PROTOINFO_TCP_STATE = 1
TCP_CONNTRACK_ESTABLISHED = b"\x03"


def tracked(addresses: Container[bytes]) -> list[Connection]:
    """The established connections that others have opened to these packed *addresses*; none where
    the kernel does not track connections. Raises KernelError."""
    try:
        exchange = Exchange(OPERATION, NETLINK_NETFILTER)
    except errors.KernelError as error:
        if error.errno in ABSENT:
            return []
        raise
    return read_both(exchange, _of, addresses)


def _of(exchange: Exchange, family: int) -> Iterator[Connection]:
    body = family_header(family)
    try:
        found = exchange.dump(OPERATION, IPCTNL_MSG_CT_GET, body, IPCTNL_MSG_CT_NEW)
    except errors.KernelError as error:
        if error.errno not in ABSENT:
            raise
        return
    for answer in found:
        one = read(*answer, family)
        if one is not None:
            yield one


def read(data: bytes, start: int, end: int, family: int) -> Connection | None:
    """The connection of an IPCTNL_MSG_CT_NEW; None for one that is not TCP, or not established.
    Raises WireError."""
    found = parts(data, start, end)
    state = within(within(found.get(CTA_PROTOINFO, b"")).get(CTA_PROTOINFO_TCP, b""))
    if state.get(CTA_PROTOINFO_TCP_STATE) != TCP_CONNTRACK_ESTABLISHED:
        return None
    opened = within(found.get(CTA_TUPLE_ORIG, b""))
    addresses = within(opened.get(CTA_TUPLE_IP, b""))
    layer = within(opened.get(CTA_TUPLE_PROTO, b""))
    ends = [addresses.get(kind, b"") for kind in (CTA_IP_DST[family], CTA_IP_SRC[family])]
    ports = [layer.get(kind, b"") for kind in (CTA_PROTO_DST_PORT, CTA_PROTO_SRC_PORT)]
    if {len(one) for one in ends} != {SIZES[family]} or {len(one) for one in ports} != {2}:
        raise errors.WireError("a tracked connection without addresses or ports")
    if layer.get(CTA_PROTO_NUM) != bytes([IPPROTO_TCP]):
        return None
    port, peer_port = (int.from_bytes(one, "big") for one in ports)
    return Connection(ends[0], port, ends[1], peer_port)
