"""Leases: the kernel drops an address by itself unless somebody renews it in time. Pure.

An alias has a lease when the lifetime of its address is finite. What is left when it has run out is
a device without its address; of a label nothing is left.
"""

from __future__ import annotations

from errno import EINVAL

from netalias.model import FOREVER
from netalias.model.steps import SET, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netalias.model import Address, Alias
    from netalias.model.names import AliasName

PARTS = 3
"""A lease is renewed when a third of it is over, so that two renewals may fail."""


def same(entry: Address, seconds: int) -> bool:
    """Whether an address was set for so many seconds, 0 for ever.

    A reading may be one second off (model.Address.lease).
    """
    if entry.valid == FOREVER or not seconds:
        return entry.valid == FOREVER and not seconds
    return abs(entry.lease - seconds) <= 1


def renewal(alias: Alias, seconds: int) -> RenewAddress:
    """The step that sets the lifetime of the address of *alias*, which must have one: *seconds*, 0
    for ever."""
    device, entry = alias.carrier, alias.entry
    assert device is not None
    assert entry is not None
    place = (device.name, device.index)
    before = None if same(entry, seconds) else RenewAddress(*place, entry.renewed())
    return RenewAddress(*place, entry.lasting(seconds), before)


def running(alias: Alias) -> bool:
    """Whether an alias of ours has a lease that has not run out."""
    return bool(alias.lease) and alias.ours and alias.entry is not None


def renewals(
    aliases: Iterable[Alias], wished: Mapping[AliasName, int] | None = None
) -> list[RenewAddress]:
    """The steps that renew the leases of *aliases*, each with an owner of its own: its number.

    Each by the length that is *wished* for it, else by its own. Where another length is wished than
    it has, it has its own: to change it takes a plan.
    """
    steps: list[RenewAddress] = []
    for alias in aliases:
        if running(alias):
            assert alias.entry is not None
            seconds = wished.get(alias.name, 0) if wished else 0
            # What was read may be one second too long: many times renewed it would grow.
            right = seconds and same(alias.entry, seconds)
            step = renewal(alias, seconds if right else alias.lease)
            step.owner, step.before = len(steps), None
            steps.append(step)
    return steps


def due(aliases: Iterable[Alias]) -> float | None:
    """In how many seconds after they were read the next renewal is due; None for never."""
    left = [
        alias.entry.valid - alias.lease * (PARTS - 1) / PARTS
        for alias in aliases
        if running(alias) and alias.entry is not None
    ]
    return max(min(left), 0.0) if left else None


def leftovers(aliases: Iterable[Alias]) -> list[Alias]:
    """Devices of ours whose lease has run out."""
    return [alias for alias in aliases if alias.ours and alias.expired]


class RenewAddress(Step):
    """RTM_NEWADDR that sets the lifetimes of an address that is there, and never adds one.

    ``before`` is the step that sets the former ones; None where nothing but time is given back.
    """

    __slots__ = ("address", "before")

    missing = EINVAL

    def __init__(
        self, device: str, index: int, address: Address, before: RenewAddress | None = None
    ) -> None:
        super().__init__(device, index, SET)
        self.address = address
        self.before = before

    def inverse(self) -> Step | None:
        return self.before
