"""Messages about rules, and about the routes of their tables; loaded only where there are any.

Layouts are those of linux/fib_rules.h (struct fib_rule_hdr) and linux/rtnetlink.h (struct rtmsg);
spec.py declares them once more.
"""

from __future__ import annotations

from _struct import Struct, error  # type: ignore[attr-defined]
from errno import ENOENT

from netalias.errors import KernelError, WireError
from netalias.kernel.netlink.codec import (
    ALL_RULES,
    FRA_PROTOCOL,
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    RTA_DST,
    RTA_GATEWAY,
    RTA_MULTIPATH,
    RTA_OIF,
    RTA_PREFSRC,
    RTA_PRIORITY,
    RTA_TABLE,
    RTM_DELROUTE,
    RTM_GETROUTE,
    RTM_NEWROUTE,
    RTM_NEWRULE,
    RTM_SETLINK,
    RTMSG,
    attr,
    attr_text,
    attr_u32,
    attributes,
    attributes_behind,
    ifinfo,
    message,
)
from netalias.model import AF_INET, AF_INET6, PROTOCOL, RT_SCOPE_LINK, RT_TABLE_MAIN, RTN_UNICAST
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

RTM_DELRULE = 33

FR_ACT_TO_TBL = 1
RTPROT_KERNEL = 2

IFLA_GSO_MAX_SIZE = 41
"""linux/if_link.h"""

FRA_SRC = 2
FRA_PRIORITY = 6
FRA_TABLE = 15
FRA_OIFNAME = 17

RULE = Struct("=8BI")
"""Family, lengths of destination and source, tos, table, two reserved bytes, action; flags."""
NEXTHOP = Struct("=HBBI")
_U32 = Struct("=I")
SIZES = {AF_INET: 4, AF_INET6: 16}

Default = tuple[int, int, bytes]
"""Metric, index and gateway of a default route."""


# Writing --------------------------------------------------------------------------------------


def add_rule(sequence: int, rule: Rule) -> bytes:
    """RTM_NEWRULE."""
    return message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, sequence, _rule(rule))


def del_rule(sequence: int, rule: Rule) -> bytes:
    """RTM_DELRULE; the kernel deletes the first rule that has all these values."""
    return message(RTM_DELRULE, 0, sequence, _rule(rule))


def _rule(rule: Rule) -> bytes:
    bits = len(rule.source) * 8
    selector = attr(FRA_SRC, rule.source) if bits else attr_text(FRA_OIFNAME, rule.device)
    return b"".join(
        (
            RULE.pack(rule.family, 0, bits, 0, 0, 0, 0, FR_ACT_TO_TBL, 0),
            selector,
            attr_u32(FRA_PRIORITY, rule.priority),
            attr_u32(FRA_TABLE, rule.table),
            attr(FRA_PROTOCOL, bytes([PROTOCOL])),
        )
    )


def add_way(sequence: int, index: int, way: Way) -> bytes:
    """RTM_NEWROUTE."""
    return message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, sequence, _way(index, way))


def del_way(sequence: int, index: int, way: Way) -> bytes:
    """RTM_DELROUTE."""
    return message(RTM_DELROUTE, 0, sequence, _way(index, way))


def _way(index: int, way: Way) -> bytes:
    scope = 0 if way.gateway or way.family == AF_INET6 else RT_SCOPE_LINK
    head = RTMSG.pack(way.family, way.prefixlen, 0, 0, 0, PROTOCOL, scope, RTN_UNICAST, 0)
    body = [head, attr_u32(RTA_TABLE, way.table), attr_u32(RTA_OIF, index)]
    if way.network:
        body.append(attr(RTA_DST, way.network))
    if way.gateway:
        body.append(attr(RTA_GATEWAY, way.gateway))
    if way.source:
        body.append(attr(RTA_PREFSRC, way.source))
    if way.metric:
        body.append(attr_u32(RTA_PRIORITY, way.metric))
    return b"".join(body)


def set_gso_size(sequence: int, index: int, step: SetGsoSize) -> bytes:
    """RTM_SETLINK of the largest superpacket."""
    body = ifinfo(index) + attr_u32(IFLA_GSO_MAX_SIZE, step.size)
    return message(RTM_SETLINK, 0, sequence, body)


def get_ways(sequence: int, family: int) -> bytes:
    """RTM_GETROUTE: request for all routes with our mark; a kernel before 4.20 gives all routes."""
    head = RTMSG.pack(family, 0, 0, 0, 0, PROTOCOL, 0, 0, 0)
    return message(RTM_GETROUTE, NLM_F_DUMP, sequence, head)


def get_defaults(sequence: int, family: int, index: int) -> bytes:
    """RTM_GETROUTE: request for the routes that the table main has through a device."""
    head = RTMSG.pack(family, 0, 0, 0, RT_TABLE_MAIN, 0, 0, RTN_UNICAST, 0)
    return message(RTM_GETROUTE, NLM_F_DUMP, sequence, head + attr_u32(RTA_OIF, index))


def get_routes(sequence: int, family: int) -> bytes:
    """RTM_GETROUTE: request for all routes of a family."""
    return message(RTM_GETROUTE, NLM_F_DUMP, sequence, RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))


ENCODERS: dict[type[Step], Callable[[int, int, Any], bytes]] = {
    AddRule: lambda sequence, index, step: add_rule(sequence, step.rule),
    DelRule: lambda sequence, index, step: del_rule(sequence, step.rule),
    AddWay: lambda sequence, index, step: add_way(sequence, index, step.way),
    DelWay: lambda sequence, index, step: del_way(sequence, index, step.way),
    SetGsoSize: set_gso_size,
}
"""Class of step: its encoder, (sequence, ifindex, step) -> message."""


# Reading --------------------------------------------------------------------------------------


def read_rule(data: bytes, start: int, end: int) -> Rule | None:
    """The Rule of an RTM_NEWRULE; None for one without our mark, and for one that is about neither
    an output device nor a single source."""
    found = attributes_behind(data, start, end, RULE)
    family, bits = data[start], data[start + 2]
    source, name = found.get(FRA_SRC, b""), found.get(FRA_OIFNAME, b"")
    if found.get(FRA_PROTOCOL) != bytes([PROTOCOL]) or bool(source) == bool(name):
        return None
    if source and not bits == len(source) * 8 == SIZES.get(family, 0) * 8:
        return None
    device = name.rstrip(b"\0").decode("utf-8", "surrogateescape")
    return Rule(device, family, _number(found, FRA_TABLE), _number(found, FRA_PRIORITY), source)


def read_ways(data: bytes, start: int, end: int) -> list[Way]:
    """The Ways of an RTM_NEWROUTE; none for one without our mark, and for one of another form.

    IPv6 joins default routes of one metric to one with several next hops, be they of one device or
    of several that share a table.
    """
    found = attributes_behind(data, start, end, RTMSG)
    family, prefixlen, _, _, _, protocol, _, kind, _ = RTMSG.unpack_from(data, start)
    if protocol != PROTOCOL or kind != RTN_UNICAST:
        return []
    network, source = found.get(RTA_DST, b""), found.get(RTA_PREFSRC, b"")
    table, metric = _number(found, RTA_TABLE), _number(found, RTA_PRIORITY)
    if RTA_MULTIPATH in found:
        hops = list(_hops(found[RTA_MULTIPATH]))
    else:
        hops = [(_number(found, RTA_OIF), found.get(RTA_GATEWAY, b""))]
    lengths = {len(network), len(source), *(len(gateway) for _, gateway in hops)}
    if not lengths <= {0, SIZES.get(family, 0)}:
        raise WireError(f"a route of family {family} with addresses of another length")
    return [
        Way(index, family, table, network, prefixlen, gateway, source=source, metric=metric)
        for index, gateway in hops
        if index
    ]


def _hops(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Index and gateway of each struct rtnexthop."""
    offset = 0
    while len(data) - offset >= NEXTHOP.size:
        length, _, _, index = NEXTHOP.unpack_from(data, offset)
        if length < NEXTHOP.size or offset + length > len(data):
            raise WireError(f"a next hop claims {length} of {len(data) - offset} bytes")
        inside = attributes(data, offset + NEXTHOP.size, offset + length)
        yield index, inside.get(RTA_GATEWAY, b"")
        offset += (length + 3) & ~3


def read_default(data: bytes, start: int, end: int) -> Default | None:
    """Metric, index and gateway of the RTM_NEWROUTE of a default route in the table main, or None.

    Only one route to one gateway counts, and no route of ours.
    """
    if end - start >= RTMSG.size and data[start + 1]:
        return None  # first: there may be a million
    found = attributes_behind(data, start, end, RTMSG)
    _, _, _, _, _, protocol, _, kind, _ = RTMSG.unpack_from(data, start)
    wrong = kind != RTN_UNICAST or protocol == PROTOCOL
    if wrong or not {RTA_OIF, RTA_GATEWAY} <= found.keys():
        return None
    if _number(found, RTA_TABLE) != RT_TABLE_MAIN:
        return None
    return _number(found, RTA_PRIORITY), _number(found, RTA_OIF), found[RTA_GATEWAY]


def _number(found: dict[int, bytes], kind: int) -> int:
    try:
        return int(_U32.unpack(found.get(kind, bytes(4)))[0])
    except error:
        raise WireError(f"attribute {kind} does not have 4 bytes") from None


def read_source(data: bytes, start: int, end: int) -> tuple[bytes, str] | None:
    """The source and the words of the RTM_NEWROUTE of a route with a source that others have added;
    None for any other one."""
    found = attributes_behind(data, start, end, RTMSG)
    family, prefixlen, _, _, _, protocol, _, _, _ = RTMSG.unpack_from(data, start)
    if RTA_PREFSRC not in found or protocol == RTPROT_KERNEL:
        return None
    network, gateway = found.get(RTA_DST, b""), found.get(RTA_GATEWAY, b"")
    return found[RTA_PREFSRC], Way(0, family, 0, network, prefixlen, gateway).text


def read_routers(data: bytes, start: int, end: int) -> list[tuple[bytes, str]]:
    """The gateways and words of an RTM_NEWROUTE: one of each next hop that has a gateway."""
    found = attributes_behind(data, start, end, RTMSG)
    family, prefixlen, _, _, _, _, _, kind, _ = RTMSG.unpack_from(data, start)
    if kind != RTN_UNICAST:
        return []
    network = found.get(RTA_DST, b"")
    hops = [gateway for _, gateway in _hops(found.get(RTA_MULTIPATH, b""))]
    gateways = [gateway for gateway in (found.get(RTA_GATEWAY, b""), *hops) if gateway]
    if not {len(network), *map(len, gateways)} <= {0, SIZES.get(family, 0)}:
        raise WireError(f"a route of family {family} with addresses of another length")
    return [(one, Way(0, family, 0, network, prefixlen, one).text) for one in gateways]


# Asking ---------------------------------------------------------------------------------------


class NetlinkRouting(Routing):
    """The answers; *dump* is that of Netlink."""

    def __init__(self, dump: Callable[..., list[Any]]) -> None:
        self._dump = dump

    def read(self) -> Gateways:
        """The rules and routes with our mark, by three dumps."""
        ways = [
            way
            for family in (AF_INET, AF_INET6)
            for found in self._routes(get_ways, read_ways, family)
            for way in found
        ]
        return Gateways(self._rules(), ways)

    def default(self, index: int, family: int) -> bytes:
        """The gateway of the default route, by one dump of the table main."""
        found = self._routes(get_defaults, read_default, family, index)
        usable = [one for one in found if one is not None and one[1] == index]
        return min(usable)[2] if usable else b""

    def sources(self, family: int) -> list[tuple[bytes, str]]:
        """The routes with a source, by one dump."""
        found = self._routes(get_routes, read_source, family)
        return [one for one in found if one is not None]

    def routers(self, family: int) -> list[tuple[bytes, str]]:
        """The gateways of routes, by one dump."""
        return [one for found in self._routes(get_routes, read_routers, family) for one in found]

    def _rules(self) -> list[Rule]:
        found = self._dump("list of rules", ALL_RULES, RTM_NEWRULE, read_rule)
        return [one for one in found if one is not None]

    def _routes(
        self, request: Callable[..., bytes], read: Callable[..., Any], *words: int
    ) -> list[Any]:
        try:
            return self._dump("list of routes", request(0, *words), RTM_NEWROUTE, read)
        except KernelError as problem:
            if problem.errno != ENOENT:
                raise
            return []  # Linux makes a table of IPv4 with its first route
