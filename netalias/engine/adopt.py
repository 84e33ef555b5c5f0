"""Adoption of foreign labels: our mark (IFA_PROTO) is put on an address that stays in place."""

from __future__ import annotations

from netalias import errors
from netalias.engine import execute
from netalias.model import PROTOCOL
from netalias.model.leases import MarkAddress
from netalias.observed import find
from netalias.plan import Difference, Plan, steps_of
from netalias.plan.diff import CHANGED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.engine import Engine
    from netalias.model import Alias
    from netalias.model.names import AliasName
    from netalias.model.steps import Step
    from netalias.observed import Observed


def adopt(engine: Engine, names: Sequence[AliasName]) -> list[Step]:
    """Mark the labels called *names*; the steps that were done. Aliases of ours are left alone.

    Raises NoSuchDevice, KernelError; StateError if the kernel cannot change IFA_PROTO of an
    existing address (IPv4 on Linux 6.1), or has no IFA_PROTO (before 5.18).
    """
    observed = engine.observe()
    items = plan(observed, names)
    execute(engine, observed, items, ordered=True)
    for item in items:
        if item.error is not None:
            raise item.error
    observed = engine.observe()
    if items and not all(find(observed, name).ours for name in names):
        raise errors.StateError(
            f"{names[0]}: this kernel does not change the mark of an address that is there",
            f"delete the label, netalias {names[0]}-, and create it again",
        )
    return steps_of(items)


def plan(observed: Observed, names: Sequence[AliasName]) -> list[Difference]:
    """The differences that put our mark on the foreign labels called *names*.

    Raises NoSuchDevice, AlreadyExists.
    """
    try:
        found = [find(observed, name) for name in names]
    except errors.NoSuchDevice as error:
        error.hint = ""  # the usual hint tells how to create one
        raise
    for alias in found:
        if alias.ours and len(observed.by_name[alias.name]) > 1:
            raise errors.AlreadyExists(
                f"{alias.name}: this is an alias of ours, and a label of others too",
                "of two only one can be called so",
            )
    return [_mark(alias) for alias in found if not alias.ours]


def _mark(alias: Alias) -> Difference:
    main, entry = alias.main, alias.entry
    assert main is not None
    assert entry is not None
    marked = entry.copy(protocol=PROTOCOL)
    before = MarkAddress(main.name, main.index, entry)
    plan = Plan(alias)
    plan.steps = [MarkAddress(main.name, main.index, marked, before)]
    return Difference(CHANGED, alias.name, plan)
