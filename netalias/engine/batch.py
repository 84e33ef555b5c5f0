"""Many commands in one process, under one lock, in packed messages.

A line is the words after ``netalias``. Commands for aliases are collected as long as their order
does not matter: no alias twice, and deletions not among the others. Then they are planned one after
the other, each as if those before it were done, and executed together.
"""

from __future__ import annotations

from netalias import desired, errors
from netalias.desired.declarations import words_of
from netalias.engine import Engine
from netalias.engine.execute import carry_out, withdraw
from netalias.kinds import AUTO
from netalias.model import IFA_F_NOPREFIXROUTE
from netalias.model.names import AliasName
from netalias.model.steps import REMOVE, RETIRE, AddAddress, DelAddress
from netalias.observed.planned import Planned
from netalias.plan import Plan, plan
from netalias.plan.diff import CHANGED, Item, setting_item
from netalias.plan.routes import bereft
from netalias.runtime import Unlocked

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
        future = Planned(observed, _leaving(waiting, observed))
        items: dict[int, Item] = {}
        for number, wish in waiting:
            if self._ended():
                self.skipped += 1
                continue
            result = self._plan(number, wish, future)
            if result is not None:
                self._keep(number, wish, result, future, items)
        if items and (looked or self._free(waiting, items, observed)):
            self._execute(items, future, observed)

    def _plan(self, number: int, wish: Wish, future: Planned) -> Plan | None:
        try:
            return plan(wish, future, self.engine.able)
        except errors.NetaliasError as error:
            self.failed.append((number, error))
            return None

    def _keep(
        self, number: int, wish: Wish, result: Plan, future: Planned, items: dict[int, Item]
    ) -> None:
        if result.steps:
            future.take(result.alias, result.goal, result.kind)
        items[number] = Item(CHANGED, wish.name, result, wish)

    def _execute(self, items: dict[int, Item], future: Planned, observed: Observed) -> None:
        arriving = self._arriving(items, observed)
        if arriving is None:
            self._carry_out(items, future, observed, None)
            return
        with arriving:
            try:
                arriving.follow()
            except errors.NetaliasError as error:
                self._denied(items, error)
            else:
                self._carry_out(items, future, observed, arriving)

    def _arriving(self, items: dict[int, Item], observed: Observed) -> ClaimSession | None:
        return self.engine.arriving(observed, [(item.wish, item.plan) for item in items.values()])

    def _denied(self, items: dict[int, Item], error: errors.NetaliasError) -> None:
        """Nothing of this can be done."""
        self.failed.append((next(iter(items)), error))
        self.skipped += len(items) - 1

    def _carry_out(
        self,
        items: dict[int, Item],
        future: Planned,
        observed: Observed,
        arriving: ClaimSession | None,
    ) -> None:
        _release(items.values())
        settling = self.engine.settling(observed, [item.plan for item in items.values()])
        for number, item in items.items():
            for note in item.plan.notes:
                self._warn(f"{number}: {note}")
        settings = [setting_item(setting) for setting in settling.settings]
        returns = [item for item in settings if _restores(item)]
        raised = [item for item in settings if not _restores(item)]
        changes = [*raised, *items.values()]
        settling.begin()
        carry_out(self.engine.kernel, changes, ordered=not self.force)
        if arriving is not None:
            self._arrived(arriving, items)
        if any(item.error for item in changes):
            # What was made ready for those that were refused goes back, what they still need stays.
            settling = self.engine.settling(self.engine.observe(), [])
            returns = [setting_item(one) for one in settling.settings if one.restores]
        carry_out(self.engine.kernel, returns)
        settling.end([item.setting for item in returns if item.setting and not item.error])
        heirs = self._heirs() if future.withdrawn else []
        if self.tell is not None:
            done = [item for item in [*changes, *returns, *heirs] if not item.error]
            self.tell(step for item in done for step in item.plan.steps)
        last = max(items)
        refused = [(number, item.error) for number, item in items.items() if item.error]
        refused += [(last, item.error) for item in [*raised, *returns, *heirs] if item.error]
        self._fail(refused)

    def _fail(self, refused: Iterable[tuple[int, errors.NetaliasError]]) -> None:
        self.failed = sorted([*self.failed, *refused], key=lambda one: one[0])
        if self._ended():  # what comes after the first error was undone, or not done
            self.skipped += len(self.failed) - 1
            del self.failed[1:]

    def _free(
        self, waiting: Sequence[tuple[int, Wish]], items: dict[int, Item], observed: Observed
    ) -> bool:
        """Whether this may be done, and nobody else has an address of it.

        If somebody has one, the others are planned anew, as if it were not wished for: without
        *force* those before it, and none at all where that shall end it.
        """
        try:
            self.engine.kernel.permitted()
            arriving = self._arriving(items, observed)
            looked = arriving.look() if arriving is not None else []
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

    def _arrived(self, arriving: ClaimSession, items: dict[int, Item]) -> None:
        """What the kernel found to be in use goes again, the rest is announced."""
        withdraw(self.engine.kernel, [*items.values()], arriving)
        lost = [item.plan for item in items.values() if item.error is not None]
        for note in arriving.announce(lost):
            self._warn(f"{max(items)}: {note}")

    def _heirs(self) -> list[Item]:
        """Who lost the route of its network brings it: known once it is clear what was refused."""
        observed = self.engine.observe()
        items = [_heir(alias, steps) for alias, steps in bereft(Planned(observed))]
        carry_out(self.engine.kernel, items)
        return items


def _restores(item: Item) -> bool:
    return item.setting is not None and item.setting.restores


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


class Borrowed(Engine):
    """The engine of a batch for one of its commands, which neither locks nor closes it.

    *folder* is that of the lock that is held.
    """

    def __init__(self, engine: Engine, folder: str) -> None:
        super().__init__(
            engine.kernel,
            engine.registry,
            group=engine.group,
            hands_off=engine.hands_off,
            within=engine.within,
        )
        self._folder = folder
        self._kept = engine.remembered()
        self.segment = engine.segment
        self.aside = engine.aside
        self.policy = engine.policy

    def locked(self) -> Unlocked:
        """It is locked already."""
        held = Unlocked()
        held.folder = self._folder
        return held

    def close(self) -> None:
        """It is used further."""
