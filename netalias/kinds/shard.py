"""Kind ``shard``: one of thousands of addresses that are spread over hidden devices.

The kernel walks all addresses of a device for each one that is added, so 64 000 on one device take
minutes, and a fraction of a second on devices of some 200 each. A hidden device (model/hidden.py)
has the addresses of SHARD neighbouring slots, each under the label of its alias, ``eth0:0``: so a
slot tells its device, and no address ever moves. It neither receives nor sends: packets come in on
the main device, which answers ARP for all local addresses as long as its arp_ignore is 0.
"""

from __future__ import annotations

from netalias import errors
from netalias.kinds import PORT_MASTERS, Goal, Kind, differs, in_place
from netalias.kinds.label import check, note, phase_of
from netalias.model import AF_INET, Alias, names
from netalias.model.hidden import group_of
from netalias.model.renames import SetGroup
from netalias.model.steps import RAISE, REMOVE, DelAddress, SetLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.model import Device, Snapshot
    from netalias.model.steps import Step

CARRIERS = ("dummy", "ifb")
"""Kinds of hidden devices, the better one first: neither is seen by the network."""


def carrier(able: Callable[[str], bool]) -> str:
    """The kind of new hidden devices, by what the kernel has; empty for none."""
    return next((kind for kind in CARRIERS if able(kind)), "")


class Shard(Kind):
    """For pools of thousands of IPv4 addresses."""

    name = "shard"
    routed = False

    def refuse(self, main: Device, snapshot: Snapshot) -> str:
        """Reason: another device receives for it. plan/shards.py refuses an arp_ignore."""
        master = snapshot.master(main, PORT_MASTERS)
        return f"{main.name} is a port of {master.name}" if master is not None else ""

    def fit(self, goal: Goal) -> Goal:
        """Set the label of the entry, which becomes a host address: a network on a hidden device
        would lead nowhere."""
        check(goal, self.name)
        entry = goal.entry
        if entry is None or entry.family != AF_INET:
            raise errors.KindError(
                f"{goal.name}: a shard is an IPv4 address: nobody would answer for"
                f" {goal.type.format(goal.address)}",
                "kind label or macvlan",
            )
        if entry.peer:
            raise errors.KindError(f"{goal.name}: a shard has no peer", "kind label has one")
        entry.label = names.label(goal.name)
        entry.metric = 0
        entry.broadcast = b""
        if entry.prefixlen < goal.type.bits:
            note(goal, entry)
        return goal

    def make(self, goal: Goal) -> list[Step]:
        """One step: the address. The hidden device is made by ``goal.before``."""
        assert goal.entry is not None
        index = goal.hidden.index if goal.hidden is not None else 0
        return list(goal.type.attach(goal.device, index, goal.entry))

    def change(self, alias: Alias, goal: Goal, snapshot: Snapshot) -> list[Step]:
        """As a label is changed; an address on another hidden device than its own moves there."""
        assert alias.entry is not None
        assert alias.hidden is not None
        assert goal.entry is not None
        moved = goal.hidden is None or alias.hidden.index != goal.hidden.index
        # A host address has no use for its metric, so that is changed in place.
        present = alias.entry.copy(metric=goal.entry.metric)
        device = alias.hidden
        if not moved and not differs(present, goal.entry):
            return [*_restored(device, group_of(goal.group)), *in_place(alias, goal)]
        phase = REMOVE if moved else phase_of(alias.entry, goal.entry)
        return [
            *self.make(goal),
            DelAddress(device.name, device.index, alias.entry, phase),
        ]

    def unmake(self, alias: Alias, snapshot: Snapshot) -> list[Step]:
        """One step: the address. Its hidden device goes with the last one (plan/shards.py)."""
        assert alias.hidden is not None
        assert alias.entry is not None
        return [DelAddress(alias.hidden.name, alias.hidden.index, alias.entry, REMOVE)]


def _restored(device: Device, group: int) -> list[Step]:
    """The steps for a hidden device that somebody has set down, or that an interrupted run was
    about to delete. The plans of all its shards have them: any of these may be the only one."""
    steps: list[Step] = []
    if device.group != group:
        steps.append(SetGroup(device.name, device.index, group))
    if not device.up:
        steps.append(SetLink(device.name, device.index, RAISE, up=True))
    return steps
