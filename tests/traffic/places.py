"""Who has which address on the stage, and what the rows and columns of the matrix are.

    here --eth9----p9-- peer --r8----f8-- far

Aliases stand on eth9. The peer has an address in the network of eth9 and one in the new network,
and routes to the far host; it routes the addresses of the rows ``routed`` to eth9.
"""

from __future__ import annotations

from typing import NamedTuple

KINDS = ("macvlan", "ipvlan", "dummy", "label", "shard")
RP_FILTER = (0, 1, 2)
"""On all, default and the main device."""
ARP_IGNORE = (0, 1)
"""On the main device, before there is an alias."""
COLUMNS = [(rp_filter, arp_ignore) for rp_filter in RP_FILTER for arp_ignore in ARP_IGNORE]

WAYS = {
    "to": "from the peer to the alias",
    "from": "from here, bound to the address of the alias",
    "device": "the same, bound to the device as well (SO_BINDTODEVICE)",
    "beyond": "by the gateway of the alias, a router between, bound to the device on this side",
    "asked": "ARP or NDP asked for the alias",
    "router": "both ways, with a router between",
}
"""How a row is tried, in this order."""

NETWORKS = {
    "own": "an address inside the network of the main device",
    "new": "a network of its own, with its length",
    "routed": "a host address outside of both, which the peer routes to the main device",
}

HERE, PEER, ROUTER, FAR = ("eth9", "p9", "r8", "f8")


class Place(NamedTuple):
    """Where an alias of one row stands: its slot, its address, the length that is given."""

    family: str
    network: str
    slot: int
    alias: str
    length: str
    peer: str

    @property
    def name(self) -> str:
        """``eth9:0``."""
        return f"{HERE}:{self.slot}"

    @property
    def device(self) -> str:
        """``eth9_0``."""
        return f"{HERE}_{self.slot}"

    @property
    def given(self) -> str:
        """What stands on the command line."""
        return self.alias + self.length

    @property
    def far(self) -> str:
        """The host behind the router."""
        return FAR_HOST[self.family]

    @property
    def ways(self) -> list[str]:
        """A routed address is nobody's neighbour: it is neither asked for nor bound to a device."""
        kept = ("to", "from", "router") if self.network == "routed" else tuple(WAYS)
        return [way for way in WAYS if way in kept]


PLACES = [
    Place("IPv4", "own", 0, "10.0.0.5", "", "10.0.0.200"),
    Place("IPv4", "new", 1, "10.9.9.1", "/24", "10.9.9.200"),
    Place("IPv4", "routed", 2, "10.8.8.1", "", "10.0.0.200"),
    Place("IPv6", "own", 3, "2001:db8::5", "", "2001:db8::200"),
    Place("IPv6", "new", 4, "2001:db8:9::1", "/64", "2001:db8:9::200"),
    Place("IPv6", "routed", 5, "2001:db8:8::1", "", "2001:db8::200"),
]

SIBLINGS = {"IPv4": ("eth9:8", "10.0.0.8"), "IPv6": ("eth9:9", "2001:db8::8")}
"""Another alias on the same device. Its answer tells that every answer before it is there."""

MAIN = {"IPv4": "10.0.0.1", "IPv6": "2001:db8::1"}
FAR_HOST = {"IPv4": "172.16.0.2", "IPv6": "2001:db8:f::2"}

STATIONS = {
    "here": [
        f"addr add {MAIN['IPv4']}/24 dev {HERE}",
        f"addr add {MAIN['IPv6']}/64 dev {HERE} nodad",
        f"addr add fe80::1/64 dev {HERE} nodad",
        f"route add 172.16.0.0/24 via 10.0.0.200 dev {HERE}",
        f"route add 2001:db8:f::/64 via 2001:db8::200 dev {HERE}",
    ],
    "peer": [
        f"addr add 10.0.0.200/24 dev {PEER}",
        f"addr add 10.9.9.200/24 dev {PEER}",
        f"addr add 172.16.0.1/24 dev {ROUTER}",
        *(f"addr add {one}/64 dev {PEER} nodad" for one in ("2001:db8::200", "2001:db8:9::200")),
        f"addr add fe80::200/64 dev {PEER} nodad",
        *(f"addr add {one}/64 dev {ROUTER} nodad" for one in ("2001:db8:f::1", "fe80::f1")),
        f"route add 10.8.8.0/24 via {MAIN['IPv4']} dev {PEER}",
        f"route add 2001:db8:8::/64 via {MAIN['IPv6']} dev {PEER}",
    ],
    "far": [
        f"addr add 172.16.0.2/24 dev {FAR}",
        *(f"addr add {one}/64 dev {FAR} nodad" for one in ("2001:db8:f::2", "fe80::f2")),
        f"route add default via 172.16.0.1 dev {FAR}",
        f"route add default via 2001:db8:f::1 dev {FAR}",
    ],
}
"""What ``ip -batch`` reads in each namespace."""
