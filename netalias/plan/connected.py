"""The connected routes of aliases that are there: one that somebody has deleted is added again.
Pure."""

from __future__ import annotations

from netalias import kinds
from netalias.kinds import VRF
from netalias.model import (
    AF_INET6,
    IFA_F_DADFAILED,
    IFA_F_TENTATIVE,
    IFF_LOOPBACK,
    IFF_LOWER_UP,
)
from netalias.model.routes import AddRoute, Connected, connected, unrouted
from netalias.model.steps import AddAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.kinds import Goal
    from netalias.model import Alias, Snapshot
    from netalias.model.steps import Step
    from netalias.observed import Observed


def lost(
    observed: Observed, aliases: Iterable[Alias], routes: Iterable[Connected]
) -> frozenset[int]:
    """id() of the addresses of those *aliases* whose connected route is not among *routes*."""
    places = {route.place for route in routes}
    found = ((one, _expected(one, observed.snapshot)) for one in aliases)
    return frozenset(
        id(alias.entry) for alias, route in found if route and route.place not in places
    )


def _expected(alias: Alias, snapshot: Snapshot) -> Connected | None:
    """The route that the kernel has added for the address of an alias; None where it adds none (at
    all, or yet), or to another table: a loopback device has local routes, a VRF its own table."""
    entry, device = alias.entry, alias.carrier
    if not alias.ours or entry is None or device is None or not entry.routed:
        return None
    if entry.secondary or not kinds.get(alias.kind).routed or unrouted(entry):
        return None
    if device.flags & IFF_LOOPBACK or not (device.up and device.flags & IFF_LOWER_UP):
        return None
    if entry.family == AF_INET6 and entry.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED):
        return None
    master = snapshot.devices.get(device.master)
    if master is not None and master.kind in VRF:
        return None
    return connected(entry, device.index)


def restore(alias: Alias, goal: Goal, steps: Iterable[Step]) -> list[Step]:
    """The step that adds the route of *alias* again, unless *steps* bring its address anew."""
    entry, device = alias.entry, alias.carrier
    if entry is None or device is None or goal.entry is None or not goal.entry.routed:
        return []
    if not goal.up:
        return []
    if any(isinstance(step, AddAddress) for step in steps):
        return []
    return [AddRoute(device.name, device.index, connected(entry, device.index))]
