"""Places that only one alias can have: an address, a MAC, the one kind that a main device carries.

A place that one alias gives up may be taken by another one of the same run. When the first is
refused and has to come back, the other has to go before that. Pure.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from netalias.kinds import Goal
    from netalias.model import Alias, Device
    from netalias.plan import Plan

RIVALS = {"macvlan": "ipvlan", "ipvlan": "macvlan"}
"""Kinds that cannot stand on one device beside each other."""


def takers(plans: Sequence[Plan], back: Collection[int], done: Collection[int]) -> dict[int, int]:
    """The plans among *done* that took a place of those in *back*: their numbers, each with the
    number of the plan whose place it took.

    An alias that has to make way comes back to its own place, which a third one may have taken.
    """
    by_place: dict[object, list[int]] = {}
    for number in sorted(done):
        plan = plans[number]
        if plan.goal is not None and plan.steps:
            for place in _taken(plan.goal, plan.kind):
                by_place.setdefault(place, []).append(number)
    found: dict[int, int] = {}
    waiting = sorted(back)
    for former in waiting:  # the list grows meanwhile
        alias = plans[former].alias
        for place in _had(alias) if alias is not None else ():
            for number in by_place.get(place, ()):
                if number not in found and number != former:
                    found[number] = former
                    waiting.append(number)
    return found


def _had(alias: Alias) -> Iterator[object]:
    """The places of an alias before its plan is carried out."""
    ground = _ground(alias.main)
    yield ground, alias.address
    if alias.device is not None:
        yield ground, alias.kind
        yield ground, "mac", alias.device.mac


def _taken(goal: Goal, kind: str) -> Iterator[object]:
    """Its places afterwards; in place of its kind the one that has to leave for it."""
    ground = _ground(goal.main)
    yield ground, goal.address
    if kind != "label":
        yield ground, RIVALS.get(kind)
        yield ground, "mac", goal.mac


def _ground(main: Device | None) -> int:
    """The ifindex of the device that everything on *main* really stands on, 0 for none.

    A macvlan on a macvlan is put on what is below both.
    """
    if main is None:
        return 0
    return main.link if main.kind in RIVALS and not main.remote else main.index
