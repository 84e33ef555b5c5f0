"""Slots for imported aliases: every address gets one of its own. Pure.

What other programs call an alias need not be a name of ours, and several addresses may share one.
A label that is a name keeps it; all others get the lowest slots that are free then, with a note: in
the files, and on this host, unless an alias here has the address already.
"""

from __future__ import annotations

from netalias import errors
from netalias.importers.notes import Lesser
from netalias.model import names
from netalias.model.names import SLOT_MAX, AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Taken = Mapping[AliasName, set[bytes]]
    """Names that are in use on this host, and the packed addresses that have them."""


class Found:
    """An address that another program gives to the alias ``label``, or to a main device.

    ``packed`` is the address, ``words`` are those of a line, ADDRESS/LEN first, and ``place`` is
    ``file:line``. Without words it is a name that nothing else gets. The label ``eth0:`` is that of
    an alias without a name. ``asleep`` says why nobody brings it up, or is empty.
    """

    __slots__ = ("asleep", "label", "packed", "place", "words")

    def __init__(
        self, label: str, packed: bytes, words: list[str], place: str, asleep: str = ""
    ) -> None:
        self.label = label
        self.packed = packed
        self.words = words
        self.place = place
        self.asleep = asleep

    @property
    def main(self) -> str:
        """The name of the main device."""
        return self.label.partition(":")[0]

    @property
    def named(self) -> bool:
        """Whether it is an alias with a name, of whatever form."""
        return bool(self.label.partition(":")[2])


def labelled(main: str, text: str) -> str:
    """The label *text* as one of the device *main*: to the kernel any text is a label."""
    return text if text.partition(":")[0] == main else f"{main}:{text}"


class Row:
    """An imported alias with its name. ``remark`` is the label that could not be its name, or
    empty."""

    __slots__ = ("found", "name", "remark")

    def __init__(self, name: AliasName, found: Found, remark: str) -> None:
        self.name = name
        self.found = found
        self.remark = remark


def rows(found: Sequence[Found], notes: list[str], taken: Taken | None = None) -> list[Row]:
    """The aliases of *found* in order, those that are asleep last; *notes* gets the rest of what is
    to be said."""
    return _Slots(found, notes, taken or {}).rows(found)


class _Slots:
    """The slots that are in use, the next one that may be free of each main device, and who has
    which name and address. ``standing`` are the names of addresses on this host."""

    __slots__ = ("next", "notes", "owners", "said", "standing", "taken", "used")

    def __init__(self, found: Sequence[Found], notes: list[str], taken: Taken) -> None:
        self.notes = notes
        self.taken = taken
        self.standing = {(name.main, one): name for name in taken for one in taken[name]}
        self.used = set(filter(None, (names.split(one.label) for one in found)))
        self.said: dict[AliasName, Found] = {}
        self.owners: dict[bytes, Found] = {}
        self.next: dict[str, int] = {}

    def rows(self, found: Sequence[Found]) -> list[Row]:
        rows = []
        seen = set()
        for one in sorted(found, key=lambda one: bool(one.asleep)):
            if not one.words or (one.label, one.packed) in seen:
                continue
            seen.add((one.label, one.packed))
            # A comment does not take the address.
            owner = self.owners.setdefault(one.packed, one) if not one.asleep else one
            if ":" not in one.label:
                continue
            if owner is not one:
                what = f"{owner.label} at {owner.place} has it"
                self._note(one, f"{one.words[0]} is not carried over: {what}")
                continue
            try:
                rows.append(self._row(one))
            except errors.NetaliasError as error:
                self._note(one, f"{one.words[0]} is not carried over: {error.line()}")
        return rows

    def _note(self, one: Found, text: str, note: type[str] = str) -> None:
        label = one.label if one.named else one.main
        self.notes.append(note(f"{one.place}: {names.printable(label)}: {text}"))

    def _row(self, one: Found) -> Row:
        """The alias with a name. Raises LimitError."""
        name = names.split(one.label)
        remark = ""
        if name is None or self.said.setdefault(name, one) is not one:
            if one.named:
                remark = names.printable(one.label)
            why = "a slot is a number"
            if name is not None:
                first = self.said[name]
                why = f"{first.words[0]} at {first.place} has that name"
            name = self._free(one)
            if remark:
                self._note(one, f"{one.words[0]} becomes {name}, since {why}", Lesser)
        elif not one.asleep and one.packed not in (self.taken.get(name) or {one.packed}):
            self._note(one, f"{one.words[0]}: that name is in use here, for another address")
        names.label(name)
        return Row(name, one, remark)

    def _free(self, one: Found) -> AliasName:
        """The name that the address has on this host, or the lowest free slot of its main device,
        which is then in use. Raises LimitError."""
        main = one.main
        standing = self.standing.get((main, one.packed))
        if standing is not None and standing not in self.used:
            self.used.add(standing)
            return standing
        for slot in range(self.next.get(main, 0), SLOT_MAX + 1):
            name = AliasName(main, slot)
            if name not in self.used and name not in self.taken:
                self.next[main] = slot + 1
                return name
        raise errors.LimitError(f"{main} has no free slot")
