"""Messages about connected routes: struct rtmsg of linux/rtnetlink.h. Loaded only for them."""

from __future__ import annotations

from _struct import Struct, error  # type: ignore[attr-defined]

from netalias.errors import WireError
from netalias.kernel.netlink.codec import (
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_DUMP,
    RTA_DST,
    RTA_OIF,
    RTA_PREFSRC,
    RTA_PRIORITY,
    RTM_DELROUTE,
    RTM_GETROUTE,
    RTM_NEWROUTE,
    RTMSG,
    attr,
    attr_u32,
    attributes_behind,
    message,
)
from netalias.model import (
    AF_INET,
    AF_INET6,
    RT_SCOPE_LINK,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_LOCAL,
    RT_TABLE_MAIN,
    RTN_LOCAL,
    RTN_UNICAST,
)
from netalias.model.routes import AddRoute, Connected, DelRoute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netalias.model.steps import Step

    Place = tuple[int, bytes]

FEW = 8
"""Routes that are asked for one by one: a host may have thousands."""
RTPROT_KERNEL = 2
_U32 = Struct("=I")


def get_connected(sequence: int, family: int) -> bytes:
    """RTM_GETROUTE for the unicast routes of a family that the kernel itself has added."""
    header = RTMSG.pack(family, 0, 0, 0, 0, RTPROT_KERNEL, 0, RTN_UNICAST, 0)
    return message(RTM_GETROUTE, NLM_F_DUMP, sequence, bytes(header))


def read_connected(data: bytes, start: int, end: int) -> Connected | None:
    """The Connected of an RTM_NEWROUTE; None for any other route: an older kernel filters none."""
    found = attributes_behind(data, start, end, RTMSG)
    family, length, _, _, _, protocol, _, kind, _ = RTMSG.unpack_from(data, start)
    other = RTA_OIF not in found or RTA_DST not in found
    if other or (protocol, kind) != (RTPROT_KERNEL, RTN_UNICAST):
        return None
    try:
        (index,) = _U32.unpack(found[RTA_OIF])
        (metric,) = _U32.unpack(found.get(RTA_PRIORITY, bytes(4)))
    except error as problem:
        raise WireError(f"a route message is malformed: {problem}") from None
    source = found.get(RTA_PREFSRC, b"")
    return Connected(family, index, found[RTA_DST], length, metric=metric, source=source)


def connected(dump: Callable[..., list[Any]]) -> list[Connected]:
    """The connected routes of both families; *dump* is that of Netlink."""
    found = []
    for family in (AF_INET, AF_INET6):
        found += dump(
            "list of routes",
            get_connected(0, family),
            RTM_NEWROUTE,
            read_connected,
        )
    return [one for one in found if one is not None]


def get_local(sequence: int) -> bytes:
    """RTM_GETROUTE for the routes by which IPv6 packets reach the addresses of this host."""
    header = RTMSG.pack(AF_INET6, 0, 0, 0, RT_TABLE_LOCAL, 0, 0, RTN_LOCAL, 0)
    return message(RTM_GETROUTE, NLM_F_DUMP, sequence, bytes(header))


def read_local(data: bytes, start: int, end: int) -> tuple[int, bytes] | None:
    """Ifindex and address of an RTM_NEWROUTE to an address of this host; None for other routes."""
    found = attributes_behind(data, start, end, RTMSG)
    if RTMSG.unpack_from(data, start)[7] != RTN_LOCAL or RTA_OIF not in found:
        return None
    try:
        return _U32.unpack(found[RTA_OIF])[0], found.get(RTA_DST, b"")
    except error as problem:
        raise WireError(f"a route message is malformed: {problem}") from None


def get_local_to(sequence: int, index: int, local: bytes) -> bytes:
    """RTM_GETROUTE for the route of the tables by which packets from a device reach an address."""
    from netalias.kernel.netlink.near import RTM_F_FIB_MATCH

    header = RTMSG.pack(AF_INET6, 128, 0, 0, 0, 0, 0, 0, RTM_F_FIB_MATCH)
    body = bytes(header) + attr(RTA_DST, local) + attr_u32(RTA_OIF, index)
    return message(RTM_GETROUTE, 0, sequence, body)


def delivered(
    dump: Callable[..., list[Any]],
    one: Callable[[str, bytes], tuple[int, bytes, int, int] | None],
    asked: set[Place],
) -> set[Place]:
    """Those of *asked*, each an ifindex and an IPv6 address of this host, to which the kernel
    delivers. *dump* and *one* are those of Netlink."""
    if len(asked) <= FEW:
        answers = {place: _local_to(one, place) for place in asked}
        if all(answer in (None, place) for place, answer in answers.items()):
            return {place for place, answer in answers.items() if answer is not None}
        # Where the answer names another device, such as lo, only the table itself tells.
    found = dump("list of local routes", get_local(0), RTM_NEWROUTE, read_local)
    return asked.intersection(found)


def _local_to(
    one: Callable[[str, bytes], tuple[int, bytes, int, int] | None], place: Place
) -> Place | None:
    """Ifindex and address of the route by which *place* is reached; None if there is none yet."""
    answer = one("local route", get_local_to(0, *place))
    if answer is None or answer[0] != RTM_NEWROUTE:
        return None
    return read_local(*answer[1:])


def _route(kind: int, flags: int) -> Callable[[int, int, Any], bytes]:
    """The encoder of a step: (sequence, ifindex, step) -> message."""

    def encode(sequence: int, index: int, step: AddRoute | DelRoute) -> bytes:
        route = step.route
        scope = RT_SCOPE_LINK if route.family == AF_INET else RT_SCOPE_UNIVERSE
        body = [
            RTMSG.pack(
                route.family, route.prefixlen, 0, 0, RT_TABLE_MAIN, RTPROT_KERNEL, scope,
                RTN_UNICAST, 0,
            ),
            attr(RTA_DST, route.network),
            attr_u32(RTA_OIF, index),
        ]  # fmt: skip
        if route.source:
            body.append(attr(RTA_PREFSRC, route.source))
        if route.metric:
            body.append(attr_u32(RTA_PRIORITY, route.metric))
        return message(kind, flags, sequence, b"".join(body))

    return encode


ENCODERS: dict[type[Step], Callable[[int, int, Any], bytes]] = {
    # It comes behind routes of others to the same network, as the kernel adds it (fib_magic).
    AddRoute: _route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND),
    DelRoute: _route(RTM_DELROUTE, 0),
}
"""Class of step: its encoder, (sequence, ifindex, step) -> message."""
