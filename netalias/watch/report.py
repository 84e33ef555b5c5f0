"""What the journal is told of what was done, and of what cannot be done."""

from __future__ import annotations

from netalias.desired.declarations import counted
from netalias.kernel import GONE
from netalias.plan.diff import ADDED, CHANGED, REMOVED, SET
from netalias.views.diff import line
from netalias.watch.originator import process_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.engine import Engine
    from netalias.engine.reconcile import Outcome
    from netalias.model.names import AliasName
    from netalias.plan.diff import Item
    from netalias.system.journal import Journal

FEW = 8
"""So many aliases are named one by one."""
MANY = 1000
"""So many troubles are remembered at most."""
SOMEBODY = "somebody"

DID = {ADDED: "removed", CHANGED: "changed"}
"""Sign of a difference: what others have done to the alias."""

DONE = {
    ADDED: ("alias", "made"),
    CHANGED: ("alias", "changed"),
    REMOVED: ("alias", "removed"),
    SET: ("setting", "changed"),
}
"""Sign of a difference: what was changed, and how."""


class Report:
    """A trouble is told once as long as it lasts. ``healed`` counts aliases."""

    def __init__(self, journal: Journal, engine: Engine) -> None:
        self.journal = journal
        self.healed = 0
        self._engine = engine
        self._registry = engine.registry
        self._said: set[str] = set()
        self._before: set[str] = set()

    def turn(self) -> None:
        """Everything is compared once more: what is not told again by that lasts no longer."""
        self._before, self._said = self._said, set()

    def anew(self) -> None:
        """Everything is to be told again."""
        self._before, self._said = set(), set()

    def once(self, text: str) -> None:
        """A trouble."""
        if text in self._said:
            return
        if len(self._said) >= MANY:
            self.turn()
        self._said.add(text)
        if text not in self._before:
            self.journal.warning(text)

    def done(self, items: Sequence[Item]) -> None:
        """What was changed."""
        for item in items:
            self.journal.debug(line(item, self._registry))
        signs = [item.sign for item in items]
        told = [
            f"{counted(signs.count(s), what)} {how}"
            for s, (what, how) in DONE.items()
            if s in signs
        ]
        if told:
            self.journal.info(", ".join(told))

    def mended(self, items: Sequence[tuple[Item, int]]) -> None:
        """Aliases that are as they were, each with the netlink port of whoever had undone it."""
        self.healed += len(items)
        for item, port in items[:FEW]:
            self.journal.info(f"{self._undoing(item, port)}: put right")
        if len(items) > FEW:
            self.journal.info(f"{counted(len(items) - FEW, 'alias')} more put right")
        for item, _ in items:
            self.journal.debug(line(item, self._registry))

    def quarrels(self, found: Sequence[tuple[AliasName, int, float]]) -> None:
        """Aliases that come back later: the netlink port of whoever undoes them, and seconds."""
        for name, port, wait in found[:FEW]:
            by = self._who(port) or SOMEBODY
            self.journal.warning(f"{name}: {by} keeps undoing it: next try in {wait:.0f} s")
        if len(found) > FEW:
            self.journal.warning(f"so it is with {counted(len(found) - FEW, 'alias')} more")

    def _undoing(self, item: Item, port: int) -> str:
        old = item.plan.alias
        if old is not None and old.expired:
            return f"the lease of {item.name} had run out"
        by = self._who(port)
        did = DID.get(item.sign, "changed") + (f" by {by}" if by else "")
        return f"{item.name} was {did}"

    def _who(self, port: int) -> str:
        return self._engine.within(lambda: process_of(port))

    def trouble(self, outcome: Outcome) -> bool:
        """What was refused, or is not as it should be; whether there is anything of the kind."""
        for note in outcome.notes:
            self.journal.warning(note)
        failed = [item for item in outcome.failed if not is_late(item)]
        for item in failed:
            assert item.error is not None
            self.once(f"{f'{item.place}: ' if item.place else ''}{item.error.line()}")
        for item in outcome.wrong:
            self.once(f"still different: {line(item, self._registry)}")
        return bool(failed or outcome.wrong)


def is_late(item: Item) -> bool:
    """Whether what it was about had gone by then: the kernel takes a device down before it deletes
    it, and the next event tells."""
    return item.error is not None and item.error.errno in GONE
