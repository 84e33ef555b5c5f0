"""The order of the steps of many plans that are executed in one send. Pure."""

from __future__ import annotations

from netalias.kinds import PREFIX
from netalias.model import AF_INET, AF_INET6
from netalias.model.steps import (
    LAST,
    REMOVE,
    REMOVE_PRIMARY,
    RETIRE,
    RETIRE_PRIMARY,
    AddAddress,
    DelAddress,
    SetLink,
)
from netalias.observed.heirs import network_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.model import Address, Device, Snapshot
    from netalias.model.steps import Step
    from netalias.plan import Difference, Plan

    Network = tuple[int, tuple[int, bytes]]
    Deletion = tuple[Plan, DelAddress]

PROMOTE = "promote_secondaries"


def arrange(
    items: Sequence[Difference],
    snapshot: Snapshot,
    *,
    ordered: bool = False,
    shrinking: bool = True,
) -> None:
    """Order the steps of all *items*, which start from *snapshot*.

    *ordered*: only a later item may take the place of an earlier one. *shrinking*: hidden devices
    go that lose their last address; the snapshot holds all addresses of these.
    """
    plans = [item.plan for item in items]
    moving = any(plan.alias is not None for plan in plans)
    if moving:
        from netalias.plan.transfer import clear_places, keep_unique

        clear_places(plans)
    untangle(items, ordered=ordered)
    if moving:
        keep_unique(plans)  # what it adds stays in the last phase
    take_routes_along(plans)
    keep_secondaries(plans, snapshot)
    if snapshot.local_routes or any(plan.kind == PREFIX for plan in plans):
        from netalias.plan.last_address import keep_prefixes

        keep_prefixes(plans, snapshot)
    if shrinking and any(plan.alias is not None and plan.alias.hidden for plan in plans):
        from netalias.plan.deserted import shrink

        shrink(plans, snapshot)


def untangle(items: Sequence[Difference], *, ordered: bool = False) -> None:
    """Move the removal of an address before its addition by another plan.

    Otherwise it would exist twice, which the kernel refuses for labels of one device and for
    ipvlans.
    """
    leaving = [
        (number, item)
        for number, item in enumerate(items)
        if any(step.phase == RETIRE and isinstance(step, DelAddress) for step in item.plan.steps)
    ]
    takers: dict[bytes, set[int]] = {}
    for number, item in enumerate(items if leaving else ()):
        for step in item.plan.steps:
            if isinstance(step, AddAddress):
                takers.setdefault(step.address.local, set()).add(number)
    for number, item in leaving:
        last = [step for step in item.plan.steps if step.phase == RETIRE]
        left = [step.address.local for step in last if isinstance(step, DelAddress)]
        others = {other for local in left for other in takers.get(local, ())} - {number}
        if any(not ordered or other > number for other in others):
            for step in last:
                if not isinstance(step, AddAddress):
                    step.phase = REMOVE


def take_routes_along(plans: Sequence[Plan]) -> None:
    """Delete the route of an IPv6 address that goes while another one of its network comes.

    The kernel leaves it for that one, as it does for one that is there already (kinds/label.py).
    """
    steps = [step for plan in plans for step in plan.steps]
    coming = [step for step in steps if isinstance(step, AddAddress) and _routed(step.address)]
    if not coming:
        return
    networks = {(step.index, network_of(step.address)) for step in coming}
    for plan in plans:
        going = [one for one in plan.steps if isinstance(one, DelAddress) and _routed(one.address)]
        for step in going:
            if (step.index, network_of(step.address)) in networks:
                _take_route(plan, step, coming)


def _routed(entry: Address) -> bool:
    return entry.family == AF_INET6 and entry.routed


def _take_route(plan: Plan, gone: DelAddress, coming: Iterable[AddAddress]) -> None:
    from netalias.model.routes import DelRoute, connected

    route = connected(gone.address, gone.index)
    known = any(isinstance(step, DelRoute) and step.route == route for step in plan.steps)
    again = (connected(step.address, step.index) for step in coming if step.index == gone.index)
    if not known and route not in again:
        plan.steps.append(DelRoute(gone.device, gone.index, route))


def keep_secondaries(plans: Sequence[Plan], snapshot: Snapshot) -> None:
    """Delete the secondaries of an IPv4 network before their primary address, and let the kernel
    promote one of those that stay.

    A primary address takes its secondaries along. Promoted one after the other, thousands of them
    cost the kernel minutes (inet_del_ifa, fib_add_ifaddr).
    """
    if not any(isinstance(step, DelAddress) for plan in plans for step in plan.steps):
        return
    leaving: dict[Network, list[Deletion]] = {}
    coming: set[Network] = set()
    for plan in plans:
        for step in plan.steps:
            if not isinstance(step, (AddAddress, DelAddress)) or not _shares(step.address):
                continue
            network = step.index, network_of(step.address)
            if isinstance(step, DelAddress):
                leaving.setdefault(network, []).append((plan, step))
            else:
                coming.add(network)
    members = _members(leaving, snapshot) if leaving else {}
    for network, entries in members.items():
        if len(entries) > 1 or network in coming:
            main = snapshot.devices[network[0]]
            _keep(leaving[network], entries, main, coming=network in coming)


def _shares(entry: Address) -> bool:
    """Whether other addresses of its device can be secondary to an address, or it to them."""
    return entry.family == AF_INET and (entry.networked or bool(entry.peer))


def _members(networks: Iterable[Network], snapshot: Snapshot) -> dict[Network, list[Address]]:
    """The addresses in each of *networks*: the primary one first, the heirs in their order."""
    found: dict[Network, list[Address]] = {network: [] for network in networks}
    for index in {index for index, _ in found}:
        for entry in snapshot.on(index):
            if _shares(entry) and (index, network_of(entry)) in found:
                found[index, network_of(entry)].append(entry)
    return {network: entries for network, entries in found.items() if entries}


def _keep(leaving: list[Deletion], entries: list[Address], main: Device, *, coming: bool) -> None:
    """Order the deletions in one network, whose addresses are *entries* before them.

    *coming*: addresses are added to the network between REMOVE and RETIRE. What is deleted in LAST
    comes back behind the others.
    """
    for phase, last, follow in (
        (REMOVE, REMOVE_PRIMARY, False),
        (RETIRE, RETIRE_PRIMARY, coming),
        (LAST, LAST, False),
    ):
        now = {step.address.local: (plan, step) for plan, step in leaving if step.phase == phase}
        primary = now.get(entries[0].local)
        entries = [entry for entry in entries if entry.local not in now]
        if primary is not None:
            promote = bool(entries or follow) and not main.promote
            _delete_primary(*primary, last if len(now) > 1 else phase, main, promote)
        if not entries:
            return


def _delete_primary(plan: Plan, step: DelAddress, phase: int, main: Device, promote: bool) -> None:
    """Delete a primary address in *phase*; with *promote* its secondaries stay."""
    step.phase = phase
    switch = [SetLink(main.name, main.index, phase, conf={PROMOTE: value}) for value in (1, 0)]
    steps = [one for one in plan.steps if not _switches(one, main)]
    plan.switched = main if promote else None
    if promote:
        place = next(place for place, one in enumerate(steps) if one is step)
        steps[place : place + 1] = [switch[0], step, switch[1]]
    plan.steps = sorted(steps, key=lambda one: one.phase)


def _switches(step: Step, main: Device) -> bool:
    """Whether a step is part of a deletion that keeps the secondaries on *main*."""
    return isinstance(step, SetLink) and step.index == main.index and PROMOTE in (step.conf or ())
