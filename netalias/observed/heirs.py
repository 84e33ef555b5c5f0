"""Heirs: the secondary IPv4 addresses that the kernel makes primary when a primary one goes.

Of the addresses of one network on one device the first is primary and brings the connected route;
with promote_secondaries the kernel keeps that so (inet_del_ifa in net/ipv4/devinet.c).
"""

from __future__ import annotations

from netalias.model import AF_INET, IFA_F_SECONDARY, prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from netalias.model import Address

    Network = tuple[int, bytes]


def network_of(entry: Address) -> Network:
    """The prefix length and the network of an address, with a peer that of the peer."""
    return entry.prefixlen, prefix.network(entry.peer or entry.local, entry.prefixlen)


def heir(gone: Address, entries: Iterable[Address], leaving: Container[int] = ()) -> Address | None:
    """The heir of *gone* among the *entries* of its device, None without one.

    *leaving* holds id() of the addresses that go too.
    """
    if gone.family != AF_INET or gone.secondary:
        return None
    network = network_of(gone)
    for entry in entries:
        if (
            entry.secondary
            and entry.local != gone.local
            and id(entry) not in leaving
            and network_of(entry) == network
        ):
            return entry
    return None


def heirs(entries: Iterable[Address], leaving: Container[int]) -> Iterator[Address]:
    """The heirs in all networks of one device whose primary address is in *leaving*, or has gone.

    The kernel lists primary addresses first.
    """
    served: set[Network] = set()
    for entry in entries:
        if entry.family != AF_INET or id(entry) in leaving:
            continue
        network = network_of(entry)
        if entry.secondary and network not in served:
            yield entry
        served.add(network)


def promoted(entry: Address) -> Address:
    """The same address as a primary one."""
    return entry.copy(flags=entry.flags & ~IFA_F_SECONDARY)
