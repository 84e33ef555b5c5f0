"""The device of a tunnel: the steps that make it as its line says, and routes on it that nobody
asked for. Pure.

The address comes with its prefix length and without the connected route of that: the route would
claim the whole network for a device with one machine behind it, and its hosts would be unreachable.
What is sent from the address is looked up in a table of its own, which leads into the tunnel.
"""

from __future__ import annotations

from netalias.kinds.device import ADDRGEN_NONE, NO_INET6
from netalias.model import (
    AF_INET6,
    FOREVER,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_PERMANENT,
    Address,
    address_text,
)
from netalias.model.gateways import (
    FROM_PRIORITY,
    AddRule,
    AddWay,
    DelRule,
    Rule,
    SetGsoSize,
    Way,
    tunnel_table,
    unit_of_table,
)
from netalias.model.prefix import network
from netalias.model.steps import QUIET, REMOVE, SET, AddAddress, DelAddress, SetLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from netalias.desired.tunnels import Outer, Vif
    from netalias.model import Device
    from netalias.model.gateways import Gateways
    from netalias.model.steps import Step

SUPERPACKET = 60_000
"""Bytes of the largest superpacket: cut into slices, each with a header of IPv6 and TCP, it still
makes one train of datagrams that the kernel passes on as a whole (65 493 bytes), over paths of 1280
to 1500 bytes."""
SEALED = 58_000
"""The same where each slice is sealed besides."""


def address_of(vif: Vif, index: int) -> Address:
    """The address of a device as it is to be."""
    flags = IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE
    if vif.type.family == AF_INET6:
        flags |= IFA_F_NODAD
    return Address(index, vif.type.family, vif.local, vif.prefixlen, flags)


def rule_of(vif: Vif) -> Rule:
    """The rule for what is sent from the address."""
    table = tunnel_table(unit(vif))
    return Rule("", vif.type.family, table, FROM_PRIORITY, vif.local)


def way_of(vif: Vif, index: int) -> Way:
    """The route of its table."""
    return Way(index, vif.type.family, tunnel_table(unit(vif)))


def unit(vif: Vif) -> int:
    """The number in the name of a device."""
    from netalias.desired.tunnels import unit_of

    return unit_of(vif.name)


def settle(
    vif: Vif, device: Device, entries: Iterable[Address], found: Gateways, mtu: int
) -> list[Step]:
    """The steps that are missing until *device* is as its line says; none when it is.

    *entries* are its addresses, *found* the rules and routes with our mark, *mtu* is in bytes.
    """
    place = device.name, device.index
    wanted = address_of(vif, device.index)
    steps: list[Step] = []
    there = False
    for one in entries:
        if one.local != vif.local:
            continue
        same = one.prefixlen == vif.prefixlen and one.flags & IFA_F_NOPREFIXROUTE
        if same and one.peer in (b"", one.local) and one.valid == FOREVER:
            there = True
        else:
            steps.append(DelAddress(*place, one, REMOVE))
    steps += prepared(device, mtu, largest(vif.outer))
    if not there:
        steps.append(AddAddress(*place, wanted))
    if not device.up:
        steps.append(SetLink(*place, up=True))
    if way_of(vif, device.index) not in found.ways:
        steps.append(AddWay(*place, way_of(vif, device.index)))
    if rule_of(vif) not in found.rules:
        steps.append(AddRule(rule_of(vif)))
    return steps


def retired(device: Device, entries: Iterable[Address], lost: Container[bytes]) -> list[Step]:
    """The steps that delete the packed addresses *lost* of a device."""
    place = device.name, device.index
    return [DelAddress(*place, one, REMOVE) for one in entries if one.local in lost]


def largest(outer: Outer) -> int:
    """Bytes of the largest superpacket that makes one train."""
    return SEALED if outer.key else SUPERPACKET


def prepared(device: Device, mtu: int, superpacket: int = SUPERPACKET) -> list[Step]:
    """The steps that come before a device goes up, and that set its MTU, as far as they are
    missing. *superpacket* is largest()."""
    place = device.name, device.index
    steps: list[Step] = []
    if not device.up:
        # No link-local address, and so no solicitation of a router into the tunnel.
        steps.append(SetLink(*place, QUIET, addrgen=ADDRGEN_NONE, tolerate=NO_INET6))
        steps.append(SetGsoSize(*place, superpacket))
    if device.mtu != mtu:
        steps.append(SetLink(*place, SET, mtu=mtu))
    return steps


def leftovers(vifs: Iterable[Vif], found: Gateways) -> list[Step]:
    """The steps that delete rules of tunnels which none of *vifs* has; the routes go with the
    devices."""
    wanted = [rule_of(one) for one in vifs]
    return [
        DelRule(one, REMOVE)
        for one in found.rules
        if unit_of_table(one.table) >= 0 and one.priority == FROM_PRIORITY and one not in wanted
    ]


def claimed(device: Device, entries: Iterable[Address]) -> list[tuple[str, str]]:
    """The networks that addresses of others have routed to the device of a tunnel: each as text,
    with the command that deletes its route."""
    found = []
    for one in entries:
        if one.routed and not one.secondary:
            net = f"{address_text(one.family, network(one.local, one.prefixlen))}/{one.prefixlen}"
            ip = "ip -6" if one.family == AF_INET6 else "ip"
            found.append((net, f"{ip} route del {net} dev {device.name}"))
    return found


def described(claims: Sequence[tuple[str, str]], name: str) -> list[str]:
    """A sentence on each of the claimed() networks of the device *name*."""
    return [
        f"{name}: {net} is routed into the tunnel by an address of others, which cuts off its hosts"
        f" ({command})"
        for net, command in claims
    ]
