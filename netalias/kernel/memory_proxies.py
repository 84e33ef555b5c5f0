"""The rules for proxy neighbour entries of the in-memory kernel.

After ``neigh_add``, ``neigh_delete`` and ``pneigh_ifdown_and_unlock`` of net/core/neighbour.c,
``fib_disable_ip`` of net/ipv4/fib_frontend.c and ``addrconf_ifdown`` of net/ipv6/addrconf.c (6.x):
any address is taken, on any device, up or down; what is there is overwritten. A device that goes
down loses its entries, one that loses its last IPv4 address, or IPv6, those of that family.
"""

from __future__ import annotations

from errno import EAFNOSUPPORT, EINVAL, ENOBUFS, ENOENT

from netalias.kernel.memory_addresses import Refusal
from netalias.model import AF_INET, AF_INET6
from netalias.proxies import Proxy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.kernel.memory_nodes import Node

SIZES = {AF_INET: 4, AF_INET6: 16}


def put(node: Node, wanted: Proxy) -> None:
    """Add or overwrite an entry of *node*. Raises Refusal."""
    local = _checked(wanted)
    if wanted.family == AF_INET6 and not node.inet6:
        raise Refusal(ENOBUFS)
    before = node.proxies.get((wanted.family, local))
    protocol = wanted.protocol or (before.protocol if before is not None else 0)
    made = Proxy(node.index, wanted.family, local, protocol, wanted.flags)
    node.proxies[wanted.family, local] = made


def remove(node: Node, wanted: Proxy) -> None:
    """Take an entry away. Raises Refusal."""
    if node.proxies.pop((wanted.family, _checked(wanted)), None) is None:
        raise Refusal(ENOENT)


def forget(node: Node, family: int) -> None:
    """What the kernel does by itself."""
    for key in [key for key in node.proxies if key[0] == family]:
        del node.proxies[key]


def _checked(wanted: Proxy) -> bytes:
    size = SIZES.get(wanted.family)
    if size is None:
        raise Refusal(EAFNOSUPPORT)
    if len(wanted.local) < size:
        raise Refusal(EINVAL, "Invalid network address")
    return wanted.local[:size]
