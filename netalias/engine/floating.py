"""Addresses that float count as declared: guard rails do not take them for an empty file."""

from __future__ import annotations

from netalias.plan.diff import REMOVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired.declarations import Declarations
    from netalias.desired.floats import Float
    from netalias.plan.diff import Diff


def pools(declared: Declarations) -> list[Float]:
    """The pools that float."""
    found = [one for one in declared.tasks if one.keyword == "float"]
    if not found:
        return []
    from netalias.desired.floats import floats

    return floats(found)


def addresses(declared: Declarations) -> int:
    """The number of addresses that float."""
    return sum(len(one.slots) for one in pools(declared))


def count(diff: Diff, declared: Declarations) -> None:
    """Count what floats among the wishes of *diff*. An alias that has such an address for ever is
    no loss when it goes: the cluster gives the address a host."""
    mine = pools(declared)
    if not mine:
        return
    diff.wished += addresses(declared)
    gone = {item.name for item in diff.items if item.sign == REMOVED and item.sysctl_change is None}
    for alias in diff.observed.aliases:
        if alias.name in gone and any(alias.address in one.places for one in mine):
            diff.removed -= 1
            diff.present -= 1
