"""Local routes of whole networks in memory (net/ipv4/fib_trie.c, net/ipv6/route.c).

One of IPv4 outlives that its device goes down, and goes with the last IPv4 address of the device
(fib_disable_ip); one of IPv6 goes when its device goes down.
"""

from __future__ import annotations

from errno import EACCES, EEXIST, ENETDOWN, ESRCH

from netalias.kernel.memory import devices, rules
from netalias.kernel.memory.addresses import Refusal
from netalias.model import AF_INET, AF_INET6
from netalias.model.local_routes import AddLocal, DelLocal, LocalRoute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from netalias.kernel.memory.devices import Node
    from netalias.model.steps import Step

    Owner = Any
    """The Memory, which imports this file."""


def shown(nodes: Iterable[Node]) -> list[LocalRoute]:
    """The routes through all devices."""
    return [route for node in nodes for route in node.locals]


def add(node: Node, wanted: LocalRoute) -> None:
    """Add a route through *node*. Raises Refusal."""
    route = _of(node, wanted)
    if route.family == AF_INET6 and not node.up:
        raise Refusal(ENETDOWN, "Nexthop device is not up")
    if route.family == AF_INET6 and not node.inet6:
        raise Refusal(EACCES, "IPv6 is disabled on nexthop device")
    if route in node.locals:
        raise Refusal(EEXIST)
    node.locals.append(route)


def remove(node: Node, wanted: LocalRoute) -> None:
    """Delete a route. Raises Refusal (ESRCH)."""
    route = _of(node, wanted)
    if route not in node.locals:
        raise Refusal(ESRCH)
    node.locals.remove(route)


def without_addresses(node: Node) -> None:
    """The last IPv4 address of *node* has gone: so have its IPv4 routes and proxy entries."""
    devices.forget(node, AF_INET)
    rules.forget(node, AF_INET)
    forget(node, AF_INET)


def forget(node: Node, family: int) -> None:
    """Remove the routes of a family through *node*."""
    node.locals = [route for route in node.locals if route.family != family]


def _of(node: Node, route: LocalRoute) -> LocalRoute:
    return LocalRoute(node.index, route.family, route.network, route.prefixlen, route.slot)


RULES: dict[type[Step], Callable[[Owner, Any], None]] = {
    AddLocal: lambda kernel, step: add(kernel._node(step), step.route),
    DelLocal: lambda kernel, step: remove(kernel._node(step), step.route),
}
"""Class of step: its rule, as in steps.RULES."""
