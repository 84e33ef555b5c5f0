"""Rules and the routes of their tables in memory (net/core/fib_rules.c, net/ipv4, net/ipv6).

The table main has nothing but default routes, and those that the tests put there.
"""

from __future__ import annotations

from errno import EEXIST, EHOSTUNREACH, EINVAL, ENETDOWN, ENETUNREACH, ENOENT, ESRCH

from netalias.kernel.memory.addresses import Refusal
from netalias.model import AF_INET, AF_INET6, IFA_F_NOPREFIXROUTE, prefix
from netalias.model.gateways import (
    AddRule,
    AddWay,
    DelRule,
    DelWay,
    Gateways,
    Routing,
    Rule,
    SetGsoSize,
    Way,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from netalias.kernel.memory.devices import Node
    from netalias.model.steps import Step

UNREACHABLE = {AF_INET: ENETUNREACH, AF_INET6: EHOSTUNREACH}


class Rules(Routing):
    """``rules`` with our mark, in order, and the ``defaults``: gateways by ifindex and family.

    The routes are kept with the devices, *nodes*.
    """

    def __init__(self, nodes: Mapping[int, Node]) -> None:
        self.defaults: dict[tuple[int, int], bytes] = {}
        self._rules: list[Rule] = []
        self._nodes = nodes
        self._beside: Callable[[], Routing] | None = None
        self._loaded = True

    def beside(self, routing: Callable[[], Routing]) -> None:
        """Take over the state of another kernel, once it is asked for, and its default routes."""
        self._beside, self._loaded = routing, False

    def add_way(self, node: Node, wanted: Way) -> None:
        """Add a route through *node*. Raises Refusal as add_way() does."""
        self._load()
        add_way(node, wanted)

    def delete_way(self, node: Node, wanted: Way) -> None:
        """Delete a route through *node*. Raises Refusal (ESRCH)."""
        self._load()
        delete_way(node, wanted)

    @property
    def rules(self) -> list[Rule]:
        """The rules, in order."""
        self._load()
        return self._rules

    def _load(self) -> None:
        """Read the state of the other kernel, on first use."""
        if self._beside is not None and not self._loaded:
            self._loaded = True
            found = self._beside().read()
            self._rules = found.rules.copy()
            for way in found.ways:
                if way.index in self._nodes:
                    self._nodes[way.index].ways.append(way)

    def read(self) -> Gateways:
        """The rules and routes with our mark."""
        rules = sorted(self.rules, key=lambda rule: rule.family)
        ways = [way for node in self._nodes.values() for way in node.ways]
        ways.sort(key=lambda way: (way.family, way.table))
        return Gateways(rules, ways)

    def default(self, index: int, family: int) -> bytes:
        """The gateway that a test or the other kernel has given."""
        if self._beside is not None:
            return self._beside().default(index, family)
        return self.defaults.get((index, family), b"")

    def sources(self, family: int) -> list[tuple[bytes, str]]:
        """Those of the other kernel, since this one has no routes with a source."""
        return self._beside().sources(family) if self._beside is not None else []

    def routers(self, family: int) -> list[tuple[bytes, str]]:
        """Those of the other kernel, or the default routes that a test has given."""
        if self._beside is not None:
            return self._beside().routers(family)
        found = [way for (_, one), way in self.defaults.items() if one == family and way]
        return [(gateway, Way(0, family, 0, gateway=gateway).text) for gateway in found]

    def add(self, rule: Rule) -> None:
        """Add a rule; the device need not exist. Raises Refusal (EEXIST)."""
        if rule in self.rules:
            raise Refusal(EEXIST)
        self.rules.append(rule)

    def delete(self, rule: Rule) -> None:
        """Delete a rule. Raises Refusal (ENOENT)."""
        if rule not in self.rules:
            raise Refusal(ENOENT)
        self.rules.remove(rule)


def add_way(node: Node, wanted: Way) -> None:
    """Add a route. Raises Refusal: the device is down, or the gateway is not on its link."""
    way = _of(node, wanted)
    if not node.up:
        raise Refusal(ENETDOWN, "Device for nexthop is not up" if way.family == AF_INET else "")
    if way in node.ways:
        raise Refusal(EEXIST)
    if way.source and all(entry.local != way.source for entry in node.entries):
        raise Refusal(EINVAL, "Invalid prefsrc address" if way.family == AF_INET else "")
    if way.gateway and not _on_link(node, way):
        raise Refusal(
            UNREACHABLE[way.family],
            "Nexthop has invalid gateway" if way.family == AF_INET else "",
        )
    node.ways.append(way)


def delete_way(node: Node, wanted: Way) -> None:
    """Delete a route. Raises Refusal (ESRCH)."""
    way = _of(node, wanted)
    if way not in node.ways:
        raise Refusal(ESRCH)
    node.ways.remove(way)


def forget(node: Node, family: int = 0) -> None:
    """Remove the routes through *node*, of one family or (0) of both."""
    node.ways = [way for way in node.ways if family not in (0, way.family)]


def _of(node: Node, way: Way) -> Way:
    """*way* through this device, with the bits of its network only."""
    network = prefix.network(way.network, way.prefixlen) if way.network else b""
    return Way(
        node.index,
        way.family,
        way.table,
        network,
        way.prefixlen,
        way.gateway,
        source=way.source,
        metric=way.metric,
    )


def _on_link(node: Node, way: Way) -> bool:
    """Whether the gateway lies in a network of the table, or of the device itself."""
    if way.family == AF_INET6 and way.gateway[:1] == b"\xfe" and way.gateway[1] >> 6 == 2:
        return True  # link-local
    return any(
        prefix.contains(one.network, one.prefixlen, way.gateway)
        for one in node.ways
        if one.table == way.table and one.network and not one.gateway
    ) or any(
        prefix.contains(entry.peer or entry.local, entry.prefixlen, way.gateway)
        for entry in node.entries
        if entry.family == way.family
        and (entry.networked or entry.peer)
        and not entry.flags & IFA_F_NOPREFIXROUTE
    )


RULES: dict[type[Step], Callable[[Any, Any], None]] = {
    AddRule: lambda kernel, step: kernel._rules.add(step.rule),
    DelRule: lambda kernel, step: kernel._rules.delete(step.rule),
    AddWay: lambda kernel, step: kernel._rules.add_way(kernel._node(step), step.way),
    DelWay: lambda kernel, step: kernel._rules.delete_way(kernel._node(step), step.way),
    SetGsoSize: lambda kernel, step: None,
}
"""Class of step: what it does to a Memory. Superpackets there are none."""
