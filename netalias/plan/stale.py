"""Connected routes that an IPv6 label has left behind: others deleted its address, and the kernel
keeps the route while the main device has another address of the network. Pure."""

from __future__ import annotations

from netalias.kinds import MAGIC
from netalias.model import AF_INET6, Alias, address_text
from netalias.model.names import AliasName
from netalias.model.routes import Connected, DelRoute, connected
from netalias.model.steps import AddAddress
from netalias.observed.remnants import is_marked
from netalias.plan import Difference, Plan, steps_of
from netalias.plan.diff import REMOVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from netalias.observed import Observed


def stale(
    observed: Observed, items: Sequence[Difference], routes: Iterable[Connected]
) -> Iterator[Difference]:
    """The differences that delete those of *routes* which have the slot of a label in their metric,
    and no address any more. *items* are planned already.
    """
    steps = steps_of(items)
    known = {(step.index, step.route) for step in steps if isinstance(step, DelRoute)}
    coming = [(step.index, step.address) for step in steps if isinstance(step, AddAddress)]
    brought = {(index, connected(address, index)) for index, address in coming}
    for route in routes:
        main = observed.snapshot.devices.get(route.index)
        ours = route.family == AF_INET6 and route.metric & ~0xFFFF == MAGIC
        if not ours or main is None or is_marked(main.group, observed.group):
            continue
        entries = observed.snapshot.on(main.index)
        if any(connected(one, main.index) == route for one in entries):
            continue  # a host, /128, has such a route too
        if (main.index, route) not in known | brought:
            name = AliasName(main.name, route.metric & 0xFFFF)
            text = f"{address_text(AF_INET6, route.network)}/{route.prefixlen}"
            plan = Plan(Alias(name, f"route {text}"))
            plan.steps = [DelRoute(main.name, main.index, route)]
            yield Difference(REMOVED, name, plan)
