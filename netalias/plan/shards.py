"""Hidden devices of shards: which one an address goes to, when one is made, and removed. Pure."""

from __future__ import annotations

from netalias import errors
from netalias.desired.unfit import refuse
from netalias.kinds.device import ADDRGEN_NONE, NO_INET6
from netalias.kinds.shard import CARRIERS, carrier
from netalias.model import hidden, prefix
from netalias.model.shell import link
from netalias.model.steps import (
    QUIET,
    SET,
    CreateLink,
    SetLink,
)
from netalias.plan.routes import covers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired import Wish
    from netalias.kinds import Goal
    from netalias.model import Device
    from netalias.model.steps import Step
    from netalias.observed import Observed

KIND = "shard"
ARP_IGNORE = "arp_ignore"


def place(wish: Wish, goal: Goal, observed: Observed, *, new: bool) -> list[str]:
    """Set the hidden device of *goal*, or the steps that make it; a note, once for each network,
    where no route leads to that of the goal. Raises AlreadyExists, NotOurs where a device of others
    has the name of the hidden device, KindError where the kernel can have none, where the main
    device of a *new* shard does not answer ARP for it, and for words of *wish* that mean nothing
    to a shard."""
    refuse(wish, goal.name, KIND, goal.type.family)
    if new:
        _check_answers(goal, observed)
    goal.device = name = hidden.device_of(goal.name)
    steps = observed.shared.get(name)
    if steps is None:
        device = observed.snapshot.device(name)
        if device is not None and hidden.owner(device, observed.group) != goal.main.name:
            raise _taken(name, device, goal)
        steps = _completed(device, goal) if device is not None else _made(name, goal, observed)
        observed.shared[name] = steps
    goal.before = steps
    goal.hidden = observed.snapshot.device(name)
    return _unrouted(goal, observed) if goal.entry is not None and goal.entry.noted else []


def _check_answers(goal: Goal, observed: Observed) -> None:
    """Raises KindError if arp_ignore of the main device is set by others. What netalias has set for
    macvlans goes back (plan/sysctls.py): the order in which aliases come makes no difference."""
    main = goal.main
    if main.arp_ignore and observed.restorable(main, ARP_IGNORE) is None:
        raise errors.KindError(
            f"{goal.name}: kind shard cannot serve: {main.name} has to answer ARP for it, and its"
            f" {ARP_IGNORE} is {main.arp_ignore}"
        )


def _unrouted(goal: Goal, observed: Observed) -> list[str]:
    assert goal.entry is not None
    length, main = goal.entry.noted, goal.main
    network = f"{goal.type.format(prefix.network(goal.address, length))}/{length}"
    key = f"{main.name} {network}"
    if key in observed.shared:
        return []
    observed.shared[key] = []
    if any(covers(one, goal.entry) for one in observed.snapshot.on(main.index)):
        return []
    way = f"ip route add {network} dev {main.name} src {goal.type.format(goal.address)}"
    return [f"{goal.name}: no route leads to {network}: a shard brings none ({way})"]


def _taken(name: str, device: Device, goal: Goal) -> errors.StateError:
    """The error for a device that has the *name* of a hidden one, and is none."""
    recorded = device.name == name and bool(device.ifalias)
    if recorded and hidden.main_of(name, device.ifalias) == goal.main.name:
        return errors.NotOurs(
            f"{goal.name}: somebody has taken {name} out of its group, so it is left alone",
            f"ip link set {link(name)} group {hidden.group_of(goal.group)}",
        )
    return errors.AlreadyExists(
        f"{goal.name}: {name} names the device {device.name}, which netalias did not make"
    )


def _made(name: str, goal: Goal, observed: Observed) -> list[Step]:
    """The steps that make a hidden device. Raises KindError where the kernel has none."""
    kind = carrier(observed.able)
    if not kind:
        raise errors.KindError(
            f"{goal.name}: kind shard cannot serve: this kernel has neither"
            f" {' nor '.join(CARRIERS)} devices"
        )
    created = CreateLink(name, kind, group=hidden.group_of(goal.group), shared=True)
    if goal.vrf is not None:
        created.master, created.inside = goal.vrf.index, goal.vrf.name
    steps: list[Step] = [created]
    if goal.main.inet6:
        steps.append(SetLink(name, 0, QUIET, addrgen=ADDRGEN_NONE, tolerate=NO_INET6))
    # It is up before it has addresses: each of these makes an alias complete, if a run is stopped.
    return [*steps, SetLink(name, 0, SET, ifalias=hidden.record(goal.main.name), up=True)]


def _completed(device: Device, goal: Goal) -> list[Step]:
    """The steps that complete one that an interrupted run has left, or that somebody has set
    down."""
    record = hidden.record(goal.main.name)
    ifalias = record if device.ifalias != record else None
    up = True if not device.up else None
    if ifalias is None and up is None:
        return []
    return [SetLink(device.name, device.index, SET, ifalias=ifalias, up=up)]
