"""Source addresses that are translated: what is wanted, what stands, and the way between. Pure.

A device whose address has changed goes on carrying the old ones, and what is sent from them leaves
with the new one. For each device and family that is one Translation. The table of a family holds
two sets of elements: ``new`` maps a device to its address, ``old`` holds the pairs of a device and
an address to translate. So a change of address is three elements, however many are kept.

Devices go by name: a name outlives its device, which may vanish and return with another index.
"""

from __future__ import annotations

from itertools import chain

from netalias.model import AF_INET, AF_INET6, Value, address_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    Pair = tuple[str, bytes]
    """A device and an address on it, packed."""

FAMILIES = (AF_INET, AF_INET6)
NONE: frozenset[bytes] = frozenset()


class Translation(Value):
    """Packets that leave through a device from one of its *old* addresses get the *new* one.

    Addresses are packed. *new* is None while the device has none: then the old ones are kept and
    nothing is translated. One without old addresses is the same as none at all.
    """

    __slots__ = ("device", "family", "new", "old")

    def __init__(
        self, device: str, family: int, new: bytes | None, old: Iterable[bytes] = ()
    ) -> None:
        self.device = device
        self.family = family
        self.new = new
        self.old = frozenset(old)

    def __str__(self) -> str:
        """``eth0: 10.0.0.1 10.0.0.2 -> 10.0.0.3``."""
        old = " ".join(address_text(self.family, one) for one in sorted(self.old))
        new = "nothing" if self.new is None else address_text(self.family, self.new)
        return f"{self.device}: {old} -> {new}"


class Table(Value):
    """The content of our table of one family.

    ``new`` and ``old`` are by device. ``odd`` names, one a line, what is there and not ours, or is
    missing: somebody has edited the table, and the next change makes it anew.
    """

    __slots__ = ("family", "new", "odd", "old")

    def __init__(
        self,
        family: int,
        new: Mapping[str, bytes] | None = None,
        old: Mapping[str, frozenset[bytes]] | None = None,
        odd: Sequence[str] = (),
    ) -> None:
        self.family = family
        self.new = dict(new or {})
        self.old = dict(old or {})
        self.odd = tuple(odd)

    def translations(self) -> list[Translation]:
        """One for each device with old addresses, by name."""
        return [
            Translation(device, self.family, self.new.get(device), old)
            for device, old in sorted(self.old.items())
        ]


class Change(Value):
    """The change that makes one table as it is wanted, in one transaction.

    ``remove`` takes away the table that stands, ``create`` makes one; with both it is made anew.
    The elements ``gone_*`` go before those of ``new`` and ``old`` come, so an element may be in
    both: then it gets another value.
    """

    __slots__ = ("create", "family", "gone_new", "gone_old", "new", "old", "remove")

    def __init__(
        self,
        family: int,
        *,
        create: bool = False,
        remove: bool = False,
        gone_new: Iterable[Pair] = (),
        gone_old: Iterable[Pair] = (),
        new: Iterable[Pair] = (),
        old: Iterable[Pair] = (),
    ) -> None:
        self.family = family
        self.create = create
        self.remove = remove
        self.gone_new = list(gone_new)
        self.gone_old = list(gone_old)
        self.new = list(new)
        self.old = list(old)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__ if name != "family")


def wanted_tables(wanted: Iterable[Translation]) -> dict[int, Table]:
    """The tables that these translations make, by family; none of a family without any."""
    found: dict[int, Table] = {}
    for one in wanted:
        if not one.old:
            continue
        table = found.setdefault(one.family, Table(one.family))
        table.old[one.device] = one.old
        if one.new is not None:
            table.new[one.device] = one.new
    return found


def difference(wanted: Mapping[int, Table], standing: Mapping[int, Table]) -> list[Change]:
    """The changes from the *standing* to the *wanted* tables, by family; empty for nothing."""
    changes = []
    for family in FAMILIES:
        before, after = standing.get(family), wanted.get(family)
        if after is None:
            change = Change(family, remove=before is not None)
        elif before is None or before.odd:
            change = _whole(after, remove=before is not None)
        else:
            change = _elements(before, after)
        if change:
            changes.append(change)
    return changes


def _whole(after: Table, *, remove: bool) -> Change:
    old = ((device, one) for device, some in after.old.items() for one in sorted(some))
    return Change(after.family, create=True, remove=remove, new=after.new.items(), old=old)


def _elements(before: Table, after: Table) -> Change:
    change = Change(after.family)
    change.gone_new = [pair for pair in before.new.items() if after.new.get(pair[0]) != pair[1]]
    change.new = [pair for pair in after.new.items() if before.new.get(pair[0]) != pair[1]]
    for device in sorted({*before.old, *after.old}):
        stood, stands = before.old.get(device, NONE), after.old.get(device, NONE)
        if stood is stands:
            continue
        added = stands - stood
        change.old += ((device, one) for one in sorted(added))
        if len(stood) + len(added) > len(stands):
            change.gone_old += ((device, one) for one in sorted(stood - stands))
    return change


def stale(
    former: bytes | None, added: Collection[bytes], after: Translation
) -> Iterator[tuple[bytes, bytes]]:
    """The flows that leave with another address than they should: that of the program, and the one
    with which they leave.

    *former* was the new address until now, None where nothing was translated; *added* are the
    addresses that are old since now. A flow keeps what was decided for its first packet, so its
    entry has to go. Flows of an added address leave untranslated, all others with the former one.
    """
    for one in after.old if former is None else added:
        if one != after.new:
            yield one, one
    if former is None or former == after.new:
        return
    for one in chain(after.old, () if after.new is None else (after.new,)):
        if one != former or one not in added:
            yield one, former
