"""Local routes with our mark through pyroute2."""

from __future__ import annotations

from socket import inet_pton

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


def local_routes(route: Any) -> list[LocalRoute]:
    """The local routes of ours, of both families."""
    found = []
    for family in (AF_INET, AF_INET6):
        for one in route.get_routes(family=family, table=RT_TABLE_LOCAL):
            text, slot = one.get_attr("RTA_DST"), slot_of(one.get_attr("RTA_PRIORITY") or 0)
            ours = (one["proto"], one["type"]) == (PROTOCOL, RTN_LOCAL)
            if ours and text and slot >= 0:
                index = one.get_attr("RTA_OIF")
                network = inet_pton(family, text)
                found.append(LocalRoute(index, family, network, one["dst_len"], slot))
    return found


def _write(route: Any, verb: str, index: int, step: AddLocal | DelLocal) -> None:
    found = step.route
    route.route(
        verb,
        family=found.family,
        dst=found.text,
        oif=index,
        table=RT_TABLE_LOCAL,
        proto=PROTOCOL,
        scope=RT_SCOPE_HOST if found.family == AF_INET else RT_SCOPE_UNIVERSE,
        type=RTN_LOCAL,
        priority=found.metric,
    )


WRITERS: dict[type[Step], Callable[[Any, int, Any], object]] = {
    AddLocal: lambda route, index, step: _write(route, "add", index, step),
    DelLocal: lambda route, index, step: _write(route, "del", index, step),
}
"""Class of step: the call of the library."""
