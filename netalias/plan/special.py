"""IPv4 addresses that the kernel accepts, and that are never those of a host. Pure."""

from __future__ import annotations

from netalias import errors
from netalias.model import AF_INET, IFF_LOOPBACK, address_text, prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.kinds import Goal
    from netalias.model import Address
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
    place = described(goal.address, goal.prefixlen, observed.snapshot.on(goal.main.index))
    if not place:
        return []
    return [f"{goal.name}: {text} is the {place}: other hosts do not reach it"]


def described(address: bytes, length: int, entries: Iterable[Address]) -> str:
    """The meaning of an IPv4 address that no host of a network can have, empty for any other one:
    ``broadcast address of the network 10.0.0.0/24``.

    The networks are its own by *length*, and those of *entries*, the addresses of a main device.
    """
    for network, size in _networks(address, length, entries):
        where = f"of the network {address_text(AF_INET, network)}/{size}"
        if address == prefix.broadcast(network, size):
            return f"broadcast address {where}"
        if address == network:
            return f"address {where}"
    return ""


def _networks(
    address: bytes, length: int, entries: Iterable[Address]
) -> Iterator[tuple[bytes, int]]:
    """The networks of more than two addresses in which an address may be."""
    found = [(address, length)]
    found += [
        (entry.local, entry.prefixlen)
        for entry in entries
        if entry.family == AF_INET and entry.networked
    ]
    for local, size in found:
        if size < 31 and prefix.contains(local, size, address):
            yield prefix.network(local, size), size
