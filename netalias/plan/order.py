"""The order of the steps of many plans that are executed in one send. Pure."""

from __future__ import annotations

from netalias.model import AF_INET, prefix
from netalias.model.steps import REMOVE, RETIRE, AddAddress, DelAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.plan import Difference


def untangle(items: Sequence[Difference], *, ordered: bool = False) -> None:
    """Move the removal of an address before the addition of another one to its place.

    Otherwise the address would exist twice, which the kernel refuses for labels of one device and
    for ipvlans; and a new label in the network of a leaving one would be its secondary, and be
    deleted with it. *ordered*: only a later item may take the place of an earlier one.
    """
    takers: dict[object, set[int]] = {}
    for number, item in enumerate(items):
        for step in item.plan.steps:
            if isinstance(step, AddAddress):
                for place in _places(step):
                    takers.setdefault(place, set()).add(number)
    for number, item in enumerate(items):
        last = [step for step in item.plan.steps if step.phase == RETIRE]
        left = [place for step in last if isinstance(step, DelAddress) for place in _places(step)]
        others = {other for place in left for other in takers.get(place, ())} - {number}
        if any(not ordered or other > number for other in others):
            for step in last:
                if not isinstance(step, AddAddress):
                    step.phase = REMOVE


def _places(step: AddAddress | DelAddress) -> list[object]:
    """The places that an address occupies: itself, and for IPv4 its network on its device."""
    entry = step.address
    if entry.family != AF_INET or not step.index or not entry.networked:
        return [entry.local]
    network = prefix.network(entry.local, entry.prefixlen)
    return [entry.local, (step.index, entry.prefixlen, network)]
