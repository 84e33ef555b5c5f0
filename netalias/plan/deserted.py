"""Hidden devices whose last addresses go, or that have none. Pure."""

from __future__ import annotations

from netalias.model import AF_INET6, RT_SCOPE_LINK, Alias, hidden
from netalias.model.names import main_name
from netalias.model.steps import AddAddress, DelAddress, DelLink
from netalias.observed.shards import KIND, hidden_devices
from netalias.plan import Difference, Plan
from netalias.plan.diff import REMOVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from netalias.model import Device, Snapshot
    from netalias.observed import Observed


def shrink(plans: Sequence[Plan], snapshot: Snapshot) -> None:
    """Let hidden devices go whose last addresses go: one deletion takes the place of theirs.

    *snapshot* must hold all addresses of these devices.
    """
    leaving: dict[int, list[tuple[Plan, DelAddress]]] = {}
    coming: set[str] = set()
    for plan in plans:
        here = plan.alias.hidden if plan.alias is not None else None
        for step in plan.steps if here is not None or plan.kind == KIND else ():
            if isinstance(step, AddAddress):
                coming.add(step.device)
            elif isinstance(step, DelAddress) and here is not None and step.index == here.index:
                leaving.setdefault(step.index, []).append((plan, step))
    for index, found in leaving.items():
        device = snapshot.devices[index]
        if device.name not in coming and not _stay(device, snapshot, len(found)):
            _delete(device, found)


def _stay(device: Device, snapshot: Snapshot, leaving: int) -> bool:
    """Whether a hidden device keeps addresses when so many have left."""
    there = (one for one in snapshot.on(device.index) if not is_own(one.family, one.scope))
    return sum(1 for _ in there) != leaving


def is_own(family: int, scope: int) -> bool:
    """Whether an address is one that the kernel itself gives to a device (link-local)."""
    return family == AF_INET6 and scope == RT_SCOPE_LINK


def _delete(device: Device, found: Sequence[tuple[Plan, DelAddress]]) -> None:
    """Delete *device* in place of its addresses: with the last plan, in its phase."""
    gone = DelLink(device.name, device.index, device.group, shared=True)
    gone.phase = max(step.phase for _, step in found)
    for plan, step in found:
        plan.steps = [one for one in plan.steps if one is not step]
    last = found[-1][0]
    last.steps = sorted([*last.steps, gone], key=lambda step: step.phase)


def empty(
    observed: Observed, items: Sequence[Difference], only: Collection[str]
) -> Iterator[Difference]:
    """The differences that remove hidden devices without addresses, of the main devices called
    *only*, if there are any: an interrupted run leaves them. None of *items* needs them, which are
    planned already."""
    coming = {item.plan.goal.device for item in items if item.plan.goal is not None}
    for device in hidden_devices(observed.snapshot, observed.group):
        main = hidden.owner(device, observed.group)
        entries = observed.snapshot.on(device.index)
        if device.name in coming or any(not is_own(one.family, one.scope) for one in entries):
            continue
        if not only or main in only:
            plan = Plan(Alias(main_name(device.name), KIND, hidden=device))
            plan.steps = [DelLink(device.name, device.index, device.group, shared=True)]
            yield Difference(REMOVED, main_name(device.name), plan)
