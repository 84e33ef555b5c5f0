"""Kind ``label``: an address on the main device itself, known by its label (IFA_LABEL).

An IPv6 address has no label: its slot stands in the metric of the prefix route (IFA_RT_PRIORITY),
which an address of full length does not use otherwise. There a label of either family that is a
host inside a known network has the prefix length that was asked for: it may have to bring the
network one day.
"""

from __future__ import annotations

from netalias import errors
from netalias.kinds import MAGIC, Goal, Kind, clashes, differs, in_place
from netalias.model import (
    AF_INET,
    IFA_F_NOPREFIXROUTE,
    NOTED,
    PROTOCOL,
    Address,
    Alias,
    names,
    prefix,
)
from netalias.model.steps import LAST, REMOVE, RETIRE, AddAddress, DelAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Device, Snapshot
    from netalias.model.steps import Step


class Label(Kind):
    """For lo, tun, ppp and ports of a bridge, and where thousands of devices cost too much."""

    name = "label"

    def fit(self, goal: Goal) -> Goal:
        """Set the label of the entry; inside a network of the device it becomes a host address."""
        check(goal, self.name)
        entry = goal.entry
        if entry is None:
            raise errors.KindError(
                f"{goal.name}: the kernel has no addresses of type {goal.type.name} to label",
                "kind macvlan or dummy",
            )
        if entry.family == AF_INET:
            entry.label = names.label(goal.name)
        elif entry.metric:
            raise errors.KindError(f"{goal.name}: an IPv6 label has no metric of its own")
        else:
            entry.metric = MAGIC | goal.name.slot
        if entry.flags & IFA_F_NOPREFIXROUTE and not entry.peer:
            note(goal, entry)
        return goal

    def make(self, goal: Goal) -> list[Step]:
        """The step that adds the address, and those by which it comes last, if it is to."""
        assert goal.entry is not None
        found = list(goal.type.attach(goal.main.name, goal.main.index, goal.entry))
        return [*found, *_behind(goal)] if goal.last else found

    def change(self, alias: Alias, goal: Goal, snapshot: Snapshot) -> list[Step]:
        """Add the new address, then delete the old one, or first delete it where they clash."""
        assert alias.entry is not None
        assert goal.entry is not None
        present = alias.entry
        if not present.networked and not goal.entry.networked:
            # A host address has no use for its metric, so that is changed in place.
            present = present.copy(metric=goal.entry.metric)
        main = goal.main
        behind = _behind(goal, alias.entry.prefixlen) if goal.last else []
        if not differs(present, goal.entry):
            return [*in_place(alias, goal), *behind]
        phase = phase_of(alias.entry, goal.entry)
        coming = AddAddress(main.name, main.index, goal.entry)
        going = DelAddress(main.name, main.index, alias.entry, phase)
        left = _left_behind(main, alias.entry, snapshot, goal.entry)
        if phase == REMOVE and not _has_secondaries(alias.entry):
            # One behind the other in one send: the address is away for an instant.
            going.phase = coming.phase
            return [going, coming, *left, *behind]
        return [coming, going, *left, *behind]

    def unmake(self, alias: Alias, snapshot: Snapshot) -> list[Step]:
        """One step: the address is deleted; its secondaries are kept by plan/order.py."""
        assert alias.main is not None
        assert alias.entry is not None
        return [
            DelAddress(alias.main.name, alias.main.index, alias.entry, REMOVE),
            *_left_behind(alias.main, alias.entry, snapshot),
        ]


def check(goal: Goal, kind: str) -> None:
    """Raises KindError for a goal that needs a device of its own."""
    if not goal.up:
        raise errors.KindError(
            f"{goal.name}: a {kind} cannot be down", f"netalias {goal.name}- deletes it"
        )
    if goal.lenient:
        goal.mtu = 0
    if goal.mtu or goal.mac:
        raise errors.KindError(
            f"{goal.name}: a {kind} has no MTU or MAC of its own", "hw and mtu need kind macvlan"
        )


def note(goal: Goal, entry: Address) -> None:
    """Make a host address of *entry*, which notes the prefix length that was asked for. A host
    address is never a secondary: it outlives the other addresses of the network."""
    entry.metric = NOTED | entry.prefixlen << 16 | goal.name.slot
    entry.prefixlen = goal.prefixlen = goal.type.bits
    entry.flags &= ~IFA_F_NOPREFIXROUTE
    entry.broadcast = b""


def phase_of(present: Address, wanted: Address) -> int:
    """The phase in which the *present* address is deleted for the *wanted* one."""
    return REMOVE if clashes(present, wanted, promote=True) else RETIRE


def _behind(goal: Goal, former: int = 0) -> list[Step]:
    """The steps that put the IPv4 address of *goal*, which is there, behind the others, by adding
    it again.

    Meanwhile it is there with another prefix length, nor is that the *former* one: else the kernel
    would delete the routes whose source it is (fib_sync_down_addr of net/ipv4/fib_semantics.c).
    """
    main, wanted = goal.main, goal.entry
    assert wanted is not None
    length = next(one for one in (31, 30, 29) if one not in (wanted.prefixlen, former))
    held = wanted.copy(prefixlen=length, flags=wanted.flags | IFA_F_NOPREFIXROUTE)
    # One behind the other: only one address is held at a time.
    return [
        AddAddress(main.name, main.index, held, LAST),
        DelAddress(main.name, main.index, wanted, LAST),
        AddAddress(main.name, main.index, wanted, LAST),
        DelAddress(main.name, main.index, held, LAST),
    ]


def _has_secondaries(entry: Address) -> bool:
    """Whether an address may have secondaries, whose order is that of plan/order.py."""
    return entry.family == AF_INET and (entry.networked or bool(entry.peer))


def _left_behind(
    main: Device, entry: Address, snapshot: Snapshot, wanted: Address | None = None
) -> list[Step]:
    """The steps that delete the route of an IPv6 address that goes, or becomes *wanted*, and leave
    those of others.

    The kernel leaves it as long as the device has another address of the network, whatever metric
    that has (check_cleanup_prefix_route of net/ipv6/addrconf.c). If the address was changed in
    place beside the other one, the kernel has taken that one's route for it (modify_prefix_route).
    """
    if entry.family == AF_INET or not entry.routed:
        return []
    length, whole = entry.prefixlen, entry.local[: entry.prefixlen // 8]
    others = (one for one in snapshot.on(main.index) if one is not entry)
    alike = (one for one in others if one.prefixlen == length and one.local.startswith(whole))
    shared = [one for one in alike if prefix.contains(one.local, length, entry.local)]
    if not shared:
        return []
    from netalias.model.routes import AddRoute, DelRoute, connected

    route = connected(entry, main.index)
    if wanted is not None and wanted.routed and connected(wanted, main.index) == route:
        return []  # by the new address
    theirs = [
        connected(one, main.index) for one in shared if one.routed and one.protocol != PROTOCOL
    ]
    kept = [AddRoute(main.name, main.index, one, lasting=True) for one in theirs if one != route]
    return [*kept, DelRoute(main.name, main.index, route)]
