"""What netalias says at creation where an alias cannot be reached: one sentence, or none."""

from __future__ import annotations

from places import HERE, Place

ARP = "nobody answers ARP for"
NDP = "nobody answers NDP for"
ROUTE = "a dummy brings no route for"


def expected(kind: str, place: Place, arp_ignore: int) -> str:
    """The warning without ``netalias: warning: eth9:0: ``; empty where the alias works."""
    if kind != "dummy" or place.network == "routed":
        return ""
    if place.network == "new":
        network = {"IPv4": "10.9.9.0/24", "IPv6": "2001:db8:9::/64"}[place.family]
        return f"{ROUTE} {network}"
    if place.family == "IPv6":
        return f"{NDP} {place.alias}: a dummy is reached only by routes"
    if arp_ignore:
        return f"{ARP} {place.alias}: arp_ignore of {HERE} is {arp_ignore}"
    return ""


def no_kind(kind: str) -> str:
    """How a kind is refused that the kernel lacks."""
    return f"kind {kind} cannot serve: this kernel does not have it"
