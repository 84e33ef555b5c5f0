"""The execution of many plans at once; each that is refused is undone by itself."""

from __future__ import annotations

from netalias import errors
from netalias.kernel import Failure, stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netalias.claim.session import ClaimSession
    from netalias.kernel import Kernel
    from netalias.plan import Plan
    from netalias.plan.diff import Item


def carry_out(kernel: Kernel, items: Sequence[Item], *, ordered: bool = False) -> None:
    """Execute the plans of all items at once; those that are refused get their ``error``.

    *ordered*: the items after the first refused one are undone. So is every item that has taken the
    place of an alias that was to be replaced, was refused, and comes back.
    """
    _number(items)
    steps = [step for item in items for step in item.plan.steps]
    try:
        failures = kernel.apply(steps, ordered=ordered)
    except BaseException:
        _bring_back(kernel, items)
        raise
    _settle(kernel, items, {failure.step.owner: failure for failure in failures})


def withdraw(kernel: Kernel, items: Sequence[Item], arriving: ClaimSession) -> None:
    """Undo the items whose address another host has, by the kernel's verdict.

    An interruption undoes those that are not decided on.
    """
    try:
        verdicts = arriving.verdicts()
    except BaseException:
        undecided = [(plan, stopped(plan.steps[0])) for plan in arriving.awaited]
        _take_back(kernel, items, undecided)
        raise
    found = [(one.plan, error) for one, error in verdicts if one.plan is not None]
    _take_back(kernel, items, found)


def _take_back(
    kernel: Kernel, items: Sequence[Item], found: Sequence[tuple[Plan, errors.NetaliasError]]
) -> None:
    """Undo plans that were carried out, each for a reason."""
    _number(items)
    owners = {id(item.plan): number for number, item in enumerate(items) if item.error is None}
    failures = {
        owners[id(plan)]: Failure(plan.steps[0], error)
        for plan, error in found
        if id(plan) in owners
    }
    _undo(kernel, items, failures)
    _settle(kernel, items, failures)


def _number(items: Sequence[Item]) -> None:
    """Let every item own its steps."""
    for number, item in enumerate(items):
        for step in (*item.plan.steps, *item.plan.fallback):
            step.owner = number


def _undo(kernel: Kernel, items: Sequence[Item], failures: Mapping[int, Failure]) -> None:
    """Undo all steps of the items that failed, the last one first."""
    steps = [step for number in sorted(failures) for step in items[number].plan.steps]
    for step in kernel.undo(sorted(steps, key=lambda step: step.phase)):
        failures[step.owner].left.append(step)


def _settle(kernel: Kernel, items: Sequence[Item], failures: dict[int, Failure]) -> None:
    """Bring back the aliases that failed items have removed, and give those items their errors."""
    lost = _bring_back(kernel, [items[number] for number in failures])
    if lost or any(failure.left for failure in failures.values()):
        lost = _make_way(kernel, items, failures, lost)
    for number, failure in failures.items():
        item = items[number]
        item.error = failure.explained(item.name, [one for one in lost if one.step.owner == number])


def _make_way(
    kernel: Kernel, items: Sequence[Item], failures: dict[int, Failure], lost: list[Failure]
) -> list[Failure]:
    """Undo the items that stand in the way of an alias that comes back, and try that again.

    *failures* get the items that are undone. Returns the aliases that do not come back even so.
    """
    from netalias.plan.places import takers

    done = {number for number, item in enumerate(items) if item.error is None} - failures.keys()
    gone = {failure.step.owner for failure in lost}
    back = gone.union(number for number, failure in failures.items() if failure.left)
    leaving: dict[int, Failure] = {}
    for number, former in takers([item.plan for item in items], back, done).items():
        reason = f"undone: it stood in the way of {items[former].name}, which could not be changed"
        leaving[number] = Failure(items[number].plan.steps[0], errors.StateError(reason))
    if not leaving:
        return lost
    _undo(kernel, items, leaving)
    for failure in failures.values():
        failure.left = kernel.unwind(failure.left)
    failures.update(leaving)
    return _bring_back(kernel, [items[number] for number in (*gone, *leaving)])


def _bring_back(kernel: Kernel, items: Sequence[Item]) -> list[Failure]:
    """Make the aliases again that were removed to be replaced; returns those that are refused.

    An interruption does not stop that. Where the old alias still stands nothing is made beside it.
    """
    steps = [step for item in items for step in item.plan.fallback]
    return kernel.apply(steps, stoppable=False) if steps else []
