"""The filters that a device asks for, derived from its addresses. Pure.

Those of the devices on top of it count too: aliases of kind macvlan or ipvlan, VLANs. Nothing is
filtered where it cannot be known who wants what: the device is a port of a bridge, a virtual
machine is on top of it, somebody has made it promiscuous, or it has no address yet.
"""

from __future__ import annotations

from netalias.filters import Filters
from netalias.model import AF_INET, AF_INET6, IFF_NOARP
from netalias.model.events import ADDRESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.filters import Range
    from netalias.model import Address, Device
    from netalias.model.events import Event, State

ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = 0x0800, 0x0806, 0x86DD
IFF_PROMISC = 0x100
BROADCAST = 0xFFFFFFFFFFFF
GROUPS: dict[int, tuple[Range, ...]] = {
    AF_INET: ((0x01005E000000, 0x01005E7FFFFF), (BROADCAST, BROADCAST)),
    AF_INET6: ((0x333300000000, 0x3333FFFFFFFF),),
}
"""Family: the MACs of its groups (RFC 1112, 6.4; RFC 2464, 7)."""
ROUTED = "vrf"
"""The kind of a master whose ports keep their addresses."""
UNKNOWN = ("macvtap", "ipvtap")
"""Kinds of devices behind which somebody else has addresses."""


def filters(state: State, index: int, *, link_local: bool) -> Filters:
    """The frames that the device with this index wants to get; *link_local*: an IPv6 address of the
    link alone is a reason to want IPv6."""
    device = state.device(index)
    if device is None:
        return Filters()
    stacked = [device, *_uppers(state, index)]
    if any(_is_open(state, one) for one in stacked):
        return Filters()
    families: set[int] = set()
    arp = False
    for one in stacked:
        for _, entry in state.of(one.index, ADDRESS):
            if link_local or not _is_link_local(entry.address):
                families.add(entry.address.family)
                arp |= entry.address.family == AF_INET and not one.flags & IFF_NOARP
    types = [ETH_P_IP] * (AF_INET in families) + [ETH_P_ARP] * arp
    types += [ETH_P_IPV6] * (AF_INET6 in families)
    groups = [one for family in sorted(families) for one in GROUPS.get(family, ())]
    return Filters([(one, one) for one in types], groups)


def sources(state: State, index: int) -> frozenset[int]:
    """The indexes of the devices on which filters() depends: what is stacked on one, and their
    masters. With index 0, for a device that is not known yet, every device counts."""
    stacked = [one for one in (state.device(index), *_uppers(state, index)) if one is not None]
    masters = {one.master for one in stacked if one.master}
    return frozenset({index, *masters, *(one.index for one in stacked)})


def concerns(event: Event, indexes: frozenset[int]) -> bool:
    """Whether an event may change what filters() gives; *indexes* were its sources() before."""
    device = event.device
    return device is not None and (device.index in indexes or device.link in indexes)


def _uppers(state: State, index: int) -> Iterator[Device]:
    """The devices that are stacked on one, however high."""
    below = {index}
    while True:
        found = [
            one for one in state.devices()
            if one.link in below and not one.remote and one.index not in below
        ]  # fmt: skip
        if not found:
            return
        yield from found
        below |= {one.index for one in found}


def _is_open(state: State, device: Device) -> bool:
    """Whether others than this host may want what comes to a device."""
    master = state.device(device.master) if device.master else None
    port = bool(device.master) and (master is None or master.kind != ROUTED)
    return port or bool(device.flags & IFF_PROMISC) or device.kind in UNKNOWN


def _is_link_local(address: Address) -> bool:
    """Whether an address is one of fe80::/10."""
    first, second = address.local[:2]
    return address.family == AF_INET6 and first == 0xFE and second & 0xC0 == 0x80
