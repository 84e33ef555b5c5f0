"""Many commands in one process, under one lock, in packed messages.

A line holds the words after ``netalias``. Commands for aliases are collected while their order
does not matter: no alias twice, no deletions among other commands. A collected group is planned
command by command, each on the state that the ones before it will leave, and executed in one send.
"""

from __future__ import annotations

from netalias import desired, errors
from netalias.desired import commands
from netalias.desired.declarations import MOST, too_many
from netalias.desired.lines import numbered, words_of
from netalias.engine import execute
from netalias.engine.probing import Probes
from netalias.kinds import AUTO
from netalias.model import IFA_F_NOPREFIXROUTE
from netalias.model.listing import FIRST
from netalias.model.names import AliasName
from netalias.observed.planned import Planned
from netalias.plan import Difference, Plan, plan, protect
from netalias.plan.diff import CHANGED
from netalias.plan.order import arrange
from netalias.plan.routes import without_route

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from netalias.claim import Found
    from netalias.claim.session import ClaimSession
    from netalias.desired import Wish
    from netalias.engine import Engine
    from netalias.families import Registry
    from netalias.model import Alias
    from netalias.model.steps import Step
    from netalias.observed import Observed

    Waiting = list[tuple[int, Wish]]
    """Commands by their numbers, from 1."""


class Command:
    """The words of a *line*, counted from 1: a ``wish``, the ``error`` in them, or neither for a
    verb. A line for many aliases is many commands."""

    __slots__ = ("error", "line", "wish", "words")

    def __init__(self, line: int, words: list[str], wish: Wish | None = None) -> None:
        self.line = line
        self.words = words
        self.wish = wish
        self.error: errors.NetaliasError | None = None

    @property
    def deletes(self) -> bool:
        """Whether it deletes an alias."""
        return self.wish is not None and self.wish.delete


def parse_command(
    words: list[str], registry: Registry, line: int = 1, *, filed: bool = False
) -> list[Command]:
    """The commands that a command for one or several aliases stands for. With *filed* it may have
    words that only a file can carry. Raises UsageError, FamilyError."""
    if commands.is_many(words):
        wishes = commands.parse(words, registry)
    else:
        wishes = [desired.parse(words, registry)]
    for wish in () if filed else wishes:
        desired.check_command(wish)
    return [Command(line, words, wish) for wish in wishes]


def parse_commands(
    text: str,
    registry: Registry,
    name: str = "",
    *,
    force: bool = False,
    most: int = MOST,
    filed: bool = False,
) -> list[Command]:
    """The commands in the text of a file, for which no lock is needed. Without *force* none is
    parsed after an error. *filed* is that of parse_command().

    Raises LimitError, with the *name* of the file, for wishes of more than *most* aliases.
    """
    found: list[Command] = []
    left, failed = most, False
    for number, line in numbered(text):
        words = words_of(line)
        if not words:
            continue
        some = [Command(number, words)]
        if _is_wish(words) and not failed:
            try:
                some = parse_command(words, registry, number, filed=filed)
            except errors.NetaliasError as error:
                some[0].error, failed = error, not force
            left -= len(some)
        if left < 0:
            over = too_many(most)
            raise errors.LimitError(f"{name}:{number}: {over}", over.hint)
        found += some
    return found


def _is_wish(words: list[str]) -> bool:
    """Whether the words create, change or delete an alias. Options make them a verb's."""
    if ":" not in words[0] or any(word.startswith("--") for word in words):
        return False
    return len(words) > 1 or words[0].endswith("-")


class Batch:
    """A run of commands on *engine*; a line that names no alias is passed to *verb* as words.

    ``failed`` holds the line numbers and errors of the first failed commands, ``wrong`` the number
    of all, ``skipped`` that of commands not executed, ``done`` that of those carried out,
    ``warned`` that of warnings, the first of which were passed to *warn*. Without *force* the first
    error ends the run. ``tell`` is called with what was done.
    """

    tell: Callable[[list[Difference]], None] | None = None

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
        self.done = self.warned = self.wrong = self.skipped = 0
        self._told: set[str] = set()
        self._verb = verb
        self._warn = warn
        self._lines: list[int] = []
        self._waiting: dict[AliasName, tuple[int, Wish]] = {}
        self._deleting = False
        self._session: bytes | None = None

    def run(self, parsed: Iterable[Command]) -> None:
        """Execute *parsed* commands: all with *force*, else up to the first error."""
        for number, command in enumerate(parsed, 1):
            self._lines.append(command.line)
            if self._ended():
                self.skipped += 1
            else:
                self._command(number, command)
        self._flush()
        self.failed = [(self._lines[number - 1], error) for number, error in self.failed]

    def _ended(self) -> bool:
        return bool(self.failed) and not self.force

    def _command(self, number: int, command: Command) -> None:
        try:
            if command.error is not None:
                raise command.error
            if command.wish is not None:
                self._collect(number, command.wish)
                return
            self._flush()
            if self._ended():
                self.skipped += 1
            else:
                self._execute_verb(command.words)
        except errors.NetaliasError as error:
            self._flush()  # commands before the bad line come first, and may fail themselves
            if self._ended():
                self.skipped += 1
            else:
                self._fail([(number, error)])

    def _execute_verb(self, words: list[str]) -> None:
        status = self._verb(words)
        if status:
            error = errors.StateError(f"{' '.join(words)}: it ended with status {status}")
            error.status = status
            raise error
        self.done += 1

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
            count = _independent(waiting, observed)
            self._pack(waiting[:count], observed)
            waiting = waiting[count:]
        self.skipped += len(waiting)

    def _pack(self, waiting: Waiting, observed: Observed) -> None:
        """Plan each command on the state that the ones before it will leave, probe for the new
        addresses, and execute all. After probing all is planned again, without the commands that
        conflict."""
        planned, items = self._planned(waiting, observed)
        if not items:
            return
        refused = _Refused(self.force)
        left = [(number, wish) for number, wish in waiting if number in items]
        before: list[tuple[int, errors.NetaliasError]] = []

        def judge(found: Found) -> None:
            refused.note(found, items)

        def plan() -> tuple[Observed, Sequence[Difference]]:
            nonlocal planned, items, left, before
            moved, self.failed = self.failed, []
            self.wrong -= len(moved)
            before = [*before, *moved]
            admitted = refused.others(left)
            self.skipped += sum(number not in refused.errors for number, _ in left) - len(admitted)
            left = admitted
            planned, items = self._planned(left, self.engine.observe())
            return planned.observed, list(items.values())

        try:
            self.engine.kernel.permitted()
            first = observed, list(items.values())
            session = Probes(judge).settle(self.engine.claiming, first, plan).session
        except errors.NetaliasError as error:
            self.failed, self.wrong = [*before, *self.failed], self.wrong + len(before)
            self._fail_all(items or dict.fromkeys(number for number, _ in waiting), error)
            return
        if items:
            self._execute(items, planned, session)
        self._fail([*before, *refused.errors.items()])

    def _planned(
        self, waiting: Waiting, observed: Observed
    ) -> tuple[Planned, dict[int, Difference]]:
        """The plans of commands, by number, and the state that they will leave."""
        planned = Planned(observed, _leaving(waiting, observed), ordered=True)
        items: dict[int, Difference] = {}
        for number, wish in waiting:
            if self._ended():
                self.skipped += 1
                continue
            result = self._plan(number, wish, planned)
            if result is not None:
                self._keep(number, wish, result, planned, items)
        return planned, items

    def _plan(self, number: int, wish: Wish, planned: Planned) -> Plan | None:
        try:
            found = plan(wish, planned, cut=self.force)
            if self.engine.setup.session is not None:
                protect(found, self._session_address, planned.observed)
            return found
        except errors.NetaliasError as error:
            self._fail([(number, error)])
            return None

    def _session_address(self) -> bytes:
        """The address of the SSH session of the caller, looked for once: a dozen files are read."""
        if self._session is None:
            assert self.engine.setup.session is not None
            self._session = self.engine.setup.session()
        return self._session

    def _keep(
        self, number: int, wish: Wish, result: Plan, planned: Planned, items: dict[int, Difference]
    ) -> None:
        if result.steps:
            planned.take(result.alias, result.goal, result.kind)
        items[number] = Difference("", wish.name, result, wish)

    def _execute(
        self, items: dict[int, Difference], planned: Planned, session: ClaimSession | None
    ) -> None:
        """Carry out *items*, then restore connected routes that were lost by it."""
        changes = list(items.values())
        arrange(changes, planned.observed.snapshot, ordered=True)
        sysctls = self.engine.sysctls(planned.observed, [item.plan for item in changes])
        raised = [
            item for item in sysctls if item.sysctl_change and not item.sysctl_change.restores
        ]
        returned = [item for item in sysctls if item not in raised]
        work = [*raised, *changes, *returned]
        last = max(items)
        try:
            notes = execute(self.engine, planned.observed, work, session, ordered=not self.force)
        except errors.NetaliasError as error:
            self._fail_all(items, error)
            return
        self.done += sum(item.error is None for item in changes)
        for number, item in items.items():
            for note in item.plan.notes if item.error is None else ():
                self._tell_warning(number, note)
        for note in notes:
            self._tell_warning(last, note)
        successors = self._successors() if planned.withdrawn else []
        work += successors
        if self.tell is not None:
            self.tell([item for item in work if not item.error])
        failures = [(number, item.error) for number, item in items.items() if item.error]
        failures += [(last, item.error) for item in work if item.error and item not in changes]
        self._fail(failures)

    def _tell_warning(self, number: int, text: str) -> None:
        """Warn of a text once: each alias of a main device may have the same one."""
        if text in self._told:
            return
        self._told.add(text)
        self.warned += 1
        if self.warned <= FIRST:
            self._warn(f"{self._lines[number - 1]}: {text}")

    def _fail_all(self, items: Mapping[int, object], error: errors.NetaliasError) -> None:
        """Record an error that concerns all *items*: none of them was done."""
        self._fail([(next(iter(items)), error)])
        self.skipped += len(items) - 1

    def _fail(self, failures: Sequence[tuple[int, errors.NetaliasError]]) -> None:
        self.wrong += len(failures)
        self.failed = sorted([*self.failed, *failures], key=lambda one: one[0])[:FIRST]
        if self._ended():  # commands after the first error were undone, or not executed
            self.skipped += self.wrong - 1
            self.wrong = 1
            del self.failed[1:]

    def _successors(self) -> list[Difference]:
        """Make aliases bring the connected route of their network where it was lost.

        This comes after the execution, since it depends on the commands that were refused.
        """
        observed = self.engine.observe()
        items = [_successor(*pair) for pair in without_route(Planned(observed))]
        execute(self.engine, observed, items)
        return items


class _Refused:
    """The commands whose addresses other hosts have: ``errors`` by number; ``aborting``: one
    of them is to abort the run."""

    def __init__(self, force: bool) -> None:
        self.errors: dict[int, errors.NetaliasError] = {}
        self.aborting = False
        self._force = force

    def note(self, found: Found, items: Mapping[int, Difference]) -> None:
        """Add what probing for the addresses of *items* has found."""
        numbers = {id(item.plan): number for number, item in items.items()}
        self.errors |= {numbers[id(one.plan)]: error for one, error in found}
        self.aborting = self.aborting or any(one.abort for one, _ in found)

    def others(self, waiting: Waiting) -> Waiting:
        """The commands that are executed all the same: without *force* those before the first
        conflict, and none if one is to abort the run."""
        if not self.errors:
            return waiting
        last = 0 if self.aborting else min(self.errors)
        return [
            (number, wish)
            for number, wish in waiting
            if number not in self.errors and (number < last or (self._force and last))
        ]


def _successor(alias: Alias, steps: list[Step]) -> Difference:
    """The difference that *steps* make to *alias*, which brings the connected route from now on."""
    result = Plan(alias)
    result.steps = steps
    return Difference(CHANGED, alias.name, result)


def _independent(waiting: Sequence[tuple[int, Wish]], observed: Observed) -> int:
    """The number of leading commands that can be planned without reading the kernel in between."""
    names: set[AliasName] = set()
    moved = _moved(waiting[0][1], observed)
    for count, (_, wish) in enumerate(waiting):
        name = _name(wish, observed)
        if name in names:  # the same alias, by another name of its main device
            return count
        if moved is not None:
            if _moved(wish, observed) != moved:
                return count
        elif _affects_others(wish, observed):
            return max(count, 1)
        names.add(name)
    return len(waiting)


def _affects_others(wish: Wish, observed: Observed) -> bool:
    """Whether plans for other aliases depend on the result of this command.

    They do if the alias changes its kind, or removes the connected route of its network: the
    successor is known only afterwards.
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


def _moved(wish: Wish, observed: Observed) -> tuple[str, str, str] | None:
    """Main device, old and new kind of an alias that becomes a label, or is one and gets a device,
    with the address that it has; None for any other command.

    Such moves of one main device are planned together: labels take the place of no device, and no
    address is free before it is taken.
    """
    alias = observed.find(_name(wish, observed))
    if alias is None or alias.entry is None or not _replaces(wish, alias):
        return None
    stays = not wish.address and wish.prefixlen is None
    length = 8 * len(wish.address) if wish.prefixlen is None else wish.prefixlen
    same = wish.address == alias.entry.local and length == alias.asked
    if "label" not in (wish.kind, alias.kind) or not (stays or same):
        return None
    return alias.name.main, alias.kind, wish.kind


def _leaving(waiting: Sequence[tuple[int, Wish]], observed: Observed) -> set[int]:
    """id() of the aliases that are deleted or replaced."""
    found = ((wish, observed.find(_name(wish, observed))) for _, wish in waiting)
    return {
        id(alias)
        for wish, alias in found
        if alias is not None and (wish.delete or _replaces(wish, alias))
    }


def _replaces(wish: Wish, alias: Alias) -> bool:
    """Whether *wish* changes the kind of *alias*."""
    return wish.kind not in ("", AUTO, alias.kind)


def _name(wish: Wish, observed: Observed) -> AliasName:
    """The alias name of *wish*, with the primary name of the main device in place of an altname."""
    main = observed.snapshot.device(wish.name.main)
    return AliasName(main.name, wish.name.slot) if main is not None else wish.name
