"""The aliases of addresses that float, made and removed: under the lock of the namespace, some at a
time, since others wait for each of them."""

from __future__ import annotations

from netalias import errors
from netalias.claim import OFF
from netalias.desired.blocks import Block
from netalias.desired.declarations import counted
from netalias.engine.connected import examine
from netalias.engine.reconcile import mend, remove
from netalias.model.leases import RenewAddress
from netalias.plan.compare import compare
from netalias.plan.diff import ADDED
from netalias.plan.undetected import spare
from netalias.system.backoff import Backoff
from netalias.system.deadline import Deadline
from netalias.watch.repeated import BUSY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from netalias.cluster.orders import Key
    from netalias.engine.reconcile import Outcome
    from netalias.model import Alias
    from netalias.plan import Difference
    from netalias.plan.diff import Diff
    from netalias.system.journal import Journal
    from netalias.watch.controller import Controller
    from netalias.watch.places import Places

CHUNK = 128
"""Addresses that are made in one transaction: there is a deadline for it."""
LEAVING = 64
"""Addresses that are removed in one transaction: others have them when all of these have gone."""
PARTS = 4
"""The part of those that are left is removed at once where that is more."""
FEW = 8
"""Aliases that are named one by one at most."""


class Making:
    """Some at a time. *boottime* is CLOCK_BOOTTIME, *complain* takes the line of an error, *drop*
    addresses that cannot be made, *gone* those that have gone.

    ``coming`` has the addresses of ours that do not stand, and the times at which they are due;
    ``known`` those of ours that nobody else has.
    """

    def __init__(
        self,
        controller: Controller,
        places: Places,
        journal: Journal,
        boottime: Callable[[], float],
        complain: Callable[[str], object],
        drop: Callable[[Iterable[Key]], object],
        gone: Callable[[Sequence[Key]], object],
    ) -> None:
        self._controller = controller
        self._engine = controller.engine
        self._places = places
        self._journal = journal
        self._boottime = boottime
        self._complain = complain
        self._drop = drop
        self._gone = gone
        self._busy = 0.0
        self._backoff = Backoff()
        self.coming: dict[Key, float] = {}
        self.known: set[Key] = set()

    def due(self) -> list[float]:
        """The times at which something is to be made or removed."""
        times = [max(self._busy, when) for when in self.coming.values()]
        return [*times, self._busy] if self._places.leaving else times

    def work(self, now: float, ours: Mapping[Key, float]) -> None:
        """Remove some of what is to go, and make some of what is to come; *ours* tells until when
        each of these may stand. Raises KernelError, StateError."""
        if now < self._busy:
            return
        try:
            if self._places.leaving:
                self._remove(now)
            if any(when <= now for when in self.coming.values()):
                self._make(now, ours)
            self._backoff.reset()
        except errors.LockBusy:
            self._busy = now + BUSY
        except errors.NetaliasError:
            self._busy = now + self._backoff.next()
            raise

    def _remove(self, now: float) -> None:
        """Remove some of the addresses that are to go. Raises KernelError, LockBusy."""
        leaving = self._places.leaving
        # Each time costs a reading of everything: of thousands more go at once.
        keys = [*leaving][: max(LEAVING, len(leaving) // PARTS)]
        with self._engine.transaction():
            observed = self._engine.observe()
            there = self._places.present(observed)
            wanted = dict.fromkeys(leaving[key] for key in keys)
            aliases = [alias for packed in wanted for alias in there.get(packed, ())]
            outcome = remove(self._engine, observed, aliases) if aliases else None
        failed = {str(item.name) for item in outcome.failed} if outcome is not None else set()
        left = {one.address for one in aliases if str(one.name) in failed}
        self._gone([key for key in keys if leaving[key] not in left])
        self._tell("given up", [one for one in aliases if str(one.name) not in failed])
        if outcome is not None and failed:
            self._busy = now + self._backoff.next()
            self._fail(outcome)

    def _make(self, now: float, ours: Mapping[Key, float]) -> None:
        """Make some of the addresses that are ours and do not stand. Raises KernelError, LockBusy,
        StateError."""
        keys = [key for key, when in self.coming.items() if when <= now][:CHUNK]
        with self._engine.transaction():
            until = min(ours[key] for key in keys)
            # Half of the time is for the work: they are prolonged by the next proof.
            work = (until - self._boottime()) / 2
            if work < 1:
                self._drop(keys)
                return
            with Deadline(work):
                # Read only now: a stop of this process until here has taken time from the rest.
                seconds = int(until - self._boottime() - work)
                if seconds < 1:
                    self._drop(keys)
                    return
                diff = self.differences(keys, seconds)
                outcome = mend(self._engine, diff, lambda: self.differences(keys, seconds))
            there = self._places.standing(self._engine.observe())
        self._controller.read_events()  # what is announced next is looked at in the state of these
        for key in keys:
            if key in there:
                self.coming.pop(key, None)
        self._drop([key for key in keys if key not in there])
        self._tell("taken", [item for item in outcome.done if item.sign == ADDED])
        self._fail(outcome)

    def differences(self, keys: Iterable[Key], seconds: int) -> Diff:
        """The differences of some addresses, which get a lifetime of *seconds*."""
        blocks = []
        for key in keys:
            pool, packed = self._places.held[key]
            wish = pool.wish_of(packed)
            wish.lease, wish.acd = seconds, OFF
            slots = range(wish.name.slot, wish.name.slot + 1)
            blocks.append(Block(wish, slots, (packed,), pool.source, pool.line))
        engine = self._engine
        observed = engine.observe()
        examine(engine.kernel, observed, observed.aliases)
        diff = compare(blocks, observed, removing=False)
        for step in (step for item in diff.items for step in item.plan.steps):
            if isinstance(step, RenewAddress):
                step.before = None  # undone, it would give the whole lifetime once more
        known = {self._places.held[key][1] for key in keys if key in self.known}
        for item in diff.items:
            item.plan.steps += spare(item.plan.steps, known)
        diff.items += engine.sysctls(observed, [item.plan for item in diff.items])
        return diff

    # The journal

    def _tell(self, verb: str, changed: Sequence[Alias | Difference]) -> None:
        names = [str(one.name) for one in changed]
        if names:
            few = f" ({', '.join(names)})" if len(names) <= FEW else ""
            self._journal.info(f"{counted(len(names), 'address')} {verb}{few}")

    def _fail(self, outcome: Outcome) -> None:
        found = [item.error for item in outcome.failed]
        found += [one.error for one in outcome.diff.skipped]
        for error in found:
            if error is not None:
                self._complain(error.line())
