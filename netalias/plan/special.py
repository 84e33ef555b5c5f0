"""IPv4 addresses that the kernel accepts, and that are never those of a host. Pure."""

from __future__ import annotations

from netalias import errors
from netalias.model import AF_INET, IFF_LOOPBACK, prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.kinds import Goal
    from netalias.observed import Observed

LIMITED_BROADCAST = b"\xff" * 4
"""RFC 919, section 7."""
LOOPBACK = 127
"""The first byte of addresses that never leave a host (RFC 1122, section 3.2.1.3)."""


def note(goal: Goal, observed: Observed) -> list[str]:
    """A note that other hosts do not reach the address of *goal*, or none. Raises BadAddress."""
    text = goal.type.format(goal.address)
    if goal.address == LIMITED_BROADCAST:
        raise errors.BadAddress(f"{goal.name}: {text}: a broadcast address cannot be an alias")
    if goal.address[0] == LOOPBACK:
        inner = goal.main.flags & IFF_LOOPBACK
        return (
            []
            if inner
            else [f"{goal.name}: {text} is a loopback address: no other host reaches it"]
        )
    for network, length in _networks(goal, observed):
        for what, special in (
            ("broadcast address", prefix.broadcast(network, length)),
            ("address", network),
        ):
            if special == goal.address:
                where = f"{goal.type.format(network)}/{length}"
                return [
                    f"{goal.name}: {text} is the {what} of the network {where}:"
                    " other hosts do not reach it"
                ]
    return []


def _networks(goal: Goal, observed: Observed) -> Iterator[tuple[bytes, int]]:
    """The networks of more than two addresses in which the address of *goal* may be: its own one,
    and those of its main device."""
    found = [(goal.address, goal.prefixlen)]
    found += [
        (entry.local, entry.prefixlen)
        for entry in observed.snapshot.on(goal.main.index)
        if entry.family == AF_INET and entry.networked
    ]
    for local, length in found:
        if length < 31 and prefix.contains(local, length, goal.address):
            yield prefix.network(local, length), length
