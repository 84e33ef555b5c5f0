"""Whose an address is: the own one of a main device, or an alias. Pure.

A format that marks aliases says it by itself. In a list without marks the first address of each
family is the main device's own, and a file that declared it would add it a second time; the others
are aliases only where somebody asks for them. So are addresses that go from host to host.
"""

from __future__ import annotations

from netalias.desired.declarations import counted
from netalias.model import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netalias.importers.slots import Found

UNKNOWN = "a device name of another system: --map {0}=DEVICE"


def further(found: Iterable[Found]) -> list[Found]:
    """The addresses after the first one of each main device and family, without those that are
    marked as aliases."""
    seen: set[tuple[str, int]] = set()
    more = []
    for one in found:
        if not one.words or ":" in one.label:
            continue
        key = (one.main, len(one.packed))
        if key in seen:
            more.append(one)
        seen.add(key)
    return more


def take_further(found: Iterable[Found], notes: list[str], *, every: bool) -> None:
    """Make the further addresses aliases without a name, or note how many there are."""
    count: dict[str, list[Found]] = {}
    for one in further(found):
        if every:
            one.label = f"{one.main}:"
        else:
            count.setdefault(one.main, []).append(one)
    for main, more in count.items():
        number = counted(len(more), "further address")
        verb = "have" if len(more) > 1 else "has"
        what = f"{number} of {names.printable(main)} {verb} no name"
        notes.append(f"{more[0].place}: {what} (--all imports them too)")


def take_shared(found: list[Found], notes: list[str], *, every: bool) -> None:
    """Leave the addresses out, or keep them all; how many there are, and what to mind, is noted."""
    count: dict[str, list[Found]] = {}
    for one in found:
        count.setdefault(one.main, []).append(one)
    for main, more in count.items():
        what = f"{counted(len(more), 'address')} of {names.printable(main)} may be on another host"
        end = "netalias elects none, so declare them on one host only"
        notes.append(f"{more[0].place}: {what}{f': {end}' if every else ' (--all imports them)'}")
    if not every:
        found.clear()


def rename(found: Iterable[Found], mapping: Mapping[str, str], *, foreign: bool) -> None:
    """Give main devices the names in *mapping*. With *foreign*, the aliases of all other devices
    are asleep."""
    for one in found:
        main, colon, slot = one.label.partition(":")
        if main in mapping:
            one.label = f"{mapping[main]}{colon}{slot}"
        elif foreign and colon and not one.asleep:
            one.asleep = UNKNOWN.format(main)
