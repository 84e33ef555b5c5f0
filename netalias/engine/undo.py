"""Undoing of refused plans, and the restoration of aliases that they had removed."""

from __future__ import annotations

from netalias import errors
from netalias.kernel import Failure, stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from netalias.kernel import Kernel
    from netalias.model import Snapshot
    from netalias.model.names import AliasName
    from netalias.model.steps import Step
    from netalias.plan import Difference, Plan


class Undoing:
    """The undoing of *items*, planned on the reading *seen*. The owner of a step is the number of
    its item; with *atomic*, all steps have one owner, and one refusal concerns all items.

    If a replacement is refused and the old alias comes back, items that have taken its place are
    undone as well.
    """

    def __init__(
        self,
        kernel: Kernel,
        items: Sequence[Difference],
        seen: Snapshot | None = None,
        atomic: bool = False,
    ) -> None:
        self._kernel = kernel
        self._seen = seen
        self._items = items
        self._atomic = atomic

    def stop(self, plans: Iterable[Plan]) -> None:
        """Undo executed plans that await the kernel's verdict, after an interruption."""
        self.take_back([(plan, stopped(plan.steps[0])) for plan in plans])

    def take_back(self, found: Sequence[tuple[Plan, errors.NetaliasError]]) -> None:
        """Undo executed plans; *found* holds each with its reason."""
        owners = {id(item.plan): item.plan.steps[0].owner for item in self._executed()}
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

    def _executed(self) -> list[Difference]:
        """The items that were carried out."""
        return [item for item in self._items if item.error is None and item.plan.steps]

    def _undo(self, failures: Mapping[int, Failure]) -> None:
        """Undo all steps of the failed owners, the last one first."""
        steps = [step for step in self._steps() if step.owner in failures]
        for step in self._kernel.undo(sorted(steps, key=_phase), self._seen, self._steps()):
            failures[step.owner].left.append(step)

    def settle(self, failures: dict[int, Failure]) -> None:
        """Restore the aliases that failed owners have removed, and set the errors of the items."""
        # Without the right to change anything nothing was removed.
        removed = {
            owner
            for owner, failure in failures.items()
            if not isinstance(failure.error, errors.NotPermitted)
        }
        lost = self.bring_back(removed)
        if lost or any(failure.left for failure in failures.values()):
            lost = self._make_way(failures, lost)
        for owner, failure in failures.items():
            left = [one for one in lost if one.step.owner == owner]
            error = failure.explained(self._name_of(failure), left)
            for item in self._items if self._atomic else [self._items[owner]]:
                item.error = error

    def _name_of(self, failure: Failure) -> AliasName:
        """The name of the item that a failed step belongs to."""
        owner = failure.step.owner
        if not self._atomic:
            return self._items[owner].name
        found = (one for one in self._items if any(step is failure.step for step in one.plan.steps))
        return next(found, self._items[0]).name

    def _make_way(self, failures: dict[int, Failure], lost: list[Failure]) -> list[Failure]:
        """Undo the items that occupy the place of an alias to be restored, and try again.

        The undone items are added to *failures*. Returns the failures that remain.
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
            failure.left = self._kernel.unwind(failure.left, self._seen)
        failures.update(leaving)
        return self.bring_back({*gone, *leaving})

    def bring_back(self, owners: Collection[int]) -> list[Failure]:
        """Restore the aliases that were removed to be replaced; the failures.

        An interruption does not stop this. An old alias that still exists is not made twice.
        """
        items = [item for item in self._items if item.plan.fallback]
        steps = [
            step
            for item in items
            if item.plan.fallback[0].owner in owners and not self._stands(item.plan)
            for step in item.plan.fallback
        ]
        return self._kernel.apply(steps, stoppable=False, seen=self._seen) if steps else []

    def _stands(self, plan: Plan) -> bool:
        """Whether the device of the old alias, which goes last, has not gone yet."""
        device = plan.alias.device if plan.alias is not None else None
        if device is None:
            return False
        return device.index in self._kernel.part([device.name]).devices


def _phase(step: Step) -> int:
    return step.phase


def unneeded(
    changes: Iterable[Difference], items: list[Difference], later: list[Difference]
) -> list[Difference]:
    """The sysctls to restore after a refusal, out of *changes*, those that the state by now makes
    possible; they replace *later* in *items*.

    These are the ones of *later* that still nothing needs, and those that were raised for a refused
    alias. The latter cancel out, so both the change and its inverse are dropped from *items*.
    """
    raised = {
        item.name: item for item in items if item.sysctl_change is not None and item not in later
    }
    concerned = raised.keys() | {item.name for item in later}
    found = [
        one
        for one in changes
        if one.name in concerned and one.sysctl_change is not None and one.sysctl_change.restores
    ]
    cancelled = {one.name for one in found if one.name in raised and _undoes(one, raised[one.name])}
    listed = [item for item in items if item not in later]
    items[:] = [
        item
        for item in (*listed, *found)
        if item.sysctl_change is None or item.name not in cancelled
    ]
    return found


def _undoes(back: Difference, raised: Difference) -> bool:
    """Whether *back* is the exact inverse of *raised*."""
    assert back.sysctl_change is not None
    assert raised.sysctl_change is not None
    return back.sysctl_change.after == raised.sysctl_change.before
