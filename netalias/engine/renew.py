"""The verb renew: leases are given their time again, and what is left of expired ones goes.

Nothing is ever added: the kernel refuses a renewal where the address is not there any more
(codec.renew_address), since somebody else may have it by then.
"""

from __future__ import annotations

from errno import EADDRNOTAVAIL, ENODEV

from netalias import kinds
from netalias.model.leases import leftovers, renewals, running
from netalias.observed import select
from netalias.plan import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.engine import Engine
    from netalias.model import Alias
    from netalias.model.names import AliasName
    from netalias.model.steps import RenewAddress, Step
    from netalias.observed import Observed
    from netalias.runtime.sysctls import Settling

BOUNDARY = 10
"""So many hundredths of a second after a full one a reading may be a second off (model.Address)."""


def _lengths(engine: Engine, chosen: Sequence[Alias]) -> dict[AliasName, int]:
    """The leases of labels, which stand nowhere, where one reading is not certain: the lesser of
    two. Without that a lease would grow, a second now and a second then."""
    labels = [alias for alias in chosen if alias.device is None and running(alias)]
    if not any(alias.entry and alias.entry.age % 100 < BOUNDARY for alias in labels):
        return {}
    from time import sleep

    sleep(2 * BOUNDARY / 100)
    again = {alias.name: alias.lease for alias in engine.observe().aliases if running(alias)}
    return {alias.name: min(alias.lease, again.get(alias.name, alias.lease)) for alias in labels}


def _carry_out(
    engine: Engine, observed: Observed, chosen: Sequence[Alias], lengths: dict[AliasName, int]
) -> tuple[list[Step], set[AliasName]]:
    """What was done, and whose lease ran out before it could be renewed. Raises KernelError."""
    steps = renewals(chosen, lengths)
    late = _late(engine, [alias for alias in chosen if running(alias)], steps)
    expired = leftovers(chosen)
    if late:
        observed = engine.observe()
        expired = leftovers(select(observed))
        chose = {alias.name for alias in chosen}
        expired = [alias for alias in expired if alias.name in chose]
    removal, settling = _removal(engine, observed, expired)
    settling.begin()
    for failure in engine.kernel.apply(removal):
        settling.undone()
        raise failure.error
    settling.end()
    return [*steps, *removal], late


def _late(
    engine: Engine, aliases: Sequence[Alias], steps: Sequence[RenewAddress]
) -> set[AliasName]:
    """Renew; whose address was gone already. *aliases* are the owners of *steps*."""
    late: set[AliasName] = set()
    for failure in engine.kernel.apply(steps):
        name = aliases[failure.step.owner].name
        if failure.error.errno not in (EADDRNOTAVAIL, ENODEV):
            raise failure.explained(name)
        late.add(name)
    return late


def _removal(
    engine: Engine, observed: Observed, expired: Sequence[Alias]
) -> tuple[list[Step], Settling]:
    """The steps that take away what is left, and what only it needed of its main device."""
    plans = []
    for alias in expired:
        plans.append(Plan(alias))
        plans[-1].steps = kinds.get(alias.kind).unmake(alias, observed.snapshot)
    settling = engine.settling(observed, plans)
    steps = [step for plan in plans for step in plan.steps]
    return [*steps, *(setting.step() for setting in settling.settings)], settling
