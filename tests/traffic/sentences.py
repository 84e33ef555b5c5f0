"""What netalias says at creation where an alias cannot be reached: one sentence, or none."""

from __future__ import annotations

from places import HERE, Place

ARP = "nobody answers ARP for"
NDP = "nobody answers NDP for"
ROUTE = "no route leads to"
NO_CARRIER = "kind shard cannot serve: this kernel has neither dummy nor ifb devices"


def expected(kind: str, place: Place, arp_ignore: int) -> list[str]:
    """The warnings without ``netalias: warning: eth9:0: ``; none where the alias works.

    A dummy is not on the wire: its main device answers ARP for it, nobody answers NDP, and the way
    to its network is not known. What is routed to it arrives.
    """
    if kind == "shard":
        return _of_shard(place, arp_ignore)
    if kind != "dummy" or place.network == "routed":
        return []
    if place.family == "IPv6":
        return [f"{NDP} {place.alias}: a dummy is reached only by routes"]
    found = []
    if arp_ignore:
        found.append(f"{ARP} {place.alias}: arp_ignore of {HERE} is {arp_ignore}")
    if place.network == "new":
        route = f"10.9.9.0/24 dev {HERE} src {place.alias}"
        found.append(f"{ROUTE} 10.9.9.0/24: a dummy brings none (ip route add {route})")
    return found


def _of_shard(place: Place, arp_ignore: int) -> list[str]:
    """A shard is refused unless its main device answers ARP for it, and for IPv6."""
    if place.family == "IPv6":
        why = f"nobody would answer for {place.alias} (kind label or macvlan)"
        return [f"a shard is an IPv4 address: {why}"]
    if arp_ignore:
        why = f"{HERE} has to answer ARP for it, and its arp_ignore is {arp_ignore}"
        return [f"kind shard cannot serve: {why}"]
    if place.network == "new":
        route = f"10.9.9.0/24 dev {HERE} src {place.alias}"
        return [f"{ROUTE} 10.9.9.0/24: a shard brings none (ip route add {route})"]
    return []


def no_kind(kind: str) -> str:
    """How a kind is refused that the kernel lacks."""
    return f"kind {kind} cannot serve: this kernel does not have it"
