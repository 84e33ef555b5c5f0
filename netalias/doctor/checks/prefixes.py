"""Checks of prefixes: whether anybody answers for them, and whether programs can bind."""

from __future__ import annotations

from netalias.doctor.finding import HINT, WARNING, Finding, finding
from netalias.kinds import PREFIX
from netalias.model import AF_INET, AF_INET6, IFF_LOOPBACK, address_text
from netalias.plan.prefixes import on_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts
    from netalias.model import Alias

BINDS = "net.ipv6.ip_nonlocal_bind"


def cutting(facts: Facts) -> Iterator[Finding]:
    """Other hosts in the network of a link have addresses of a prefix, or would have."""
    for alias in _prefixes(facts):
        place = alias.family, alias.address, alias.prefixlen
        for device, first, length in on_links(*place, facts.observed.snapshot):
            network = f"{address_text(alias.family, first)}/{length}"
            yield finding(
                alias,
                WARNING,
                f"no other host of {_text(alias)} can be reached",
                f"it overlaps with {network} of {device.name}, and its addresses belong to this"
                " host",
            )
            break


def unserved(facts: Facts) -> Iterator[Finding]:
    """The kernel answers for no address of a prefix, and no watcher does."""
    for alias in _prefixes(facts):
        main = alias.main
        if facts.watched or main is None or main.flags & IFF_LOOPBACK:
            continue
        asked, why = "neighbour solicitations", "the kernel answers none for a local route"
        if alias.family == AF_INET:
            if not facts.effective(main, "arp_ignore"):
                continue
            asked, why = "ARP", facts.sysctl_text(main, "arp_ignore")
        yield finding(
            alias,
            WARNING,
            f"nobody answers {asked} for {_text(alias)}",
            f"{why}, and no netalias watch is running, which does",
        )


def snooped(facts: Facts) -> Iterator[Finding]:
    """An IPv6 prefix: programs need an option to bind to it, and a switch may hide it."""
    for alias in _prefixes(facts):
        if alias.family == AF_INET6 and alias.up:
            why = "no device has these addresses"
            if alias.main is None or not alias.main.flags & IFF_LOOPBACK:
                why += (
                    "; and a switch with MLD snooping may withhold solicitations, since no host"
                    " joins their groups"
                )
            yield finding(
                alias,
                HINT,
                f"a program binds to an address of {_text(alias)} with IPV6_FREEBIND only, or with"
                f" {BINDS} 1",
                why,
            )


def _prefixes(facts: Facts) -> Iterator[Alias]:
    return (alias for alias in facts.aliases if alias.kind == PREFIX)


def _text(alias: Alias) -> str:
    return f"{address_text(alias.family, alias.address)}/{alias.prefixlen}"
