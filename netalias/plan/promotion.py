"""Main devices that have to promote secondaries, since a label on them brings its network. Pure."""

from __future__ import annotations

from netalias.model import AF_INET
from netalias.model.steps import RETIRE, AddAddress, SetLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from netalias.model import Address, Alias, Device
    from netalias.model.steps import Step
    from netalias.plan import Plan

PROMOTE = "promote_secondaries"


def promoting(labels: Iterable[Alias], plans: Sequence[Plan]) -> Iterator[Device]:
    """The main devices of the future IPv4 labels that bring their networks; *labels* are those of
    no plan, which may take the network of another alias over."""
    heirs = {(step.index, step.address.local): step.address for step in _taking_over(plans)}
    found: list[tuple[Device | None, Address | None]] = []
    for label in labels:
        if label.main is not None:
            heir = heirs.get((label.main.index, label.address), label.entry)
            found.append((label.main, heir))
    for plan in plans:
        goal = plan.goal
        if goal is not None and plan.kind == "label" and goal.type.family == AF_INET:
            found.append((goal.main, goal.entry))
    for main, entry in found:
        if main is not None and entry is not None and entry.networked:
            yield main


def _taking_over(plans: Iterable[Plan]) -> Iterator[AddAddress]:
    """The steps by which an alias takes the network of another one over (routes.take_over)."""
    for plan in plans:
        for step in plan.steps:
            if isinstance(step, AddAddress) and step.phase == RETIRE:
                yield step


def stay(main: Device, plans: Iterable[Plan]) -> None:
    """Drop the steps that switch promote_secondaries of *main* off again after a deletion."""
    for plan in plans:
        plan.steps = [step for step in plan.steps if not _switches_off(step, main)]


def _switches_off(step: Step, main: Device) -> bool:
    """Whether a step ends the deletion of a label whose secondaries stay."""
    if not isinstance(step, SetLink) or step.index != main.index:
        return False
    return (step.conf or {}).get(PROMOTE) == 0
