"""Leases: finite lifetimes of addresses, which the kernel removes unless they are renewed. Pure.

The steps that change an address in place stand here too: RenewAddress, MarkAddress.

When the lease of an alias has run out, its device is left without its address; of a label nothing
is left.
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
"""A lease is renewed when the first of so many parts is over, so that two renewals may fail."""


def same(entry: Address, seconds: int) -> bool:
    """Whether an address has a lifetime of *seconds*, 0 for infinite.

    The reading may be one second off (model.Address.lease).
    """
    if entry.valid == FOREVER or not seconds:
        return entry.valid == FOREVER and not seconds
    return abs(entry.lease - seconds) <= 1


def renewal(alias: Alias, seconds: int, wanted: Address | None = None) -> RenewAddress:
    """The step that sets the lifetime of the address of *alias*, which must have one, to *seconds*,
    0 for infinite, and with it what may differ from *wanted* in place."""
    device, entry = alias.carrier, alias.entry
    assert device is not None
    assert entry is not None
    place = (device.name, device.index)
    found = entry.lasting(seconds)
    if wanted is not None:
        found = found.copy(
            preferred=wanted.preferred, metric=wanted.metric, protocol=wanted.protocol
        )
    alike = same(entry, seconds) and found == entry.lasting(seconds)
    return RenewAddress(*place, found, None if alike else RenewAddress(*place, entry.renewed()))


def running(alias: Alias) -> bool:
    """Whether *alias* has the mark of netalias and a lease that has not run out."""
    return bool(alias.lease) and alias.ours and alias.entry is not None


def renewals(
    aliases: Iterable[Alias], wished: Mapping[AliasName, int] | None = None
) -> list[RenewAddress]:
    """The steps that renew the leases of *aliases*, numbered as their owners.

    Each lease is renewed by the length in *wished* where that is the present one, else by its own:
    a change of the length takes a plan.
    """
    steps: list[RenewAddress] = []
    for alias in aliases:
        if running(alias):
            assert alias.entry is not None
            seconds = wished.get(alias.name, 0) if wished else 0
            # The reading may be one second too long: renewed again and again it would grow.
            right = seconds and same(alias.entry, seconds)
            step = renewal(alias, seconds if right else alias.lease)
            step.owner, step.before = len(steps), None
            steps.append(step)
    return steps


def due(aliases: Iterable[Alias]) -> float | None:
    """Seconds from the reading of *aliases* to the next renewal; None for never."""
    left = [
        alias.entry.valid - alias.lease * (PARTS - 1) / PARTS
        for alias in aliases
        if running(alias) and alias.entry is not None
    ]
    return max(min(left), 0.0) if left else None


def leftovers(aliases: Iterable[Alias]) -> list[Alias]:
    """The aliases with the mark of netalias whose lease has run out."""
    return [alias for alias in aliases if alias.ours and alias.expired]


class RenewAddress(Step):
    """RTM_NEWADDR that sets the lifetimes of an address that is there, and never adds one.

    ``before`` is the step that sets the former ones; None for a mere renewal, which stays.
    """

    __slots__ = ("address", "before")
    touches = "fields"

    missing = EINVAL

    def __init__(
        self, device: str, index: int, address: Address, before: RenewAddress | None = None
    ) -> None:
        super().__init__(device, index, SET)
        self.address = address
        self.before = before

    def inverse(self) -> Step | None:
        return self.before


class MarkAddress(Step):
    """RTM_NEWADDR with NLM_F_REPLACE: sets the protocol of an address that is there.

    ``before`` is the step that restores the former protocol.
    """

    __slots__ = ("address", "before")
    touches = "fields"

    def __init__(
        self, device: str, index: int, address: Address, before: MarkAddress | None = None
    ) -> None:
        super().__init__(device, index, SET)
        self.address = address
        self.before = before

    def inverse(self) -> Step | None:
        return self.before
