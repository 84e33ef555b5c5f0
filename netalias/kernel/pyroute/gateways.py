"""Rules and the routes of their tables through pyroute2."""

from __future__ import annotations

from socket import inet_pton

from netalias.kernel.netlink.routes import RTPROT_KERNEL
from netalias.model import (
    AF_INET,
    AF_INET6,
    PROTOCOL,
    RT_SCOPE_LINK,
    RT_TABLE_MAIN,
    RTN_UNICAST,
    address_text,
)
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
    from collections.abc import Callable, Iterator
    from typing import Any

    from netalias.model.steps import Step

DUMP_TRIES = 10
"""Attempts at a dump, each of them interrupted by a change, before it is an error."""
PAUSE = 0.002
"""Seconds by which the pause before each of them is longer than the last one."""


class IprouteRouting(Routing):
    """The answers on a route of pyroute2; *call* turns its exceptions into ours."""

    def __init__(self, route: Any, call: Callable[[str, Callable[[], Any]], Any]) -> None:
        self._route = route
        self._call = call

    def read(self) -> Gateways:
        """The rules and routes with our mark."""
        found: Gateways = self._call("list of routes", lambda: read(self._route))
        return found

    def default(self, index: int, family: int) -> bytes:
        """The gateway of the default route of the table main."""
        found: bytes = self._call("list of routes", lambda: _default(self._route, index, family))
        return found

    def sources(self, family: int) -> list[tuple[bytes, str]]:
        """The routes with a source, by one dump."""
        found: list[tuple[bytes, str]] = self._call(
            "list of routes", lambda: _sources(self._route, family)
        )
        return found

    def routers(self, family: int) -> list[tuple[bytes, str]]:
        """The gateways of routes, by one dump."""
        found: list[tuple[bytes, str]] = self._call(
            "list of routes", lambda: _routers(self._route, family)
        )
        return found


def _routers(route: Any, family: int) -> list[tuple[bytes, str]]:
    """The gateway and the words of each next hop that has a gateway."""
    return [
        (
            gateway,
            Way(0, family, 0, _packed(one, "RTA_DST", family), one["dst_len"], gateway).text,
        )
        for one in _unicast(route, family)
        for _, gateway in _hops(one)
        if gateway
    ]


def _sources(route: Any, family: int) -> list[tuple[bytes, str]]:
    """The source and the words of each route with a source that others have added."""
    return [
        (
            _packed(one, "RTA_PREFSRC", family),
            Way(
                0,
                family,
                0,
                _packed(one, "RTA_DST", family),
                one["dst_len"],
                _packed(one, "RTA_GATEWAY", family),
            ).text,
        )
        for one in route.get_routes(family=family)
        if one.get_attr("RTA_PREFSRC") and one["proto"] != RTPROT_KERNEL
    ]


def read(route: Any) -> Gateways:
    """The rules and routes with our mark, by two dumps a family."""
    found = Gateways()
    for family in (AF_INET, AF_INET6):
        for one in route.get_rules(family=family):
            device, source = one.get_attr("FRA_OIFNAME") or "", _packed(one, "FRA_SRC", family)
            single = not source or one["src_len"] == len(source) * 8
            if one.get_attr("FRA_PROTOCOL") == PROTOCOL and bool(device) != bool(source) and single:
                table, priority = one.get_attr("FRA_TABLE"), one.get_attr("FRA_PRIORITY")
                found.rules.append(Rule(device, family, table, priority, source))
        for one in _unicast(route, family):
            if one["proto"] == PROTOCOL:
                table, network = one.get_attr("RTA_TABLE"), _packed(one, "RTA_DST", family)
                source, metric = _packed(one, "RTA_PREFSRC", family), one.get_attr("RTA_PRIORITY")
                found.ways += [
                    Way(
                        index,
                        family,
                        table,
                        network,
                        one["dst_len"],
                        gateway,
                        source=source,
                        metric=metric or 0,
                    )
                    for index, gateway in _hops(one)
                ]
    return found


def _default(route: Any, index: int, family: int) -> bytes:
    """The gateway of the default route with the lowest metric that main has through a device."""
    found = [
        (one.get_attr("RTA_PRIORITY") or 0, gateway)
        for one in _unicast(route, family)
        if one.get_attr("RTA_TABLE") == RT_TABLE_MAIN
        and not one["dst_len"]
        and one["proto"] != PROTOCOL
        and not one.get_attr("RTA_MULTIPATH")
        for out, gateway in _hops(one)
        if out == index and gateway
    ]
    return min(found)[1] if found else b""


def _unicast(route: Any, family: int) -> Iterator[Any]:
    return (one for one in route.get_routes(family=family) if one["type"] == RTN_UNICAST)


def _hops(route: Any) -> Iterator[tuple[int, bytes]]:
    """Index and gateway of each next hop."""
    for hop in route.get_attr("RTA_MULTIPATH") or (route,):
        index = hop["oif"] if hop is not route else route.get_attr("RTA_OIF")
        yield index, _packed(hop, "RTA_GATEWAY", route["family"])


def _packed(message: Any, attribute: str, family: int) -> bytes:
    text = message.get_attr(attribute)
    return inet_pton(family, text) if text else b""


def _rule(route: Any, verb: str, rule: Rule) -> None:
    selector: dict[str, Any] = {"oifname": rule.device}
    if rule.source:
        text = address_text(rule.family, rule.source)
        selector = {"src": text, "src_len": len(rule.source) * 8}
    route.rule(
        verb,
        family=rule.family,
        **selector,
        table=rule.table,
        priority=rule.priority,
        protocol=PROTOCOL,
    )


def _way(route: Any, verb: str, index: int, way: Way) -> None:
    words: dict[str, Any] = {
        "family": way.family,
        "dst": "default",
        "oif": index,
        "table": way.table,
        "proto": PROTOCOL,
        "scope": 0 if way.gateway or way.family == AF_INET6 else RT_SCOPE_LINK,
    }
    if way.network:
        words["dst"] = f"{address_text(way.family, way.network)}/{way.prefixlen}"
    if way.gateway:
        words["gateway"] = address_text(way.family, way.gateway)
    if way.source:
        words["prefsrc"] = address_text(way.family, way.source)
    if way.metric:
        words["priority"] = way.metric
    route.route(verb, **words)


WRITERS: dict[type[Step], Callable[[Any, int, Any], object]] = {
    AddRule: lambda route, index, step: _rule(route, "add", step.rule),
    DelRule: lambda route, index, step: _rule(route, "del", step.rule),
    AddWay: lambda route, index, step: _way(route, "append", index, step.way),
    DelWay: lambda route, index, step: _way(route, "del", index, step.way),
    SetGsoSize: lambda route, index, step: route.link("set", index=index, gso_max_size=step.size),
}
