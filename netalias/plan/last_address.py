"""Prefixes of a main device whose last IPv4 address goes: the kernel deletes their routes with it
(fib_disable_ip of net/ipv4/fib_frontend.c). Pure."""

from __future__ import annotations

from netalias.model import AF_INET
from netalias.model.local_routes import AddLocal, DelLocal
from netalias.model.steps import AddAddress, DelAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.model import Snapshot
    from netalias.model.local_routes import LocalRoute
    from netalias.model.steps import Step
    from netalias.plan import Plan

    Owned = tuple[Plan, Step]


def keep_prefixes(plans: Sequence[Plan], snapshot: Snapshot) -> bool:
    """Add the IPv4 routes again that a main device loses, however shortly it is without an IPv4
    address between the steps of *plans*, which start from *snapshot*; whether there are any."""
    found = False
    steps = [(plan, step) for plan in plans for step in plan.steps]
    indexes = {
        step.index
        for _, step in steps
        if isinstance(step, DelAddress) and step.address.family == AF_INET
    }
    for index in indexes:
        own = [(plan, step) for plan, step in steps if step.index == index]
        routes = [*_staying(index, own, snapshot)]
        for plan, last in _deserting(index, own, snapshot) if routes else ():
            place = next(place for place, one in enumerate(plan.steps) if one is last)
            again = [
                AddLocal(last.device, index, route, last.phase, kept=True)
                for route, phase in routes
                if phase <= last.phase
            ]
            plan.steps[place + 1 : place + 1] = again
            found |= bool(again)
    return found


def _staying(
    index: int, own: Sequence[Owned], snapshot: Snapshot
) -> Iterator[tuple[LocalRoute, int]]:
    """The IPv4 routes of a main device after all steps, each with the phase in which it comes."""
    gone = [step.route for _, step in own if isinstance(step, DelLocal)]
    for route in snapshot.local_routes:
        if route.index == index and route.family == AF_INET and route not in gone:
            yield route, 0
    for _, step in own:
        if isinstance(step, AddLocal) and step.route.family == AF_INET:
            yield step.route, step.phase


def _deserting(index: int, own: Sequence[Owned], snapshot: Snapshot) -> Iterator[Owned]:
    """The last deletion, and its plan, of each phase that leaves no IPv4 address on a main device.

    Addresses that come in the same phase may come later, so they do not count.
    """
    left = {one.local for one in snapshot.on(index) if one.family == AF_INET}
    moves = [
        (plan, step)
        for plan, step in own
        if isinstance(step, (AddAddress, DelAddress)) and step.address.family == AF_INET
    ]
    for phase in sorted({step.phase for _, step in moves}):
        now = [(plan, step) for plan, step in moves if step.phase == phase]
        going = [one for one in now if isinstance(one[1], DelAddress)]
        left -= {step.address.local for _, step in going}
        if going and not left:
            yield going[-1]
        left |= {step.address.local for _, step in now if isinstance(step, AddAddress)}
