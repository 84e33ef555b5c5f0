"""Kind ``prefix``: a whole network, by one local route of the main device.

The kernel takes every address of the network for its own, and programs bind to any of them (those
of IPv6 with IPV6_FREEBIND). It answers ARP for them where the arp_ignore of the main device is 0,
and never a neighbour solicitation.
"""

from __future__ import annotations

from netalias import errors
from netalias.kinds import PREFIX, Goal, Kind
from netalias.kinds.label import check
from netalias.model import AF_INET, AF_INET6, Alias, prefix
from netalias.model.local_routes import AddLocal, DelLocal, LocalRoute
from netalias.model.steps import REMOVE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Snapshot
    from netalias.model.steps import Step


class Prefix(Kind):
    """For networks whose addresses all belong to this host."""

    name = "prefix"
    routed = False

    def fit(self, goal: Goal) -> Goal:
        """The same goal. Raises KindError for a host, for an address inside the network, and for
        what a route does not have."""
        family = goal.type
        if family.family not in (AF_INET, AF_INET6):
            raise errors.KindError(
                f"{goal.name}: the kernel has no routes of type {family.name}", "kind macvlan"
            )
        check(goal, PREFIX)
        if goal.prefixlen == family.bits:
            raise errors.KindError(
                f"{goal.name}: {family.format(goal.address)}/{goal.prefixlen} is one address, and"
                " a prefix a network",
                "kind label",
            )
        first = prefix.network(goal.address, goal.prefixlen)
        if first != goal.address:
            raise errors.KindError(
                f"{goal.name}: {family.format(goal.address)}/{goal.prefixlen} has bits behind its"
                " prefix length",
                f"{family.format(first)}/{goal.prefixlen}",
            )
        return goal

    def make(self, goal: Goal) -> list[Step]:
        """One step: the local route."""
        return [AddLocal(goal.main.name, goal.main.index, _route(goal))]

    def change(self, alias: Alias, goal: Goal, snapshot: Snapshot) -> list[Step]:
        """Add the new route, then delete the old one."""
        if (alias.family, alias.address, alias.prefixlen) == (
            goal.type.family, goal.address, goal.prefixlen,
        ):  # fmt: skip
            return []
        main = goal.main
        return [*self.make(goal), DelLocal(main.name, main.index, _present(alias))]

    def unmake(self, alias: Alias, snapshot: Snapshot) -> list[Step]:
        """One step: the route is deleted."""
        assert alias.main is not None
        return [DelLocal(alias.main.name, alias.main.index, _present(alias), REMOVE)]


def _route(goal: Goal) -> LocalRoute:
    family = goal.type.family
    return LocalRoute(goal.main.index, family, goal.address, goal.prefixlen, goal.name.slot)


def _present(alias: Alias) -> LocalRoute:
    """The route of an alias."""
    assert alias.main is not None
    name = alias.name
    return LocalRoute(alias.main.index, alias.family, alias.address, alias.prefixlen, name.slot)
