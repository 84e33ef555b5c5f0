"""The observed state as it will be once the plans made so far are carried out.

Planning one alias looks at all others; planning thousands must not. So the questions of plan.plan()
are answered here from indexes, and take() keeps them true from one plan to the next.
"""

from __future__ import annotations

from netalias.kinds import SIBLINGS
from netalias.model import IFA_F_NOPREFIXROUTE, PROTOCOL, Device, Snapshot, prefix
from netalias.observed import Observed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from netalias.kinds import Goal
    from netalias.model import Address, Alias

    _Network = tuple[int, bytes]

PLANNED = -1
"""Index of a device that is not there yet."""


class Planned(Observed):
    """*observed* without the aliases whose id() is in *gone*: they are removed, or replaced.

    The addresses whose id() is in *moving* are about to change: they bring no route any more.
    ``withdrawn`` tells that an address that brought the route of a network is no longer there.
    """

    __slots__ = ("_bringers", "_lengths", "_moving", "_strangers", "observed", "withdrawn")

    hands_over = False

    def __init__(
        self, observed: Observed, gone: Collection[int] = (), moving: Collection[int] = ()
    ) -> None:
        self.observed = observed
        self._ask = observed.able
        self._abilities = {}
        self.registry = observed.registry
        self.group = observed.group
        self.by_name = observed.by_name
        left = [alias for alias in observed.aliases if id(alias) in gone] if gone else []
        remnants = observed.remnants
        self.aliases = observed.aliases
        self.snapshot = observed.snapshot
        if left or remnants:
            self.aliases = [alias for alias in observed.aliases if id(alias) not in gone]
            self.snapshot = _without(observed.snapshot, left, remnants)
        self._bringers: dict[_Network, list[tuple[int, Address]]] | None = None
        self._lengths: set[tuple[int, int]] = set()
        self._strangers: dict[bytes, Address] | None = None
        self.withdrawn = bool(moving)
        self._moving = moving

    def around(self, main: Device, entry: Address) -> Iterator[Address]:
        """As Observed.around(), of the networks that *entry* lies in."""
        bringers = self._index()
        for family, length in self._lengths:
            if family != entry.family or length > entry.prefixlen:
                continue
            network = length, prefix.network(entry.local, length)
            for index, other in bringers.get(network, ()):
                if index in (main.index, PLANNED) or self._serves(index, other):
                    yield other

    def standing(self, local: bytes) -> Iterator[Address]:
        """Where an address of others stands: those of ours are about to change."""
        if self._strangers is None:
            self._strangers = {
                entry.local: entry
                for entries in self.snapshot.addresses.values()
                for entry in entries
                if entry.protocol != PROTOCOL
            }
        found = self._strangers.get(local)
        if found is not None:
            yield found

    def take(self, alias: Alias | None, goal: Goal | None, kind: str) -> None:
        """Let it be done: *alias*, None for none, becomes *goal* of this kind, None for none."""
        old = alias.entry if alias is not None else None
        if old is not None and _brings(old):
            self._withdraw(old)
        if goal is None:
            return
        self._carry(goal.main, kind)
        if goal.entry is not None and goal.up and _brings(goal.entry):
            self.bring(goal.main.index if kind == "label" else PLANNED, goal.entry)

    def _carry(self, main: Device, kind: str) -> None:
        """A macvlan that is planned forbids an ipvlan beside it, as one that is there does."""
        if kind in SIBLINGS:
            uppers = self.snapshot.uppers(main.index)
            # One that is there may still be replaced by another kind.
            if not any(upper.kind == kind and upper.index == PLANNED for upper in uppers):
                planned = Device(PLANNED, "", kind=kind, link=main.index)
                self.snapshot.stack(planned)

    def _withdraw(self, old: Address) -> None:
        self.withdrawn = True
        network = old.prefixlen, prefix.network(old.local, old.prefixlen)
        places = self._index().get(network, [])
        places[:] = [place for place in places if place[1] is not old]

    def _index(self) -> dict[_Network, list[tuple[int, Address]]]:
        if self._bringers is None:
            self._bringers = {}
            for index, entries in self.snapshot.addresses.items():
                for entry in entries:
                    if _brings(entry) and id(entry) not in self._moving:
                        self.bring(index, entry)
        return self._bringers

    def bring(self, index: int, entry: Address) -> None:
        """Let an address bring the route of its network."""
        self._lengths.add((entry.family, entry.prefixlen))
        network = entry.prefixlen, prefix.network(entry.local, entry.prefixlen)
        self._index().setdefault(network, []).append((index, entry))

    def _serves(self, index: int, entry: Address) -> bool:
        device = self.snapshot.devices.get(index)
        if device is not None and device.group == self.group:
            return device.up
        return entry.protocol == PROTOCOL


def _brings(entry: Address) -> bool:
    """Whether the kernel makes a connected route for this address."""
    return entry.networked and not entry.flags & IFA_F_NOPREFIXROUTE and not entry.secondary


def _without(snapshot: Snapshot, left: list[Alias], remnants: list[Device]) -> Snapshot:
    """A copy without the objects of these aliases."""
    devices = {alias.device.index for alias in left if alias.device is not None}
    devices.update(device.index for device in remnants)
    entries = {id(alias.entry) for alias in left}
    return Snapshot(
        [device for index, device in snapshot.devices.items() if index not in devices],
        [
            entry
            for index, found in snapshot.addresses.items()
            if index not in devices
            for entry in found
            if id(entry) not in entries
        ],
    )
