"""Connected routes: which address brings that of a network, so that there is never a second one."""

from __future__ import annotations

from netalias import kinds
from netalias.model import IFA_F_NOPREFIXROUTE, IFA_F_PERMANENT
from netalias.steps import RETIRE, AddAddress, DelAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.kinds import Goal, World
    from netalias.model import Address, Alias, Device
    from netalias.steps import Step


def inside(entry: Address, main: Device, world: World, alias: Alias | None) -> bool:
    """Whether a connected route for the network, or a wider one, is there without this alias.

    Then the alias brings none: a host inside a network of its main device, or of another alias,
    be it one that inherits the route from this alias.
    """
    own = alias.entry if alias is not None else None
    others = [other for other in _around(main, world) if other is not own]
    others += [heir for _, _, heir in _heirs(alias, entry, world)]
    return any(_covers(other, entry) for other in others)


def _around(main: Device, world: World) -> Iterator[Address]:
    """The addresses of a main device, and of all aliases that are up."""
    for index, entries in world.snapshot.addresses.items():
        device = world.snapshot.devices.get(index)
        ours = device is not None and device.group == world.group and device.up
        if index == main.index or ours:
            yield from entries


def _covers(other: Address, entry: Address) -> bool:
    """Whether *other* brings a connected route that *entry*'s network lies in."""
    if (
        other.family != entry.family
        or other.prefixlen > entry.prefixlen
        or other.flags & IFA_F_NOPREFIXROUTE
        or not other.networked
    ):
        return False
    difference = int.from_bytes(other.local, "big") ^ int.from_bytes(entry.local, "big")
    return difference >> (len(entry.local) * 8 - other.prefixlen) == 0


def inherit(gone: Alias, goal: Goal | None, world: World) -> list[Step]:
    """The steps by which another alias brings the network's route that *gone* brought.

    The kernel cannot change the flag of an address in place: it is deleted and added in one send.
    """
    steps: list[Step] = []
    wanted = goal.entry if goal is not None and goal.up else None
    for device, entry, heir in _heirs(gone, wanted, world):
        steps += [
            DelAddress(device.name, device.index, entry),
            AddAddress(device.name, device.index, heir, RETIRE),
        ]
    return steps


def _heirs(
    gone: Alias | None, wanted: Address | None, world: World
) -> list[tuple[Device, Address, Address]]:
    """Who brings the route when *gone* has *wanted* in place of its address: device, old, new."""
    if gone is None or gone.entry is None or not gone.entry.networked:
        return []
    coming = [wanted] if wanted is not None else []
    heirs: list[tuple[Device, Address, Address]] = []
    for alias in world.aliases:
        entry, device = alias.entry, alias.device
        if entry is None or device is None or alias.main is None or alias is gone:
            continue
        if not entry.flags & IFA_F_NOPREFIXROUTE or not _covers(gone.entry, entry):
            continue
        if not device.up or not kinds.get(alias.kind).routed:
            continue
        # What is coming first: of many aliases in one network the first one inherits.
        if any(_covers(other, entry) for other in coming):
            continue
        left = (other for other in _around(alias.main, world) if other is not gone.entry)
        if any(_covers(other, entry) for other in left):
            continue
        heir = entry.copy(flags=entry.flags & ~(IFA_F_NOPREFIXROUTE | IFA_F_PERMANENT))
        coming.append(heir)
        heirs.append((device, entry, heir))
    return heirs
