"""The renewal of leases, and the removal of aliases whose lease has expired.

No address is ever added: the kernel refuses to renew one that is gone
(group_delete.renew_address), and by then another host may have it.
"""

from __future__ import annotations

from errno import EADDRNOTAVAIL, ENODEV

from netalias.engine import execute
from netalias.model.leases import leftovers, renewals, running
from netalias.observed.query import select
from netalias.plan import steps_of
from netalias.plan.diff import removal
from netalias.views.changes import record_renewals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.engine import Engine
    from netalias.model import Alias
    from netalias.model.leases import RenewAddress
    from netalias.model.names import AliasName
    from netalias.model.steps import Step
    from netalias.observed import Observed
    from netalias.plan import Difference

BOUNDARY = 10
"""Hundredths of a second after a full second in which a reading may be off by one second
(model.Address)."""


def lengths_of(engine: Engine, chosen: Sequence[Alias]) -> dict[AliasName, int]:
    """The leases of labels in seconds where one reading is uncertain: the lesser of two readings.

    The lease of a label is recorded nowhere else; without a second reading it would grow by a
    second now and then.
    """
    labels = [alias for alias in chosen if alias.device is None and running(alias)]
    if not any(alias.entry and alias.entry.age % 100 < BOUNDARY for alias in labels):
        return {}
    from time import sleep

    sleep(2 * BOUNDARY / 100)
    again = {alias.name: alias.lease for alias in engine.observe().aliases if running(alias)}
    return {alias.name: min(alias.lease, again.get(alias.name, alias.lease)) for alias in labels}


def renew(
    engine: Engine, observed: Observed, chosen: Sequence[Alias], lengths: dict[AliasName, int]
) -> tuple[list[Step], set[AliasName]]:
    """Renew the leases of *chosen* to *lengths* in seconds, and remove aliases that have expired.

    Returns the steps done, and the aliases whose lease ran out before the renewal. Raises
    KernelError.
    """
    steps = renewals(chosen, lengths)
    late = _late(engine, [alias for alias in chosen if running(alias)], steps)
    expired = leftovers(chosen)
    if late:
        observed = engine.observe()
        expired = leftovers(select(observed))
        chosen_names = {alias.name for alias in chosen}
        expired = [alias for alias in expired if alias.name in chosen_names]
    items = removals(engine, observed, expired)
    execute(engine, observed, items, atomic=True)
    for item in items:
        if item.error is not None:
            raise item.error
    return [*steps, *steps_of(items)], late


def _late(
    engine: Engine, aliases: Sequence[Alias], steps: Sequence[RenewAddress]
) -> set[AliasName]:
    """Send the renewals *steps*; the aliases whose address was gone already.

    The owner of a step is an index into *aliases*. Raises KernelError.
    """
    late: set[AliasName] = set()
    failures = engine.kernel.apply(steps)
    refused = {aliases[one.step.owner].name for one in failures}
    record_renewals(engine.setup, aliases, steps, refused)
    for failure in failures:
        name = aliases[failure.step.owner].name
        if failure.error.errno not in (EADDRNOTAVAIL, ENODEV):
            raise failure.explained(name)
        late.add(name)
    return late


def removals(engine: Engine, observed: Observed, expired: Sequence[Alias]) -> list[Difference]:
    """The differences that remove *expired* and restore the sysctls that only they needed."""
    items = [removal(alias, observed) for alias in expired]
    return [*items, *engine.sysctls(observed, [item.plan for item in items])]
