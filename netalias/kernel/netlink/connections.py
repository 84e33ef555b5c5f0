"""Established connections of the TCP sockets of this namespace, by sock_diag.

Layouts: linux/inet_diag.h.
"""

from __future__ import annotations

from _struct import Struct
from errno import EINVAL, ENOENT, EOPNOTSUPP

from netalias import errors
from netalias.kernel.netlink.exchange import Exchange
from netalias.kernel.netlink.sockdestroy import (
    ID,
    IPPROTO_TCP,
    NETLINK_SOCK_DIAG,
    REQUEST,
    SOCK_DIAG_BY_FAMILY,
    STATE,
)
from netalias.model import AF_INET, AF_INET6
from netalias.model.connections import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

OPERATION = "connections"
ESTABLISHED = 1 << 1
"""TCP_ESTABLISHED of linux/tcp_states.h, as a set of states."""
PORTS = Struct("!HH")
MAPPED = bytes(10) + b"\xff\xff"
"""An IPv4 address that a socket of IPv6 has begins with it (RFC 4291, 2.5.5.2)."""


def established(addresses: Container[bytes]) -> list[Connection]:
    """The connections whose own end is one of these packed *addresses*. Raises KernelError."""
    return read_both(Exchange("sock_diag", NETLINK_SOCK_DIAG), _of, addresses)


def read_both(
    exchange: Exchange,
    read_family: Callable[[Exchange, int], Iterable[Connection]],
    addresses: Container[bytes],
) -> list[Connection]:
    """The connections of both families with one of *addresses*, read over *exchange*, which is
    closed. Raises KernelError."""
    try:
        return [
            one
            for family in (AF_INET, AF_INET6)
            for one in read_family(exchange, family)
            if one.address in addresses
        ]
    finally:
        exchange.close()


def _of(exchange: Exchange, family: int) -> list[Connection]:
    body = REQUEST.pack(family, IPPROTO_TCP, 0, ESTABLISHED) + bytes(ID.size)
    try:
        found = exchange.dump(OPERATION, SOCK_DIAG_BY_FAMILY, body, SOCK_DIAG_BY_FAMILY)
    except errors.KernelError as error:
        if error.errno not in (ENOENT, EINVAL, EOPNOTSUPP):
            raise
        return []  # the kernel does not tell sockets, or has no such family
    return [read(*answer) for answer in found]


def read(data: bytes, start: int, end: int) -> Connection:
    """The connection of a struct inet_diag_msg. Raises WireError."""
    start += STATE.size
    if end < start + ID.size:
        raise errors.WireError(f"a socket in {end - start + STATE.size} bytes")
    ports, own, peer, _, _ = ID.unpack_from(data, start)
    port, peer_port = PORTS.unpack(ports)
    return Connection(*_packed(data[start - STATE.size], own, port, peer, peer_port))


def _packed(
    family: int, own: bytes, port: int, peer: bytes, peer_port: int
) -> tuple[bytes, int, bytes, int]:
    if family == AF_INET:
        return own[:4], port, peer[:4], peer_port
    if own.startswith(MAPPED) and peer.startswith(MAPPED):
        return own[12:], port, peer[12:], peer_port
    return own, port, peer, peer_port
