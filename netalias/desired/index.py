"""An index of declarations by name and by address. Pure."""

from __future__ import annotations

from netalias.desired.blocks import Block
from netalias.desired.declarations import Declarations
from netalias.model import RT_SCOPE_LINK, names
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from netalias.desired import Wish
    from netalias.model import Address, Alias, Device

# Words of on-down, and the word that ends healing.
FREE = "free"
KEEP = "keep"
OFF = "off"

AUTO = "auto"
"""The gateway that is that of the default route (gateways.py)."""


class Index:
    """DeclaredNames aliases by name and by address.

    ``on_down``, FREE or KEEP, holds for aliases whose line does not say. ``led`` are the families
    of those whose gateway is that of a default route.
    """

    def __init__(self, declared: Declarations, on_down: str = FREE) -> None:
        self.declared = declared
        self.on_down = on_down
        self.mains = {block.wish.name.main for block in declared.blocks}
        self.led = {one for one in map(_led, declared.blocks) if one is not None}
        self.by_address: dict[bytes, list[AliasName]] = {}
        self._places: dict[AliasName, tuple[Block, int]] = {}
        for block in declared.blocks:
            for place, (slot, address) in enumerate(zip(block.slots, block.addresses, strict=True)):
                name = AliasName(block.wish.name.main, slot)
                self._places[name] = block, place
                self.by_address.setdefault(address, []).append(name)

    def __contains__(self, name: AliasName) -> bool:
        return name in self._places

    def __len__(self) -> int:
        return len(self._places)

    def some(self, found: Iterable[AliasName]) -> Declarations:
        """The declarations of these names, all of which must be declared."""
        places = (self._places[name] for name in found)
        return Declarations([_part(block, at, at + 1) for block, at in places], [])

    def wish(self, name: AliasName) -> Wish:
        """The wish of the line that declares *name*; it may name another alias of that line."""
        return self._places[name][0].wish

    def of(self, alias: Alias) -> Wish | None:
        """The wish of the line that declares *alias*, under any of its names; None without one."""
        return next((self.wish(name) for name in names_of(alias) if name in self), None)

    def heals(self, name: AliasName) -> bool:
        """Whether the alias is restored when somebody else changes it."""
        return self.wish(name).heal != OFF

    def simple(self, name: AliasName) -> bool:
        """Whether the alias is a host without a gateway: nothing about it depends on a network."""
        wish = self.wish(name)
        assert wish.type is not None
        return not wish.led and wish.prefixlen in (None, wish.type.bits)

    def following(self, families: Collection[int]) -> Iterator[AliasName]:
        """The aliases of these families whose gateway is that of a default route."""
        for block in self.declared.blocks:
            wish = block.wish
            if _led(block) in families:
                yield from (AliasName(wish.name.main, slot) for slot in block.slots)

    def relies(self, mains: Collection[str], own: Address) -> bool:
        """Whether the form of aliases may depend on *own*, an address that others give to their
        main device, which has the names *mains*.

        The network of an alias does: only one of both brings its route.
        """
        return any(
            block.wish.name.main in mains and _relies(block, own) for block in self.declared.blocks
        )

    def healing(self, risen: Collection[str], resting: Collection[AliasName] = ()) -> Declarations:
        """The declarations to restore: aliases that heal, and all those on the mains in *risen*.

        *risen* are main devices that have just come or come up; *resting* aliases are left out.
        """
        blocks = self.declared.blocks
        kept = [one for one in blocks if one.wish.heal != OFF or one.wish.name.main in risen]
        return Declarations([part for one in kept for part in _without(one, resting)], [])

    def freed(self, alias: Alias) -> bool:
        """Whether the alias is freed when its main device goes down."""
        wish = self.of(alias)
        return ((wish.on_down if wish is not None else "") or self.on_down) == FREE


class DeclaredNames:
    """A translation of alias names: from the primary names of main devices to the declared ones.

    A declaration may use an alternative name of one of *devices*.
    """

    def __init__(self, wished: Index, devices: Iterable[Device]) -> None:
        self._wished = wished
        self._mains: dict[str, list[str]] = {}
        for device in devices:
            found = wished.mains.intersection((device.name, *device.altnames))
            if found:
                self._mains[device.name] = sorted(found)

    def name(self, name: AliasName) -> AliasName:
        """The name under which the alias is declared, or *name* itself."""
        mains = self._mains.get(name.main, ())
        found = (AliasName(main, name.slot) for main in mains)
        return next((one for one in found if one in self._wished), name)


def names_of(alias: Alias) -> Iterator[AliasName]:
    """All names of an alias: one for each name of its main device, then its alternative names.

    An alternative name may hold a former name of the main device.
    """
    main, slot = alias.main, alias.name.slot
    if main is not None:
        yield from (AliasName(one, slot) for one in (main.name, *main.altnames))
    else:
        yield alias.name
    for altname in alias.device.altnames if alias.device is not None else ():
        found = names.split(altname)
        if found is not None:
            yield found


def _led(block: Block) -> int | None:
    """The family of aliases whose gateway is that of a default route; None for others."""
    wish = block.wish
    return wish.type.family if wish.type is not None and wish.gateway == AUTO else None


def _relies(block: Block, own: Address) -> bool:
    """Whether aliases of one line have networks, and so depend on that of *own*."""
    wish = block.wish
    assert wish.type is not None
    networked = wish.prefixlen not in (None, wish.type.bits)
    return networked and wish.type.family == own.family and own.scope != RT_SCOPE_LINK


def _part(block: Block, begin: int, end: int) -> Block:
    """The block with the aliases of a line from index *begin* up to, not including, *end*."""
    slots, addresses = block.slots[begin:end], block.addresses[begin:end]
    wish = block.wish.copy(AliasName(block.wish.name.main, slots[0]), addresses[0])
    return Block(wish, slots, addresses, block.source, block.line)


def _without(block: Block, resting: Collection[AliasName]) -> Iterator[Block]:
    """The blocks that remain of a line without the aliases in *resting*."""
    main, begin = block.wish.name.main, 0
    slots = {name.slot for name in resting if name.main == main}
    if slots.isdisjoint(block.slots):
        yield block
        return
    for place, slot in enumerate([*block.slots, min(slots)]):
        if slot in slots:
            if begin < place:
                yield _part(block, begin, place)
            begin = place + 1
