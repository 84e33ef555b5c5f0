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

    from netalias.desired.index import Index
    from netalias.engine import Engine
    from netalias.engine.reconcile import Outcome
    from netalias.model import Device
    from netalias.watch.impact import News
    from netalias.watch.report import Report


class Devices:
    """Its methods are called under the lock, and take what they have done out of the news. They
    tell whether there was trouble, and raise NotPermitted, StateError, KernelError."""

    def __init__(self, engine: Engine, report: Report) -> None:
        self._engine = engine
        self._report = report
        self._left: list[tuple[set[int], dict[str, None]]] = []

    def again(self, news: News) -> None:
        """What could not be freed is to be freed now."""
        for down, gone in self._left:
            news.down |= down
            news.gone |= gone
        self._left.clear()

    def free(self, news: News, wished: Index) -> bool:
        """Aliases go with a main device that went down, or away: it first, they in chain order."""
        if not (news.down or news.gone):
            return False
        observed = self._engine.observe()
        leaving = [
            alias
            for alias in ordered(observed.aliases, observed.snapshot)
            if alias.ours and _goes(alias, news, wished)
        ]
        outcome = engine_room.remove(self._engine, observed, leaving) if leaving else None
        self._tell_freed(news, outcome)
        trouble = outcome is not None and self._report.trouble(outcome)
        if trouble:
            self._left.append((news.down, news.gone))
        news.down, news.gone = set(), {}
        return trouble

    def _tell_freed(self, news: News, outcome: Outcome | None) -> None:
        freed = dict.fromkeys(news.gone, 0)
        for item in outcome.done if outcome is not None else ():
            freed[item.name.main] = freed.get(item.name.main, 0) + (item.sign == REMOVED)
        for main, count in freed.items():
            why = "is gone" if main in news.gone else "is down"
            what = f": {counted(count, 'alias')} freed" if count else ""
            self._report.journal.notice(f"{main} {why}{what}")

    def follow(self, news: News, wished: Index) -> bool:
        """Aliases that nobody has declared are called as their main device is called now."""
        if not news.renamed:
            return False
        trouble = False
        observed = self._engine.observe()
        for index, old in news.renamed.items():
            main = observed.snapshot.devices.get(index)
            if main is None or main.name == old:
                continue
            if old in wished.mains:
                says = f"the aliases declared for {old} stay as they are"
                self._report.journal.warning(f"{old} is called {main.name} now: {says}")
            else:
                trouble |= self._rename(main, old, list(_aliases(main, observed, news)), wished)
        news.renamed.clear()
        news.relabelled.clear()
        return trouble

    def _rename(self, main: Device, old: str, found: list[Alias], wished: Index) -> bool:
        engine = self._engine
        found = [one for one in found if AliasName(main.name, one.name.slot) not in wished]
        text = "\n".join(lines(found, engine.registry, mac=True))
        wanted = parse([(f"aliases of {old}", text)], engine.registry)
        observed = engine.observe()
        agenda = compare(Declarations(wanted.blocks, []), observed, removing=False, force=True)
        if not agenda.items:
            return False
        outcome = engine_room.mend(engine, agenda)
        count = counted(len(outcome.done), "alias")
        self._report.journal.notice(f"{old} is called {main.name} now: {count} renamed")
        return self._report.trouble(outcome)

    def sweep(self, news: News, wished: Index) -> bool:
        """What is left of leases that nobody has renewed, nor declared."""
        if not news.expired:
            return False
        observed = self._engine.observe()
        left = [alias for alias in leftovers(observed.aliases) if wished.of(alias) is None]
        news.expired = False
        if not left:
            return False
        outcome = engine_room.remove(self._engine, observed, left)
        for item in outcome.done:
            if item.sign == REMOVED:
                says = "its lease has expired, and it is removed"
                self._report.journal.notice(f"{item.name}: {says}")
        return self._report.trouble(outcome)


def _goes(alias: Alias, news: News, wished: Index) -> bool:
    main = alias.main
    if main is None:
        return alias.name.main in news.gone
    return main.index in news.down and not main.up and wished.freed(alias)


def _aliases(main: Device, observed: Observed, news: News) -> Iterator[Alias]:
    """Ours on a device that got another name, with the labels that have lost their slots by it."""
    yield from (alias for alias in observed.aliases if alias.ours and alias.main is main)
    for entry in observed.snapshot.on(main.index):
        slot = news.relabelled.get((main.index, entry.local))
        if slot is not None and ":" not in entry.label:
            alias = Alias(AliasName(main.name, slot), "label", main=main, entry=entry)
            alias.family, alias.address = entry.family, entry.local
            alias.prefixlen = entry.prefixlen
            yield alias
