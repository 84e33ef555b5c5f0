"""The end of a watcher that removes what it has kept (--release)."""

from __future__ import annotations

from netalias import errors
from netalias.desired.declarations import counted
from netalias.engine.reconcile import remove
from netalias.plan.diff import REMOVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.engine.reconcile import Outcome
    from netalias.system.journal import Journal
    from netalias.watch.controller import Controller

WAIT = 0.5
"""Seconds that the end waits for the lock: a service that does not stop is killed."""


def release(
    controller: Controller,
    journal: Journal,
    locked: Callable[[Callable[[str], Outcome], float], Outcome],
    failed: Callable[[Exception], object],
) -> int:
    """Remove the declared aliases; an exit status. *locked* calls its argument under the lock, for
    which it waits so many seconds. *failed* is told of an error, or a bug."""
    try:
        outcome = locked(lambda _: _removed(controller), WAIT)
        controller.read_events()
    except Exception as error:  # a bug too: the watcher has to end all the same
        failed(error)
        return int(getattr(error, "status", errors.STATUS_BUG))
    for item in outcome.failed:
        assert item.error is not None
        journal.error(item.error.line())
    gone = sum(item.sign == REMOVED for item in outcome.done)
    journal.notice(f"{counted(gone, 'alias')} released")
    return errors.STATUS_KERNEL if outcome.failed else errors.STATUS_OK


def _removed(controller: Controller) -> Outcome:
    observed = controller.engine.observe()
    leaving = [one for one in observed.aliases if one.ours and controller.wish(one)]
    return remove(controller.engine, observed, leaving)
