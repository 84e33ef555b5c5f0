"""Make the kernel agree with what is declared: compare, change, look again.

The guard rails stand here too: an empty answer is not an order, and the address that the
administrator's own session comes in over is not taken away.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired.declarations import Block, Declarations, counted
from netalias.engine.execute import carry_out, withdraw
from netalias.model import names
from netalias.observed import Observed, only
from netalias.plan.compare import compare
from netalias.plan.diff import REMOVED, Diff, Item, MainName, Skipped, removal, setting_item
from netalias.plan.sysctls import returning, settle
from netalias.runtime.sysctls import SavedSysctls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.engine import Engine
    from netalias.kernel import Failure, Kernel
    from netalias.model import Alias, Snapshot
    from netalias.model.steps import RenewAddress
    from netalias.plan.compare import Barred

FEW = 128
"""Up to so many changes are verified by reading their devices only."""
SHRINK_LEAST = 10
"""From so many aliases on, removing more than half of them is refused."""


class Rules:
    """How far a reconciliation may go.

    ``only``: a main device, the others are not looked at. ``force``: also where a main device is
    down; without ``removing`` what is not declared stays. ``protected``: packed address that stays
    where it is, whatever is declared. Without ``abort`` one conflict does not end it all, whatever
    is wished.
    """

    __slots__ = ("abort", "allow_empty", "allow_shrink", "force", "only", "protected", "removing")

    def __init__(
        self,
        *,
        only: str = "",
        force: bool = False,
        allow_empty: bool = False,
        allow_shrink: bool = False,
        removing: bool = True,
        abort: bool = True,
        protected: bytes = b"",
    ) -> None:
        self.only = only
        self.abort = abort
        self.removing = removing
        self.force = force
        self.allow_empty = allow_empty
        self.allow_shrink = allow_shrink
        self.protected = b"" if force else protected


class Outcome:
    """What was done: ``agenda`` as it was planned, its items with the errors of those refused.

    ``wrong`` is what the second reading found different still, ``lost`` what could not even be
    compared any more; ``told`` are those that were announced, ``notes`` what could not be;
    ``renewed`` is how many leases were; ``stopped`` tells that it was interrupted.
    """

    __slots__ = ("agenda", "lost", "notes", "renewed", "stopped", "told", "wrong")

    def __init__(self, agenda: Diff) -> None:
        self.agenda = agenda
        self.wrong: list[Item] = []
        self.lost: list[Skipped] = []
        self.notes: list[str] = []
        self.told: set[names.AliasName] = set()
        self.renewed = 0
        self.stopped = False

    @property
    def done(self) -> list[Item]:
        """What was changed."""
        return [item for item in self.agenda.items if item.error is None]

    @property
    def failed(self) -> list[Item]:
        """What the kernel refused, or an interruption prevented."""
        return [item for item in self.agenda.items if item.error is not None]

    @property
    def status(self) -> int:
        """The exit status."""
        if self.stopped:
            return errors.STATUS_INTERRUPTED
        if self.wrong or self.lost:
            return errors.STATUS_UNVERIFIED
        reasons = [*(one.error for one in self.agenda.skipped), *(one.error for one in self.failed)]
        if any(isinstance(reason, errors.Conflict) for reason in reasons):
            return errors.STATUS_CONFLICT
        return errors.STATUS_KERNEL if self.failed or self.agenda.skipped else errors.STATUS_OK


def check(engine: Engine, declared: Declarations, rules: Rules) -> Diff:
    """What reconcile() would do; nothing is done. Raises KernelError, NoSuchDevice."""
    return _look(engine, declared, rules)[0]


def _look(
    engine: Engine, declared: Declarations, rules: Rules, barred: Barred | None = None
) -> tuple[Diff, Observed, SavedSysctls]:
    observed = engine.observe()
    if rules.only and rules.only not in {block.wish.name.main for block in declared.blocks}:
        only(observed, rules.only)
    kept = engine.kept(observed)
    agenda = compare(
        declared,
        observed,
        engine.able,
        only=rules.only,
        force=rules.force,
        protected=rules.protected,
        terms=engine.terms(kept),
        barred=barred,
        removing=rules.removing,
    )
    return agenda, observed, kept


def reconcile(
    engine: Engine,
    declared: Declarations,
    rules: Rules,
    before: Callable[[Diff], None] | None = None,
) -> Outcome:
    """Make it so, and verify it by a second reading. The caller holds the lock.

    *before* is called with what is planned when there is something to do, and before it is done.
    Raises StateError where a guard rail refuses, NotPermitted, KernelError when reading failed.
    """
    agenda, observed, kept = _look(engine, declared, rules)
    if agenda.items or agenda.renewals:
        engine.kernel.permitted()
    renewed = len(agenda.renewals)
    if renewed and renew(engine.kernel, agenda.renewals):
        # What was read of the others may be as old: that they stay is no news until it is read.
        agenda, observed, kept = _look(engine, declared, rules)
        renewed = len(agenda.renewals) - len(renew(engine.kernel, agenda.renewals))
    outcome = Outcome(agenda)
    outcome.renewed = renewed
    if not agenda.items:
        return outcome
    refuse(agenda, rules)
    barred = _barred(engine, observed, agenda, abort=rules.abort)
    if barred:
        agenda, observed, kept = _look(engine, declared, rules, barred)
        outcome = Outcome(agenda)
        outcome.renewed = renewed
    if agenda.items:
        if before is not None:
            before(agenda)
        _carry_out(engine, observed, outcome, kept)
        outcome.stopped = engine.kernel.stopping and bool(outcome.failed)
        _verify(engine, declared, rules, outcome, barred)
    return outcome


def mend(engine: Engine, observed: Observed, agenda: Diff) -> Outcome:
    """Carry out an agenda without settings of main devices; nothing is verified, and a conflict
    concerns nobody else. The caller holds the lock. Raises NotPermitted, KernelError."""
    outcome = Outcome(agenda)
    barred = _barred(engine, observed, agenda, abort=False)
    items = agenda.items
    for item in items:
        goal = item.plan.goal
        item.error = barred.get((goal.main.index, goal.address)) if goal is not None else None
    agenda.items = [item for item in items if item.error is None]
    if agenda.items:
        _carry_out(engine, observed, outcome, SavedSysctls(""))
    agenda.items = items
    return outcome


def remove(engine: Engine, observed: Observed, aliases: Sequence[Alias]) -> Outcome:
    """Take these aliases away, and give back what nobody needs any more of the settings of their
    main devices. The caller holds the lock. Raises NotPermitted, KernelError."""
    agenda = Diff()
    agenda.items = [removal(alias, observed) for alias in aliases]
    kept = engine.kept(observed)
    plans = [item.plan for item in agenda.items]
    agenda.items += map(setting_item, settle(observed, plans, engine.terms(kept)))
    outcome = Outcome(agenda)
    _carry_out(engine, observed, outcome, kept)
    return outcome


def renew(kernel: Kernel, renewals: Sequence[RenewAddress]) -> list[Failure]:
    """Give leases their time again, in one go; those that were not there any more."""
    return kernel.apply(renewals, stoppable=False) if renewals else []


def _barred(engine: Engine, observed: Observed, agenda: Diff, *, abort: bool) -> Barred:
    """The addresses that others have, or that could not be looked for. With *abort* it raises
    Conflict where that is wished to end it all."""
    arriving = engine.arriving(observed, ((item.wish, item.plan) for item in agenda.items))
    if arriving is None:
        return {}
    found = arriving.look()
    if abort and any(one.abort for one, _ in found):
        raise conflicting([error for _, error in found])
    return {(one.main.index, one.address): error for one, error in found}


def conflicting(found: Sequence[errors.NetaliasError]) -> errors.NetaliasError:
    """The error that ends a run in which nothing was done: a conflict, if there is one."""
    *others, last = sorted(found, key=lambda error: isinstance(error, errors.Conflict))
    last.details = [error.line() for error in others]
    return last


def _carry_out(engine: Engine, observed: Observed, outcome: Outcome, kept: SavedSysctls) -> None:
    """All items, the settings of main devices with them, and what they bring to the segments."""
    agenda = outcome.agenda
    items = agenda.items
    settings = [item.setting for item in items if item.setting is not None]
    returns = [item for item in items if item.setting is not None and item.setting.restores]
    arriving = engine.arriving(observed, ((item.wish, item.plan) for item in items))
    changes = [item for item in items if item not in returns]
    if arriving is None:
        kept.keep(settings)
        carry_out(engine.kernel, changes)
    else:
        with arriving:
            arriving.follow()
            kept.keep(settings)
            carry_out(engine.kernel, changes)
            withdraw(engine.kernel, items, arriving)
    if returns and outcome.failed:
        # What those that were refused still need stays.
        done = [item.plan for item in changes if item.error is None]
        planned = {item.name for item in returns}
        due = map(setting_item, returning(observed, done, engine.terms(kept)))
        returns = [item for item in due if item.name in planned]
        agenda.items = [*changes, *returns]
    carry_out(engine.kernel, returns)
    kept.forget([item.setting for item in outcome.done if item.setting is not None])
    if arriving is not None:
        outcome.notes += arriving.announce([item.plan for item in outcome.failed])
        outcome.told = {one.name for one in arriving.arrivals}


def refuse(agenda: Diff, rules: Rules) -> None:
    """Raises StateError for what cannot be meant: no wishes at all, or far fewer than before."""
    removed, where = agenda.removed, f" on {rules.only}" if rules.only else ""
    if rules.allow_empty or not removed:
        return
    if not agenda.wished:
        raise errors.StateError(
            f"nothing is declared{where}, and {counted(removed, 'alias')} would be removed",
            "--allow-empty, if that is meant",
        )
    if agenda.present >= SHRINK_LEAST and removed * 2 > agenda.present and not rules.allow_shrink:
        raise errors.StateError(
            f"{removed} of {counted(agenda.present, 'alias')}{where} would be removed",
            "--allow-shrink, if that is meant",
        )


def _verify(
    engine: Engine, declared: Declarations, rules: Rules, outcome: Outcome, barred: Barred
) -> None:
    """Read again: what differs, and is not known to have failed, is wrong."""
    done = outcome.done
    if len(done) <= FEW and all(map(_alone, done)):
        again, outcome.wrong = _wrong_among(engine, done, rules)
    else:
        failed = {item.name for item in outcome.failed}
        failed |= {MainName(name.main) for name in failed}  # its settings stay for what is left
        again, _, _ = _look(engine, declared, rules, barred)
        outcome.wrong = [item for item in again.items if item.name not in failed]
    if not outcome.failed and not outcome.agenda.skipped:
        # A main device that went away meanwhile takes its aliases along.
        outcome.lost = again.skipped


def _alone(item: Item) -> bool:
    """Whether an item can be verified without the rest: no network that others may be in."""
    wish = item.wish
    if wish is None:
        return True
    assert wish.type is not None
    return wish.prefixlen in (None, wish.type.bits)


def _wrong_among(engine: Engine, items: Sequence[Item], rules: Rules) -> tuple[Diff, list[Item]]:
    """What still differs of a few items, by a reading of nothing but their devices."""
    wanted = {item.name for item in items if item.setting is None}
    texts = [text for name in wanted for text in (name.main, names.primary(name), str(name))]
    settings = [item for item in items if item.setting is not None]
    texts += [item.name.main for item in settings]
    snapshot = engine.kernel.part(dict.fromkeys(texts))
    undone = [item for item in settings if not _stands(item, snapshot)]
    _leave_out_others(snapshot, set(texts), items)
    observed = Observed(snapshot, engine.registry, engine.group)
    blocks = [_block(item) for item in items if item.wish is not None]
    again = compare(Declarations(blocks, []), observed, engine.able, force=rules.force)
    # Of two aliases of one name the one that is declared is no wish of these items.
    removed = {_object(item) for item in items if item.sign == REMOVED}
    return again, undone + [
        item
        for item in again.items
        if (_object(item) in removed if item.sign == REMOVED else item.name in wanted)
    ]


def _stands(item: Item, snapshot: Snapshot) -> bool:
    """Whether a setting is what it was set to; of a main device that has gone nothing is wanted."""
    assert item.setting is not None
    main = snapshot.devices.get(item.setting.main.index)
    after = item.setting.after
    return main is None or all(getattr(main, key) == value for key, value in after.items())


def _block(item: Item) -> Block:
    """The wish of an item by itself."""
    wish = item.wish
    assert wish is not None
    slot, (source, _, line) = item.name.slot, item.place.rpartition(":")
    return Block(wish, range(slot, slot + 1), [wish.address], source, int(line))


def _object(item: Item) -> tuple[names.AliasName, str, bytes]:
    """What a removal removes."""
    alias = item.plan.alias
    assert alias is not None
    return item.name, alias.kind, alias.address


def _leave_out_others(snapshot: Snapshot, labels: set[str], items: Sequence[Item]) -> None:
    """Of thousands of addresses on a main device only those that may be a label of *items*."""
    addresses = {item.plan.goal.address for item in items if item.plan.goal is not None}
    for name in {item.name.main for item in items}:
        main = snapshot.device(name)
        if main is not None:
            snapshot.addresses[main.index] = [
                entry
                for entry in snapshot.on(main.index)
                if entry.label in labels or entry.local in addresses or entry.metric
            ]
