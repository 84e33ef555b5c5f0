"""Undoing of plans that were refused, and the return of the aliases that they had removed."""

from __future__ import annotations

from netalias import errors
from netalias.kernel import Failure, stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from netalias.kernel import Kernel
    from netalias.model.names import AliasName
    from netalias.model.steps import Step
    from netalias.plan import Difference, Plan


class Undoing:
    """The refusals among *items*, whose steps have the number of their item as owner; with *atomic*
    all have the same, and one refusal concerns all.

    Every item is undone too that has taken the place of an alias that was to be replaced, was
    refused, and comes back.
    """

    def __init__(self, kernel: Kernel, items: Sequence[Difference], atomic: bool = False) -> None:
        self._kernel = kernel
        self._items = items
        self._atomic = atomic

    def stop(self, plans: Iterable[Plan]) -> None:
        """Undo plans that were carried out and not decided on, after an interruption."""
        self.take_back([(plan, stopped(plan.steps[0])) for plan in plans])

    def take_back(self, found: Sequence[tuple[Plan, errors.NetaliasError]]) -> None:
        """Undo plans that were carried out, each for a reason."""
        owners = {id(item.plan): item.plan.steps[0].owner for item in self._standing()}
        failures = {
            owners[id(plan)]: Failure(plan.steps[0], error)
            for plan, error in found
            if id(plan) in owners
        }
        if failures:
            self._undo(failures)
            self.settle(failures)

    def _steps(self) -> list[Step]:
        return [step for item in self._items for step in item.plan.steps]

    def _standing(self) -> list[Difference]:
        """The items that were carried out."""
        return [item for item in self._items if item.error is None and item.plan.steps]

    def _undo(self, failures: Mapping[int, Failure]) -> None:
        """Undo all steps of the owners that failed, the last one first."""
        steps = [step for step in self._steps() if step.owner in failures]
        for step in self._kernel.undo(sorted(steps, key=lambda step: step.phase)):
            failures[step.owner].left.append(step)

    def settle(self, failures: dict[int, Failure]) -> None:
        """Bring back the aliases that failed owners have removed; the items get their errors."""
        lost = self.bring_back(failures)
        if lost or any(failure.left for failure in failures.values()):
            lost = self._make_way(failures, lost)
        for owner, failure in failures.items():
            left = [one for one in lost if one.step.owner == owner]
            error = failure.explained(self._named(failure), left)
            for item in self._items if self._atomic else [self._items[owner]]:
                item.error = error

    def _named(self, failure: Failure) -> AliasName:
        """The name of the item that a failed step belongs to."""
        owner = failure.step.owner
        if not self._atomic:
            return self._items[owner].name
        found = (one for one in self._items if any(step is failure.step for step in one.plan.steps))
        return next(found, self._items[0]).name

    def _make_way(self, failures: dict[int, Failure], lost: list[Failure]) -> list[Failure]:
        """Undo the items that stand in the way of an alias that comes back, and try that again.

        *failures* get the items that are undone. Returns the aliases that do not come back even so.
        """
        from netalias.plan.places import takers

        items = self._items
        done = {number for number, item in enumerate(items) if item.error is None}
        gone = {failure.step.owner for failure in lost}
        back = gone.union(number for number, failure in failures.items() if failure.left)
        plans = [item.plan for item in items]
        leaving: dict[int, Failure] = {}
        for number, former in takers(plans, back, done - failures.keys()).items():
            name = items[former].name
            reason = f"undone: it stood in the way of {name}, which could not be changed"
            leaving[number] = Failure(plans[number].steps[0], errors.StateError(reason))
        if not leaving:
            return lost
        self._undo(leaving)
        for failure in failures.values():
            failure.left = self._kernel.unwind(failure.left)
        failures.update(leaving)
        return self.bring_back({*gone, *leaving})

    def bring_back(self, owners: Collection[int]) -> list[Failure]:
        """Make the aliases again that were removed to be replaced; returns those that are refused.

        An interruption does not stop that. Where the old alias still stands nothing is made beside
        it.
        """
        steps = [step for item in self._items for step in item.plan.fallback]
        steps = [step for step in steps if step.owner in owners]
        return self._kernel.apply(steps, stoppable=False) if steps else []
