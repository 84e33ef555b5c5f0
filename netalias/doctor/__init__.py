"""The verb doctor: everything that decides whether an alias works, what is wrong, and the remedy.

One reading (reading.py), one table of checks over it, findings as text or JSON. Nothing is changed
and nothing is sent.
"""

from __future__ import annotations

from netalias.doctor.checks import (
    addresses,
    aliases,
    firewall,
    ipv6,
    mains,
    managers,
    routes,
    sysctls,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netalias.doctor.facts import Reading
    from netalias.doctor.finding import Finding

CHECKS: dict[str, Callable[[Reading], Iterator[Finding]]] = {
    "main-gone": aliases.orphaned,
    "main-down": mains.down,
    "main-carrier": mains.carrier,
    "main-port": mains.port,
    "main-vrf": mains.vrf,
    "noarp": mains.noarp,
    "rp-filter": sysctls.reverse,
    "arp-filter": sysctls.filtered,
    "arp-ignore": sysctls.ignored,
    "arp-flux": sysctls.flux,
    "arp-announce": sysctls.announced,
    "promote-secondaries": sysctls.secondary,
    "neighbours": sysctls.neighbours,
    "down": aliases.down,
    "no-address": aliases.lost,
    "half-made": aliases.incomplete,
    "renamed": aliases.renamed,
    "remnant": aliases.remnants,
    "mtu": aliases.mtu,
    "same-mac": aliases.twins,
    "mac-filter": aliases.unheard,
    "disable-ipv6": ipv6.off,
    "mtu-ipv6": ipv6.small,
    "dadfailed": ipv6.taken,
    "tentative": ipv6.waiting,
    "label-twin": addresses.labels,
    "ifconfig": addresses.colon,
    "duplicate": addresses.duplicates,
    "stray": addresses.strays,
    "local-route": routes.local,
    "network-route": routes.connected,
    "managed-alias": managers.managed_alias,
    "managed-main": managers.managed_main,
    "firewall": firewall.colons,
}
"""Name of a check, as JSON has it, and what finds it: causes before their consequences."""


def examine(reading: Reading) -> list[Finding]:
    """All findings, in the order of the table."""
    found = []
    for name, check in CHECKS.items():
        for finding in check(reading):
            finding.check = name
            found.append(finding)
    return found
