"""The filters that a device asks for, by its addresses and those of what is on top of it."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from netalias.filters import Filters, wants
from netalias.model import IFF_NOARP, Address, Device
from netalias.model.events import LINK, Entry, State, address_key, apply

V4, V6, LINK_LOCAL = "192.0.2.1", "2001:db8::1", "fe80::1"
TYPES = {"4": (0x0800, 0x0800), "arp": (0x0806, 0x0806), "6": (0x86DD, 0x86DD)}


def stated(*devices: Device, addresses: tuple[tuple[int, str], ...] = ()) -> State:
    """A state with these devices, and addresses by the index of their device."""
    state = State()
    for device in devices:
        apply(state, (LINK, device.index), device)
    for index, text in addresses:
        packed = ip_address(text).packed
        family = 2 if len(packed) == 4 else 10
        address = Address(index, family, packed, prefixlen=24 if family == 2 else 64)
        apply(state, address_key(address), Entry(address))
    return state


def types(state: State, *, link_local: bool = False) -> list[str]:
    """The words for the types that device 7 wants."""
    found = wants.filters(state, 7, link_local=link_local).types
    return [word for word, limits in TYPES.items() if limits in found]


TAP = Device(7, "tap0", kind="tun")


@pytest.mark.parametrize(
    ("addresses", "expected", "with_link_local"),
    [
        ((V4,), ["4", "arp"], ["4", "arp"]),
        ((V6,), ["6"], ["6"]),
        ((V4, V6), ["4", "arp", "6"], ["4", "arp", "6"]),
        ((V4, LINK_LOCAL), ["4", "arp"], ["4", "arp", "6"]),
        ((LINK_LOCAL,), [], ["6"]),
        ((), [], []),
    ],
)
def test_families(
    addresses: tuple[str, ...], expected: list[str], with_link_local: list[str]
) -> None:
    """D-3: an IPv4 address asks for IPv4 and ARP, an IPv6 address for IPv6; one of the link alone
    only where that is asked for. A device without addresses takes everything."""
    state = stated(TAP, addresses=tuple((7, text) for text in addresses))
    assert types(state) == expected
    assert types(state, link_local=True) == with_link_local


def test_noarp() -> None:
    """D-3: a device that does not speak ARP does not ask for it."""
    state = stated(Device(7, "tap0", IFF_NOARP, kind="tun"), addresses=((7, V4),))
    assert types(state) == ["4"]


def test_groups_are_those_of_the_families() -> None:
    """D-3: broadcast and the groups of IPv4; those of IPv6."""
    four, six = (
        wants.filters(stated(TAP, addresses=((7, one),)), 7, link_local=False).groups
        for one in (V4, V6)
    )
    assert four == ((0x01005E000000, 0x01005E7FFFFF), (0xFFFFFFFFFFFF, 0xFFFFFFFFFFFF))
    assert six == ((0x333300000000, 0x3333FFFFFFFF),)
    state = stated(TAP, addresses=((7, V4), (7, V6)))
    assert wants.filters(state, 7, link_local=False).groups == four + six


def test_what_is_on_top_counts() -> None:
    """An alias of kind macvlan, and a VLAN on a VLAN; not one whose lower device is elsewhere."""
    alias = Device(8, "tap0_0", kind="macvlan", link=7)
    vlan, inner = Device(9, "tap0.5", kind="vlan", link=7), Device(10, "in", kind="vlan", link=9)
    other = Device(11, "m", kind="macvlan", link=7, remote=True)
    addresses = ((7, V4), (11, V6))
    assert types(stated(TAP, alias, vlan, inner, other, addresses=addresses)) == ["4", "arp"]
    for index in (8, 9, 10):
        state = stated(TAP, alias, vlan, inner, other, addresses=(*addresses, (index, V6)))
        assert types(state) == ["4", "arp", "6"]


@pytest.mark.parametrize(
    "devices",
    [
        (Device(7, "tap0", kind="tun", master=3), Device(3, "br0", kind="bridge")),
        (Device(7, "tap0", kind="tun", master=3),),
        (Device(7, "tap0", 0x100, kind="tun"),),
        (TAP, Device(8, "vm", kind="macvtap", link=7)),
        (TAP, Device(8, "v", kind="vlan", link=7, master=3), Device(3, "br0", kind="bridge")),
    ],
    ids=["port", "port of a stranger", "promiscuous", "virtual machine", "port above"],
)
def test_what_others_want_is_not_known(devices: tuple[Device, ...]) -> None:
    """No filter at all, whatever addresses there are."""
    assert wants.filters(stated(*devices, addresses=((7, V4),)), 7, link_local=True) == Filters()


def test_a_port_of_a_vrf_keeps_its_addresses() -> None:
    """Frames go to the port itself."""
    vrf = Device(3, "red", kind="vrf")
    state = stated(Device(7, "tap0", kind="tun", master=3), vrf, addresses=((7, V4),))
    assert types(state) == ["4", "arp"]


def test_a_device_that_is_not_there() -> None:
    """No filter."""
    assert wants.filters(State(), 7, link_local=False) == Filters()


VLAN, OTHER = Device(8, "tap0.5", kind="vlan", link=7), Device(9, "eth0")
BRIDGE = Device(3, "br0", kind="bridge")
CHANGES = {
    "its address": (True, address_key(ADDRESS := Address(7, 2, bytes(4), 24)), Entry(ADDRESS)),
    "its flags": (True, (LINK, 7), Device(7, "tap0", IFF_NOARP, kind="tun", master=3)),
    "its master": (True, (LINK, 3), Device(3, "br0", kind="vrf")),
    "a device above": (True, (LINK, 10), Device(10, "top", kind="macvtap", link=8)),
    "the address of one": (True, address_key(ABOVE := Address(8, 2, bytes(4), 24)), Entry(ABOVE)),
    "one goes": (True, (LINK, 8), None),
    "another": (False, (LINK, 9), Device(9, "eth0", 1)),
    "an address of another": (False, address_key(FAR := Address(9, 2, bytes(4), 24)), Entry(FAR)),
    "a device that comes": (False, (LINK, 11), Device(11, "eth1", link=9)),
}
"""Change: whether it may concern what device 7 wants, the object, and its value."""


@pytest.mark.parametrize("change", CHANGES)
def test_events_that_concern_it(change: str) -> None:
    """Thousands of aliases that come elsewhere make nothing of it anew."""
    concerned, key, value = CHANGES[change]
    state = stated(Device(7, "tap0", kind="tun", master=3), VLAN, OTHER, BRIDGE)
    before = wants.sources(state, 7)
    assert before == {3, 7, 8}
    found = apply(state, key, value)
    assert found
    assert any(wants.concerns(event, before) for event in found) == concerned
