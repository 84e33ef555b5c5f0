"""What becomes of aliases when their main device goes down, goes away, or gets another name."""

from __future__ import annotations

from netalias.desired.declarations import Declarations, counted, parse
from netalias.desired.export import lines
from netalias.engine import reconcile as engine_room
from netalias.model import Alias
from netalias.model.leases import leftovers
from netalias.model.names import AliasName
from netalias.observed import Observed, ordered
from netalias.plan.compare import compare
from netalias.plan.diff import REMOVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.desired.index import Wished
    from netalias.engine import Engine
    from netalias.engine.reconcile import Outcome
    from netalias.model import Device
    from netalias.watch.impact import Affected
    from netalias.watch.report import Report


class Lifecycle:
    """Its methods are called under the lock, and take what they have done out of *affected*. They
    tell whether there was trouble, and raise NotPermitted, StateError, KernelError."""

    def __init__(self, engine: Engine, report: Report) -> None:
        self._engine = engine
        self._report = report
        self._left: list[tuple[set[int], dict[str, None]]] = []

    def again(self, affected: Affected) -> None:
        """What could not be freed is to be freed now."""
        for down, gone in self._left:
            affected.down |= down
            affected.gone |= gone
        self._left.clear()

    def free(self, affected: Affected, wished: Wished) -> bool:
        """Aliases go with a main device that went down, or away: it first, they in chain order."""
        if not (affected.down or affected.gone):
            return False
        observed = self._engine.observe()
        leaving = [
            alias
            for alias in ordered(observed.aliases, observed.snapshot)
            if alias.ours and _goes(alias, affected, wished)
        ]
        outcome = engine_room.remove(self._engine, observed, leaving) if leaving else None
        self._tell_freed(affected, outcome)
        trouble = outcome is not None and self._report.trouble(outcome)
        if trouble:
            self._left.append((affected.down, affected.gone))
        affected.down, affected.gone = set(), {}
        return trouble

    def _tell_freed(self, affected: Affected, outcome: Outcome | None) -> None:
        freed = dict.fromkeys(affected.gone, 0)
        for item in outcome.done if outcome is not None else ():
            freed[item.name.main] = freed.get(item.name.main, 0) + (item.sign == REMOVED)
        for main, count in freed.items():
            why = "is gone" if main in affected.gone else "is down"
            what = f": {counted(count, 'alias')} freed" if count else ""
            self._report.journal.notice(f"{main} {why}{what}")

    def follow(self, affected: Affected, wished: Wished) -> bool:
        """Aliases that nobody has declared are called as their main device is called now."""
        if not affected.renamed:
            return False
        trouble = False
        observed = self._engine.observe()
        for index, old in affected.renamed.items():
            main = observed.snapshot.devices.get(index)
            if main is None or main.name == old:
                continue
            if old in wished.mains:
                says = f"the aliases declared for {old} stay as they are"
                self._report.journal.warning(f"{old} is called {main.name} now: {says}")
            else:
                trouble |= self._rename(main, old, list(_aliases(main, observed, affected)), wished)
        affected.renamed.clear()
        affected.relabelled.clear()
        return trouble

    def _rename(self, main: Device, old: str, found: list[Alias], wished: Wished) -> bool:
        engine = self._engine
        found = [one for one in found if AliasName(main.name, one.name.slot) not in wished]
        text = "\n".join(lines(found, engine.registry, mac=True))
        wanted = parse([(f"aliases of {old}", text)], engine.registry)
        observed = engine.observe()
        agenda = compare(
            Declarations(wanted.blocks, []), observed, engine.able, removing=False, force=True
        )
        if not agenda.items:
            return False
        outcome = engine_room.mend(engine, observed, agenda)
        count = counted(len(outcome.done), "alias")
        self._report.journal.notice(f"{old} is called {main.name} now: {count} renamed")
        return self._report.trouble(outcome)

    def sweep(self, affected: Affected, wished: Wished) -> bool:
        """What is left of leases that nobody has renewed, nor declared."""
        if not affected.expired:
            return False
        observed = self._engine.observe()
        left = [alias for alias in leftovers(observed.aliases) if wished.of(alias) is None]
        affected.expired = False
        if not left:
            return False
        outcome = engine_room.remove(self._engine, observed, left)
        for item in outcome.done:
            if item.sign == REMOVED:
                says = "its lease has expired, and it is removed"
                self._report.journal.notice(f"{item.name}: {says}")
        return self._report.trouble(outcome)


def _goes(alias: Alias, affected: Affected, wished: Wished) -> bool:
    main = alias.main
    if main is None:
        return alias.name.main in affected.gone
    return main.index in affected.down and not main.up and wished.freed(alias)


def _aliases(main: Device, observed: Observed, affected: Affected) -> Iterator[Alias]:
    """Ours on a device that got another name, with the labels that have lost their slots by it."""
    yield from (alias for alias in observed.aliases if alias.ours and alias.main is main)
    for entry in observed.snapshot.on(main.index):
        slot = affected.relabelled.get((main.index, entry.local))
        if slot is not None and ":" not in entry.label:
            alias = Alias(AliasName(main.name, slot), "label", main=main, entry=entry)
            alias.family, alias.address = entry.family, entry.local
            alias.prefixlen = entry.prefixlen
            yield alias
