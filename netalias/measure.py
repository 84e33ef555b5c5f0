"""A reconciliation with its figures for Prometheus (views/metrics.py)."""

from __future__ import annotations

from time import monotonic, time

from netalias import errors
from netalias.views import FAMILIES, metrics
from netalias.views.diff import WORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.engine import Engine
    from netalias.engine.reconcile import Outcome


def measured(path: str, engine: Engine, work: Callable[[], Outcome]) -> int:
    """Do *work*, and write the file whatever comes of it; the exit status. Raises as *work*."""
    started, begun = time(), monotonic()

    def note(outcome: Outcome | None) -> None:
        success = outcome is not None and outcome.status == errors.STATUS_OK
        drift = dict.fromkeys(WORDS.values(), 0)
        for item in outcome.agenda.items if outcome is not None else ():
            drift[WORDS[item.sign]] += 1
        text = metrics.render(
            _standing(engine),
            drift,
            len(outcome.failed) + len(outcome.wrong) if outcome is not None else 1,
            sum(one.count for one in outcome.agenda.skipped) if outcome is not None else 0,
            started,
            monotonic() - begun,
            success,
            started if success else metrics.previous_success(path),
        )
        metrics.write(path, text)

    try:
        outcome = work()
    except errors.NetaliasError:
        note(None)
        raise
    note(outcome)
    return outcome.status


def _standing(engine: Engine) -> dict[tuple[str, str, str], int]:
    """(main device, kind, family) -> how many of our aliases."""
    found: dict[tuple[str, str, str], int] = {}
    for alias in engine.world().aliases:
        if alias.ours:
            family = FAMILIES.get(alias.family, str(alias.family))
            key = alias.name.main, alias.kind, family
            found[key] = found.get(key, 0) + 1
    return found
