"""The planned state: the observed state once the plans made so far are carried out.

Planning one alias reads all others; for thousands of plans that would take quadratic time. So
Planned answers plan() from indexes, and take() updates them after each plan.
"""

from __future__ import annotations

from netalias.kinds import SIBLINGS
from netalias.model import AF_INET, PROTOCOL, Device, Snapshot, prefix
from netalias.observed import Observed
from netalias.observed.heirs import heir, heirs, network_of, promoted
from netalias.observed.remnants import is_marked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from netalias.kinds import Goal
    from netalias.model import Address, Alias
    from netalias.model.names import AliasName
    from netalias.observed.labels import Own
    from netalias.observed.outlets import Outlets

    _Network = tuple[int, bytes]

PLANNED = -1
"""The ifindex of a device that does not exist yet."""


class Planned(Observed):
    """*observed* without the aliases whose id() is in *gone*, which are removed or replaced.

    The addresses whose id() is in *moving* are about to change, and bring no route any more; so are
    the prefixes whose id() is there.
    *ordered*: what is planned happens in the order of the plans. ``withdrawn`` is set if a planned
    change removes a connected route.
    """

    __slots__ = (
        "_carried", "_equal", "_heirs", "_left", "_lengths", "_ordered", "_planned", "_primaries",
        "_routes", "observed", "withdrawn",
    )  # fmt: skip

    hands_over = False

    def __init__(
        self,
        observed: Observed,
        gone: Collection[int] = (),
        moving: Collection[int] = (),
        *,
        ordered: bool = False,
    ) -> None:
        self._ordered = ordered
        self.observed = observed
        self.able = observed.able
        self._own = {}
        self._shared_networks = observed._shared_networks
        self.lost = observed.lost
        self._macs, self._choose = observed._macs, None
        self._former, self._find_former = observed._former, None
        self._taken = None
        self.long_named = set()
        self.shared = {}
        self.registry = observed.registry
        self.group = observed.group
        self.by_name = observed.by_name
        left = [alias for alias in observed.aliases if id(alias) in gone] if gone else []
        self.aliases = observed.aliases
        self.snapshot = observed.snapshot
        if left:
            self.aliases = [alias for alias in observed.aliases if id(alias) not in gone]
            self.snapshot = _without(observed.snapshot, left)
        self._routes: dict[_Network, list[tuple[int, Address]]] | None = None
        self._lengths: set[tuple[int, int]] = set()
        self._equal: dict[bytes, list[Address]] | None = None
        self._planned: dict[bytes, tuple[Address, str]] = {}
        self._carried: set[tuple[int, str]] = set()
        self.withdrawn = bool(moving)
        self._left = set(moving)
        self._heirs: dict[int, Address] = {}
        self._primaries: set[tuple[int, _Network]] = set()

    def outlets(self) -> Outlets:
        """Those of the observed state: plans for gateways do not depend on each other."""
        return self.observed.outlets()

    def own(self, main: Device) -> Own:
        """Those of the observed state: plans change none of them."""
        return self.observed.own(main)

    def restorable(self, main: Device, key: str) -> int | None:
        """As by Observed.restorable(), of the observed state."""
        return self.observed.restorable(main, key)

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
        """The addresses equal to *local* once the plans made so far are carried out. Without an
        order ours are left out, since they may change."""
        for entry in self._present().get(local, ()):
            if id(entry) not in self._left and (self._ordered or entry.protocol != PROTOCOL):
                yield entry
        if local in self._planned:
            yield self._planned[local][0]

    def _present(self) -> dict[bytes, list[Address]]:
        """The present addresses by their packed form."""
        if self._equal is None:
            self._equal = {}
            for entries in self.snapshot.addresses.values():
                for entry in entries:
                    self._equal.setdefault(entry.local, []).append(entry)
        return self._equal

    def is_new(self, name: AliasName, device: str, local: bytes) -> bool:
        """Whether there is neither an alias called *name* nor a device of this name or called
        *device*, and the packed address is neither there nor planned."""
        find = self.snapshot.device
        present = name in self.by_name or local in self._present() or local in self._planned
        return not present and find(name) is None and find(device) is None

    def lengths(self, main: Device) -> set[int]:
        """As by Observed.lengths()."""
        self._index()
        return {length for family, length in self._lengths if family == AF_INET}

    def holder(self, entry: Address) -> str:
        """As by Observed.holder(), also for a device that does not exist yet."""
        planned, name = self._planned.get(entry.local, (None, ""))
        return name if planned is entry else super().holder(entry)

    def take(self, alias: Alias | None, goal: Goal | None, kind: str) -> None:
        """Apply a plan: *alias* becomes *goal* of this kind. *alias* is None for a new one, *goal*
        None for a deletion."""
        old = alias.entry if alias is not None else None
        if old is not None:
            self._leave(old)
        elif alias is not None:
            self._left.add(id(alias))
        if goal is None:
            return
        self.add(goal, kind)
        self._carry(goal.main, kind)
        if goal.entry is None or goal.prefixlen == goal.type.bits:
            return
        if goal.up and goal.entry.routed:
            self.bring(goal.main.index if kind == "label" else PLANNED, goal.entry)

    def add(self, goal: Goal, kind: str) -> None:
        """Add the address of a new alias, which is all that a host address changes, where one of
        this kind was taken before."""
        if goal.entry is not None:
            name = goal.main.name if kind == "label" else goal.device
            self._planned[goal.address] = goal.entry, name

    def _carry(self, main: Device, kind: str) -> None:
        """Add the planned device to the snapshot: a planned macvlan excludes an ipvlan just as an
        existing one does, which does not count, since another kind may still replace it."""
        if kind in SIBLINGS and (main.index, kind) not in self._carried:
            self._carried.add((main.index, kind))
            self.snapshot.stack(Device(PLANNED, "", kind=kind, link=main.index))

    def heir(self, gone: Address) -> Address | None:
        """As by Observed.heir(), but only an address that does not leave too."""
        now = self._heirs.get(id(gone), gone)
        found = heir(now, self.snapshot.on(gone.index), self._left)
        return promoted(found) if found is not None else None

    def deserted(self, entry: Address) -> bool:
        """As by Observed.deserted()."""
        self._index()
        return (entry.index, network_of(entry)) not in self._primaries

    def moves(self, alias: Alias) -> bool:
        """As by Observed.moves()."""
        return id(alias) in self._left

    def _leave(self, old: Address) -> None:
        """Withdraw the route that an address brings; an heir brings it from now on."""
        self._left.add(id(old))
        if not old.secondary:
            self._primaries.discard((old.index, network_of(old)))
        old = self._heirs.pop(id(old), old)
        if not old.routed:
            return
        self.withdrawn = True
        network = old.prefixlen, prefix.network(old.local, old.prefixlen)
        places = self._index().get(network, [])
        left = [place for place in places if place[1] is not old]
        known = len(left) < len(places)
        places[:] = left
        found = heir(old, self.snapshot.on(old.index), self._left)
        if found is not None and known:
            self._inherit(found)

    def _index(self) -> dict[_Network, list[tuple[int, Address]]]:
        if self._routes is None:
            self._routes = {}
            present = self.snapshot.addresses
            routed = [(index, one) for index in present for one in present[index] if one.routed]
            for index, entry in routed:
                if id(entry) not in self._left:
                    self.bring(index, entry)
            shared = {index for index in present for one in present[index] if one.secondary}
            for index in shared:
                entries = present[index]
                self._primaries.update(
                    (index, network_of(entry))
                    for entry in entries
                    if not entry.secondary and id(entry) not in self._left
                )
                for entry in heirs(entries, self._left):
                    self._inherit(entry)
        return self._routes

    def _inherit(self, entry: Address) -> None:
        """Let a secondary address be the primary one of its network from now on."""
        self._heirs[id(entry)] = primary = promoted(entry)
        if primary.routed and not entry.routed:
            self.bring(entry.index, primary)

    def bring(self, index: int, entry: Address) -> None:
        """Add an address that brings the connected route of its network; *index* is an ifindex."""
        self._lengths.add((entry.family, entry.prefixlen))
        network = entry.prefixlen, prefix.network(entry.local, entry.prefixlen)
        self._index().setdefault(network, []).append((index, entry))

    def _serves(self, index: int, entry: Address) -> bool:
        device = self.snapshot.devices.get(index)
        if device is not None and is_marked(device.group, self.group):
            return device.up
        return entry.protocol == PROTOCOL


def _without(snapshot: Snapshot, left: list[Alias]) -> Snapshot:
    """A copy without the devices and addresses of the aliases *left*."""
    devices = {alias.device.index for alias in left if alias.device is not None}
    entries = {id(alias.entry) for alias in left}
    found = Snapshot(
        [device for index, device in snapshot.devices.items() if index not in devices],
        [
            entry
            for index, found in snapshot.addresses.items()
            if index not in devices
            for entry in found
            if id(entry) not in entries
        ],
        snapshot.local_routes,
    )
    found.absent = snapshot.absent
    return found
