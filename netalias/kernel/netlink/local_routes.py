"""Messages about local routes with our mark: struct rtmsg of linux/rtnetlink.h. Loaded only where
there are any."""

from __future__ import annotations

from _struct import Struct, error  # type: ignore[attr-defined]

from netalias.errors import WireError
from netalias.kernel.netlink.codec import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTA_DST,
    RTA_OIF,
    RTA_PRIORITY,
    RTM_DELROUTE,
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
    PROTOCOL,
    RT_SCOPE_HOST,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_LOCAL,
    RTN_LOCAL,
)
from netalias.model.local_routes import AddLocal, DelLocal, LocalRoute, slot_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netalias.model.steps import Step

SIZES = {AF_INET: 4, AF_INET6: 16}
_U32 = Struct("=I")


def read_local(data: bytes, start: int, end: int) -> LocalRoute | None:
    """The LocalRoute of a route message; None for any other route. Raises WireError."""
    found = attributes_behind(data, start, end, RTMSG)
    family, length, _, _, table, protocol, _, kind, _ = RTMSG.unpack_from(data, start)
    if (table, protocol, kind) != (RT_TABLE_LOCAL, PROTOCOL, RTN_LOCAL) or family not in SIZES:
        return None
    if not {RTA_DST, RTA_OIF, RTA_PRIORITY} <= found.keys():
        return None
    try:
        (index,), (metric,) = (_U32.unpack(found[one]) for one in (RTA_OIF, RTA_PRIORITY))
    except error as problem:
        raise WireError(f"a route message is malformed: {problem}") from None
    network, slot = found[RTA_DST], slot_of(metric)
    if len(network) != SIZES[family]:
        raise WireError(f"a route of family {family} with a network of {len(network)} bytes")
    return LocalRoute(index, family, network, length, slot) if slot >= 0 else None


def listed(dump: Callable[..., list[Any]], request: bytes) -> list[LocalRoute]:
    """The local routes with our mark that answer *request*; *dump* is that of Netlink."""
    found = dump("list of local routes", request, RTM_NEWROUTE, read_local)
    return [one for one in found if one is not None]


def _encoder(kind: int, flags: int) -> Callable[[int, int, Any], bytes]:
    """The encoder of a step: (sequence, ifindex, step) -> message."""

    def encode(sequence: int, index: int, step: AddLocal | DelLocal) -> bytes:
        route = step.route
        scope = RT_SCOPE_HOST if route.family == AF_INET else RT_SCOPE_UNIVERSE
        head = RTMSG.pack(
            route.family, route.prefixlen, 0, 0, RT_TABLE_LOCAL, PROTOCOL, scope, RTN_LOCAL, 0
        )
        body = (
            head,
            attr(RTA_DST, route.network),
            attr_u32(RTA_OIF, index),
            attr_u32(RTA_PRIORITY, route.metric),
        )
        return message(kind, flags, sequence, b"".join(body))

    return encode


ENCODERS: dict[type[Step], Callable[[int, int, Any], bytes]] = {
    AddLocal: _encoder(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL),
    DelLocal: _encoder(RTM_DELROUTE, 0),
}
"""Class of step: its encoder, (sequence, ifindex, step) -> message."""
