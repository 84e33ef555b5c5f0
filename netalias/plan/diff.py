"""The difference between the desired and the observed state, as values."""

from __future__ import annotations

from netalias import kinds
from netalias.model.names import AliasName
from netalias.plan import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias import errors
    from netalias.desired import Wish
    from netalias.model import Alias
    from netalias.model.steps import RenewAddress
    from netalias.observed import Observed
    from netalias.plan.sysctls import SysctlChange


SET = "="
"""A setting of a main device."""
ADDED = "+"
REMOVED = "-"
CHANGED = "~"


class Item:
    """One difference: ``sign`` and the plan that ends it.

    ``place`` is ``file:line`` of the wish, empty for a removal, ``rank`` the number of its line;
    ``error`` is set when the kernel refused the plan. ``setting`` is what changes of a main device
    where it is not an alias that does.
    """

    __slots__ = ("error", "name", "place", "plan", "rank", "setting", "sign", "wish")

    def __init__(self, sign: str, name: AliasName, plan: Plan, wish: Wish | None = None) -> None:
        self.sign = sign
        self.name = name
        self.plan = plan
        self.wish = wish
        self.place = ""
        self.rank = -1
        self.error: errors.NetaliasError | None = None
        self.setting: SysctlChange | None = None


class MainName(AliasName):
    """In the place of the name of an alias where a main device is meant."""

    __slots__ = ()

    def __init__(self, main: str) -> None:
        super().__init__(main, -1)

    def __str__(self) -> str:
        return self.main


def setting_item(setting: SysctlChange) -> Item:
    """The difference in the settings of a main device."""
    plan = Plan()
    plan.steps = [setting.step()]
    item = Item(SET, MainName(setting.main.name), plan)
    item.setting = setting
    return item


def removal(alias: Alias, observed: Observed) -> Item:
    """That an alias goes."""
    plan = Plan(alias)
    plan.steps = kinds.get(alias.kind).unmake(alias, observed.snapshot)
    return Item(REMOVED, alias.name, plan)


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
    """What is to be done; ``present``, ``wished`` and ``removed`` are counts of aliases.

    ``renewals`` give those that stay the time that their leases have: no difference.
    """

    __slots__ = ("items", "present", "removed", "renewals", "skipped", "wished")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.skipped: list[Skipped] = []
        self.renewals: list[RenewAddress] = []
        self.present = 0
        self.wished = 0
        self.removed = 0

    @property
    def same(self) -> bool:
        """Whether the observed state is the declared one."""
        return not self.items and not self.skipped
