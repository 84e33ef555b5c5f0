"""Checks of default routes that refuse packets: unreachable, blackhole, prohibit (ip-route(8))."""

from __future__ import annotations

from netalias.doctor.facts import FAR, text_of
from netalias.doctor.finding import ERROR, HINT, Finding, finding
from netalias.model import AF_INET, AF_INET6, RT_TABLE_MAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts

REFUSING = {6: "blackhole", 7: "unreachable", 8: "prohibit"}
"""RTN_* of linux/rtnetlink.h: the word of ip-route(8)."""
COMMANDS = {AF_INET: ("ip", "IPv4"), AF_INET6: ("ip -6", "IPv6")}


def barred_gateway(facts: Facts) -> Iterator[Finding]:
    """A default route that refuses packets ends the lookup of a socket that is bound to the device
    of an alias before the rule of its gateway, whatever metric it has.

    Those of IPv6 belong to the device lo, and so do not match such a lookup.
    """
    for word in _barriers(facts, AF_INET):
        for alias in facts.aliases:
            if alias.family == AF_INET and alias.gateway and alias.device is not None and alias.up:
                yield finding(
                    alias,
                    ERROR,
                    f"sockets that are bound to {alias.device.name} reach nothing beyond its"
                    f" segment, though {text_of(alias)} has a gateway",
                    f"the route '{word} default' of the table main ends the search before it",
                    f"ip route del {word} default",
                )


def barred(facts: Facts) -> Iterator[Finding]:
    """The default route of a family in force refuses what the host sends, from whatever address."""
    for family, (ip, name) in COMMANDS.items():
        if not facts.mains or FAR[family] in facts.ways:
            continue
        if any(facts.own_addresses(main, family) for main in facts.mains):
            for word in _barriers(facts, family)[:1]:
                yield Finding(
                    HINT,
                    f"what the host sends to other networks over {name} is refused",
                    f"its default route is '{word} default'",
                    f"{ip} route del {word} default",
                )


def _barriers(facts: Facts, family: int) -> list[str]:
    """The words for the default routes of the table main that refuse packets."""
    return [
        REFUSING[route.type]
        for route in facts.routes
        if (route.table, route.family, route.prefixlen) == (RT_TABLE_MAIN, family, 0)
        and route.type in REFUSING
    ]
