"""Remnants: aliases whose devices a killed run was about to delete."""

from __future__ import annotations

from netalias.model import HIDDEN, SCRATCH, is_scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Alias
    from netalias.observed import Observed


def is_marked(group: int, mark: int) -> bool:
    """Whether devices of *group* have *mark*, or that of hidden devices, also while they are being
    deleted together."""
    marks = (mark, mark ^ HIDDEN)
    return group in marks or (
        group & SCRATCH > 0 and group & (SCRATCH | SCRATCH - 1) ^ SCRATCH in marks
    )


def remnants(observed: Observed) -> list[Alias]:
    """The aliases among those of *observed* whose devices are in a scratch group."""
    devices = ((alias, alias.device) for alias in observed.aliases)
    return [
        one
        for one, device in devices
        if device and device.group & SCRATCH and is_scratch(device.group, observed.group)
    ]
