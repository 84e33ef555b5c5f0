"""Many commands in one process, under one lock, in packed messages.

A line is the words after ``netalias``. Commands for aliases are collected as long as their order
does not matter: no alias twice, and deletions not among the others. Then they are planned one after
the other, each as if those before it were done, and executed together.
"""

from __future__ import annotations

from netalias import desired, errors
from netalias.desired.declarations import words_of
from netalias.engine import execute
from netalias.kinds import AUTO
from netalias.model import IFA_F_NOPREFIXROUTE
from netalias.model.names import AliasName
from netalias.observed.planned import Planned
from netalias.plan import Difference, Plan, plan
from netalias.plan.diff import CHANGED
from netalias.plan.order import untangle
from netalias.plan.routes import without_route

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.claim.session import ClaimSession
    from netalias.desired import Wish
    from netalias.engine import Engine
    from netalias.model import Alias
    from netalias.model.steps import Step
    from netalias.observed import Observed


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
                self._collect(number, desired.parse(words, self.engine.registry))
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
        while waiting and not self._ended():
            observed = self.engine.observe()
            count = _together(waiting, observed)
            self._pack(waiting[:count], observed)
            waiting = waiting[count:]
        self.skipped += len(waiting)

    def _pack(
        self, waiting: Sequence[tuple[int, Wish]], observed: Observed, *, looked: bool = False
    ) -> None:
        """Plan each as if those before it were done, and execute all.

        *looked*: it is known that nobody else has their addresses.
        """
        planned = Planned(observed, _leaving(waiting, observed))
        items: dict[int, Difference] = {}
        for number, wish in waiting:
            if self._ended():
                self.skipped += 1
                continue
            result = self._plan(number, wish, planned)
            if result is not None:
                self._keep(number, wish, result, planned, items)
        if items:
            session = self.engine.claiming(observed, items.values())
            if looked or self._free(waiting, items, session):
                self._execute(items, planned, session)

    def _plan(self, number: int, wish: Wish, planned: Planned) -> Plan | None:
        try:
            return plan(wish, planned)
        except errors.NetaliasError as error:
            self.failed.append((number, error))
            return None

    def _keep(
        self, number: int, wish: Wish, result: Plan, planned: Planned, items: dict[int, Difference]
    ) -> None:
        if result.steps:
            planned.take(result.alias, result.goal, result.kind)
        items[number] = Difference(CHANGED, wish.name, result, wish)

    def _execute(
        self, items: dict[int, Difference], planned: Planned, session: ClaimSession | None
    ) -> None:
        """Carry out *items*, and pass the routes on that were lost by it."""
        changes = list(items.values())
        untangle(changes, ordered=True)
        sysctls = self.engine.sysctls(planned.observed, [item.plan for item in changes])
        for number, item in items.items():
            for note in item.plan.notes:
                self._warn(f"{number}: {note}")
        raised = [item for item in sysctls if item.setting and not item.setting.restores]
        returned = [item for item in sysctls if item not in raised]
        work = [*raised, *changes, *returned]
        last = max(items)
        try:
            notes = execute(self.engine, planned.observed, work, session, ordered=not self.force)
        except errors.NetaliasError as error:
            self._denied(items, error)
            return
        for note in notes:
            self._warn(f"{last}: {note}")
        successors = self._successors() if planned.withdrawn else []
        work += successors
        if self.tell is not None:
            done = [item for item in work if not item.error]
            self.tell(step for item in done for step in item.plan.steps)
        refused = [(number, item.error) for number, item in items.items() if item.error]
        refused += [(last, item.error) for item in work if item.error and item not in changes]
        self._fail(refused)

    def _denied(self, items: dict[int, Difference], error: errors.NetaliasError) -> None:
        """Nothing of this can be done."""
        self.failed.append((next(iter(items)), error))
        self.skipped += len(items) - 1

    def _fail(self, refused: Iterable[tuple[int, errors.NetaliasError]]) -> None:
        self.failed = sorted([*self.failed, *refused], key=lambda one: one[0])
        if self._ended():  # what comes after the first error was undone, or not done
            self.skipped += len(self.failed) - 1
            del self.failed[1:]

    def _free(
        self,
        waiting: Sequence[tuple[int, Wish]],
        items: dict[int, Difference],
        session: ClaimSession | None,
    ) -> bool:
        """Whether this may be done, and nobody else has an address of it.

        If somebody has one, the others are planned anew, as if it were not wished for: without
        *force* those before it, and none at all where that shall end it.
        """
        try:
            self.engine.kernel.permitted()
            looked = session.look() if session is not None else []
        except errors.NetaliasError as error:
            self._denied(items, error)
            return False
        if not looked:
            return True
        plans = {id(item.plan): number for number, item in items.items()}
        found = {plans[id(one.plan)]: error for one, error in looked}
        last = 0 if any(one.abort for one, _ in looked) else min(found)
        left = [
            (number, wish)
            for number, wish in waiting
            if number in items and number not in found and (number < last or (self.force and last))
        ]
        self.skipped += len(items) - len(left) - len(found)
        before, self.failed = self.failed, []
        self._pack(left, self.engine.observe(), looked=True)
        self._fail([*before, *found.items()])
        return False

    def _successors(self) -> list[Difference]:
        """Let aliases bring the route of their network that have lost it.

        Which ones is known once it is clear which commands were refused.
        """
        observed = self.engine.observe()
        items = [_successor(*pair) for pair in without_route(Planned(observed))]
        execute(self.engine, observed, items)
        return items


def _successor(alias: Alias, steps: list[Step]) -> Difference:
    result = Plan(alias)
    result.steps = steps
    return Difference(CHANGED, alias.name, result)


def _together(waiting: Sequence[tuple[int, Wish]], observed: Observed) -> int:
    """How many of the first commands can be planned without a look at what the others did."""
    names: set[AliasName] = set()
    for count, (_, wish) in enumerate(waiting):
        name = _name(wish, observed)
        if name in names:  # by another name of its main device
            return count
        if _alone(wish, observed):
            return max(count, 1)
        names.add(name)
    return len(waiting)


def _alone(wish: Wish, observed: Observed) -> bool:
    """Whether the plans of others hang on what becomes of this command.

    So it is where an alias gets another kind, or takes the route of its network away: who inherits
    it is known once that is done.
    """
    alias = observed.find(_name(wish, observed))
    if alias is None or wish.delete:
        return False
    entry = alias.entry
    if _replaces(wish, alias) or entry is None or not entry.networked:
        return _replaces(wish, alias)
    stays = not wish.address and wish.prefixlen is None
    same = wish.address == entry.local and wish.prefixlen == entry.prefixlen
    brings = not entry.flags & IFA_F_NOPREFIXROUTE
    return brings and (not (stays or same) or bool(wish.peer) or wish.up is False)


def _leaving(waiting: Sequence[tuple[int, Wish]], observed: Observed) -> set[int]:
    """id() of the aliases that are deleted or replaced."""
    found = ((wish, observed.find(_name(wish, observed))) for _, wish in waiting)
    return {
        id(alias)
        for wish, alias in found
        if alias is not None and (wish.delete or _replaces(wish, alias))
    }


def _replaces(wish: Wish, alias: Alias) -> bool:
    """Whether an alias is to be of another kind."""
    return wish.kind not in ("", AUTO, alias.kind)


def _name(wish: Wish, observed: Observed) -> AliasName:
    """By the primary name of the main device."""
    main = observed.snapshot.device(wish.name.main)
    return AliasName(main.name, wish.name.slot) if main is not None else wish.name
