"""The doctor: checks that find why an alias does not work, and the command that mends it.

read.py reads the facts once, CHECKS is the table of checks over them, and finding.py defines their
results. Nothing is changed and nothing is sent.
"""

from __future__ import annotations

from netalias.doctor.checks import (
    addresses,
    aliases,
    barriers,
    elsewhere,
    firewall,
    floats,
    gateways,
    ipv6,
    lost,
    mains,
    managers,
    names,
    prefixes,
    routes,
    sources,
    sysctls,
    tasks,
    uncovered,
)
from netalias.doctor.grouping import grouped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netalias.doctor.facts import Facts
    from netalias.doctor.finding import Finding

CHECKS: dict[str, Callable[[Facts], Iterator[Finding]]] = {
    "main-gone": aliases.main_gone,
    "main-missing": lost.main_missing,
    "main-down": mains.main_down,
    "main-carrier": mains.main_carrier,
    "main-port": mains.main_port,
    "main-vrf": mains.main_vrf,
    "noarp": mains.noarp,
    "rp-filter": sysctls.rp_filter,
    "arp-filter": sysctls.arp_filter,
    "arp-ignore": sysctls.arp_ignore,
    "arp-flux": sysctls.arp_flux,
    "arp-announce": sysctls.arp_announce,
    "promote-secondaries": sysctls.promote_secondaries,
    "neighbours": sysctls.neighbours,
    "down": aliases.down,
    "no-address": aliases.no_address,
    "half-made": aliases.half_made,
    "renamed": aliases.renamed,
    "remnant": aliases.remnant,
    "misnamed": aliases.misnamed,
    "mtu": aliases.mtu,
    "same-mac": aliases.same_mac,
    "mac-filter": aliases.mac_filter,
    "disable-ipv6": ipv6.disable_ipv6,
    "mtu-ipv6": ipv6.mtu_ipv6,
    "dadfailed": ipv6.dadfailed,
    "tentative": ipv6.tentative,
    "label-twin": addresses.label_twin,
    "ifconfig": addresses.ifconfig,
    "duplicate": addresses.duplicate,
    "special": addresses.special,
    "stray": addresses.stray,
    "local-route": routes.local_route,
    "network-route": routes.network_route,
    "source-address": sources.source_address,
    "barred": barriers.barred,
    "gateway": gateways.gateway,
    "barred-gateway": barriers.barred_gateway,
    "no-gateway": gateways.no_gateway,
    "leftover-rule": gateways.leftover_rule,
    "cutting-prefix": prefixes.cutting,
    "unserved-prefix": prefixes.unserved,
    "prefix": prefixes.snooped,
    "managed-alias": managers.managed_alias,
    "managed-main": managers.managed_main,
    "stanza": elsewhere.stanza,
    "remover": elsewhere.remover,
    "firewall": firewall.firewall,
    "uncovered": uncovered.uncovered,
    "random-mac": aliases.random_mac,
    "unwatched": tasks.unwatched,
    **{name: tasks.of_tunnels(name) for name in tasks.LEVELS},
    "tunnel-route": tasks.tunnel_route,
    "undecided": floats.undecided,
    "storeless": floats.storeless,
    "lasting": floats.lasting,
    "lost-index": lost.lost_index,
    "detached-rule": lost.detached_rule,
    "program": names.program,
    "long-name": names.long_name,
}
"""Name of each check in JSON, and its function; causes stand before their consequences."""


def examine(facts: Facts) -> list[Finding]:
    """The findings of all checks, in the order of the table; those of one kind are one."""
    found = []
    for name, check in CHECKS.items():
        for finding in check(facts):
            finding.check = name
            found.append(finding)
    return grouped(found)
