"""The rules for proxy neighbour entries of the in-memory kernel.

After ``neigh_add``, ``neigh_delete`` and ``pneigh_ifdown_and_unlock`` of net/core/neighbour.c,
``fib_disable_ip`` of net/ipv4/fib_frontend.c and ``addrconf_ifdown`` of net/ipv6/addrconf.c (6.x):
any address is taken, on any device, up or down; what is there is overwritten. A device that goes
down loses its entries, one that loses its last IPv4 address, or IPv6, those of that family.
"""

from __future__ import annotations

from errno import ENOBUFS, ENOENT

from netalias.kernel.memory.addresses import Refusal
from netalias.model import AF_INET6
from netalias.model.neighbours import Proxy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.kernel.memory.devices import Node


def put(node: Node, wanted: Proxy) -> None:
    """Add or overwrite an entry of *node*. Raises Refusal."""
    key = wanted.family, wanted.local
    if wanted.family == AF_INET6 and not node.inet6:
        raise Refusal(ENOBUFS)
    before = node.proxies.get(key)
    protocol = wanted.protocol or (before.protocol if before is not None else 0)
    node.proxies[key] = Proxy(node.index, *key, protocol, wanted.flags)


def remove(node: Node, wanted: Proxy) -> None:
    """Take an entry away. Raises Refusal."""
    if node.proxies.pop((wanted.family, wanted.local), None) is None:
        raise Refusal(ENOENT)


def forget(node: Node, family: int) -> None:
    """What the kernel does by itself."""
    for key in [key for key in node.proxies if key[0] == family]:
        del node.proxies[key]
