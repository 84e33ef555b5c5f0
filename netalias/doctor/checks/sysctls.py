"""Checks of sysctls: reverse path, ARP, promotion of secondaries, size of neighbour tables."""

from __future__ import annotations

from netalias.doctor.facts import ALL, FOLDERS, network_text, text_of
from netalias.doctor.finding import (
    ERROR,
    HINT,
    WARNING,
    Finding,
    finding,
    listed,
    relabelled,
    sysctl,
)
from netalias.kinds import PREFIX
from netalias.model import AF_INET, AF_INET6, ARPHRD_ETHER, address_text, prefix
from netalias.model.shell import sysctls
from netalias.plan.sysctls import NEEDED, SHARD, withheld

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netalias.doctor.facts import Facts
    from netalias.model import Address, Alias, Device
    from netalias.model.events import Route

# Values of rp_filter (RFC 3704).
STRICT, LOOSE = 1, 2
ARP_IGNORE_LOCAL = 1
"""Value of arp_ignore: answer only for addresses of the device that received the request."""
ARP_IGNORE_SUBNET = 2
"""Value of arp_ignore: the same, and only to hosts in the network of the address."""
ARP_IGNORE_EVERYTHING = 8
"""Value of arp_ignore: answer for no local address."""
ARP_ANNOUNCE_BEST = 2
"""Value of arp_announce: requests carry an address of the device that sends them."""
FULL = 0.9
"""Share of gc_thresh3 from which a neighbour table counts as full."""


def lowered(facts: Facts, device: Device, key: str, value: int) -> str:
    """The command after which the sysctl in force is *value* at most."""
    high = [one for one in (ALL, device.name) if facts.own(one, key) > value]
    return sysctls((FOLDERS[AF_INET], one, key, value) for one in high)


def _inet(facts: Facts) -> Iterator[Alias]:
    """The IPv4 aliases in force on main devices with ARP."""
    for alias in facts.aliases:
        main = alias.main
        if main is None or main.type != ARPHRD_ETHER or not alias.up:
            continue
        if alias.family == AF_INET and alias.entry is not None:
            yield alias


def _detour(facts: Facts, alias: Alias, device: Device) -> Route | None:
    """A route to peers of the alias that does not leave by *device*, at which they arrive."""
    assert alias.main is not None
    others = facts.with_aliases(alias.main) - {device.index}
    found = [
        route
        for route in facts.unicast(AF_INET)
        if route.devices[0] in others and device.index not in route.devices
    ]
    within = [one for one in found if prefix.contains(one.network, one.prefixlen, alias.address)]
    if device.index == alias.main.index:
        # Other packets come and leave by the main device, except those of the alias's network.
        longest = max(within, key=lambda one: one.prefixlen, default=None)
        return longest if longest is not None and longest.prefixlen else None
    near = [one for one in found if not one.gateway and len(one.devices) == 1]
    return next(iter([*sorted(within, key=lambda one: -one.prefixlen), *near, *found]), None)


def _detoured(
    facts: Facts, filtering: Callable[[Device], bool]
) -> Iterator[tuple[Alias, Device, Route]]:
    """Aliases that are received by a *filtering* device, that device, and another way back."""
    for alias in _inet(facts):
        device = facts.receiver(alias)
        if device is None or not filtering(device):
            continue
        route = _detour(facts, alias, device)
        if route is not None:
            yield alias, device, route


def rp_filter(facts: Facts) -> Iterator[Finding]:
    """Strict reverse path filtering drops packets: answers leave by another device (RFC 3704)."""
    strict = _detoured(facts, lambda device: facts.effective(device, "rp_filter") == STRICT)
    for alias, device, route in strict:
        network = network_text(AF_INET, route.network, route.prefixlen)
        yield finding(
            alias,
            ERROR,
            f"packets from {network} to {text_of(alias)} are dropped",
            f"{facts.sysctl_text(device, 'rp_filter')} and the way back to {network} is"
            f" {facts.name(route.devices[0])}",
            sysctl(device.name, "rp_filter", LOOSE),
        )


def arp_filter(facts: Facts) -> Iterator[Finding]:
    """arp_filter suppresses ARP answers: the way back is another device."""
    silent = _detoured(facts, lambda device: bool(facts.effective(device, "arp_filter")))
    for alias, device, route in silent:
        network = network_text(AF_INET, route.network, route.prefixlen)
        yield finding(
            alias,
            ERROR,
            f"hosts in {network} cannot learn the MAC of {text_of(alias)}",
            f"{facts.sysctl_text(device, 'arp_filter')} and the way back to {network} is"
            f" {facts.name(route.devices[0])}",
            lowered(facts, device, "arp_filter", 0),
        )


def arp_ignore(facts: Facts) -> Iterator[Finding]:
    """arp_ignore suppresses the ARP answers of the device that receives the requests."""
    kept = _kept(facts)
    for alias in _inet(facts):
        device = facts.receiver(alias)
        if alias.main is None or device is None or alias.kind == PREFIX:
            continue
        own = alias.carrier is device
        if not own and device is not alias.main:
            continue  # the main device is a port: see main-port
        level = facts.effective(device, "arp_ignore")
        if _answers(level, own=own, host=alias.prefixlen == len(alias.address) * 8):
            continue
        command = lowered(facts, device, "arp_ignore", ARP_IGNORE_LOCAL if own else 0)
        if not own and alias.main.index in kept:
            command = relabelled(alias)  # the others need the setting
        yield finding(
            alias,
            ERROR,
            f"hosts cannot learn the MAC of {text_of(alias)}",
            facts.sysctl_text(device, "arp_ignore")
            + ("" if own else f", and the address is not one of {device.name}"),
            command,
        )


def _kept(facts: Facts) -> set[int]:
    """The indexes of main devices whose arp_ignore macvlans need, and no shard forbids."""
    shards = [one.main for one in facts.observed.aliases if one.kind == SHARD]
    found = {main.index for main in shards if main is not None}
    needing = (one.main for one in _inet(facts) if "arp_ignore" in NEEDED.get(one.kind, ()))
    return {main.index for main in needing if main is not None} - found


def _answers(level: int, *, own: bool, host: bool) -> bool:
    """Whether ARP requests are answered (arp_ignore() of net/ipv4/arp.c).

    *own*: the address is on the device that receives them; *host*: it has no network.
    """
    if level in (ARP_IGNORE_LOCAL, ARP_IGNORE_SUBNET):
        return own and not (host and level == ARP_IGNORE_SUBNET)
    return level != ARP_IGNORE_EVERYTHING


def _needing(facts: Facts, main: Device, key: str) -> list[Alias]:
    """The IPv4 aliases of *main* whose kind needs this sysctl of it (plan/sysctls.py)."""
    return [one for one in _inet(facts) if one.main is main and key in NEEDED.get(one.kind, ())]


def arp_flux(facts: Facts) -> Iterator[Finding]:
    """The main device also answers ARP for its aliases, with its own MAC; a hint where it has to go
    on answering for shards or others."""
    key = "arp_ignore"
    for main in facts.mains:
        names = [str(alias.name) for alias in _needing(facts, main, key)]
        if not names or not main.up or not facts.known(main, key):
            continue
        if facts.effective(main, key) == 0 and not facts.intended(main, key):
            reason = withheld(facts.observed, main, facts.own(ALL, "arp_filter"))
            why = "so peers may learn its MAC instead of the alias's own"
            yield _of_main(
                main,
                f"it answers ARP for {listed(names)} too",
                f"{facts.sysctl_text(main, key)}, {why}" + (f"; {reason}" if reason else ""),
                "" if reason else sysctl(main.name, key, ARP_IGNORE_LOCAL),
                HINT if reason else WARNING,
            )


def arp_announce(facts: Facts) -> Iterator[Finding]:
    """The main device sends ARP requests with the address of an alias and its own MAC.

    Peers remember that MAC; with an ipvlan, the answers never reach the main device.
    """
    key = "arp_announce"
    for main in facts.mains:
        aliases = _needing(facts, main, key)
        if not aliases or not main.up or not facts.known(main, key):
            continue
        if facts.intended(main, key):
            continue
        if facts.effective(main, key) < ARP_ANNOUNCE_BEST:
            own = any(alias.kind == "macvlan" for alias in aliases)
            names = listed([str(one.name) for one in aliases])
            yield _of_main(
                main,
                f"it sends ARP requests in the name of {names}",
                f"{facts.sysctl_text(main, key)}, so "
                + (
                    "peers may learn its MAC instead of the alias's own"
                    if own
                    else "the answers go to the alias"
                ),
                sysctl(main.name, key, ARP_ANNOUNCE_BEST),
            )


def _of_main(main: Device, text: str, why: str, command: str, level: str = WARNING) -> Finding:
    return Finding(
        level,
        f"{main.name}: {text}",
        why,
        command,
        main=main.name,
        device=main.name,
    )


def promote_secondaries(facts: Facts) -> Iterator[Finding]:
    """The address of an alias is secondary to another one, and goes with it (inet_del_ifa)."""
    for alias in facts.aliases:
        device, entry = alias.carrier, alias.entry
        if device is None or entry is None or not entry.secondary:
            continue
        key = "promote_secondaries"
        if not facts.known(device, key) or facts.effective(device, key):
            continue
        if facts.intended(device, key):
            continue
        first = _primary(entry, facts.observed.snapshot.on(device.index))
        yield finding(
            alias,
            WARNING,
            f"{text_of(alias)} goes when {first} is deleted",
            f"it is a secondary address of {device.name}, and {facts.sysctl_text(device, key)}",
            sysctl(device.name, key, 1),
        )


def _primary(entry: Address, entries: list[Address]) -> str:
    """The primary address of the secondary *entry*, as text."""
    for other in entries:
        if other.secondary or other.prefixlen != entry.prefixlen:
            continue
        if prefix.contains(other.local, other.prefixlen, entry.local):
            return address_text(AF_INET, other.local)
    return "the first of its network"


def neighbours(facts: Facts) -> Iterator[Finding]:
    """A neighbour table is nearly full: soon no device finds new neighbours."""
    for family, (count, limit) in facts.neighbours.items():
        if facts.aliases and count >= limit * FULL:
            word = {AF_INET: "IPv4", AF_INET6: "IPv6"}[family]
            yield Finding(
                WARNING,
                f"the {word} neighbour table is full: {count} of {limit}",
                f"gc_thresh3 is {limit} for all devices together",
                f"sysctl -w net.{FOLDERS[family]}.neigh.default.gc_thresh3={limit * 4}",
            )
