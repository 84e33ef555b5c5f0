"""Values for the differences between the desired and the observed state."""

from __future__ import annotations

from netalias.model.names import AliasName
from netalias.model.steps import DelLink
from netalias.plan import Difference, Plan, finished, unmade

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias import errors
    from netalias.desired import Wish
    from netalias.model import Alias
    from netalias.model.bare import Gone
    from netalias.model.hidden import Leaving
    from netalias.model.leases import RenewAddress
    from netalias.observed import Observed


# Signs of a Difference.
ADDED = "+"
REMOVED = "-"
CHANGED = "~"


def removal(alias: Alias, observed: Observed) -> Difference:
    """The difference that removes an alias."""
    plan = Plan(alias)
    plan.steps = unmade(alias, observed)
    return Difference(REMOVED, alias.name, finished(plan, observed))


def leaving(plan: Plan) -> Leaving | None:
    """The shards that go with the hidden device that *plan* deletes, where none is an object."""
    step = plan.steps[0] if len(plan.steps) == 1 else None
    return step.leaving if isinstance(step, DelLink) else None


def wishes(items: Iterable[Difference]) -> list[tuple[Difference, Wish]]:
    """The differences that come from a wish, with that. The model of one is its wish, or one that
    differs in slot and address only: thousands of lines that are alike have one."""
    found = []
    for item in items:
        wish, goal = item.model, item.plan.goal
        if wish is not None and goal is not None and wish.name != item.name:
            wish = wish.copy(item.name, goal.address)
        if wish is not None:
            found.append((item, wish))
    return found


class Skipped:
    """Wishes that cannot be planned for one reason: place and name of the first, and a count."""

    __slots__ = ("count", "error", "name", "place")

    def __init__(
        self, place: str, name: AliasName, error: errors.NetaliasError, count: int = 1
    ) -> None:
        self.place = place
        self.name = name
        self.error = error
        self.count = count

    def line(self) -> str:
        """A sentence with the place of the first wish."""
        where = f"{self.place}: " if self.place else ""
        notes = [f"{self.count} aliases"] if self.count > 1 else []
        notes += [self.error.hint] if self.error.hint else []
        return f"{where}{self.error}" + (f" ({'; '.join(notes)})" if notes else "")


class Diff:
    """All differences between the desired state and ``observed``.

    ``present``, ``wished`` and ``removed`` are counts of aliases. ``renewals`` are the steps that
    renew the leases of unchanged aliases; they are no differences. ``settled`` counts those that
    are as declared, and that ``observed`` is without; ``devices`` are those of them that have one.
    """

    __slots__ = (
        "devices", "items", "observed", "present", "removed", "renewals", "settled", "skipped",
        "wished",
    )  # fmt: skip

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.items: list[Difference] = []
        self.skipped: list[Skipped] = []
        self.renewals: list[RenewAddress] = []
        self.present = 0
        self.wished = 0
        self.removed = 0
        self.settled = 0
        self.devices: Sequence[Gone] = ()

    def settle(self, count: int, devices: Sequence[Gone]) -> None:
        """Count aliases that are as declared, and that were not compared; *devices* are those of
        them that have one."""
        self.settled = count
        self.devices = devices
        self.present += count
        self.wished += count

    @property
    def same(self) -> bool:
        """Whether the observed state is the desired one."""
        return not self.items and not self.skipped
