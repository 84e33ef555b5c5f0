"""Rollback of ``reconcile --confirm``: the guard (checkpoint.py) restores the former aliases."""

from __future__ import annotations

from netalias import errors
from netalias.desired import declarations, export
from netalias.engine import checkpoint
from netalias.engine.reconcile import Rules, reconcile
from netalias.model.names import AliasName
from netalias.observed import ordered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netalias.desired.declarations import Declarations
    from netalias.engine import Engine
    from netalias.model import Snapshot
    from netalias.plan import Difference

WAIT = 600
"""Seconds that the guard waits for the lock, which the guarded command may still hold."""
SOURCE = "the former state"


def arm(
    engine: Engine,
    second: Engine,
    directory: str,
    seconds: int,
    digest: str,
    files: Callable[[], list[str]] | None = None,
) -> None:
    """Start the guard of a change that is about to begin.

    *second* is the guard's engine. It has a socket of its own, since two processes on one socket
    would read each other's answers, and waits WAIT seconds for the lock. *directory* is the runtime
    directory, *seconds* the timeout, *digest* that of the configuration. *files* gives declared
    files their former content, and returns the names of those that others have changed since; it
    may be called again after a StateError, which does not keep the aliases from being restored.
    Raises StateError.
    """
    observed = engine.observe()
    aliases = ordered(observed.aliases, observed.snapshot)
    if any(alias.lease for alias in aliases):
        from netalias.engine.lent import settled

        aliases = settled(engine, aliases)
    lines = export.lines(aliases, observed.registry, mac=True)
    text, count = "\n".join(lines), len(aliases)
    before = declarations.parse([(SOURCE, text)], engine.registry, most=count)
    if before.errors:
        raise errors.StateError(f"it could not be restored: {before.errors[0]}")
    lost = sum(alias.ours for alias in aliases) - len(before)
    if lost:
        raise errors.StateError(
            f"{declarations.counted(lost, 'alias')} could not be restored: no line of a file says"
            " what it is",
            "netalias save shows which",
        )

    mains = {one.main.name: one.main.index for one in observed.aliases if one.main is not None}

    done: list[Difference] = []

    def restore(still: Callable[[], bool]) -> str | None:
        with second.transaction():
            if not still():
                return None
            left, problem = [], None
            try:
                left = files() if files is not None else []
            except errors.StateError as error:  # it keeps nobody from the network
                problem = error
            follow(before, mains, second.snapshot())
            verdict = _restore(second, before, done)
            if problem is not None:
                raise errors.StateError(f"{problem.line()}; but for that: {verdict}")
            return "; ".join([verdict, *map(_stays, left)])

    def changes() -> str:
        from netalias.views import changes, json

        objects = [changes.fields(item, second.registry) for item in done]
        return json.render(objects, pretty=False).strip()

    # The name of the namespace may have gone by then.
    held = (one for one in (second.kernel, second.setup.within) if hasattr(one, "fileno"))
    checkpoint.arm(directory, seconds, digest, restore, [one.fileno() for one in held], changes)


def follow(before: Declarations, mains: Mapping[str, int], snapshot: Snapshot) -> None:
    """Let the declarations name the main devices as they are called now: *mains* maps the former
    names to indexes. A device that is gone keeps its name, under which it may come back."""
    for block in before.blocks:
        name = block.wish.name
        device = snapshot.devices.get(mains.get(name.main, 0))
        if device is not None:
            block.wish.name = AliasName(device.name, name.slot)


def _stays(name: str) -> str:
    return f"{name} stays as somebody has changed it since"


def _restore(engine: Engine, before: Declarations, done: list[Difference]) -> str:
    """Restore the aliases of *before*; a sentence with the number of changes, those of former
    attempts in *done* included. Raises StateError, KernelError."""
    outcome = reconcile(engine, before, Rules(allow_empty=True, force=True, lent=True))
    done += outcome.done
    if outcome.status != errors.STATUS_OK:
        bad = [str(item.name) for item in (*outcome.failed, *outcome.wrong)]
        bad += [str(one.name) for one in (*outcome.diff.skipped, *outcome.lost)]
        count = declarations.counted(len(bad), "alias")
        raise errors.StateError(f"{count} could not be restored, {bad[0]} among them")
    count = declarations.counted(len(done), "change")
    return f"{count} taken back, and verified by a second reading"
