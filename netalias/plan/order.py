"""The order of the steps of many plans that are carried out together. Pure."""

from __future__ import annotations

from netalias.model import AF_INET, prefix
from netalias.model.steps import REMOVE, RETIRE, AddAddress, DelAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.plan import Difference


def untangle(items: Sequence[Difference], *, ordered: bool = False) -> None:
    """Let an address leave before another alias comes to its place.

    An address would be there twice, which labels of one device and ipvlans refuse; and a label in
    the network of one that leaves would be its secondary, and go with it. *ordered*: only a later
    item may take the place of an earlier one.
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
    """The places of an address: itself, and with IPv4 a network of its device."""
    entry = step.address
    if entry.family != AF_INET or not entry.networked or not step.index:
        return [entry.local]
    network = prefix.network(entry.local, entry.prefixlen)
    return [entry.local, (step.index, entry.prefixlen, network)]
