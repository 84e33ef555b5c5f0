"""Connected routes: which address brings that of a network, so that there is never a second one."""

from __future__ import annotations

from netalias import kinds
from netalias.model import IFA_F_NOPREFIXROUTE, IFA_F_PERMANENT, prefix
from netalias.model.steps import RETIRE, AddAddress, DelAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.kinds import Goal
    from netalias.model import Address, Alias, Device
    from netalias.model.steps import Step
    from netalias.observed import Observed
    from netalias.observed.planned import Planned


def inside(
    entry: Address, main: Device, observed: Observed, alias: Alias | None, *, up: bool = True
) -> bool:
    """Whether a connected route for the network, or a wider one, is there without this alias.

    Then the alias brings none: a host inside a network of its main device, or of another alias,
    be it one that inherits the route from this alias. *up* tells whether it shall be up.
    """
    own = alias.entry if alias is not None else None
    leaving = _surplus(alias, observed)
    around = (
        other
        for other in observed.around(main, entry)
        if other is not own and not (leaving and id(other) in leaving)
    )
    if alias is not None and own is not None and _same(own, entry):
        silent = bool(own.flags & IFA_F_NOPREFIXROUTE)
        if not up or own.secondary:
            return silent  # there is no route as long as it is down, or hangs on another one
        if alias.up and not silent:
            # It goes on bringing it in a network that is wider: there is one route for each.
            return any(other.prefixlen == own.prefixlen and covers(other, own) for other in around)
    if any(covers(other, entry) for other in around):
        return True
    return observed.hands_over and any(
        covers(successor, entry) for _, _, successor in _successors(alias, entry, observed)
    )


def _surplus(alias: Alias | None, observed: Observed) -> set[int]:
    """id() of what an interrupted change has left on the device of the alias."""
    if alias is None or alias.whole or alias.device is None:
        return set()
    return set(map(id, kinds.surplus(alias.entry, observed.snapshot.on(alias.device.index))))


def _same(own: Address, entry: Address) -> bool:
    """Whether an alias has that address in that network already."""
    return own.local == entry.local and own.prefixlen == entry.prefixlen


def covers(other: Address, entry: Address) -> bool:
    """Whether *other* brings a connected route that *entry*'s network lies in."""
    if (
        other.family != entry.family
        or other.prefixlen > entry.prefixlen
        or other.flags & IFA_F_NOPREFIXROUTE
        or not other.networked
        or other.secondary
    ):
        return False
    return prefix.contains(other.local, other.prefixlen, entry.local)


def take_over(gone: Alias, goal: Goal | None, observed: Observed) -> list[Step]:
    """The steps by which another alias brings the network's route that *gone* brought."""
    wanted = goal.entry if goal is not None and goal.up else None
    return [step for successor in _successors(gone, wanted, observed) for step in _swap(*successor)]


def without_route(planned: Planned) -> Iterator[tuple[Alias, list[Step]]]:
    """Each alias that lost the route of its network by what is planned, and how it brings it."""
    for alias in planned.aliases:
        entry, device, main = alias.entry, alias.device, alias.main
        if entry is None or device is None or main is None or not _waits(alias, entry):
            continue
        if not any(covers(other, entry) for other in planned.around(main, entry)):
            successor = _bringing(entry)
            planned.bring(device.index, successor)
            yield alias, _swap(device, entry, successor)


def _waits(alias: Alias, entry: Address) -> bool:
    """Whether an alias could bring the route of its network, and does not."""
    silent = entry.flags & IFA_F_NOPREFIXROUTE
    return bool(silent) and alias.up and kinds.get(alias.kind).routed


def _bringing(entry: Address) -> Address:
    flags = entry.flags & ~(IFA_F_NOPREFIXROUTE | IFA_F_PERMANENT)
    return entry.renewed().copy(flags=flags)


def _swap(device: Device, entry: Address, successor: Address) -> list[Step]:
    """The kernel cannot change the flag of an address in place: deleted and added in one send."""
    return [
        DelAddress(device.name, device.index, entry),
        AddAddress(device.name, device.index, successor, RETIRE),
    ]


def _successors(
    gone: Alias | None, wanted: Address | None, observed: Observed
) -> list[tuple[Device, Address, Address]]:
    """Who brings the route when *gone* has *wanted* in place of its address: device, old, new."""
    if gone is None or gone.entry is None or not gone.entry.networked:
        return []
    coming = [wanted] if wanted is not None else []
    successors: list[tuple[Device, Address, Address]] = []
    for alias in observed.aliases:
        entry, device = alias.entry, alias.device
        if entry is None or device is None or alias.main is None or alias is gone:
            continue
        if not _waits(alias, entry) or not covers(gone.entry, entry):
            continue
        # What is coming first: of many aliases in one network the first one inherits.
        if any(covers(other, entry) for other in coming):
            continue
        around = observed.around(alias.main, entry)
        left = (other for other in around if other is not gone.entry)
        if any(covers(other, entry) for other in left):
            continue
        successor = _bringing(entry)
        coming.append(successor)
        successors.append((device, entry, successor))
    return successors
