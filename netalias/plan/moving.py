"""Aliases that move to another kind, and the lines of files that declare them. Pure."""

from __future__ import annotations

from netalias import errors, kinds
from netalias.desired.declarations import Declarations, counted
from netalias.model import is_scratch
from netalias.model.names import AliasName
from netalias.plan import auto_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.desired.blocks import Block
    from netalias.model import Alias, Device
    from netalias.observed import Observed

MOVED = ("label", "macvlan", "ipvlan")
"""Kinds that a main device may have instead of one another."""
LABEL = "label"
SHARD = "shard"


class Moves:
    """The aliases that move, and their new kinds.

    ``kinds`` maps indexes of main devices to the new kind of all of their aliases. ``lines`` has
    new kinds by file and line number. ``places`` are the places (``file:line``) of all lines whose
    aliases move, also of those that say the new kind already. ``undeclared`` are aliases of ours
    that move and stand in no file. ``notes`` tell what is left alone.
    """

    __slots__ = ("kinds", "lines", "notes", "places", "undeclared")

    def __init__(self) -> None:
        self.kinds: dict[int, str] = {}
        self.lines: dict[str, dict[int, str]] = {}
        self.places: set[str] = set()
        self.undeclared: list[Alias] = []
        self.notes: list[str] = []

    def blocks(self, declared: Declarations) -> list[Block]:
        """The blocks of *declared* that move, which are those of the rewritten files."""
        return [block for block in declared.blocks if block.place in self.places]


def moves(declared: Declarations, observed: Observed, main: str = "", kind: str = "") -> Moves:
    """The changes after which all aliases are of *kind*, by default the one that ``auto`` means
    on their main device; those of *main* only, if it is given.

    Raises NoSuchDevice, BadName for an alias; KindError where *main* can have no such kind.
    """
    found = Moves()
    devices = [_device(observed, main)] if main else _mains(declared, observed)
    for device in devices:
        _choose(found, device, observed, kind, named=bool(main))
    named = set()
    for block in declared.blocks:
        device_or_none = observed.snapshot.device(block.wish.name.main)
        if device_or_none is not None and device_or_none.index in found.kinds:
            names = [AliasName(device_or_none.name, slot) for slot in block.slots]
            named.update(names)
            _block(found, block, names, found.kinds[device_or_none.index], observed)
    for alias in observed.aliases:
        if alias.main is not None and alias.name not in named:
            _undeclared(found, alias)
    _others(found, observed)
    return found


def _device(observed: Observed, name: str) -> Device:
    device = observed.snapshot.device(name)
    if device is None:
        raise errors.NoSuchDevice(f"{name}: there is no such device")
    if device.group == observed.group or is_scratch(device.group, observed.group):
        raise errors.BadName(f"{name}: this is an alias, a main device is needed")
    return device


def _mains(declared: Declarations, observed: Observed) -> list[Device]:
    """The main devices that have aliases, or are to have some."""
    found = {
        alias.main.index: alias.main for alias in observed.aliases if alias.main and alias.ours
    }
    for block in declared.blocks:
        device = observed.snapshot.device(block.wish.name.main)
        if device is not None:
            found[device.index] = device
    return list(found.values())


def _choose(found: Moves, main: Device, observed: Observed, kind: str, *, named: bool) -> None:
    """Note the new kind of the aliases of *main*. Raises KindError where it is *named* and can have
    no such kind; else that is a note, but for devices that can only have labels."""
    if kind == SHARD:
        raise errors.KindError(
            "kind shard: aliases are moved to one by one, in a file", "netalias reconcile"
        )
    if kind:
        new, reason = kind, kinds.get(kind).refuse(main, observed.snapshot)
        reason = reason if reason and not _gives_way(kind, main, observed) else ""
    else:
        new, reason = auto_kind(main, observed.snapshot, observed.able, mac=False)
        if new == LABEL:
            reason = "its aliases can be labels only"
            if not named:
                return
    if not reason and new != LABEL and not observed.able(new):
        reason = "this kernel does not have it"
    if not reason:
        found.kinds[main.index] = new
    elif named:
        raise errors.KindError(f"{main.name}: kind {new} cannot serve: {reason}")
    else:
        found.notes.append(f"{main.name} is left alone: kind {new} cannot serve: {reason}")


def _gives_way(kind: str, main: Device, observed: Observed) -> bool:
    """Whether *main* could have *kind* without its aliases that move."""
    from netalias.plan.replacing import without

    snapshot = observed.snapshot
    for alias in observed.aliases:
        if alias.main is main and alias.ours and alias.kind in MOVED and alias.kind != kind:
            snapshot = without(alias, snapshot, main)
    return not kinds.get(kind).refuse(main, snapshot)


def _block(
    found: Moves, block: Block, names: Iterable[AliasName], kind: str, observed: Observed
) -> None:
    """Note a line whose kind, or the one of its aliases, is another."""
    there = [alias for name in names if (alias := observed.find(name)) is not None and alias.ours]
    moving = any(alias.kind in MOVED and alias.kind != kind for alias in there)
    said = block.wish.kind if block.wish.kind != kinds.AUTO else ""
    if said and said not in MOVED:
        return
    if said != kind and (said or moving):
        found.lines.setdefault(block.source, {})[block.line] = kind
    elif not moving:
        return
    found.places.add(block.place)


def _undeclared(found: Moves, alias: Alias) -> None:
    """Note an alias of ours that stands in no file, if it moves."""
    assert alias.main is not None
    kind = found.kinds.get(alias.main.index)
    if kind is None or not alias.ours or alias.kind not in MOVED or alias.kind == kind:
        return
    if not alias.family or alias.expired or not alias.whole:
        found.notes.append(f"{alias.name} is left alone: it has no address, or is half-made")
    else:
        found.undeclared.append(alias)


def _others(found: Moves, observed: Observed) -> None:
    """Note the labels of others beside those that move."""
    count: dict[str, int] = {}
    for alias in observed.aliases:
        if alias.main is not None and alias.main.index in found.kinds and not alias.ours:
            count[alias.main.name] = count.get(alias.main.name, 0) + 1
    for main, number in count.items():
        found.notes.append(
            f"{main}: {counted(number, 'label')} of others stay as they are (netalias adopt {main})"
        )
