"""Addresses that move from one device of a main device to another one in the same run. Pure.

The new place comes first and the old one goes last, so that the address is there all the time:
Kernel.apply() waits in between until the kernel delivers to it, and tells neighbours.
"""

from __future__ import annotations

from netalias import kinds
from netalias.kinds.device import DeviceKind
from netalias.model import AF_INET6, IFA_F_NODAD
from netalias.model.steps import REMOVE, RETIRE, AddAddress, DelAddress, DelLink
from netalias.plan.places import had, taken
from netalias.plan.undetected import is_known, undetected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.model import Address, Alias
    from netalias.model.steps import Step
    from netalias.plan import Plan


def keep_unique(plans: Sequence[Plan]) -> None:
    """Let IPv6 addresses that move, or change in place, come without duplicate address detection.

    The kernel has found out already that nobody else on the link has them, and this host has
    defended them since; a new detection would be up to two seconds of silence. So that holds only
    for addresses of ours that are valid, and go from the same link in this run: from another
    device, or from the same one for another prefix length, metric or alias, or for a route more or
    less.
    The flag is taken off again at the end of the run, so that the kernel checks the address as
    usual when its device comes up the next time. The route of the network comes to a new device at
    that time too: earlier, answers would wait for neighbours that this device cannot ask for yet.
    """
    coming = [
        (plan, step)
        for plan in plans
        for step in plan.steps
        if isinstance(step, AddAddress) and step.address.family == AF_INET6
    ]
    if not coming:
        return
    going = {
        (alias.main.index, entry.local): entry
        for plan in plans
        if (alias := plan.alias) is not None and alias.main is not None
        for entry in _leaving(alias, plan)
    }
    for plan, step in coming if going else ():
        goal = plan.goal
        if goal is None or not (goal.up and goal.main.up) or goal.address != step.address.local:
            continue
        former = going.get((goal.main.index, goal.address))
        if former is None or step.address.flags & IFA_F_NODAD:
            continue
        plan.steps.append(undetected(step))


def _leaving(alias: Alias, plan: Plan) -> Iterable[Address]:
    """The valid IPv6 address of *alias*, if the plan takes it away."""
    entry = alias.entry
    if entry is not None and is_known(entry) and alias.ours and alias.up:
        for step in plan.steps:
            removed = isinstance(step, DelAddress) and step.address.local == entry.local
            if removed or isinstance(step, DelLink):
                yield entry
                return


def clear_places(plans: Sequence[Plan]) -> None:
    """Remove a device before all else if another plan takes its place, and last if another one
    takes nothing but its address."""
    going = [(plan, step) for plan in plans for step in _going(plan)]
    if not going:
        return
    takers: dict[object, set[int]] = {}
    for plan in plans:
        if plan.goal is not None and plan.steps:
            named = (plan.goal.device, str(plan.goal.name))
            for place in (*taken(plan.goal, plan.kind), *named):
                takers.setdefault(place, set()).add(id(plan))
    for plan, step in going:
        assert plan.alias is not None
        address, *others = had(plan.alias)
        kind = kinds.get(plan.alias.kind)
        if isinstance(kind, DeviceKind) and kind.exclusive:
            others.append(address)
        if plan.goal is None:
            others += (step.device, str(plan.alias.name))
        if any(takers.get(place, set()) - {id(plan)} for place in others):
            step.phase = REMOVE
        elif address in takers:
            step.phase = RETIRE
        plan.steps.sort(key=lambda one: one.phase)


def _going(plan: Plan) -> Iterable[Step]:
    """The removal of the alias device that another one may replace."""
    if plan.alias is None or plan.alias.device is None:
        return
    for step in plan.steps:
        own = isinstance(step, DelLink) and step.index == plan.alias.device.index
        if own and (plan.goal is None or step.phase == RETIRE):
            yield step
