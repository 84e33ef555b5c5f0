"""Declarations in the interface for programs: Engine.check and Engine.reconcile."""

from __future__ import annotations

from netalias import errors, sources
from netalias.desired import declarations
from netalias.engine.checkpoint import pending
from netalias.engine.reconcile import Rules, look
from netalias.engine.reconcile import reconcile as converge
from netalias.views import changes
from netalias.views.diff import line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from netalias.desired.declarations import Declarations
    from netalias.engine import Engine
    from netalias.families import Registry
    from netalias.plan.diff import Diff


class Comparison:
    """The differences from a declaration, found by ``check`` or removed by ``reconcile``.

    ``changes`` are the objects that ``netalias -j check`` prints (schema/changes.json), with an
    ``error`` where one was refused; ``lines`` the same as text; ``notes`` are warnings. ``status``
    is the exit status that the command would have.
    """

    def __init__(
        self, diff: Diff, registry: Registry, status: int, notes: Iterable[str] = ()
    ) -> None:
        self.changes = [changes.fields(item, registry) for item in diff.items]
        self.changes += [changes.skipped(one) for one in diff.skipped]
        self.lines = [line(item, registry) for item in diff.items]
        self.lines += [one.line() for one in diff.skipped]
        self.notes = list(notes)
        self.status = status

    @property
    def same(self) -> bool:
        """Whether nothing differed."""
        return not self.changes

    def to_dict(self) -> dict[str, object]:
        """``status``, ``changes`` and ``notes``."""
        return {"status": self.status, "changes": self.changes, "notes": self.notes}


def check(engine: Engine, files: Sequence[object], text: str | None, only: str) -> Comparison:
    """Engine.check."""
    declared = _declared(engine, files, text)
    diff = look(engine, declared, Rules(only=only))
    notes = _waiting(engine, declared, only) + _lacking(diff, declared, only)
    notes += _failing(engine, declared, only)
    status = errors.STATUS_OK if diff.same and not notes else errors.STATUS_DRIFT
    return Comparison(diff, engine.registry, status, notes)


def reconcile(
    engine: Engine, files: Sequence[object], text: str | None, limits: Mapping[str, Any]
) -> Comparison:
    """Engine.reconcile."""
    declared = _declared(engine, files, text)
    with engine.transaction() as transaction:
        _check_none_waits(transaction.path)
        outcome = converge(engine, declared, Rules(**limits))
    notes = [note for item in outcome.done for note in item.plan.notes]
    only = limits.get("only", "")
    waiting = _waiting(engine, declared, only) + _lacking(outcome.diff, declared, only)
    status = outcome.status or (errors.STATUS_KERNEL if waiting else errors.STATUS_OK)
    return Comparison(outcome.diff, engine.registry, status, [*notes, *outcome.notes, *waiting])


def _waiting(engine: Engine, declared: Declarations, only: str) -> list[str]:
    """A sentence on declared tasks that wait for a watcher; none without such tasks."""
    if not declared.tasks:
        return []
    from netalias.desired.tasks import unwatched, waiting
    from netalias.runtime import asked
    from netalias.runtime.tasks import carried_out

    path = engine.runtime.path
    found = unwatched(declared.tasks, lambda: carried_out(path), only)
    return [waiting(found, asked.read(path, engine.kernel.cookie()))] if found else []


def _lacking(diff: Diff, declared: Declarations, only: str) -> list[str]:
    """Sentences on declared tasks that wait for a device; none without declared tasks."""
    if not declared.tasks:
        return []
    from netalias.engine.carried import lacking

    return [why for _, why in lacking(diff.observed.snapshot, declared.tasks, only)]


def _failing(engine: Engine, declared: Declarations, only: str) -> list[str]:
    """Sentences on declared tunnels whose packets do not arrive; none without declared tasks."""
    if not declared.tasks:
        return []
    from netalias.engine.carried import failing

    return [why for _, why in failing(engine, declared.tasks, only)]


def _check_none_waits(path: str) -> None:
    """Raises StateError while ``reconcile --confirm`` waits for its confirmation."""
    waiting = pending(path) if path else None
    if waiting is not None:
        raise errors.StateError(
            f"a change waits for its confirmation since {waiting.since}", "netalias confirm"
        )


def _declared(engine: Engine, files: Sequence[object], text: str | None) -> Declarations:
    """The declarations of *files*, the usual ones if there are none, or of a *text*."""
    if text is not None:
        if files:
            raise errors.UsageError("files or a text, not both")
        named = [("text", text)]
    else:
        named = sources.decode(sources.read([str(one) for one in files]))
    found = declarations.parse(named, engine.registry)
    declarations.check(found)
    return found
