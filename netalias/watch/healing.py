"""Aliases that are not as they are wished are put right.

Few wishes for host addresses are compared with what the events have told, so that one alias of
thousands comes back without a reading of the others; everything else is a reconciliation. Whether
it worked, the next events tell.
"""

from __future__ import annotations

from netalias.desired.index import Declared, Wished
from netalias.engine import reconcile as engine_room
from netalias.errors import MainDown, NoSuchDevice
from netalias.observed import Observed
from netalias.plan.compare import compare
from netalias.plan.diff import ADDED
from netalias.system.backoff import RepairBackoff
from netalias.watch.report import is_late
from netalias.watch.snapshots import relevant, snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.engine import Engine
    from netalias.engine.reconcile import Outcome, Rules
    from netalias.model import Snapshot
    from netalias.model.events import State
    from netalias.model.names import AliasName
    from netalias.plan.diff import Diff, Item
    from netalias.watch.report import Report

    Ports = dict[AliasName, int]


class Healing:
    """*state* is what the events have told. ``late``: when aliases come back that somebody keeps
    undoing. Ports are the netlink ports of those who have touched declared aliases."""

    def __init__(self, engine: Engine, state: State, report: Report, wished: Wished) -> None:
        self._engine = engine
        self._state = state
        self._report = report
        self.load(wished)

    def load(self, wished: Wished) -> None:
        """From now on these are the wishes."""
        self.late: dict[AliasName, float] = {}
        self._wished = wished
        self._backoff = RepairBackoff()

    def due(self, dirty: Ports, now: float) -> None:
        """Put those among *dirty* that have waited their time."""
        for name in [name for name, when in self.late.items() if when <= now]:
            del self.late[name]
            dirty.setdefault(name, 0)

    def rest(self, dirty: Ports, now: float) -> None:
        """Take out of *dirty* what is left as others leave it, and what has to wait."""
        for name in list(dirty):
            when = self._backoff.until(name)
            if when > now:
                self.late[name] = when
            if when > now or not self._wished.heals(name):
                del dirty[name]

    def some(self, dirty: Ports, hear: Callable[[], None], now: float) -> bool:
        """Put right what is not as it is wished of *dirty*, aliases that have nothing to do with
        others, and take them out; whether there was trouble. *hear* takes in what was announced.
        Raises LockBusy, NotPermitted, KernelError."""
        found, trouble = dict(dirty), False
        outcome = None
        _, agenda = self._compared(found)
        if agenda.items:
            with self._engine.locked():
                hear()
                observed, agenda = self._compared(found)
                if any(_leads(item, observed) for item in agenda.items):
                    trouble = self.all(found, set(), now)
                else:
                    agenda.items = self._patiently(agenda.items, found, now)
                    if agenda.items:
                        outcome = engine_room.mend(self._engine, observed, agenda)
        for name in found:
            dirty.pop(name, None)
        self._skipped(agenda)
        return trouble or (outcome is not None and self._mended(outcome, found))

    def all(self, dirty: Ports, risen: set[str], now: float) -> bool:
        """Compare everything with what is wished, but remove nothing; whether there was trouble.
        *risen* are names of main devices that have come, or come up. The caller holds the lock.
        Raises StateError, NotPermitted, KernelError."""
        # What went with its main device was undone by nobody.
        touched = {name: port for name, port in dirty.items() if name.main not in risen}
        if touched:
            _, agenda = self._compared(touched, snapshot(self._state))
            self._patiently(agenda.items, touched, now)
        declared = self._wished.healing(risen, self.late)
        rules = engine_room.Rules(removing=False, abort=False)
        self._report.turn()
        outcome = engine_room.reconcile(self._engine, declared, rules)
        self._skipped(outcome.agenda)
        for one in outcome.lost:
            self._report.once(one.line())
        return self._mended(outcome, touched)

    def fresh(self, rules: Rules) -> bool:
        """Do what a reconciliation does; whether there was trouble. The caller holds the lock.
        Raises StateError, NotPermitted, KernelError."""
        self._report.turn()
        outcome = engine_room.reconcile(self._engine, self._wished.declared, rules)
        self._report.done(outcome.done)
        for one in [*outcome.agenda.skipped, *outcome.lost]:
            self._report.once(one.line())
        return self._report.trouble(outcome)

    def _compared(
        self, found: Iterable[AliasName], seen: Snapshot | None = None
    ) -> tuple[Observed, Diff]:
        """In *seen*, or in as much as host addresses need."""
        engine, wanted = self._engine, self._wished.some(found)
        seen = seen or relevant(self._state, wanted, engine.group)
        observed = Observed(seen, engine.registry, engine.group)
        return observed, compare(wanted, observed, engine.able, removing=False)

    def _patiently(self, items: Iterable[Item], found: Ports, now: float) -> list[Item]:
        """Those that may be put right now; the others have their time."""
        declared = self._declared()
        ready, waiting = [], []
        for item in items:
            name = declared.name(item.name)
            when = self._backoff.undone(name, now)
            if when <= now:
                ready.append(item)
                continue
            self.late[name] = when
            waiting.append((name, found.get(name, 0), when - now))
        self._report.quarrels(waiting)
        return ready

    def _mended(self, outcome: Outcome, found: Ports) -> bool:
        declared = self._declared()
        undone, others = [], []
        for item in outcome.done:
            name = declared.name(item.name)
            if name in found:
                undone.append((item, found[name]))
            else:
                others.append(item)
        for item in filter(is_late, outcome.failed):
            self._backoff.uncount(declared.name(item.name))
        self._report.mended(undone)
        self._report.done(others)
        return self._report.trouble(outcome)

    def _declared(self) -> Declared:
        return Declared(self._wished, self._state.devices())

    def _skipped(self, agenda: Diff) -> None:
        """That a main device is down or away is known by then."""
        for one in agenda.skipped:
            if not isinstance(one.error, (MainDown, NoSuchDevice)):
                self._report.once(one.line())


def _leads(item: Item, observed: Observed) -> bool:
    """Whether an alias is the first one of its kind on its main device: settings of that which it
    needs (mains.py) may have gone back with the last one."""
    goal, kind = item.plan.goal, item.plan.kind
    if item.sign != ADDED or goal is None or kind == "label":
        return False
    return not any(
        alias.ours and alias.main is goal.main and alias.kind == kind for alias in observed.aliases
    )
