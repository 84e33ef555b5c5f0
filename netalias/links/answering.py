"""A waiting UDP socket answers from the address that its peer has called.

connect(2) takes the address of the route to the peer for the own one. On a host with several
addresses that may be another one, and neither end would hear the other.

Source: ip(7), ipv6(7), linux/in.h, linux/in6.h.
"""

from __future__ import annotations

import os
import socket
from _struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Control = Iterable[tuple[int, int, bytes]]

IP_PKTINFO = 8
IPV6_RECVPKTINFO, IPV6_PKTINFO = 49, 50
_PKTINFO, _PKTINFO6 = Struct("=i4s4s"), Struct("=16si")
"""struct in_pktinfo: index, own address, address of the header; struct in6_pktinfo."""


def ask(waiting: socket.socket) -> None:
    """Have the kernel tell with each datagram which address it came to."""
    if waiting.family == socket.AF_INET6:
        waiting.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
    else:
        waiting.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


def called(control: Control) -> tuple[str, int]:
    """The address of this host that a datagram came to, and the index of its device; an empty one
    where the kernel does not tell."""
    for level, kind, data in control:
        if (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO):
            address, index = _PKTINFO6.unpack(data)
            return socket.inet_ntop(socket.AF_INET6, address), index
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            index, own, _ = _PKTINFO.unpack(data)
            return socket.inet_ntop(socket.AF_INET, own), index
    return "", 0


def connect(waiting: socket.socket, peer: tuple[str, int], own: tuple[str, int]) -> None:
    """Hear *peer* alone from now on, on the address *own* of called().

    Where the kernel would choose another one a socket that is bound to it takes the place of
    *waiting*, whose descriptor it gets. If that is refused, the choice stays. Raises OSError.
    """
    waiting.connect(peer)
    address, index = own
    if not address or waiting.getsockname()[0].partition("%")[0] == address:
        return
    try:
        _replace(waiting, peer, address, index)
    except OSError:
        pass  # a port or an address that this process may not have


def _replace(waiting: socket.socket, peer: tuple[str, int], address: str, index: int) -> None:
    port, six = waiting.getsockname()[1], waiting.family == socket.AF_INET6
    made = socket.socket(waiting.family, waiting.type | socket.SOCK_NONBLOCK)
    try:
        if six:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        for one in (waiting, made):  # both have the port for a moment
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port, 0, index) if six else (address, port))
        made.connect(peer)
        os.dup2(made.fileno(), waiting.fileno(), inheritable=False)
        waiting.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    finally:
        made.close()
