"""The options --metrics and --metrics-aliases: the file for Prometheus."""

from __future__ import annotations

from time import monotonic, time

from netalias import errors
from netalias.cli import number
from netalias.observed import ordered
from netalias.views import metrics
from netalias.views.diff import WORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.cli import Options
    from netalias.engine import Engine
    from netalias.engine.reconcile import Outcome


def limit_of(options: Options) -> int:
    """The number that follows --metrics-aliases, 0 without it. Raises UsageError."""
    if options.metrics_aliases and not options.metrics:
        raise errors.UsageError("--metrics-aliases needs --metrics FILE")
    return number("--metrics-aliases", options.metrics_aliases, 0, 1)


def measured(path: str, engine: Engine, work: Callable[[], Outcome], limit: int = 0) -> int:
    """Do *work*, and write the metrics to *path* even if it fails; the exit status. The counters of
    *limit* aliases are among them. Raises the errors of *work*."""
    started, begun = time(), monotonic()

    def note(outcome: Outcome | None) -> None:
        success = outcome is not None and outcome.status == errors.STATUS_OK
        drift = dict.fromkeys(WORDS.values(), 0)
        for item in outcome.diff.items if outcome is not None else ():
            drift[WORDS[item.sign]] += 1
        observed = engine.observe()
        text = metrics.render(
            metrics.counts(observed.aliases),
            drift,
            len(outcome.failed) + len(outcome.wrong) if outcome is not None else 1,
            sum(one.count for one in outcome.diff.skipped) if outcome is not None else 0,
            started,
            monotonic() - begun,
            success,
            started if success else metrics.previous_success(path),
        )
        if limit:
            text += metrics.alias_counters(ordered(observed.aliases, observed.snapshot), limit)
        metrics.write(path, text)

    try:
        outcome = work()
    except errors.NetaliasError:
        note(None)
        raise
    note(outcome)
    return outcome.status
