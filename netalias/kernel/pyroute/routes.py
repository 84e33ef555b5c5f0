"""Connected routes through pyroute2."""

from __future__ import annotations

from socket import inet_pton

from netalias.kernel.netlink.routes import RTPROT_KERNEL
from netalias.model import AF_INET, AF_INET6, RT_SCOPE_LINK, RTN_UNICAST, address_text
from netalias.model.routes import AddRoute, Connected, DelRoute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netalias.model.steps import Step


def connected(route: Any) -> list[Connected]:
    """The connected routes of both families."""
    found = []
    for family in (AF_INET, AF_INET6):
        for one in route.get_routes(family=family):
            text, index = one.get_attr("RTA_DST"), one.get_attr("RTA_OIF")
            if (one["proto"], one["type"]) != (RTPROT_KERNEL, RTN_UNICAST) or not (text and index):
                continue
            source = one.get_attr("RTA_PREFSRC")
            found.append(
                Connected(
                    family,
                    index,
                    inet_pton(family, text),
                    one["dst_len"],
                    metric=one.get_attr("RTA_PRIORITY") or 0,
                    source=inet_pton(family, source) if source else b"",
                )
            )
    return found


def _words(index: int, route: Connected) -> dict[str, Any]:
    words: dict[str, Any] = {
        "family": route.family,
        "dst": f"{address_text(route.family, route.network)}/{route.prefixlen}",
        "oif": index,
        "proto": RTPROT_KERNEL,
    }
    if route.family == AF_INET:
        words["scope"] = RT_SCOPE_LINK
    if route.source:
        words["prefsrc"] = address_text(route.family, route.source)
    if route.metric:
        words["priority"] = route.metric
    return words


WRITERS: dict[type[Step], Callable[[Any, int, Any], object]] = {
    AddRoute: lambda route, index, step: route.route("append", **_words(index, step.route)),
    DelRoute: lambda route, index, step: route.route("del", **_words(index, step.route)),
}
"""Class of step: the call of the library."""
