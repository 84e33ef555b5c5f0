"""The rules of aliases of kind prefix: what cannot be one, and what becomes of routes. Pure."""

from __future__ import annotations

from netalias import errors
from netalias.desired.gateways import UNFIT
from netalias.desired.unfit import refuse
from netalias.kinds import PREFIX
from netalias.model import AF_INET, AF_INET6, IFF_LOOPBACK, address_text, prefix
from netalias.model.local_routes import DelLocal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from netalias.desired import Wish
    from netalias.kinds import Goal
    from netalias.model import Alias, Device, Snapshot
    from netalias.model.steps import Step
    from netalias.observed import Observed

LINK_LOCAL = b"\xfe\x80" + bytes(14)
ANSWERED = "only a running netalias watch answers"
"""Words of the notes on networks for which the kernel does not answer."""
SHOWN = 3
"""Routes that a note names."""


def examine(
    wish: Wish, goal: Goal, alias: Alias | None, observed: Observed, cut: bool
) -> list[str]:
    """Notes on a network that is to become local, none where it is already.

    Raises KindError for words that a prefix cannot have, BadAddress for networks that no host can
    have, AlreadyExists for the network of another alias, StateError where hosts would be cut off:
    with *cut* those in a part of the network of a link may be.
    """
    refuse(wish, goal.name, PREFIX, goal.type.family)
    if alias is not None and alias.kind == PREFIX and _is(alias, goal):
        return []
    text = f"{goal.type.format(goal.address)}/{goal.prefixlen}"
    for place, length, what in _unfit(goal):
        if _overlap(place, length, goal.address, goal.prefixlen):
            raise errors.BadAddress(f"{goal.name}: {text}: {what} cannot belong to a host")
    for other in observed.aliases:
        if other is alias or observed.moves(other):
            continue
        if other.kind == PREFIX and _is(other, goal):
            raise errors.AlreadyExists(f"{goal.name}: {text} belongs to {other.name} already")
    for reason in _cut_off(goal, alias, observed):
        raise errors.StateError(f"{goal.name}: {text} has {reason}, which would be cut off")
    inside = _inside(goal, alias, observed)
    if inside and not cut:
        raise errors.StateError(
            f"{goal.name}: {text} lies in {inside}, whose hosts there would be cut off",
            "--force, if there are none",
        )
    cuts = [f"{goal.name}: no other host in {text} can be reached: it lies in {inside}"]
    return [*(cuts if inside else ()), *_notes(goal, text)]


def _unfit(goal: Goal) -> Iterator[tuple[bytes, int, str]]:
    """Networks, packed, with their length, that cannot belong to a host."""
    yield from UNFIT[goal.type.family]
    if goal.type.family == AF_INET6:
        yield LINK_LOCAL, 10, "a link-local address"


def _overlap(one: bytes, length: int, other: bytes, size: int) -> bool:
    """Whether two networks have addresses in common."""
    least = min(length, size)
    return prefix.network(one, least) == prefix.network(other, least)


def _is(alias: Alias, goal: Goal) -> bool:
    """Whether an alias has the network of *goal*."""
    return (alias.family, alias.address, alias.prefixlen) == (
        goal.type.family, goal.address, goal.prefixlen,
    )  # fmt: skip


def _cut_off(goal: Goal, alias: Alias | None, observed: Observed) -> Iterator[str]:
    """The networks on links, and the routers, that the network of *goal* would cut off."""
    family, network, length = goal.type.family, goal.address, goal.prefixlen
    for device, first, size in on_links(family, network, length, observed.snapshot, alias):
        if size >= length:
            yield f"the network {address_text(family, first)}/{size} of {device.name}"
    gateway = observed.outlets().default(goal.main.index, family)
    if gateway and prefix.contains(network, length, gateway):
        yield f"the router {address_text(family, gateway)} of {goal.main.name}"
    for gateway, words in observed.outlets().routers(family):
        if prefix.contains(network, length, gateway):
            yield f"the router of the route {words}"


def _inside(goal: Goal, alias: Alias | None, observed: Observed) -> str:
    """The network on a link of which that of *goal* is a part, or empty; also where it is a part of
    what *alias* takes away from that already."""
    family, network, length = goal.type.family, goal.address, goal.prefixlen
    former = alias if alias is not None and alias.kind == PREFIX else None
    if former is not None and former.prefixlen < length and contains(former, network):
        return ""
    for device, first, size in on_links(family, network, length, observed.snapshot, alias):
        return f"the network {address_text(family, first)}/{size} of {device.name}"
    return ""


def on_links(
    family: int, network: bytes, length: int, snapshot: Snapshot, alias: Alias | None = None
) -> Iterator[tuple[Device, bytes, int]]:
    """The networks with other hosts that have addresses in common with a network: their device,
    first address, packed, and prefix length. That of *alias* goes, which is replaced."""
    own = alias.device if alias is not None else None
    for index, entries in snapshot.addresses.items():
        device = snapshot.devices.get(index)
        if device is None or device is own or device.flags & IFF_LOOPBACK or device.kind == "dummy":
            continue
        for entry in entries:
            if entry.family != family or not (entry.networked or entry.peer):
                continue
            if alias is not None and entry is alias.entry:
                continue
            first = prefix.network(entry.peer or entry.local, entry.prefixlen)
            if _overlap(first, entry.prefixlen, network, length):
                yield device, first, entry.prefixlen


def _notes(goal: Goal, text: str) -> Iterator[str]:
    main = goal.main.name
    if goal.main.flags & IFF_LOOPBACK:
        yield (
            f"{goal.name}: {main} has no neighbours: other hosts need a route to {text} that leads"
            " to this host"
        )
        return
    if goal.type.family == AF_INET6:
        yield (
            f"{goal.name}: {ANSWERED} neighbour solicitations for"
            f" {text}; without it other hosts need a route by an address of {main}"
        )
        yield (
            f"{goal.name}: a program binds to an address of {text} with IPV6_FREEBIND, or with"
            " net.ipv6.ip_nonlocal_bind 1"
        )
    yield (
        f"{goal.name}: a UDP server on the wildcard address answers from the address of {main}:"
        " it needs IP_PKTINFO, or to bind"
    )


def silent(goal: Goal, kind: str, ignore: int, others: Iterable[Alias]) -> Iterator[str]:
    """Notes on the prefixes of a main device that its kernel answers no ARP for once *goal*, of
    this kind, is there, and arp_ignore has the value *ignore*: with 0 alone it answers for a route,
    whose addresses are on no device (arp_ignore of net/ipv4/arp.c). *others* are the IPv4 aliases
    that it silences."""
    main = goal.main
    if not ignore or main.flags & IFF_LOOPBACK:
        return
    found = [(one.name, one.address, one.prefixlen) for one in others if _is_on(one, main)]
    if kind == PREFIX:
        found.append((goal.name, goal.address, goal.prefixlen))
    for name, network, length in found:
        text = f"{address_text(AF_INET, network)}/{length}"
        yield (f"{name}: {ANSWERED} ARP for {text}: arp_ignore of {main.name} is {ignore}")


def _is_on(alias: Alias, main: Device) -> bool:
    return alias.kind == PREFIX and alias.main is main


def contains(alias: Alias, packed: bytes) -> bool:
    """Whether the network of *alias* has this address."""
    return prefix.contains(alias.address, alias.prefixlen, packed)


def dead_sources(alias: Alias, steps: Sequence[Step], observed: Observed) -> list[str]:
    """A note on the routes whose source goes with a prefix: the kernel keeps and lists them, but
    they lead nowhere (fib_valid_prefsrc tests it only when a route is added)."""
    if not any(isinstance(step, DelLocal) for step in steps):
        return []
    network, length = alias.address, alias.prefixlen
    dead = [
        text
        for source, text in observed.outlets().sources(alias.family)
        if prefix.contains(network, length, source) and not any(observed.addresses(source))
    ]
    if not dead:
        return []
    more = f" and {len(dead) - SHOWN} more" if len(dead) > SHOWN else ""
    return [
        f"{alias.name}: routes with a source in {address_text(alias.family, network)}/{length} are"
        f" of no use without it: {', '.join(dead[:SHOWN])}{more}"
    ]
