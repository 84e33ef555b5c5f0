"""Hidden devices that go as a whole: the addresses of thousands of shards are no objects.

The dump of addresses is cut as in runs.py. What stands on a hidden device is left out as long as
all of it is that of bare shards; where anything else stands beside them, all is decoded.
"""

from __future__ import annotations

from itertools import chain

from netalias.kernel.netlink import codec
from netalias.kernel.netlink.runs import (
    HEADER,
    PADDING,
    Groups,
    complete,
    is_sound,
    sequence_of,
)
from netalias.kernel.netlink.sifting import bodies_of
from netalias.model import Snapshot
from netalias.model.bare import BITS, is_bare
from netalias.model.hidden import Leaving, Unread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netalias.kernel.netlink.interrupted import Body
    from netalias.kernel.netlink.runs import Row
    from netalias.kernel.netlink.sifting import Asked
    from netalias.model import Address, Device

    Fit = Callable[[frozenset[bytes], Sequence[bytes], Sequence[bytes]], bool]
    """Whether addresses and labels of a device are those that were expected there."""


class Sieve:
    """The addresses of a dump without those on hidden devices that are as *expected*, a value for
    each ifindex that *fit* judges by. ``bodies`` are the messages that remain."""

    def __init__(self, expected: Mapping[int, frozenset[bytes]], fit: Fit, sequence: bytes) -> None:
        self.bodies: list[Body] = []
        self.left: dict[int, list[Leaving]] = {}
        self._expected = expected
        self._fit = fit
        self._sequence = sequence
        self._known: dict[bytes, tuple[int, int]] = {}
        self._groups = Groups(noted=True)

    def take(self, data: bytes) -> None:
        """Sift the messages of a datagram. Raises WireError."""
        for at, length, key, count in self._groups.of(data):
            index, asked = self._place(key, data[at : at + length])
            rows = self._groups.rows(data, at, length, count) if index else []
            leaving = self._leaving(index, asked, rows) if rows else None
            if leaving is not None:
                self.left.setdefault(index, []).append(leaving)
                continue
            for begin in range(at, at + count * length, length):
                self.bodies.append((data, begin + HEADER, begin + length))

    def _place(self, key: bytes, message: bytes) -> tuple[int, int]:
        """The ifindex and the prefix length that was asked for of addresses that are like this one;
        zeros if these are no shards, or on no device that may go."""
        found = self._known.get(key, (0, 0))
        if key and key not in self._known:
            entry = codec.read_address(message, HEADER, len(message))
            bare = is_sound(message, self._sequence) and is_bare(entry.copy(metric=0))
            if bare and entry.index in self._expected:
                found = entry.index, entry.noted or BITS
            self._known[key] = found
        return found

    def _leaving(self, index: int, asked: int, rows: Sequence[Row]) -> Leaving | None:
        """The addresses of some *rows* if all of them are expected there."""
        _, outer, local, labels = zip(*rows, strict=True)
        if outer != local or not self._fit(self._expected[index], local, labels):
            return None
        return Leaving(local, labels, asked)


def are_labels(expected: frozenset[bytes], local: Sequence[bytes], labels: Sequence[bytes]) -> bool:
    """Whether all *labels* are expected."""
    return expected.issuperset(map(bytes.rstrip, labels, PADDING))


def are_known(expected: frozenset[bytes], local: Sequence[bytes], labels: Sequence[bytes]) -> bool:
    """Whether all addresses are."""
    return expected.issuperset(local)


def sifted(
    kernel: Asked,
    links: Sequence[Device],
    expected: Mapping[int, frozenset[bytes]],
    fit: Fit = are_labels,
) -> Unread | None:
    """The snapshot of these *links* and a new dump of addresses, without the addresses of the
    hidden devices in *expected*, by ifindex, that have no others; None where the dump is not whole
    or not consistent. Raises KernelError."""
    datagrams = kernel.taken(codec.ALL_ADDRESSES) or []
    sieve = Sieve(expected, fit, sequence_of(datagrams))
    for data in datagrams:
        sieve.take(data)
    bodies = complete(sieve.bodies, sequence_of(datagrams), codec.RTM_NEWADDR)
    if bodies is None:
        return None
    routes = kernel.local_routes()

    def decoded(found: list[Body]) -> list[Address]:
        return kernel.decoded(found, codec.RTM_NEWADDR, codec.read_address)

    def all_entries() -> list[Address]:
        return decoded(bodies_of(kernel, datagrams, codec.RTM_NEWADDR))

    entries = decoded(bodies)
    mixed = sieve.left.keys() & {entry.index for entry in entries}
    mixed |= {index for index, some in sieve.left.items() if len({one.asked for one in some}) > 1}
    if mixed:
        kept = sieve.left.keys() - mixed
        entries = [entry for entry in all_entries() if entry.index not in kept]
    left = {index: _joined(some) for index, some in sieve.left.items() if index not in mixed}
    return Unread(
        Snapshot(links, entries, routes), left, lambda: Snapshot(links, all_entries(), routes)
    )


def _joined(some: Sequence[Leaving]) -> Leaving:
    """The addresses of one device as one value."""
    return Leaving(
        [*chain.from_iterable(one.local for one in some)],
        [*chain.from_iterable(one.labels for one in some)],
        some[0].asked,
    )
