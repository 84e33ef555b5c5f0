"""Repair of aliases that differ from their declarations.

A few declarations of host addresses are compared with the state after the events, so that one alias
of thousands comes back without a reading of the others; everything else is a reconciliation. The
events that follow tell whether a repair has worked.
"""

from __future__ import annotations

from netalias.engine.connected import examine
from netalias.engine.reconcile import Rules, mend, reconcile
from netalias.errors import Conflict, MainDown, NoSuchDevice
from netalias.kinds import DEVICELESS
from netalias.observed import Observed
from netalias.plan.compare import compare
from netalias.plan.diff import ADDED
from netalias.system.backoff import BURST, RepairBackoff
from netalias.watch.claims import Checking
from netalias.watch.snapshots import relevant, snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.engine import Engine
    from netalias.engine.reconcile import Outcome
    from netalias.model import Snapshot
    from netalias.model.names import AliasName
    from netalias.plan import Difference
    from netalias.plan.diff import Diff
    from netalias.watch.impact import Impact
    from netalias.watch.report import Report

    Dirty = dict[AliasName, int]
    """Declared aliases, with the netlink port ID of the last one to touch each; 0 if unknown."""


SHARD = "shard"


class Comparison:
    """The differences of some declarations."""

    __slots__ = ("diff",)

    def __init__(self, diff: Diff) -> None:
        self.diff = diff

    @property
    def needs_sysctls(self) -> bool:
        """Whether an alias is the first of its kind on its main device: the sysctls that it needs
        may have been restored with the last one, or raised for others (plan/sysctls.py)."""
        return any(_leads(item, self.diff.observed) for item in self.diff.items)


class Healing:
    """Repairs of the declared aliases of *impact*, with back-off for each.

    ``postponed``: the time of the repair of those that are undone again and again. ``checking``:
    those whose addresses are being probed for, with the netlink port ID of the last change that
    they had, None for those that were never there. ``ahead``: a main device was down or away in the
    reading of a repair, and is up in the state, which is older; the caller resets it.
    """

    def __init__(self, engine: Engine, impact: Impact, report: Report) -> None:
        self._engine = engine
        self._impact = impact
        self._state = impact.state
        self._report = report
        self.ahead = False
        self.reset()

    def reset(self) -> None:
        """Begin anew, with other declarations."""
        self.postponed: dict[AliasName, float] = {}
        self.checking: dict[AliasName, int | None] = {}
        self._new: set[AliasName] = set()
        self._counted: set[AliasName] = set()
        self._backoff = RepairBackoff()

    def collect_due(self, dirty: Dirty, now: float) -> None:
        """Add to *dirty* the postponed aliases whose time has come."""
        if not self.postponed:
            return
        for name in [name for name, when in self.postponed.items() if when <= now]:
            del self.postponed[name]
            dirty.setdefault(name, 0)

    def checked(self, names: Iterable[AliasName], dirty: Dirty) -> None:
        """Add to *dirty* the aliases with these names, for whose addresses probing has ended."""
        for name in names:
            declared = self._impact.declared(name)
            if declared in self.checking:
                port_id = self.checking.pop(declared)
                self._counted.add(declared)
                if port_id is None:
                    self._new.add(declared)
                dirty.setdefault(declared, port_id or 0)

    def postpone(self, dirty: Dirty, now: float) -> None:
        """Take out of *dirty* the aliases that are not repaired now, or (``heal off``) at all."""
        wished = self._impact.wished
        for name in list(dirty):
            when = self._backoff.until(name)
            if when > now:
                self.postponed[name] = when
            if when > now or not wished.heals(name):
                del dirty[name]

    def compare(self, names: Iterable[AliasName], seen: Snapshot | None = None) -> Comparison:
        """The differences of the aliases with these names, in *seen*.

        By default that is the part of the state which is enough for host addresses.
        """
        engine, wanted = self._engine, self._impact.wished.some(names)
        observed = engine.recognise(seen or relevant(self._state, wanted, engine.group))
        if seen is not None:
            examine(engine.kernel, observed, observed.aliases)
        return Comparison(compare(wanted.blocks, observed, removing=False))

    def repair(self, found: Comparison, dirty: Dirty, now: float) -> Outcome | None:
        """Carry out the differences whose time has come; None where there are none.

        The caller holds the lock. Raises NotPermitted, KernelError.
        """
        found.diff.items = self._admitted(found.diff.items, dirty, now)
        if not found.diff.items:
            return None
        admitted = {item.name for item in found.diff.items}

        def again() -> Diff:
            diff = self.compare(dirty, self._engine.snapshot()).diff
            diff.items = [item for item in diff.items if item.name in admitted]
            return diff

        return mend(self._engine, found.diff, again)

    def heal_all(self, dirty: Dirty, risen: set[str], now: float) -> bool:
        """Repair all declared aliases, and remove none; whether something failed.

        *risen* are names of main devices that came, or came up. The caller holds the lock. Raises
        StateError, NotPermitted, KernelError.
        """
        # Aliases that went with their main device were not undone by anybody.
        touched = {name: port_id for name, port_id in dirty.items() if name.main not in risen}
        if touched:
            found = self.compare(touched, snapshot(self._state))
            self._admitted(found.diff.items, touched, now)
        declared = self._impact.wished.healing(risen, self.postponed)
        self._report.next_round()
        outcome = reconcile(self._engine, declared, Rules(removing=False, abort=False))
        self.report_skipped(outcome.diff)
        for one in outcome.lost:
            self._report.warn_once(one.line())
        return self.report(outcome, touched, now)

    def apply_declared(self, rules: Rules, now: float) -> bool:
        """Carry out new declarations as a reconciliation does; whether something failed.

        The caller holds the lock. Raises StateError, NotPermitted, KernelError.
        """
        self._report.next_round()
        outcome = reconcile(self._engine, self._impact.wished.declared, rules)
        self._report.changed(outcome.done)
        for one in [*outcome.diff.skipped, *outcome.lost]:
            if not isinstance(one.error, Checking):
                self._report.warn_once(one.line())
        self._wait_for_others(outcome, {}, now)
        return self._report.failures(outcome)

    def report(self, outcome: Outcome, dirty: Dirty, now: float) -> bool:
        """Log an outcome: changes of *dirty* aliases as repairs; whether something failed."""
        repairs, others = [], []
        for item in outcome.done:
            name = self._impact.declared(item.name)
            if name in dirty and name not in self._new:
                repairs.append((item, dirty[name]))
            else:
                others.append(item)
            self._new.discard(name)
        for item in outcome.failed:  # nobody has undone these
            if isinstance(item.error, Checking):
                continue
            self._backoff.uncount(self._impact.declared(item.name))
        self._report.repaired(repairs)
        self._report.changed(others)
        self._wait_for_others(outcome, dirty, now)
        return self._report.failures(outcome)

    def _wait_for_others(self, outcome: Outcome, dirty: Dirty, now: float) -> None:
        """Postpone the aliases whose addresses other hosts have, and note those whose addresses are
        being probed for, and main devices that the state has up."""
        found = [(one.name, one.error) for one in outcome.failed]
        found += [(one.name, one.error) for one in outcome.diff.skipped]
        for name, error in found:
            declared = self._impact.declared(name)
            if isinstance(error, Checking):
                self.checking.setdefault(declared, dirty.get(declared))
            elif isinstance(error, Conflict):
                self.postponed[declared] = self._backoff.refused(declared, now)
            elif isinstance(error, (MainDown, NoSuchDevice)):
                self.ahead = self.ahead or self._is_up(name.main)

    def _is_up(self, main: str) -> bool:
        return any(one.up for one in self._state.devices() if main in (one.name, *one.altnames))

    def report_skipped(self, diff: Diff) -> None:
        """Log declarations that cannot be planned. That a main device is down or away is logged
        before, and what becomes of an address that is being probed for later."""
        for one in diff.skipped:
            if not isinstance(one.error, (MainDown, NoSuchDevice, Checking)):
                self._report.warn_once(one.line())

    def _admitted(self, items: Iterable[Difference], dirty: Dirty, now: float) -> list[Difference]:
        """Count these differences for the back-off; those that may be repaired now."""
        ready, waiting = [], []
        for item in items:
            name = self._impact.declared(item.name)
            if name in self._counted:  # before its address was probed for
                self._counted.discard(name)
                ready.append(item)
                continue
            failed = self._report.has_failed(item)
            when = self._backoff.undone(name, now, 0 if failed else BURST)
            if when <= now:
                ready.append(item)
                continue
            self.postponed[name] = when
            waiting.append((name, dirty.get(name, 0), when - now, failed))
        if waiting:
            self._report.postponed(waiting)
        return ready


def _leads(item: Difference, observed: Observed) -> bool:
    """Whether an alias is the first of its kind on its main device, or a shard whose arp_ignore has
    to go back."""
    goal, kind = item.plan.goal, item.plan.kind
    if kind == SHARD and goal is not None and goal.main.arp_ignore:
        return True
    if item.sign != ADDED or goal is None or kind in DEVICELESS:
        return False
    return not any(
        alias.ours and alias.main is goal.main and alias.kind == kind for alias in observed.aliases
    )
