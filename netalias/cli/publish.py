"""The verbs publish and unpublish."""

from __future__ import annotations

from netalias import errors
from netalias.cli import may_float
from netalias.cli.output import complain, tell
from netalias.engine.proxies import carry_out, difference, planned, withdrawn
from netalias.plan import proxies as conditions
from netalias.views.changes import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.cli import Options
    from netalias.engine import Engine
    from netalias.engine.proxies import Publication
    from netalias.plan.proxies import Wanted

    Planner = Callable[[Engine, list[Wanted], str], Publication]


def publish(options: Options, words: list[str]) -> int:
    """Make a device answer for addresses behind another one; the exit status."""
    return _verb(options, words, planned, "publish", needs_device=True)


def unpublish(options: Options, words: list[str]) -> int:
    """Remove entries of publish; the exit status."""
    return _verb(options, words, withdrawn, "unpublish", needs_device=False)


def _verb(
    options: Options, words: list[str], plan: Planner, verb: str, *, needs_device: bool
) -> int:
    with options.engine() as engine:
        wanted, name = conditions.parse(words, engine.registry)
        if not wanted or (needs_device and not name):
            raise errors.UsageError(
                f"{verb} needs an address" + " and a device" * needs_device,
                f"netalias {verb} 10.0.0.5 dev eth0",
            )
        if needs_device and not options.force and may_float(options):
            from netalias.cli.floating import refuse

            refuse(options, engine, [(f"publish on {name}", packed) for _, packed in wanted])
        if options.dry_run:
            done = plan(engine, wanted, name)
            record(engine.setup, map(difference, done.steps), engine.registry)
        else:
            with engine.transaction():
                done = carry_out(engine, lambda: plan(engine, wanted, name))
    for note in () if options.quiet else done.notes:
        complain(note, "warning: ")
    tell(options, done.steps)
    return errors.STATUS_OK
