"""The differences between the desired and the observed state, as values."""

from __future__ import annotations

from netalias import kinds
from netalias.model.names import AliasName
from netalias.plan import Difference, Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias import errors
    from netalias.model import Alias
    from netalias.model.leases import RenewAddress
    from netalias.observed import Observed


ADDED = "+"
REMOVED = "-"
CHANGED = "~"


def removal(alias: Alias, observed: Observed) -> Difference:
    """The difference that an alias is there which shall not be."""
    plan = Plan(alias)
    plan.steps = kinds.get(alias.kind).unmake(alias, observed.snapshot)
    return Difference(REMOVED, alias.name, plan)


class Skipped:
    """Wishes that cannot be planned: the first one, and how many have the same reason."""

    __slots__ = ("count", "error", "name", "place")

    def __init__(
        self, place: str, name: AliasName, error: errors.NetaliasError, count: int = 1
    ) -> None:
        self.place = place
        self.name = name
        self.error = error
        self.count = count

    def line(self) -> str:
        """One sentence with the place of the wish."""
        where = f"{self.place}: " if self.place else ""
        notes = [f"{self.count} aliases"] if self.count > 1 else []
        notes += [self.error.hint] if self.error.hint else []
        return f"{where}{self.error}" + (f" ({'; '.join(notes)})" if notes else "")


class Diff:
    """All differences; ``present``, ``wished`` and ``removed`` are counts of aliases.

    ``observed`` is the state that was compared. ``renewals`` give the aliases that stay the time
    that their leases have, which is no difference.
    """

    __slots__ = ("items", "observed", "present", "removed", "renewals", "skipped", "wished")

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.items: list[Difference] = []
        self.skipped: list[Skipped] = []
        self.renewals: list[RenewAddress] = []
        self.present = 0
        self.wished = 0
        self.removed = 0

    @property
    def same(self) -> bool:
        """Whether the observed state is the declared one."""
        return not self.items and not self.skipped
