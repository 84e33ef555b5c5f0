"""Plans of new aliases that differ in slot and address only: one is made, the others are like it.

Thousands of lines of a file that are alike would all be planned by the same questions, with the
same answers. So what the questions ask for beside slot and address is compared once. Whatever may
have another answer for one of them (an address that is there, a name in use, an address that is
special) has a plan of its own.
"""

from __future__ import annotations

from _operator import attrgetter

from netalias import kinds
from netalias.kinds import DEVICELESS, PREFIX
from netalias.model import AF_INET, prefix
from netalias.model.names import NAME_MAX
from netalias.plan import Plan, settle_device
from netalias.plan.unchanged import is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired import Wish
    from netalias.kinds import Goal
    from netalias.model.names import AliasName
    from netalias.observed.planned import Planned

_phase = attrgetter("phase")
SHARDS = "shard"
LOOPBACK, BROADCAST = 127, 255
"""First bytes of IPv4 addresses that are not those of hosts."""


def begun(wish: Wish, first: Plan, planned: Planned) -> Series | None:
    """The series of aliases like the one of *wish*, for which *first* was just planned; None where
    another one needs a closer look."""
    goal = first.goal
    if (
        first.alias is not None
        or first.notes
        or first.kind == PREFIX
        or not is_plain(wish)
        or goal is None
        or goal.entry is None
        or goal.last
        or goal.type.family != AF_INET
        or not Series.is_usual(goal.address)
        or planned.snapshot.device(goal.name)
    ):
        return None
    return Series(goal, first.kind, wish, planned)


class Series:
    """The plans of aliases of one *kind* that are like *goal*, the one of *wish*; all of them are
    made in *planned*."""

    def __init__(self, goal: Goal, kind: str, wish: Wish, planned: Planned) -> None:
        assert goal.entry is not None
        self._goal, self._entry = goal, goal.entry
        self._kind, self._mac = kinds.get(kind), wish.mac
        self._planned = planned
        self._labelled = kind in DEVICELESS
        self._slots: range | None = None
        if kind == SHARDS:
            from netalias.model.hidden import slots_beside

            self._slots = slots_beside(goal.name.slot)
        self._noted = goal.entry.noted
        self._network = prefix.network(goal.address, self._noted) if self._noted else b""
        lengths = planned.lengths(goal.main)
        self._hosts = [(1 << 32 - length) - 1 for length in lengths if length < 31]

    @staticmethod
    def is_usual(address: bytes) -> bool:
        """Whether the address is not one of the host itself, or of all hosts."""
        return address[0] not in (LOOPBACK, BROADCAST)

    def plan(self, name: AliasName, address: bytes) -> Plan | None:
        """The plan for an alias with this name and packed address; None if it has to be planned by
        itself."""
        goal, planned = self._goal, self._planned
        device = f"{name.main}_{name.slot}"
        if (
            len(name if name.isascii() else name.encode("utf-8", "surrogateescape")) > NAME_MAX
            or not self._fits(name.slot, address)
            or not planned.is_new(name, device, address)
        ):
            return None
        metric = self._entry.metric + (name.slot - goal.name.slot if self._noted else 0)
        entry = self._entry.like(address, name if self._entry.label else "", metric)
        one = goal.like(name, device if self._slots is None else goal.device, address)
        one.entry = entry
        result = Plan()
        result.goal, result.kind = one, self._kind.name
        if not self._labelled:
            one.mac = self._mac
            settle_device(one, planned, self._kind)
        result.steps = self._kind.make(one)
        if len(result.steps) > 1:
            result.steps.sort(key=_phase)
        planned.add(one, result.kind)
        return result

    def _fits(self, slot: int, address: bytes) -> bool:
        """Whether nothing that a plan asks for has another answer for this slot and address."""
        if self._slots is not None and slot not in self._slots:
            return False  # on another hidden device
        if self._noted and prefix.network(address, self._noted) != self._network:
            return False  # a route may be missing
        value = int.from_bytes(address, "big")
        if value & 3 in (0, 3) and any(value & host in (0, host) for host in self._hosts):
            return False  # the first or last address of a network
        return self.is_usual(address)
