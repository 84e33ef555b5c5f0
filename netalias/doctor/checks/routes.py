"""Checks of routes: whether packets for an alias are accepted, and whether answers return."""

from __future__ import annotations

from netalias.doctor.facts import network_text, text_of
from netalias.doctor.finding import ERROR, Finding, finding
from netalias.model import (
    AF_INET,
    AF_INET6,
    IFA_F_DADFAILED,
    IFA_F_TENTATIVE,
    IFF_LOOPBACK,
    IFF_LOWER_UP,
    RTN_LOCAL,
    prefix,
)
from netalias.model.shell import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts
    from netalias.model import Alias, Device

NOT_IN_FORCE = IFA_F_TENTATIVE | IFA_F_DADFAILED
METRIC_KERNEL = 256
"""IP6_RT_PRIO_ADDRCONF of net/ip6_route.h."""
METRIC_AHEAD = 128


def _in_force(facts: Facts) -> Iterator[Alias]:
    for alias in facts.aliases:
        if alias.entry is None or alias.main is None or alias.family not in (AF_INET, AF_INET6):
            continue
        if alias.up and not alias.entry.flags & NOT_IN_FORCE:
            yield alias


def local_route(facts: Facts) -> Iterator[Finding]:
    """The local route is gone, so the kernel does not accept packets for the address."""
    taken = {
        route.network
        for route in facts.routes
        if route.type == RTN_LOCAL and route.prefixlen == len(route.network) * 8
    }
    for alias in _in_force(facts):
        if alias.address not in taken:
            yield finding(
                alias,
                ERROR,
                f"packets to {text_of(alias)} are not accepted",
                "its local route is gone",
                _add_local(alias),
            )


def _add_local(alias: Alias) -> str:
    address, device = text_of(alias), quoted(alias.carrier.name if alias.carrier else "")
    if alias.family == AF_INET6:
        return f"ip -6 route add local {address} dev {device} table local proto kernel metric 0"
    return (
        f"ip route add local {address} dev {device} table local proto kernel scope host"
        f" src {address}"
    )


def network_route(facts: Facts) -> Iterator[Finding]:
    """The route to the network of an alias is gone, or leads elsewhere.

    There is one finding for each network, and none for a dummy: no host is behind it.
    """
    told: set[tuple[int, bytes, int]] = set()
    for alias in _in_force(facts):
        other = facts.peer(alias)
        assert alias.main is not None
        if not other or alias.kind == "dummy" or _apart(alias.main, facts):
            continue
        way = facts.ways.get(other)
        mine = way is not None and not way.gateway
        first = prefix.network(alias.address, alias.prefixlen)
        key = alias.main.index, first, alias.prefixlen
        if key in told or (
            mine and way is not None and way.device in facts.with_aliases(alias.main)
        ):
            continue
        told.add(key)
        network = network_text(alias.family, first, alias.prefixlen)
        if way is None:
            why = "there is no route to it"
        elif way.gateway:
            why = f"the route to it goes to a router on {facts.name(way.device)}"
        else:
            why = f"the route to it is that of {facts.name(way.device)}"
        yield finding(
            alias,
            ERROR,
            f"answers do not arrive in {network}",
            why,
            _add_connected(facts, alias, network, ahead=way is not None),
        )


def _apart(main: Device, facts: Facts) -> bool:
    """Whether the route of a main device does not matter.

    A loopback device accepts a whole network as local, a VRF has a table of its own, and nothing
    leaves without a carrier.
    """
    master = facts.observed.snapshot.devices.get(main.master)
    vrf = master is not None and master.kind == "vrf"
    return vrf or bool(main.flags & IFF_LOOPBACK) or not main.flags & IFF_LOWER_UP


def _add_connected(facts: Facts, alias: Alias, network: str, *, ahead: bool) -> str:
    """The command that adds the route; *ahead*: it must win over another route."""
    carrier = alias.carrier
    assert carrier is not None
    device = quoted(carrier.name)
    if alias.family == AF_INET6:
        metric = METRIC_AHEAD if ahead else METRIC_KERNEL
        return f"ip -6 route add {network} dev {device} proto kernel metric {metric}"
    command = (
        f"ip route prepend {network} dev {device} proto kernel scope link src {text_of(alias)}"
    )
    own = prefix.network(alias.address, alias.prefixlen), alias.prefixlen
    present = any(
        route.devices == (carrier.index,) and not route.gateway
        for route in facts.unicast(AF_INET)
        if (route.network, route.prefixlen) == own
    )
    return f"ip route del {network} dev {device} && {command}" if present else command
