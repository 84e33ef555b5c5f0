"""Addresses that float count as declared: guard rails do not take them for an empty file, and a
sysctl for them is no difference while nobody knows which of them should stand."""

from __future__ import annotations

from netalias.plan.diff import REMOVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired.declarations import Declarations
    from netalias.desired.floats import Float
    from netalias.plan import Difference
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


def leave_sysctls(diff: Diff, declared: Declarations) -> None:
    """Take the sysctls out of *diff* that are still raised for addresses that float, on the main
    devices of their pools: the kernel removes these when their lifetimes end, and nobody else."""
    mains = {one.main for one in pools(declared)}
    diff.items = [item for item in diff.items if not _is_left(item, mains)]


def _is_left(item: Difference, mains: set[str]) -> bool:
    change = item.sysctl_change
    if change is None or not change.restores:
        return False
    return not mains.isdisjoint((change.main.name, *change.main.altnames))
