"""Sentences for the journal: changes, repairs, and failures."""

from __future__ import annotations

from netalias.desired.declarations import counted
from netalias.errors import Conflict
from netalias.kernel import GONE
from netalias.model.gateways import AddRule, AddWay, DelRule, DelWay
from netalias.model.leases import MarkAddress, RenewAddress
from netalias.model.listing import first
from netalias.model.renames import RenameLink, SetGroup
from netalias.model.routes import AddRoute, DelRoute
from netalias.model.steps import AddAddress, AddAltname, CreateLink, DelAddress, DelAltname, SetLink
from netalias.plan.diff import ADDED, CHANGED, REMOVED
from netalias.plan.sysctls import SET
from netalias.views.diff import line
from netalias.watch.claims import Checking
from netalias.watch.originator import process_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from netalias.engine import Engine
    from netalias.engine.reconcile import Outcome
    from netalias.model.names import AliasName
    from netalias.model.steps import Step
    from netalias.plan import Difference
    from netalias.system.journal import Journal

FEW = 8
"""Aliases that are named one by one at most."""
MANY = 1000
"""Warnings that are remembered at most."""
SOMEBODY = "somebody"

DONE = {
    ADDED: ("alias", "made"),
    CHANGED: ("alias", "changed"),
    REMOVED: ("alias", "removed"),
    SET: ("setting", "changed"),
}
"""Sign of a difference: object and verb."""


class Report:
    """The journal of a controller. A warning comes once as long as its cause lasts.

    ``healed`` is the number of repairs; *duplicates* are those of the Impact.
    """

    def __init__(
        self, journal: Journal, engine: Engine, duplicates: Collection[AliasName] = ()
    ) -> None:
        self.journal = journal
        self.duplicates = duplicates
        self.healed = 0
        self._engine = engine
        self._registry = engine.registry
        self._warned: set[str] = set()
        self._before: set[str] = set()
        self._doubted: set[str] = set()
        self._noted: set[str] = set()

    def next_round(self) -> None:
        """Begin a comparison of everything: a warning that does not come again in it is over."""
        self._before, self._warned = self._warned, set()

    def reset(self) -> None:
        """Forget all warnings, so that each comes again."""
        self._before, self._warned, self._noted = set(), set(), set()

    def warn_once(self, text: str) -> None:
        """Log a warning, unless it is logged already."""
        if text in self._warned:
            return
        if len(self._warned) >= MANY:
            self.next_round()
        self._warned.add(text)
        if text not in self._before:
            self.journal.warning(text)

    def changed(self, items: Sequence[Difference]) -> None:
        """Log changes, counted by their kind, with the names of a few."""
        if not items:
            return
        for item in items:
            self.journal.debug(line(item, self._registry))
        told = []
        left = [item for item in items if _is_left(item)]
        for sign, (what, verb) in DONE.items():
            names = [str(item.name) for item in items if item.sign == sign and item not in left]
            if names:
                text = f"{counted(len(names), what)} {verb}"
                told.append(f"{text} ({', '.join(names)})" if len(names) <= FEW else text)
        if left:
            names = [str(item.name) for item in left[:FEW]]
            told.append(f"what was left of {', '.join(dict.fromkeys(names))} deleted")
        self.journal.info(", ".join(told))
        self._note(items)

    def _note(self, items: Sequence[Difference]) -> None:
        """Log what a command would warn of, and no second time where an alias is made again. That
        a watcher has to answer for a network is no warning: one does."""
        notes = dict.fromkeys(note for item in items for note in item.plan.notes)
        if not notes:
            return
        from netalias.plan.prefixes import ANSWERED

        new = [note for note in notes if note not in self._noted and ANSWERED not in note]
        if len(self._noted) > MANY:
            self._noted.clear()
        self._noted.update(new)
        for note in first(new, "warning"):
            self.journal.warning(note)

    def ended(self, found: Sequence[AliasName]) -> None:
        """Log aliases that went with their leases, or with an address that another host has. All of
        those that float go at once when the store of their cluster is away."""
        for name in found[:FEW]:
            says = "its lease has expired"
            if name in self.duplicates:
                says = "another host has its address"
            self.journal.notice(f"{name}: {says}, and it is removed")
        if len(found) > FEW:
            self.journal.notice(f"{counted(len(found) - FEW, 'alias')} more removed likewise")

    def repaired(self, items: Sequence[tuple[Difference, int]]) -> None:
        """Log repairs, each with the netlink port ID behind the change that it undoes."""
        self.healed += len(items)
        for item, port_id in items[:FEW]:
            self.journal.info(self._repair(item, port_id))
        if len(items) > FEW:
            self.journal.info(f"{counted(len(items) - FEW, 'alias')} more put right")
        for item, _ in items:
            self.journal.debug(line(item, self._registry))

    def _repair(self, item: Difference, port_id: int) -> str:
        old = item.plan.alias
        if self.has_failed(item):
            return f"{item.name}: its address is tried again"
        if old is not None and old.expired:
            return f"the lease of {item.name} had run out: put right"
        by, goal = self._process(port_id), item.plan.goal
        if goal is not None and _is_led_elsewhere(item):
            return (
                f"{item.name}: gateway {goal.type.format(goal.gateway)}, as the default route has"
            )
        if item.sign == ADDED:
            return f"{item.name} was removed{f' by {by}' if by else ''}: put right"
        after = f" after a change by {by}" if by else ""
        return f"{item.name}: {repair(item.plan.steps)}{after}"

    def postponed(self, found: Sequence[tuple[AliasName, int, float, bool]]) -> None:
        """Log repairs that wait: name, netlink port ID behind the last change, seconds, and whether
        another host has the address."""
        for name, port_id, wait, failed in found[:FEW]:
            why = f"{self._process(port_id) or SOMEBODY} keeps undoing it"
            if failed:
                why = "another host has its address (dadfailed)"
            self.journal.warning(f"{name}: {why}: next try in {wait:.0f} s")
        if len(found) > FEW:
            self.journal.warning(f"the same holds for {counted(len(found) - FEW, 'alias')} more")

    def has_failed(self, item: Difference) -> bool:
        """Whether the kernel found that another host has the address that the alias has or had."""
        alias = item.plan.alias
        if alias is not None and alias.entry is not None:
            return alias.entry.failed
        return item.name in self.duplicates

    def _process(self, port_id: int) -> str:
        return self._engine.within(lambda: process_of(port_id)) if port_id else ""

    def failures(self, outcome: Outcome) -> bool:
        """Log refusals, and differences that remain once more; whether there are any, besides
        conflicts, which end with the other host. What somebody has changed meanwhile is put right
        by its event."""
        for note in outcome.notes:
            self.journal.warning(note)
        failed = [
            item
            for item in outcome.failed
            if not (is_late(item) or isinstance(item.error, Checking))
        ]
        for item in failed:
            assert item.error is not None
            self.warn_once(f"{f'{item.place}: ' if item.place else ''}{item.error.line()}")
        doubted, self._doubted = self._doubted, set()
        for item in outcome.wrong:
            text = f"still different: {line(item, self._registry)}"
            self._doubted.add(text)
            if text in doubted:
                self.warn_once(text)
        return bool(outcome.wrong) or not all(isinstance(one.error, Conflict) for one in failed)


def _is_left(item: Difference) -> bool:
    """Whether a rule or route is deleted whose alias has gone, and no alias."""
    alias = item.plan.alias
    return item.sign == REMOVED and alias is not None and not (alias.device or alias.entry)


def report_restored(journal: Journal, items: Sequence[Difference]) -> None:
    """Log the sysctls of main devices that a killed run had left raised, and that were restored."""
    if items:
        names = ", ".join(str(item.name) for item in items[:FEW])
        journal.info(f"{counted(len(items), 'setting')} restored after a killed run ({names})")


def _is_led_elsewhere(item: Difference) -> bool:
    """Whether the way out of an alias becomes another one: the default route did, and nobody has
    touched the alias."""
    old, goal = item.plan.alias, item.plan.goal
    led = any(isinstance(step, AddWay) for step in item.plan.steps)
    return led and old is not None and goal is not None and old.gateway != goal.gateway


def is_late(item: Difference) -> bool:
    """Whether the object of a failed change had gone by then: the kernel takes a device down before
    it deletes it, and the next event tells of that."""
    return item.error is not None and item.error.errno in GONE


def repair(steps: Sequence[Step]) -> str:
    """The repair of an alias that is still there, in the words of ip-link(8) and ip-address(8)."""
    kinds = {type(step) for step in steps}
    if CreateLink in kinds:
        return "made again"
    words = []
    gateway = not kinds.isdisjoint((AddRule, AddWay))
    for kind, text in (
        (RenameLink, "name put back"),
        (SetGroup, "group put back"),
        (AddAddress, "address changed back" if DelAddress in kinds else "address put back"),
        (DelAddress, "" if AddAddress in kinds else "other address removed"),
        (MarkAddress, "" if AddAddress in kinds else "protocol of its address put back"),
        (RenewAddress, "lifetime of its address put back"),
        (AddRoute, "" if AddAddress in kinds else "route put back"),
        (DelRoute, "" if AddAddress in kinds else "stale route removed"),
        (AddRule, "gateway put back"),
        (AddWay, "gateway put back"),
        (DelRule, "" if gateway else "other gateway removed"),
        (DelWay, "" if gateway else "other gateway removed"),
        (AddAltname, "altname put back"),
        (DelAltname, "" if AddAltname in kinds else "other altname removed"),
    ):
        if kind in kinds and text:
            words.append(text)
    for step in steps:
        if isinstance(step, SetLink):
            words += _set(step)
    # A step that sets anything else sets the sysctls of an alias too.
    return ", ".join(dict.fromkeys(words)) or "settings put back"


def _set(step: SetLink) -> list[str]:
    found = [
        ("set up" if step.up else "set down", step.up),
        ("mtu put back", step.mtu),
        ("MAC address put back", step.mac),
        ("ifalias put back", step.ifalias),
    ]
    return [text for text, value in found if value is not None]
