"""Gateways: the way out for sockets that are bound to the device of an alias.

An alias with a gateway has a rule for its device, and a routing table with the network it is in and
the default route (model/gateways.py). The network is there so that neighbours are reached without
the router: where the main device brings the connected route, the alias's device has none.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired.gateways import AUTO, NONE, Usual
from netalias.kinds import DEVICELESS
from netalias.kinds.device import CONF
from netalias.model import AF_INET, AF_INET6, prefix
from netalias.model.gateways import (
    AddRule,
    AddWay,
    DelRule,
    DelWay,
    Rule,
    Way,
    table_of,
)
from netalias.model.steps import REMOVE, RETIRE, SET, DelAddress, SetLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from netalias.desired import Wish
    from netalias.kinds import Goal
    from netalias.model import Alias
    from netalias.model.steps import Step
    from netalias.observed import Observed
    from netalias.observed.outlets import Outlets

LINKED = ("macvlan", "ipvlan")
"""Kinds that are on the link of their main device, and so reach a gateway."""
FAMILIES = {AF_INET: "IPv4", AF_INET6: "IPv6"}
LINK_LOCAL = b"\xfe\x80" + bytes(14)
FILTER = "rp_filter"


def choose(wish: Wish, goal: Goal, kind: str, alias: Alias | None, observed: Observed) -> list[str]:
    """Set ``goal.gateway``, to that of the alias where *wish* says nothing; a note where there is
    none to be found. Raises KindError if the kind can have none, UsageError."""
    word = wish.gateway
    kept = alias.gateway if alias is not None and len(alias.gateway) == len(goal.address) else b""
    if word == NONE or (not word and (wish.address or not kept)):
        return []
    reason = _refusal(goal, kind)
    if reason:
        if word and not isinstance(word, Usual):
            raise errors.KindError(f"{goal.name}: gateway {word}: {reason}")
        return []
    if not word:
        goal.gateway = kept
    elif word != AUTO:
        goal.gateway = goal.type.parse(word)[0]
        reason = _no_router(goal, observed) if goal.gateway != kept else ""
        if reason:
            raise errors.UsageError(f"{goal.name}: gateway {word}: this is {reason}")
        if goal.gateway != kept and _is_strange(goal, observed):
            return [
                f"{goal.name}: gateway {word}: it is in no network of the alias or of"
                f" {goal.main.name}, so it is of use only if it answers on this link"
            ]
    else:
        goal.gateway = observed.outlets().default(goal.main.index, goal.type.family) or kept
        if not goal.gateway:
            return [
                f"{goal.name}: gateway auto: {goal.main.name} has no default route"
                f" of {FAMILIES[goal.type.family]}, so there is no way out yet"
            ]
    return []


def _refusal(goal: Goal, kind: str) -> str:
    """The reason why an alias can have no gateway; empty where it can."""
    if kind in DEVICELESS:
        return f"a {kind} has no device that a socket could be bound to"
    if kind not in LINKED:
        return f"a {kind} has no link to a router"
    if goal.vrf is not None:
        return f"{goal.main.name} is in the VRF {goal.vrf.name}, whose table has the routes"
    return ""


def _is_strange(goal: Goal, observed: Observed) -> bool:
    """Whether a gateway is in no network of the alias or its main device, nor the gateway of that.

    The kernel takes it, by a host route; many providers have such routers for host addresses.
    """
    main, family = goal.main.index, goal.type.family
    entries = [*observed.snapshot.on(main), *([goal.entry] if goal.entry is not None else [])]
    networks = [(one.local, one.prefixlen) for one in entries if one.family == family]
    outside = _is_outside(goal.gateway, networks)
    return outside and goal.gateway != observed.outlets().default(main, family)


def _is_outside(gateway: bytes, networks: Iterable[tuple[bytes, int]]) -> bool:
    """Whether a gateway is in none of these *networks*, and not link-local either."""
    link_local = len(gateway) == len(LINK_LOCAL) and prefix.contains(LINK_LOCAL, 10, gateway)
    return not link_local and not any(prefix.contains(*one, gateway) for one in networks)


def _no_router(goal: Goal, observed: Observed) -> str:
    """The words for a gateway of *goal* that no other host can have; empty for any other one."""
    if goal.gateway == goal.address:
        return "the alias itself"
    own = next(observed.addresses(goal.gateway), None)
    if own is not None:
        return f"an address of {observed.holder(own)} on this host"
    if goal.type.family != AF_INET:
        return ""
    from netalias.plan.special import described

    inside = prefix.contains(goal.address, goal.prefixlen, goal.gateway)
    length = goal.prefixlen if inside else goal.type.bits
    place = described(goal.gateway, length, observed.snapshot.on(goal.main.index))
    return f"the {place}" if place else ""


def equip(
    goal: Goal, kind: str, alias: Alias | None, before: Sequence[Step], observed: Observed
) -> list[Step]:
    """The steps for the gateway of *goal*, or for its removal; they belong behind those *before*
    of the same plan."""
    outlets = observed.outlets()
    name, index = device_of(goal, kind, alias)
    rules = outlets.rules.get(name, [])
    wanted = [_rule(goal, name)] if goal.gateway else []
    new = [rule for rule in wanted if rule not in rules]
    ways = outlets.ways(index)
    # An address that another alias waits for goes first (plan/order.py), and may take the routes
    # along; a route that is there already counts as made.
    lost = any(_flushes(step, index) for step in before)
    ahead = list(_ways(goal, observed)) if goal.gateway and goal.up else []
    steps: list[Step] = [AddWay(name, index, way) for way in ahead if lost or not _among(way, ways)]
    steps += [AddRule(rule) for rule in new]
    steps += [DelRule(rule) for rule in rules if rule not in wanted]
    steps += [DelWay(name, index, way) for way in ways if not _among(way, ahead)]
    return steps + _filter(goal, alias, name, index, bool(new), outlets)


def restored(goal: Goal, observed: Observed) -> list[Step]:
    """The steps that lead out of a device that is made again, with *goal* as it was."""
    name = goal.device
    ways = _ways(goal, observed) if goal.up else ()
    return [*(AddWay(name, 0, way) for way in ways), AddRule(_rule(goal, name))]


def unequip(alias: Alias, observed: Observed) -> list[Step]:
    """The steps that delete the rules of an alias; its routes go with its device."""
    if alias.device is None:
        return []
    return [DelRule(rule, REMOVE) for rule in observed.outlets().rules.get(alias.device.name, ())]


def device_of(goal: Goal, kind: str, alias: Alias | None) -> tuple[str, int]:
    """Name and index of the device that an alias will have; the index is 0 for a new one."""
    if alias is None or alias.device is None or alias.kind != kind:
        return goal.device, 0
    return alias.device.name, alias.device.index


def _rule(goal: Goal, device: str) -> Rule:
    return Rule(device, goal.type.family, table_of(goal.main.index, goal.name.slot))


def _ways(goal: Goal, observed: Observed) -> Iterator[Way]:
    """The routes in the table of an alias, in the order in which the kernel takes them."""
    table, family = table_of(goal.main.index, goal.name.slot), goal.type.family
    networks, gateway = list(_networks(goal, observed)), goal.gateway
    if _is_outside(gateway, networks):
        networks.append((gateway, goal.type.bits))
    for network, length in networks:
        yield Way(0, family, table, network, length)
    yield Way(0, family, table, gateway=gateway)


def _networks(goal: Goal, observed: Observed) -> Iterator[tuple[bytes, int]]:
    """The network of an alias; for a host that of its main device which it lies in, or none."""
    entry = goal.entry
    if entry is None or entry.peer:
        return
    length = entry.prefixlen
    if not entry.networked:
        length = max(
            (
                other.prefixlen
                for other in observed.snapshot.on(goal.main.index)
                if other.family == entry.family
                and other.networked
                and prefix.contains(other.local, other.prefixlen, entry.local)
            ),
            default=0,
        )
    if length:
        yield prefix.network(entry.local, length), length


def _among(way: Way, others: Sequence[Way]) -> bool:
    """Whether a route is among others, whatever their device."""
    return any(
        (way.table, way.network, way.prefixlen, way.gateway)
        == (other.table, other.network, other.prefixlen, other.gateway)
        for other in others
    )


def _flushes(step: Step, index: int) -> bool:
    """Whether a step may take the routes of a device: it goes down or comes up, or may be without
    an address for a moment (fib_disable_ip)."""
    if step.index != index:
        return False
    return step.up is not None if isinstance(step, SetLink) else isinstance(step, DelAddress)


def _filter(
    goal: Goal, alias: Alias | None, name: str, index: int, new: bool, outlets: Outlets
) -> list[Step]:
    """The step for rp_filter, where a gateway comes or goes.

    In loose mode the kernel first looks for any route to the sender, without the device, and drops
    the packet where there is none: then the alias would depend on the default route of its host.
    Every sender is reached through a device with a gateway, so there is nothing to filter. But
    where net.ipv4.conf.all is strict, 0 would mean strict (IN_DEV_RPFILTER takes the larger one).
    """
    if goal.type.family != AF_INET:
        return []
    usual = CONF[FILTER]
    if goal.gateway:
        wanted = 0 if outlets.filtering == 0 else usual
        if not new or wanted == usual:
            return []
        return [_set_filter(name, index, SET, wanted, usual)]
    if alias is None or not alias.gateway or not index:
        return []
    return [_set_filter(name, index, RETIRE, usual, 0 if outlets.filtering == 0 else usual)]


def _set_filter(name: str, index: int, phase: int, value: int, before: int) -> Step:
    back = SetLink(name, index, phase, conf={FILTER: before})
    return SetLink(name, index, phase, conf={FILTER: value}, before=back)
