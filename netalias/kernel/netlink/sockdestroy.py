"""Sockets that are bound to an address, ended by the kernel (SOCK_DESTROY of sock_diag).

A program learns that its address is gone only from its next timeout, a quarter of an hour later for
TCP; a socket that is destroyed fails at once, with ECONNABORTED (a blocked accept(2) with EINVAL).
A UDP socket lives on, disconnected; it keeps its address and a port that it asked for, and loses
one of the kernel's choice. Layouts: linux/inet_diag.h.
"""

from __future__ import annotations

from _struct import Struct
from errno import EINVAL, ENOENT, EOPNOTSUPP

from netalias import errors
from netalias.kernel.netlink.codec import attr
from netalias.kernel.netlink.exchange import Exchange
from netalias.model import AF_INET, AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.kernel.netlink.exchange import Request

NETLINK_SOCK_DIAG = 4
"""linux/netlink.h."""
SOCK_DIAG_BY_FAMILY = 20
SOCK_DESTROY = 21
"""linux/sock_diag.h."""
INET_DIAG_REQ_BYTECODE = 1
INET_DIAG_BC_S_COND = 7

# linux/in.h.
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_UDPLITE = 136
IPPROTO_RAW = 255
PROTOCOLS = (IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_RAW)
ALL_STATES = 0xFFFFFFFF

REQUEST = Struct("=BBBxI")
"""struct inet_diag_req_v2 up to its id: family, protocol, extensions, padding, states."""
ID = Struct("=4s16s16s4s8s")
"""struct inet_diag_sockid: both ports, source, destination, device, cookie."""
STATE = Struct("=BBBB")
"""struct inet_diag_msg up to its id: family, state, timer, retransmissions."""
OPERATION_HEADER = Struct("=BBH")
"""struct inet_diag_bc_op: code, bytes to go where the condition holds, and where it does not."""
HOST = Struct("=BBxxi")
"""struct inet_diag_hostcond up to its address: family, prefix length, port (-1: any)."""
OPERATION = "ending sockets"
FAMILIES = {AF_INET: (AF_INET, AF_INET6), AF_INET6: (AF_INET6,)}
"""The families of sockets that can have an address: one of IPv6 may have an IPv4 address."""


def bound(family: int, protocol: int, of: int, local: bytes) -> bytes:
    """The body of a request for the sockets of a *family* and protocol that are bound to the
    address *local* of the family *of*."""
    size = OPERATION_HEADER.size + HOST.size + len(local)
    condition = OPERATION_HEADER.pack(INET_DIAG_BC_S_COND, size, size + 4)
    condition += HOST.pack(of, len(local) * 8, -1) + local
    head = REQUEST.pack(family, protocol, 0, ALL_STATES)
    return bytes(head) + bytes(ID.size) + attr(INET_DIAG_REQ_BYTECODE, condition)


def destruction(protocol: int, data: bytes, start: int, end: int) -> Request:
    """The request that ends the socket of an answer. Raises WireError."""
    behind = start + STATE.size + ID.size
    if end < behind:
        raise errors.WireError(f"a socket in {end - start} bytes")
    head = REQUEST.pack(data[start], protocol, 0, ALL_STATES)
    return SOCK_DESTROY, 0, bytes(head) + data[start + STATE.size : behind]


def destroy(family: int, local: bytes) -> int:
    """End the sockets of this namespace that are bound to an address; the number of them.

    Raises StateError where the kernel cannot (CONFIG_INET_DIAG_DESTROY), KernelError.
    """
    exchange = Exchange("sock_diag", NETLINK_SOCK_DIAG)
    try:
        ended = 0
        for request in _found(exchange, family, local):
            refused = exchange.change(OPERATION, [request])
            if not refused:
                ended += 1
                continue
            _, code, text = refused[0]
            if code == EOPNOTSUPP:
                raise errors.StateError(
                    "sockets cannot be ended: this kernel has no CONFIG_INET_DIAG_DESTROY",
                    errno=EOPNOTSUPP,
                )
            if code != ENOENT:  # it has ended by itself
                raise errors.kernel_error(OPERATION, code, text)
        return ended
    finally:
        exchange.close()


def _found(exchange: Exchange, of: int, local: bytes) -> Iterator[Request]:
    for family in FAMILIES[of]:
        for protocol in PROTOCOLS:
            body = bound(family, protocol, of, local)
            try:
                found = exchange.dump(OPERATION, SOCK_DIAG_BY_FAMILY, body, SOCK_DIAG_BY_FAMILY)
            except errors.KernelError as error:
                if error.errno not in (ENOENT, EINVAL, EOPNOTSUPP):
                    raise
                continue  # the kernel has no such protocol, or does not tell its sockets
            for answer in found:
                yield destruction(protocol, *answer)
