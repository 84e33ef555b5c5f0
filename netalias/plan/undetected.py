"""IPv6 addresses that come without duplicate address detection (RFC 4862), since they are known to
be unique. Pure."""

from __future__ import annotations

from netalias.model import (
    AF_INET6,
    IFA_F_DADFAILED,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_OPTIMISTIC,
    IFA_F_TENTATIVE,
    PROTOCOL,
)
from netalias.model.leases import MarkAddress
from netalias.model.steps import RETIRE, AddAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from netalias.model import Address
    from netalias.model.steps import Step

UNVERIFIED = IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED
"""Flags of an IPv6 address that the kernel does not know to be unique."""


def is_known(entry: Address) -> bool:
    """Whether an address is of IPv6, ours, and found unique by the kernel."""
    unique = entry.family == AF_INET6 and not entry.flags & UNVERIFIED
    return unique and entry.protocol == PROTOCOL


def again(former: Address, step: AddAddress) -> list[Step]:
    """The steps after *step*, which adds *former* to its device again with other flags or another
    prefix length: an address that is known is not checked again."""
    return [undetected(step)] if is_known(former) else []


def spare(steps: Iterable[Step], known: Collection[bytes]) -> list[Step]:
    """Let *steps* add the packed addresses *known*, which nobody else has, without detection; the
    steps after them."""
    return [
        undetected(step)
        for step in steps
        if isinstance(step, AddAddress)
        and step.address.family == AF_INET6
        and step.address.local in known
    ]


def undetected(step: AddAddress) -> MarkAddress:
    """Let *step* add its address without detection; the step that gives it its usual flags."""
    wanted, flags = step.address, IFA_F_NODAD
    if wanted.networked and not step.index:
        flags |= IFA_F_NOPREFIXROUTE
    step.address = wanted.copy(flags=wanted.flags & ~IFA_F_OPTIMISTIC | flags)
    found = MarkAddress(step.device, step.index, wanted)
    found.phase = RETIRE
    found.owner = step.owner
    return found
