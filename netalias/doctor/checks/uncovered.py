"""Check of firewall rules for a main device, which do not see its alias devices."""

from __future__ import annotations

from netalias.doctor.finding import WARNING, Finding, listed
from netalias.doctor.uncovered import RECEIVING, Pair
from netalias.doctor.uncovered import uncovered as found_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts


def uncovered(facts: Facts) -> Iterator[Finding]:
    """A rule names the main device, so that it holds for its own addresses only."""
    pairs = [
        Pair(str(alias.name), alias.main.name, alias.device.name, alias.address)
        for alias in facts.aliases
        if alias.device is not None and alias.main is not None and alias.kind in RECEIVING
    ]
    for one in found_in(facts.rules, pairs, facts.root):
        yield Finding(
            WARNING,
            f"{one.old}: a firewall rule for it does not see {listed(one.names)}",
            one.why,
            one.command,
            main=one.old,
            device=one.old,
        )
