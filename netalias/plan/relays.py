"""Prefixes that a relay takes through a tunnel: routes, publication, and what keeps them from it.

The packets of others for a prefix come to this host because a device of it answers for the prefix,
go into the tunnel by a route, and are forwarded between the two. Single addresses are proxy
neighbour entries, for which the kernel answers (proxies.py); for networks the watcher answers,
whatever proxy_ndp and arp_ignore are. Pure.
"""

from __future__ import annotations

from netalias.model import AF_INET6, RT_TABLE_MAIN, address_text
from netalias.model.gateways import AddWay, DelWay, Way
from netalias.model.steps import SetLink
from netalias.plan import proxies, tunnels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.desired.relays import Prefix
    from netalias.desired.tunnels import Outer
    from netalias.model import Device
    from netalias.model.neighbours import Surroundings
    from netalias.model.steps import Step
    from netalias.plan.proxies import Case, Fault, Wanted


def raised(device: Device, mtu: int, outer: Outer) -> list[Step]:
    """The steps that are missing until the device of a tunnel is up."""
    steps = tunnels.prepared(device, mtu, tunnels.largest(outer))
    return steps if device.up else [*steps, SetLink(device.name, device.index, up=True)]


def routes(prefixes: Iterable[Prefix], tunnel: Device, found: Iterable[Way]) -> list[Step]:
    """The steps that lead the prefixes into the tunnel, and nothing else of those that are *found*
    with our mark; a route that is there stays."""
    place = tunnel.name, tunnel.index
    ways = [
        Way(tunnel.index, one.family, RT_TABLE_MAIN, one.network, one.prefixlen) for one in prefixes
    ]
    mine = [one for one in found if one.index == tunnel.index]
    former: list[Step] = [DelWay(*place, one) for one in mine if one not in ways]
    return [*former, *(AddWay(*place, one) for one in ways)]


def singles(prefixes: Iterable[Prefix]) -> list[Wanted]:
    """The single addresses, which are published by proxy neighbour entries."""
    return [(one.family, one.network) for one in prefixes if one.single]


def faults(networks: Iterable[tuple[Case, Prefix]], tunnel: Device) -> list[str]:
    """The reasons why networks are not reached through the *tunnel*, each a sentence with its
    remedy. Those of single addresses are told by proxies.faults()."""
    found = [
        condition(case, case.around, prefix, tunnel)
        for case, prefix in networks
        if case.around is not None
        for condition in CONDITIONS
    ]
    return list(dict.fromkeys(f"{text} ({command})" for text, command in found if text))


def _device(case: Case, around: Surroundings, prefix: Prefix, tunnel: Device) -> Fault:
    """The faults of the device that are the same for a proxy entry."""
    return next(filter(any, (one(case, around) for one in proxies.OF_DEVICE)), proxies.NONE)


def _forwarding(case: Case, around: Surroundings, prefix: Prefix, tunnel: Device) -> Fault:
    if prefix.family == AF_INET6:
        if around.everywhere:
            return proxies.NONE
        text = f"what comes for {prefix.text} is dropped while IPv6 is not forwarded everywhere"
        return text, "sysctl -w net.ipv6.conf.all.forwarding=1"
    if around.forwarding:
        return proxies.NONE
    key = proxies.key_of("ipv4/conf", case.main, "forwarding")
    text = f"what comes for {prefix.text} is dropped while {case.main.name} does not forward"
    return text, f"sysctl -w {key}=1"


def _back(case: Case, around: Surroundings, prefix: Prefix, tunnel: Device) -> Fault:
    if prefix.family == AF_INET6 or around.back or around.out != tunnel.index:
        return proxies.NONE
    key = proxies.key_of("ipv4/conf", tunnel, "forwarding")
    text = f"what {prefix.text} sends is dropped while {tunnel.name} does not forward"
    return text, f"sysctl -w {key}=1"


def _elsewhere(case: Case, around: Surroundings, prefix: Prefix, tunnel: Device) -> Fault:
    if around.out == tunnel.index:
        return proxies.NONE
    other = case.snapshot.devices.get(around.out)
    if other is None:
        return f"what comes for {prefix.text} goes nowhere: no route leads to it", (
            f"ip route add {prefix.text} dev {tunnel.name}"
        )
    text = f"what comes for {prefix.text} does not go to {tunnel.name}: another route leads to"
    return f"{text} {other.name}", f"ip route get {address_text(prefix.family, prefix.network)}"


CONDITIONS: tuple[Callable[[Case, Surroundings, Prefix, Device], Fault], ...] = (
    _device, _forwarding, _back, _elsewhere,
)  # fmt: skip
"""Functions that return the fault of a network, or NONE."""
