"""The record of changes (Setup.changed): JSON objects, added as the changes are made."""

from __future__ import annotations

from netalias.plan import Difference, Plan
from netalias.plan.diff import CHANGED
from netalias.views import changes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Protocol

    from netalias.families import Registry
    from netalias.model import Alias
    from netalias.model.leases import RenewAddress
    from netalias.model.names import AliasName

    class Recorded(Protocol):
        """The Setup of an engine, which imports this file."""

        @property
        def changed(self) -> list[dict[str, object]] | None: ...


def record(setup: Recorded, items: Iterable[Difference], registry: Registry) -> None:
    """Tell of those of *items* that were carried out."""
    if setup.changed is not None:
        done = [one for one in items if one.error is None and one.plan.steps]
        setup.changed.extend(changes.fields(one, registry) for one in done)


def record_adopted(setup: Recorded, labels: Iterable[Alias], registry: Registry) -> None:
    """Tell of *labels* of others that have got our mark."""
    if setup.changed is not None:
        done = [Difference(CHANGED, label.name, Plan(label)) for label in labels]
        setup.changed.extend(changes.fields(one, registry) for one in done)


def record_renewals(
    setup: Recorded,
    aliases: Sequence[Alias],
    steps: Sequence[RenewAddress],
    without: Collection[AliasName] = (),
) -> None:
    """Tell of the renewed leases of *aliases*, to each of which belongs one of *steps*; those that
    are called as in *without* were not renewed."""
    if setup.changed is not None:
        pairs = zip((one.name for one in aliases), steps, strict=True)
        done = (changes.renewed(name, step) for name, step in pairs if name not in without)
        setup.changed.extend(done)
