"""Connected routes of the kernel in memory: those of its addresses, but for the exceptions.

After ``fib_add_ifaddr`` of net/ipv4/fib_frontend.c, and ``addrconf_prefix_route`` and
``check_cleanup_prefix_route`` of net/ipv6/addrconf.c.
"""

from __future__ import annotations

from errno import EEXIST, ESRCH

from netalias.kernel.memory.addresses import Refusal
from netalias.model import AF_INET6, FOREVER, IFA_F_NOPREFIXROUTE
from netalias.model.gateways import Way
from netalias.model.routes import Connected, connected, unrouted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.kernel.memory.devices import Node
    from netalias.model import Address


def routes(node: Node) -> Iterator[Connected]:
    """The connected routes through a device."""
    found = set(node.routes)
    if node.up and not node.loopback:
        for entry in node.entries:
            if _brings(entry):
                found.add(connected(entry, node.index))
    return (route for route in found if route not in node.lost)


def come(node: Node, entry: Address) -> None:
    """An address has come: so has its route, even if somebody has deleted it before. But an IPv6
    address with a lifetime gets none when its device comes up later (fixup_permanent_addr)."""
    if not _brings(entry):
        return
    if entry.family == AF_INET6 and entry.valid != FOREVER and not node.up:
        node.lost.add(connected(entry, node.index))
    else:
        node.lost.discard(connected(entry, node.index))


def go(node: Node, entry: Address) -> None:
    """An address has gone: so has its route, unless another IPv6 address has its network, and
    every route of IPv4 with this source (fib_sync_down_addr); one of IPv6 goes on without it
    (rt6_remove_prefsrc)."""
    if all(one.local != entry.local for one in node.entries):
        node.ways = [*_without_source(node, entry.local)]
    if not _brings(entry):
        return
    gone = connected(entry, node.index)
    places = {connected(one, node.index).place for one in node.entries if _brings(one)}
    if entry.family == AF_INET6 and gone.place in places and gone not in node.lost:
        node.routes.add(gone)
    node.lost.discard(gone)


def _without_source(node: Node, local: bytes) -> Iterator[Way]:
    """The routes of rules.py that are left when the address *local* has gone."""
    for way in node.ways:
        if way.source != local:
            yield way
        elif way.family == AF_INET6:
            place = way.index, way.family, way.table, way.network, way.prefixlen
            yield Way(*place, way.gateway, metric=way.metric)


def down(node: Node) -> None:
    """A device went down, and lost all routes through it."""
    node.routes.clear()
    node.lost.clear()


def add(node: Node, route: Connected) -> None:
    """Add a route. Raises Refusal (EEXIST)."""
    if route in set(routes(node)):
        raise Refusal(EEXIST)
    if route in node.lost:
        node.lost.remove(route)
    else:
        node.routes.add(route)


def remove(node: Node, route: Connected) -> None:
    """Delete a route. Raises Refusal (ESRCH)."""
    if route not in set(routes(node)):
        raise Refusal(ESRCH)
    if any(_brings(one) and connected(one, node.index) == route for one in node.entries):
        node.lost.add(route)
    node.routes.discard(route)


def _brings(entry: Address) -> bool:
    if not entry.networked or unrouted(entry):
        return False
    return not entry.flags & IFA_F_NOPREFIXROUTE and not entry.secondary
