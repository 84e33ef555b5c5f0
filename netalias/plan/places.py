"""Places that only one alias can occupy: an address, a MAC, the kind of device on a main device.

A place that one alias gives up may be taken by another one in the same run. If the plan of the
first is refused and the alias is restored, the other has to be undone before. Pure.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from netalias.kinds import Goal
    from netalias.model import Alias, Device
    from netalias.plan import Plan

RIVALS = {"macvlan": "ipvlan", "ipvlan": "macvlan"}
"""Kinds that exclude each other on one lower device."""


def takers(plans: Sequence[Plan], back: Collection[int], done: Collection[int]) -> dict[int, int]:
    """The plans among *done* that took a place of the plans in *back*, all given by number: number
    of the taker -> number of the plan that had the place.

    A taker is undone and returns to its own former place, whose taker is included too.
    """
    by_place: dict[object, list[int]] = {}
    for number in sorted(done):
        plan = plans[number]
        if plan.goal is not None and plan.steps:
            for place in taken(plan.goal, plan.kind):
                by_place.setdefault(place, []).append(number)
    found: dict[int, int] = {}
    waiting = sorted(back)
    for former in waiting:  # the loop appends to the list
        alias = plans[former].alias
        for place in had(alias) if alias is not None else ():
            for number in by_place.get(place, ()):
                if number not in found and number != former:
                    found[number] = former
                    waiting.append(number)
    return found


def had(alias: Alias) -> Iterator[object]:
    """The places that an alias occupies before its plan is carried out."""
    lower = _lower(alias.main)
    yield lower, alias.address
    if alias.device is not None:
        yield lower, alias.kind
        yield lower, "mac", alias.device.mac


def taken(goal: Goal, kind: str) -> Iterator[object]:
    """The places that an alias occupies afterwards; for its kind, the kind that it excludes."""
    lower = _lower(goal.main)
    yield lower, goal.address
    if kind != "label":
        yield lower, RIVALS.get(kind)
        yield lower, "mac", goal.mac


def _lower(main: Device | None) -> int:
    """The ifindex of the lower device (IFLA_LINK) of aliases on *main*, 0 for none.

    The kernel puts a macvlan on a macvlan on the device below both.
    """
    if main is None:
        return 0
    return main.link if main.kind in RIVALS and not main.remote else main.index
