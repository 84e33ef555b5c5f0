"""The sysctls of main devices around a change: none stays raised for nothing.

Their former values are saved before the first step, and the record stays unsettled until the last
one. When something was refused or interrupted, all is read again, and what nothing needs goes back.
A run that was killed leaves an unsettled record, which the next transaction settles in this way.
"""

from __future__ import annotations

from netalias import errors
from netalias.kernel import GONE
from netalias.model import Snapshot
from netalias.model.steps import SysctlChange
from netalias.plan.sysctls import restored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from netalias.kernel import Kernel
    from netalias.model import Device
    from netalias.observed import Observed
    from netalias.plan import Difference, Plan
    from netalias.plan.sysctls import SysctlTerms
    from netalias.runtime.sysctls import SavedSysctls

    class Changing(Protocol):
        """The Engine, which imports this file."""

        kernel: Kernel

        def snapshot(self) -> Snapshot: ...
        def observe(self) -> Observed: ...
        def saved(self, observed: Observed | None = None) -> SavedSysctls: ...
        def terms(self, observed: Observed) -> SysctlTerms: ...
        def sysctls(self, observed: Observed, plans: Sequence[Plan]) -> list[Difference]: ...


FEW = 128
"""Number of main devices up to which only they are read before their sysctls are restored."""


def due(
    engine: Changing, items: list[Difference], later: list[Difference]
) -> tuple[list[Difference], Snapshot]:
    """Those of *later*, the sysctls to restore, that are still to be restored now that all other
    *items* are done or refused, by a new reading, and that reading; *items* lose the others."""
    if any(item.error is not None for item in items):
        from netalias.engine.undo import unneeded

        observed = engine.observe()
        return unneeded(engine.sysctls(observed, []), items, later), observed.snapshot
    if not later:
        return [], Snapshot()
    names = [item.name.main for item in later]
    snapshot = engine.kernel.part(names) if len(names) <= FEW else engine.snapshot()
    dropped = {id(item) for item in later if not _narrow(item, snapshot.devices, engine.saved())}
    items[:] = [item for item in items if id(item) not in dropped]
    return [item for item in later if id(item) not in dropped], snapshot


def _narrow(item: Difference, devices: Mapping[int, Device], saved: SavedSysctls) -> bool:
    """Take out of *item* and *saved* the sysctls that somebody has changed since they were planned;
    whether any are left."""
    change = item.sysctl_change
    assert change is not None
    main = devices.get(change.main.index)
    if main is None:
        return False
    ours = [key for key in change.after if getattr(main, key) == change.before[key]]
    saved.drop(main.index, change.after.keys() - ours)
    if ours:  # else it is dropped, and a rehearsal tells of it as it was planned
        after = {key: change.after[key] for key in ours}
        item.sysctl_change = SysctlChange(main, after, restores=True)
        item.plan.steps = [item.sysctl_change.step]
    return bool(ours)


def recover(engine: Changing) -> None:
    """settle() after a refusal or an interruption, whose error counts: otherwise the next run does
    it."""
    try:
        settle(engine)
    except errors.NetaliasError:
        pass


def settle(engine: Changing) -> list[Difference]:
    """Restore the sysctls that nothing needs any more, by a new reading; what was restored.

    The record is settled then. The caller is in a transaction. Raises NotPermitted, KernelError,
    StateError.
    """
    observed = engine.observe()
    items = [
        item
        for item in engine.sysctls(observed, [])
        if item.sysctl_change is not None and item.sysctl_change.restores
    ]
    for number, item in enumerate(items):
        item.plan.steps[0].owner = number
    steps = [item.plan.steps[0] for item in items]
    seen = observed.snapshot
    for failure in engine.kernel.apply(steps, stoppable=False, seen=seen, fresh=True):
        item = items[failure.step.owner]
        item.error = failure.explained(item.name)
        if item.error.errno not in GONE:
            raise item.error
    done = [item for item in items if item.error is None]
    hands_off = engine.terms(observed).hands_off
    engine.saved(observed).end(restored(done), settled=not hands_off)
    return done
