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
from netalias.model import IFA_F_NOPREFIXROUTE
from netalias.names import AliasName
from netalias.networks import bereft, covers
from netalias.plan import Plan, plan
from netalias.reconcile import carry_out
from netalias.steps import REMOVE, RETIRE, AddAddress, DelAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.engine import Engine
    from netalias.kinds import World
    from netalias.model import Address, Alias
    from netalias.steps import Step
    from netalias.wishes import Wish

COMMENT = "#"


class Batch:
    """Commands for *engine*; a word without a colon is given to *verb* with the others.

    ``failed`` are line and error of what went wrong. With *force* one error does not end it.
    ``tell`` is given the steps that were done.
    """

    tell: Callable[[Iterable[Step]], None] | None = None

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
            if looks or ":" not in words[0] or any(word.startswith("--") for word in words):
                self._flush()
                if self._ended():
                    self.skipped += 1
                else:
                    self._execute_verb(words)
            else:
                self._collect(number, wishes.parse(words, self.engine.registry))
        except errors.NetaliasError as error:
            self._flush()  # what stands before the error is done before it is told
            if self._ended():
                self.skipped += 1
            else:
                self.failed.append((number, error))

    def _execute_verb(self, words: list[str]) -> None:
        status = self._verb(words)
        if status:
            error = errors.StateError(f"{' '.join(words)}: it ended with status {status}")
            error.status = status
            raise error

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
        silent = [alias.entry for alias in world.aliases if alias.entry and _is_silent(alias.entry)]
        rest: list[tuple[int, Wish]] = []
        for place, (number, wish) in enumerate(waiting):
            if self._ended():
                self.skipped += 1
                continue
            name = _name(wish, world)
            # By another name of its main device, or one whose removal the others did not expect.
            rest = waiting[place:]
            if name in names or (place and _replaces(wish, world)):
                break
            names.add(name)
            result = self._plan(number, wish, future)
            if result is None:
                if not place and _replaces(
                    wish, world
                ):  # it stays, and the others do not expect it
                    rest = waiting[1:]
                    break
                continue
            robs = _robs(result, silent)
            if not robs or not items:
                self._keep(number, wish, result, future, items)
                rest = waiting[place + 1 :]
            if robs:  # who inherits its route is known once it is done
                break
            if result.goal is not None and result.goal.entry and _is_silent(result.goal.entry):
                silent.append(result.goal.entry)
        else:
            rest = []
        self._execute(items, future)
        return rest

    def _plan(self, number: int, wish: Wish, future: Future) -> Plan | None:
        try:
            return plan(wish, future, self.engine.able)
        except errors.NetaliasError as error:
            self.failed.append((number, error))
            return None

    def _keep(
        self, number: int, wish: Wish, result: Plan, future: Future, items: dict[int, Item]
    ) -> None:
        for note in result.notes:
            self._warn(f"{number}: {note}")
        if result.steps:
            future.take(result.alias, result.goal, result.kind)
        items[number] = Item(CHANGED, wish.name, result)

    def _execute(self, items: dict[int, Item], future: Future) -> None:
        if not items:
            return
        try:
            self.engine.kernel.permitted()
        except errors.NetaliasError as error:
            self.failed.append((next(iter(items)), error))
            self.skipped += len(items) - 1
            return
        _release(items.values())
        carry_out(self.engine.kernel, [*items.values()], ordered=not self.force)
        heirs = self._heirs() if future.withdrawn else []
        if self.tell is not None:
            done = [item for item in [*items.values(), *heirs] if not item.error]
            self.tell(step for item in done for step in item.plan.steps)
        last = max(items)
        refused = [(number, item.error) for number, item in items.items() if item.error]
        refused += [(last, item.error) for item in heirs if item.error]
        self.failed = sorted([*self.failed, *refused], key=lambda one: one[0])
        if self._ended():  # what comes after the first error was undone, or not done
            self.skipped += len(self.failed) - 1
            del self.failed[1:]

    def _heirs(self) -> list[Item]:
        """Who lost the route of its network brings it: known once it is clear what was refused."""
        world = self.engine.world()
        items = [_heir(alias, steps) for alias, steps in bereft(Future(world))]
        carry_out(self.engine.kernel, items)
        return items


def _release(items: Iterable[Item]) -> None:
    """An address that one command gives up and a later one takes leaves before it comes back."""
    leaving: dict[bytes, Step] = {}
    for item in items:
        for step in item.plan.steps:
            if isinstance(step, AddAddress) and step.address.local in leaving:
                leaving[step.address.local].phase = REMOVE
        for step in item.plan.steps:
            if isinstance(step, DelAddress) and step.phase == RETIRE:
                leaving[step.address.local] = step


def _heir(alias: Alias, steps: list[Step]) -> Item:
    result = Plan(alias)
    result.steps = steps
    return Item(CHANGED, alias.name, result)


def _leaving(waiting: list[tuple[int, Wish]], world: World) -> set[int]:
    """id() of the aliases that are deleted, or that the first command replaces."""
    going = [wish for _, wish in waiting if wish.delete]
    if not going and _replaces(waiting[0][1], world):
        going = [waiting[0][1]]
    return {id(world.find(_name(wish, world))) for wish in going}


def _replaces(wish: Wish, world: World) -> bool:
    """Whether an alias is to be of another kind."""
    if wish.delete or wish.kind in ("", AUTO):
        return False
    alias = world.find(_name(wish, world))
    return alias is not None and alias.kind != wish.kind


def _robs(result: Plan, silent: list[Address]) -> bool:
    """Whether an alias that stays takes a route away that some others count on."""
    if result.alias is None or result.alias.entry is None or result.goal is None:
        return False
    old = result.alias.entry
    return bool(result.steps) and any(covers(old, entry) for entry in silent)


def _is_silent(entry: Address) -> bool:
    """Whether it counts on the route of another one."""
    return bool(entry.flags & IFA_F_NOPREFIXROUTE)


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
