"""Many commands in one process, under one lock, in packed messages.

A line is the words after ``netalias``. Commands for aliases are collected as long as their order
does not matter: no alias twice, and deletions not among the others. Then they are planned one after
the other, each as if those before it were done, and executed together.
"""

from __future__ import annotations

from netalias import errors, wishes
from netalias.agenda import CHANGED, Item
from netalias.future import Future
from netalias.kinds import AUTO
from netalias.names import AliasName
from netalias.networks import bereft
from netalias.plan import Plan, plan
from netalias.reconcile import carry_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.engine import Engine
    from netalias.kinds import World
    from netalias.model import Alias
    from netalias.steps import Step
    from netalias.wishes import Wish

COMMENT = "#"


class Batch:
    """Commands for *engine*; a word without a colon is given to *verb* with the others.

    ``failed`` are line and error of what went wrong. With *force* one error does not end it.
    """

    def __init__(
        self,
        engine: Engine,
        verb: Callable[[list[str]], int],
        warn: Callable[[str], None],
        *,
        force: bool = False,
    ) -> None:
        self.engine = engine
        self.force = force
        self.failed: list[tuple[int, errors.NetaliasError]] = []
        self.skipped = 0
        self._verb = verb
        self._warn = warn
        self._waiting: dict[AliasName, tuple[int, Wish]] = {}
        self._deleting = False

    def run(self, lines: Iterable[str]) -> None:
        """All lines, or up to the first error."""
        for number, line in enumerate(lines, 1):
            words = words_of(line)
            if self._ended():
                self.skipped += bool(words)
            elif words:
                self._line(number, words)
        self._flush()

    def _ended(self) -> bool:
        return bool(self.failed) and not self.force

    def _line(self, number: int, words: list[str]) -> None:
        try:
            looks = len(words) == 1 and not words[0].endswith("-")
            if looks or ":" not in words[0]:
                self._flush()
                if not self._ended():
                    self._verb(words)
            else:
                self._collect(number, wishes.parse(words, self.engine.registry))
        except errors.NetaliasError as error:
            self._flush()  # what stands before the error is done before it is told
            self.failed.append((number, error))

    def _collect(self, number: int, wish: Wish) -> None:
        if wish.name in self._waiting or wish.delete != self._deleting:
            self._flush()
            if self._ended():
                self.skipped += 1
                return
        self._deleting = wish.delete
        self._waiting[wish.name] = number, wish

    def _flush(self) -> None:
        waiting, self._waiting = list(self._waiting.values()), {}
        while waiting:
            waiting = self._pack(waiting)

    def _pack(self, waiting: list[tuple[int, Wish]]) -> list[tuple[int, Wish]]:
        """Plan and execute; what has to wait for that is given back."""
        world = self.engine.world()
        future = Future(world, _leaving(waiting, world))
        items: dict[int, Item] = {}
        names: set[AliasName] = set()
        rest: list[tuple[int, Wish]] = []
        for place, (number, wish) in enumerate(waiting):
            name = _name(wish, world)
            if self._ended():
                self.skipped += 1
            elif name in names:  # by another name of its main device
                rest = waiting[place:]
                break
            else:
                names.add(name)
                self._plan(number, wish, future, items)
        self._execute(items, future)
        return rest

    def _plan(self, number: int, wish: Wish, future: Future, items: dict[int, Item]) -> None:
        try:
            result = plan(wish, future, self.engine.able)
        except errors.NetaliasError as error:
            self.failed.append((number, error))
            return
        for note in result.notes:
            self._warn(f"{number}: {note}")
        if result.steps:
            future.take(result.alias, result.goal, result.kind)
        items[number] = Item(CHANGED, wish.name, result)

    def _execute(self, items: dict[int, Item], future: Future) -> None:
        if not items:
            return
        self.engine.kernel.permitted()
        heirs = [_heir(alias, steps) for alias, steps in bereft(future)] if future.withdrawn else []
        carry_out(self.engine.kernel, [*items.values(), *heirs], ordered=not self.force)
        refused = [(number, item.error) for number, item in items.items() if item.error]
        if not self.force:
            self.skipped += max(len(refused) - 1, 0)
            refused = refused[:1]
        refused += [(0, item.error) for item in heirs if item.error]
        self.failed = sorted([*self.failed, *refused], key=lambda one: one[0])


def _heir(alias: Alias, steps: list[Step]) -> Item:
    result = Plan(alias)
    result.steps = steps
    return Item(CHANGED, alias.name, result)


def _leaving(waiting: list[tuple[int, Wish]], world: World) -> set[int]:
    """id() of the aliases that are deleted, or replaced by another kind."""
    found = ((wish, world.find(_name(wish, world))) for _, wish in waiting)
    return {
        id(alias)
        for wish, alias in found
        if alias is not None and (wish.delete or wish.kind not in ("", AUTO, alias.kind))
    }


def _name(wish: Wish, world: World) -> AliasName:
    """By the primary name of the main device."""
    main = world.snapshot.device(wish.name.main)
    return AliasName(main.name, wish.name.slot) if main is not None else wish.name


def words_of(line: str) -> list[str]:
    """The words of a line, up to a comment."""
    words = line.split()
    for place, word in enumerate(words):
        if word.startswith(COMMENT):
            return words[:place]
    return words
