"""The planned state: the observed state once the plans made so far are carried out.

Planning one alias reads all others; for thousands of plans that would take quadratic time. So
Planned answers plan() from indexes, and take() updates them after each plan.
"""

from __future__ import annotations

from netalias.kinds import SIBLINGS
from netalias.model import PROTOCOL, Device, Snapshot, prefix
from netalias.observed import Observed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from netalias.kinds import Goal
    from netalias.model import Address, Alias

    _Network = tuple[int, bytes]

PLANNED = -1
"""The ifindex of a device that does not exist yet."""


class Planned(Observed):
    """*observed* without the aliases whose id() is in *gone*, which are removed or replaced.

    The addresses whose id() is in *moving* are about to change, and bring no route any more.
    ``withdrawn`` is set if a planned change removes a connected route.
    """

    __slots__ = ("_carried", "_foreign", "_lengths", "_moving", "_routes", "observed", "withdrawn")

    hands_over = False

    def __init__(
        self, observed: Observed, gone: Collection[int] = (), moving: Collection[int] = ()
    ) -> None:
        self.observed = observed
        self.able = observed.able
        self._own = {}
        self.lost = observed.lost
        self._macs = observed._macs
        self._former = observed._former
        self._taken = None
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
        self._routes: dict[_Network, list[tuple[int, Address]]] | None = None
        self._lengths: set[tuple[int, int]] = set()
        self._foreign: dict[bytes, Address] | None = None
        self._carried: set[tuple[int, str]] = set()
        self.withdrawn = bool(moving)
        self._moving = moving

    def around(self, main: Device, entry: Address) -> Iterator[Address]:
        """The addresses as by Observed.around(), but only those whose networks contain *entry*."""
        routes = self._index()
        for family, length in self._lengths:
            if family != entry.family or length > entry.prefixlen:
                continue
            network = length, prefix.network(entry.local, length)
            for index, other in routes.get(network, ()):
                if index in (main.index, PLANNED) or self._serves(index, other):
                    yield other

    def addresses(self, local: bytes) -> Iterator[Address]:
        """The foreign address equal to *local*; ours are left out, since they may change."""
        if self._foreign is None:
            self._foreign = {
                entry.local: entry
                for entries in self.snapshot.addresses.values()
                for entry in entries
                if entry.protocol != PROTOCOL
            }
        found = self._foreign.get(local)
        if found is not None:
            yield found

    def take(self, alias: Alias | None, goal: Goal | None, kind: str) -> None:
        """Apply a plan: *alias* becomes *goal* of this kind. *alias* is None for a new one, *goal*
        None for a deletion."""
        old = alias.entry if alias is not None else None
        if old is not None and _brings(old):
            self._withdraw(old)
        if goal is None:
            return
        self._carry(goal.main, kind)
        if goal.entry is not None and goal.up and _brings(goal.entry):
            self.bring(goal.main.index if kind == "label" else PLANNED, goal.entry)

    def _carry(self, main: Device, kind: str) -> None:
        """Add the planned device to the snapshot: a planned macvlan excludes an ipvlan just as an
        existing one does, which does not count, since another kind may still replace it."""
        if kind in SIBLINGS and (main.index, kind) not in self._carried:
            self._carried.add((main.index, kind))
            self.snapshot.stack(Device(PLANNED, "", kind=kind, link=main.index))

    def _withdraw(self, old: Address) -> None:
        self.withdrawn = True
        network = old.prefixlen, prefix.network(old.local, old.prefixlen)
        places = self._index().get(network, [])
        places[:] = [place for place in places if place[1] is not old]

    def _index(self) -> dict[_Network, list[tuple[int, Address]]]:
        if self._routes is None:
            self._routes = {}
            for index, entries in self.snapshot.addresses.items():
                for entry in entries:
                    if _brings(entry) and id(entry) not in self._moving:
                        self.bring(index, entry)
        return self._routes

    def bring(self, index: int, entry: Address) -> None:
        """Add an address that brings the connected route of its network; *index* is an ifindex."""
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
    return entry.routed


def _without(snapshot: Snapshot, left: list[Alias], remnants: list[Device]) -> Snapshot:
    """A copy without the devices and addresses of the aliases *left*, and without *remnants*."""
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
