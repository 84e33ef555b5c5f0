"""The replacement of an alias by one of another kind. Pure."""

from __future__ import annotations

from netalias import kinds
from netalias.kinds import VRF, Goal
from netalias.model import AF_INET, Snapshot, names
from netalias.model.steps import RETIRE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Alias, Device
    from netalias.model.steps import Step
    from netalias.observed import Observed


def without(alias: Alias, snapshot: Snapshot, main: Device) -> Snapshot:
    """The devices without that of *alias*, which is to be replaced."""
    if alias.device is None or alias.device.index not in snapshot.devices:
        return snapshot
    left = Snapshot(device for device in snapshot.devices.values() if device is not alias.device)
    for upper in snapshot.uppers(main.index):
        if upper.index not in snapshot.devices:  # a planned device (observed.planned)
            left.stack(upper)
    return left


def inherit(goal: Goal, alias: Alias, kind: str) -> None:
    """Let a device of another kind inherit MTU and MAC of *alias*, unless they are the main's."""
    device = alias.device
    if device is None or kind in kinds.DEVICELESS:
        return
    if device.mtu != goal.main.mtu:
        goal.mtu = goal.mtu or device.mtu
    if "ipvlan" not in (alias.kind, kind):
        goal.mac = goal.mac or device.mac


def replaced(
    alias: Alias, kind: str, goal: Goal, observed: Observed
) -> tuple[list[Step], list[Step]]:
    """The steps that put *goal* in the place of *alias*, and those that bring it back.

    What is replaced is removed last, so that its address is there all the time; but a device
    gives way first to another device, which gets its name.
    """
    old = kinds.get(alias.kind)
    removal = old.unmake(alias, observed.snapshot)
    if alias.device is None or kind == "label":
        for step in removal:
            step.phase = RETIRE
    steps = [*removal, *kinds.get(kind).make(goal)]
    if alias.device is None or alias.main is None:
        return steps, []
    before = _as_it_is(alias, observed)
    fallback = old.make(before)
    if before.gateway:
        from netalias.plan.gateways import restored

        fallback += restored(before, observed)
    return steps, fallback


def _as_it_is(alias: Alias, observed: Observed) -> Goal:
    """The goal that restores *alias* as it is."""
    assert alias.main is not None
    device = alias.device
    return Goal(
        alias.name,
        alias.main,
        observed.registry.get(alias.family or AF_INET),  # without an address the type is not used
        alias.address,
        alias.prefixlen,
        device=names.primary(alias.name),
        entry=alias.entry and alias.entry.renewed(),
        up=alias.up,
        mtu=device.mtu if device is not None else 0,
        mac=device.mac if device is not None and alias.kind != "ipvlan" else b"",
        group=observed.group,
        vrf=observed.snapshot.master(alias.main, VRF),
        lease=alias.lease,
        former=device.index if device is not None else 0,
        gateway=alias.gateway,
        linklocal=alias.linklocal,
    )
