"""The execution of many plans at once, each undone alone where it is refused."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.claim.session import ClaimSession
    from netalias.engine import Engine
    from netalias.kernel import Failure, Kernel
    from netalias.plan.diff import Item


def withdraw(engine: Engine, items: Sequence[Item], arriving: ClaimSession) -> None:
    """What another host has, as the kernel found out, goes again; so does what is not decided on
    when it is interrupted."""
    owners = {id(item.plan): item for item in items if item.error is None}
    try:
        found = arriving.verdicts()
    except BaseException:
        for plan in arriving.awaited:
            if id(plan) in owners:
                engine.withdraw(plan)
        raise
    for one, error in found:
        item = owners.get(id(one.plan))
        if item is not None:
            engine.withdraw(item.plan)
            item.error = error


def carry_out(kernel: Kernel, items: Sequence[Item], *, ordered: bool = False) -> None:
    """Execute the plans of all items at once; those that are refused get their ``error``.

    *ordered*: what comes after the first refusal is undone.
    """
    for number, item in enumerate(items):
        for step in item.plan.steps:
            step.owner = number
    steps = [step for item in items for step in item.plan.steps]
    try:
        failures = kernel.apply(steps, ordered=ordered)
    except BaseException:
        _bring_back(kernel, items)
        raise
    lost = _bring_back(kernel, [items[failure.step.owner] for failure in failures])
    for number, failure in enumerate(failures):
        item = items[failure.step.owner]
        left = [one for one in lost if one.step.owner == number]
        item.error = failure.explained(item.name, left)


def _bring_back(kernel: Kernel, items: Sequence[Item]) -> list[Failure]:
    """What was removed to be replaced, and was not replaced, comes back; what did not.

    An interruption does not stop that. Where the old alias still stands nothing is made beside it.
    """
    for number, item in enumerate(items):
        for step in item.plan.fallback:
            step.owner = number
    steps = [step for item in items for step in item.plan.fallback]
    return kernel.apply(steps, stoppable=False) if steps else []
