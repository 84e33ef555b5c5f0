"""Reconciliation of the kernel with the declarations: compare, change, verify.

It has guard rails: declarations that are empty, or far fewer than the aliases present, are refused,
and the address that the administrator's own SSH session uses is not removed.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired.blocks import single
from netalias.desired.declarations import Declarations, counted
from netalias.engine import execute
from netalias.engine.connected import examine, left_behind
from netalias.engine.probing import Probes, judge
from netalias.model import AF_INET6, names
from netalias.model.names import main_name
from netalias.plan import Difference
from netalias.plan.compare import compare
from netalias.plan.diff import REMOVED, Diff, Skipped, leaving, removal, wishes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.claim.session import ClaimSession
    from netalias.desired.tasks import Task
    from netalias.engine import Engine
    from netalias.engine.lent import Lent
    from netalias.kernel import Failure, Kernel
    from netalias.model import Alias, Snapshot
    from netalias.observed import Observed
    from netalias.plan import Plan
    from netalias.plan.compare import Conflicts

FEW = 128
"""Number of changes up to which only their devices are read for the verification."""
SHRINK_LEAST = 10
"""Number of aliases from which on the removal of more than half of them is refused."""


class Rules:
    """The limits of a reconciliation.

    ``only`` is the one main device that is reconciled, empty for all. ``force``: go on if a main
    device is down, and ignore ``protected``, the packed address that must stay where it is. Without
    ``removing``, undeclared aliases stay. Without ``abort``, a conflict never ends the run, even if
    a wish asks for that. ``allow_empty`` and ``allow_shrink`` lift the guard rails. ``lent``: what
    stands for a loan stays, though its pool is not declared. ``bulk``: nobody asks for the object
    of each removed alias, so hidden devices may go as a whole.
    """

    __slots__ = (
        "abort", "allow_empty", "allow_shrink", "bulk", "force", "lent", "only", "protected",
        "removing",
    )  # fmt: skip

    def __init__(
        self,
        *,
        only: str = "",
        force: bool = False,
        allow_empty: bool = False,
        allow_shrink: bool = False,
        removing: bool = True,
        abort: bool = True,
        lent: bool = False,
        bulk: bool = False,
        protected: bytes = b"",
    ) -> None:
        self.only = only
        self.bulk = bulk
        self.abort = abort
        self.lent = lent
        self.removing = removing
        self.force = force
        self.allow_empty = allow_empty
        self.allow_shrink = allow_shrink
        self.protected = b"" if force else protected


class Prepared:
    """Differences that are ready to be carried out.

    ``probes`` has the addresses that cannot be added, with the reasons; ``session`` claims the
    others, None without any; ``renewed`` is the number of leases that were renewed.
    """

    __slots__ = ("diff", "probes", "renewed", "session")

    def __init__(
        self, diff: Diff, session: ClaimSession | None = None, probes: Probes | None = None
    ) -> None:
        self.diff = diff
        self.session = session
        self.probes = probes or Probes()
        self.renewed = 0

    @property
    def conflicts(self) -> Conflicts:
        """The addresses that cannot be added, with the reasons."""
        return self.probes.conflicts


class Outcome:
    """The outcome of a reconciliation: its differences, with the errors of the refused ones.

    ``wrong`` are differences that the second reading still found, ``lost`` wishes that it could not
    compare; ``announced`` are the aliases whose addresses were announced, ``notes`` sentences on
    failed announcements; ``stopped``: the run was interrupted; ``unwatched`` are the declared tasks
    that wait for a watcher, ``lacking`` those that wait for a device, each with the reason.
    """

    __slots__ = (
        "announced", "lacking", "lost", "notes", "prepared", "stopped", "unwatched", "wrong",
    )  # fmt: skip

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.wrong: list[Difference] = []
        self.lost: list[Skipped] = []
        self.notes: list[str] = []
        self.announced: Sequence[names.AliasName] = ()
        self.unwatched: Sequence[Task] = ()
        self.lacking: Sequence[tuple[Task, str]] = ()
        self.stopped = False

    @property
    def diff(self) -> Diff:
        """All differences."""
        return self.prepared.diff

    @property
    def done(self) -> list[Difference]:
        """The differences that were carried out."""
        return [item for item in self.diff.items if item.error is None]

    @property
    def failed(self) -> list[Difference]:
        """The differences that the kernel refused or an interruption prevented."""
        return [item for item in self.diff.items if item.error is not None]

    @property
    def status(self) -> int:
        """The exit status."""
        if self.stopped:
            return errors.STATUS_INTERRUPTED
        if self.wrong or self.lost:
            return errors.STATUS_UNVERIFIED
        reasons = [*(one.error for one in self.diff.skipped), *(one.error for one in self.failed)]
        if any(isinstance(reason, errors.Conflict) for reason in reasons):
            return errors.STATUS_CONFLICT
        undone = self.failed or self.diff.skipped or self.unwatched or self.lacking
        return errors.STATUS_KERNEL if undone else errors.STATUS_OK


def look(
    engine: Engine, declared: Declarations, rules: Rules, conflicts: Conflicts | None = None
) -> Diff:
    """The differences between *declared* and the kernel, by one reading; *conflicts* are addresses
    that cannot be added. Raises KernelError, NoSuchDevice."""
    bulk = rules.bulk and rules.removing and not (rules.only or declared.tasks)
    if bulk and (count := engine.kernel.hidden_devices()):
        from netalias.engine import deserted

        if count >= deserted.needed(declared) + deserted.MANY:
            return deserted.look(
                engine, declared, rules.protected,
                lambda observed: _differences(engine, observed, declared, rules, conflicts),
            )  # fmt: skip
    if rules.only or not declared.large:
        return _differences(engine, engine.observe(), declared, rules, conflicts)
    from netalias.engine.settled import observe

    looked = observe(engine, declared)
    diff = _differences(engine, looked.observed, declared, rules, conflicts, looked.asked)
    if looked.settled:
        diff.settle(looked.settled, looked.devices)
    if not looked.stands(diff):
        return _differences(engine, looked.whole(), declared, rules, conflicts)
    return diff


def _differences(
    engine: Engine,
    observed: Observed,
    declared: Declarations,
    rules: Rules,
    conflicts: Conflicts | None,
    asked: Declarations | None = None,
) -> Diff:
    """The differences between what was observed, and what is declared; *asked* is the part of it
    that is compared, by default all."""
    routes = examine(engine.kernel, observed, observed.aliases)
    if rules.only and rules.only not in {wish.name.main for wish in declared.wishes}:
        from netalias.observed.query import only

        only(observed, rules.only)
    diff = compare(
        (declared if asked is None else asked).items,
        observed,
        only=rules.only,
        force=rules.force,
        protected=rules.protected,
        conflicts=conflicts,
        removing=rules.removing,
        lent=lambda: _lent(engine, None if rules.lent else declared),
    )
    if declared.tasks:
        from netalias.engine.floating import count

        count(diff, declared)
    left = left_behind(engine.kernel, declared, observed, diff.items, routes)
    left += _leftovers(engine, observed, diff.items)
    diff.items += [one for one in left if rules.only in ("", one.name.main)]
    main = observed.snapshot.device(rules.only) if rules.only else None
    sysctls = engine.sysctls(observed, [item.plan for item in diff.items])
    diff.items += [one for one in sysctls if main is None or str(one.name) == main.name]
    return diff


def _lent(engine: Engine, declared: Declarations | None) -> Lent:
    from netalias.engine.lent import Lent

    return Lent(engine, declared)


def prepare(
    engine: Engine, declared: Declarations, rules: Rules, probes: Probes | None = None
) -> Prepared:
    """The differences that may be carried out, after the renewal of leases, the check of the guard
    rails, and the probes for new addresses.

    *probes* are those of an earlier call, where there was another wait since. The caller is in a
    transaction. Raises StateError if a guard rail refuses, Conflict if a conflict is to abort the
    run, NotPermitted, KernelError.
    """
    probes = probes or Probes(judge(abort=rules.abort))
    diff = look(engine, declared, rules, probes.conflicts)
    if diff.items or diff.renewals:
        engine.kernel.permitted()
    renewed = len(diff.renewals)
    if renewed and renew(engine.kernel, diff):
        # A lease ran out after the reading; others may have too, so read again.
        diff = look(engine, declared, rules, probes.conflicts)
        renewed = len(diff.renewals) - len(renew(engine.kernel, diff))
    if diff.items:
        check_rails(diff, rules)

    def again() -> tuple[Observed, list[Difference]]:
        nonlocal diff
        diff = look(engine, declared, rules, probes.conflicts)
        if diff.items:
            check_rails(diff, rules)
        return diff.observed, diff.items

    settled = probes.settle(engine.claiming, (diff.observed, diff.items), again)
    found = Prepared(diff, settled.session, probes)
    found.renewed = renewed
    return found


def foretell(
    rehearsal: Engine, diff: Diff, rules: Rules, *, atomic: bool = False
) -> errors.NetaliasError | None:
    """Find out by a *rehearsal* what would be refused: the items get their ``error``.

    With *atomic*, all of them do if one is refused. Returns the refusal of a guard rail, by which
    nothing would be done.
    """
    try:
        check_rails(diff, rules)
    except errors.StateError as error:
        return error
    execute(rehearsal, diff.observed, diff.items.copy(), fresh=True, atomic=atomic)
    return None


def carry_out(engine: Engine, prepared: Prepared, *, atomic: bool = False) -> Outcome:
    """Carry out all differences, and announce the addresses that they add; the outcome.

    With *atomic*, one refusal undoes all of them. The caller is in a transaction. Raises
    NotPermitted, KernelError.
    """
    outcome, diff, session = Outcome(prepared), prepared.diff, prepared.session
    if diff.items:
        outcome.notes = execute(engine, diff.observed, diff.items, session, atomic=atomic)
        outcome.stopped = engine.kernel.stopping and bool(outcome.failed)
        if session is not None:
            outcome.announced = [one.name for one in session.claims]
            prepared.session = None  # thousands of claims, where the second reading needs room
    return outcome


def reconcile(engine: Engine, declared: Declarations, rules: Rules) -> Outcome:
    """Make the kernel agree with *declared*, and verify it by a second reading; the outcome.

    The caller is in a transaction. Raises the errors of prepare() and carry_out().
    """
    outcome = carry_out(engine, prepare(engine, declared, rules))
    verify(engine, declared, rules, outcome)
    return outcome


def mend(engine: Engine, diff: Diff, again: Callable[[], Diff]) -> Outcome:
    """Carry out differences of aliases without verification; a conflict concerns only its alias.

    *again* reads and compares the same aliases anew: it is called after a wait. The caller is in a
    transaction. Raises NotPermitted, KernelError.
    """
    probes = Probes()
    items: list[Difference] = diff.items

    def plan() -> tuple[Observed, list[Difference]]:
        nonlocal diff, items
        diff = again()
        items = diff.items
        for item in items:
            goal = item.plan.goal
            place = (goal.main.index, goal.address) if goal is not None else (0, b"")
            item.error = probes.conflicts.get(place)
        diff.items = [item for item in items if item.error is None]
        return diff.observed, diff.items

    settled = probes.settle(engine.claiming, (diff.observed, diff.items), plan)
    outcome = carry_out(engine, Prepared(diff, settled.session, probes))
    diff.items = items
    return outcome


def remove(engine: Engine, observed: Observed, aliases: Sequence[Alias]) -> Outcome:
    """Remove *aliases*, and restore the sysctls of main devices that only they needed.

    The caller is in a transaction. Raises NotPermitted, KernelError.
    """
    from netalias.plan.order import arrange

    diff = Diff(observed)
    diff.items = [removal(alias, observed) for alias in aliases]
    arrange(diff.items, observed.snapshot)
    diff.items += _leftovers(engine, observed, diff.items)
    diff.items += engine.sysctls(observed, [item.plan for item in diff.items])
    return carry_out(engine, Prepared(diff))


def _leftovers(engine: Engine, observed: Observed, items: list[Difference]) -> list[Difference]:
    """The removals of rules whose alias has gone."""
    if not engine.kernel.ruled():
        return []
    from netalias.plan.leftovers import leftovers

    return leftovers(observed, items)


def renew(kernel: Kernel, diff: Diff) -> list[Failure]:
    """Renew the leases of *diff* in one send; the failures, for addresses that are gone."""
    if not diff.renewals:
        return []
    return kernel.apply(diff.renewals, stoppable=False, seen=diff.observed.snapshot)


def check_rails(diff: Diff, rules: Rules) -> None:
    """Raises StateError if nothing is declared, or far less than is present: likely a mistake."""
    removed, where = diff.removed, f" on {rules.only}" if rules.only else ""
    if rules.allow_empty or not removed:
        return
    if not diff.wished:
        raise errors.StateError(
            f"nothing is declared{where}, and {counted(removed, 'alias')} would be removed",
            "--allow-empty, if that is meant",
        )
    if diff.present >= SHRINK_LEAST and removed * 2 > diff.present and not rules.allow_shrink:
        raise errors.StateError(
            f"{removed} of {counted(diff.present, 'alias')}{where} would be removed",
            "--allow-shrink, if that is meant",
        )


def verify(engine: Engine, declared: Declarations, rules: Rules, outcome: Outcome) -> None:
    """Read again, and set ``outcome.wrong`` to the differences that are not known failures.

    What is wrong is read once more: devices, addresses and routes are not of one moment, and others
    are at work too. The devices of the aliases are noted for the time when one of them is lost.
    """
    readings = [outcome.diff]
    if outcome.diff.items:
        readings.append(_verify(engine, declared, rules, outcome))
        if outcome.wrong or outcome.lost:
            found = {item.name for item in outcome.wrong}
            readings[1] = _verify(engine, declared, rules, outcome)
            outcome.wrong = [item for item in outcome.wrong if item.name in found]
    former = engine.former_devices
    for one in readings:
        former.note_all(one.observed.aliases, one.devices)
    former.save()


def _verify(engine: Engine, declared: Declarations, rules: Rules, outcome: Outcome) -> Diff:
    """The work of verify(); the comparison by the second reading."""
    done = outcome.done
    whole = any(leaving(item.plan) is not None for item in done if item.sign == REMOVED)
    few = len(done) <= FEW and not whole and all(map(_independent, done))
    # Labels are quicker read all at once than each by itself.
    if few and outcome.diff.settled == len(outcome.diff.devices):
        again, outcome.wrong = _wrong_among(engine, done, rules)
    else:
        failed = {item.name for item in outcome.failed}
        failed |= {main_name(name.main) for name in failed}  # the old alias may need its sysctls
        again = look(engine, declared, rules, outcome.prepared.conflicts)
        mine = {item.name for item in done} if few else None
        outcome.wrong = [
            item
            for item in again.items
            if item.name not in failed and (mine is None or item.name in mine)
        ]
    if not outcome.failed and not outcome.diff.skipped:
        # A main device that went away meanwhile takes its aliases along.
        outcome.lost = again.skipped
    return again


def _independent(item: Difference) -> bool:
    """Whether an item can be verified by itself: it has no network that other aliases may be in."""
    wish = item.model
    if wish is None:
        return True
    assert wish.type is not None
    return not wish.gateway and wish.prefixlen in (None, wish.type.bits)


def _wrong_among(
    engine: Engine, items: Sequence[Difference], rules: Rules
) -> tuple[Diff, list[Difference]]:
    """The comparison of a few items again, by a reading of only their devices, and the differences
    that remain."""
    wanted = {item.name for item in items if item.sysctl_change is None}
    sysctls = [item for item in items if item.sysctl_change is not None]
    texts = [item.name.main for item in sysctls]
    texts += [text for name in wanted for text in (name.main, names.primary(name), str(name))]
    held = [item.name for item in items if _has_hidden(item.plan)]
    if held:
        from netalias.model.hidden import device_of

        texts += map(device_of, held)
    snapshot = engine.kernel.part(dict.fromkeys(texts))
    undone = [item for item in sysctls if not _is_set(item, snapshot)]
    _drop_others(snapshot, set(texts), items)
    observed = engine.recognise(snapshot)
    blocks = [single(wish, one.name, one.place) for one, wish in wishes(items)]
    again = compare(blocks, observed, force=rules.force)
    # If two aliases share a name, the one to keep may be declared outside these items.
    removed = {_object(item) for item in items if item.sign == REMOVED}
    return again, undone + [
        item
        for item in again.items
        if (_object(item) in removed if item.sign == REMOVED else item.name in wanted)
    ]


def _has_hidden(plan: Plan) -> bool:
    """Whether a plan is about a shard, or the hidden device of some."""
    return plan.kind == "shard" or (plan.alias is not None and plan.alias.kind == "shard")


def _is_set(item: Difference, snapshot: Snapshot) -> bool:
    """Whether the sysctls have the values that were set, or their main device is gone."""
    assert item.sysctl_change is not None
    main = snapshot.devices.get(item.sysctl_change.main.index)
    after = item.sysctl_change.after
    return main is None or all(getattr(main, key) == value for key, value in after.items())


def _object(item: Difference) -> tuple[names.AliasName, str, bytes, int]:
    """The name, kind, address and prefix length of the alias that an item removes."""
    alias = item.plan.alias
    assert alias is not None
    return item.name, alias.kind, alias.address, alias.prefixlen


def _drop_others(snapshot: Snapshot, labels: set[str], items: Sequence[Difference]) -> None:
    """Drop addresses of main devices that cannot be a label of *items*: there may be thousands."""
    addresses = {item.plan.goal.address for item in items if item.plan.goal is not None}
    for name in {item.name.main for item in items}:
        main = snapshot.device(name)
        if main is not None:
            snapshot.addresses[main.index] = [
                entry
                for entry in snapshot.addresses.get(main.index, ())
                if entry.label in labels
                or entry.local in addresses
                or entry.metric
                or entry.family == AF_INET6
            ]
