"""Proxy neighbour entries through pyroute2, and the conditions under which they work."""

from __future__ import annotations

from socket import inet_pton

from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST, nlmsg  # type: ignore[import-untyped]
from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]
from pyroute2.netlink.rtnl import (  # type: ignore[import-untyped]
    RTM_GETNEIGH,
    RTM_GETNETCONF,
    RTM_NEWNETCONF,
)
from pyroute2.netlink.rtnl.ndmsg import ndmsg  # type: ignore[import-untyped]

from netalias.kernel.netlink.neighbours import NETCONFA_IFINDEX_ALL as ALL
from netalias.kernel.netlink.neighbours import NTF_PROXY, NUD_PERMANENT
from netalias.model import RTN_LOCAL, RTN_UNICAST, address_text
from netalias.model.neighbours import AddProxy, DelProxy, Proxy, Surroundings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netalias.model.steps import Step


class _Netconf(nlmsg):  # type: ignore[misc]
    """struct netconfmsg of linux/netconf.h, which the library lacks."""

    prefix = "NETCONFA_"
    fields = (("family", "B"), ("__pad", "3x"))
    nla_map = (
        (1, "NETCONFA_IFINDEX", "int32"),
        (2, "NETCONFA_FORWARDING", "int32"),
        (5, "NETCONFA_PROXY_NEIGH", "int32"),
    )


def proxies(route: Any) -> list[Proxy]:
    """All proxy entries; the library has no method that requests them."""
    request = ndmsg()
    request["flags"] = NTF_PROXY
    return [
        Proxy(
            found["ifindex"],
            found["family"],
            inet_pton(found["family"], found.get_attr("NDA_DST")),
            found.get_attr("NDA_PROTOCOL") or 0,
            found["flags"] & ~NTF_PROXY,
        )
        for found in _dump(route, request, RTM_GETNEIGH)
    ]


def surroundings(route: Any, index: int, family: int, local: bytes) -> Surroundings:
    """The Surroundings of one address, for the device *index*."""
    route.asyncore.marshal.msg_map[RTM_NEWNETCONF] = _Netconf
    request = _Netconf()
    request["family"] = family
    settings = {
        found.get_attr("NETCONFA_IFINDEX"): found for found in _dump(route, request, RTM_GETNETCONF)
    }
    kind, out = _way(route, family, local)
    return Surroundings(
        forwarding=_setting(settings.get(index), "FORWARDING"),
        everywhere=_setting(settings.get(ALL), "FORWARDING"),
        answering=any(_setting(settings.get(one), "PROXY_NEIGH") for one in (index, ALL)),
        delay=_delay(route, family, index),
        out=out,
        back=_setting(settings.get(out), "FORWARDING"),
        local=kind == RTN_LOCAL,
    )


def _dump(route: Any, request: Any, kind: int) -> list[Any]:
    request["header"]["type"] = kind
    request["header"]["flags"] = NLM_F_REQUEST | NLM_F_DUMP
    return list(route.nlm_request_batch([request]))


def _setting(found: Any, name: str) -> bool:
    return bool(found is not None and found.get_attr(f"NETCONFA_{name}"))


def _way(route: Any, family: int, local: bytes) -> tuple[int, int]:
    """Type (RTN_*) and device of the route to an address, or zeros without one."""
    try:
        (found,) = route.route("get", family=family, dst=address_text(family, local))
    except NetlinkError:
        return 0, 0
    if found["type"] not in (RTN_UNICAST, RTN_LOCAL):
        return 0, 0
    return found["type"], found.get_attr("RTA_OIF")


def _delay(route: Any, family: int, index: int) -> int:
    for table in route.get_ntables(family=family):
        parms = table.get_attr("NDTA_PARMS")
        if parms is not None and parms.get_attr("NDTPA_IFINDEX") == index:
            return int(parms.get_attr("NDTPA_PROXY_DELAY"))
    return 0


def _words(index: int, proxy: Proxy) -> dict[str, Any]:
    return {
        "family": proxy.family,
        "ifindex": index,
        "dst": address_text(proxy.family, proxy.local),
        "flags": proxy.flags | NTF_PROXY,
        "state": NUD_PERMANENT,
    }


def _add(route: Any, index: int, step: AddProxy) -> None:
    words = _words(index, step.proxy)
    if step.proxy.protocol:
        words["protocol"] = step.proxy.protocol
    route.neigh("add", **words)


WRITERS: dict[type[Step], Callable[[Any, int, Any], object]] = {
    AddProxy: _add,
    DelProxy: lambda route, index, step: route.neigh("del", **_words(index, step.proxy)),
}
