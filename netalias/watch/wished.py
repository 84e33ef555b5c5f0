"""What is declared, by name and by address. Pure."""

from __future__ import annotations

from netalias.declarations import Block, Declarations
from netalias.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from netalias.wishes import Wish

FREE = "free"
KEEP = "keep"
OFF = "off"


class Wished:
    """``on_down`` is what holds where nothing is said of it: FREE or KEEP."""

    def __init__(self, declared: Declarations, on_down: str = FREE) -> None:
        self.declared = declared
        self.on_down = on_down
        self.mains = {block.wish.name.main for block in declared.blocks}
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

    def some(self, names: Iterable[AliasName]) -> Declarations:
        """The wishes for these names, which are declared."""
        return Declarations([self._alone(name) for name in names], [])

    def wish(self, name: AliasName) -> Wish:
        """The wish of its line, which may be that for another alias of it."""
        return self._places[name][0].wish

    def heals(self, name: AliasName) -> bool:
        """Whether it is put right when others undo it."""
        return self.wish(name).heal != OFF

    def simple(self, name: AliasName) -> bool:
        """Whether it has nothing to do with the others: no network that they may be in."""
        wish = self.wish(name)
        assert wish.type is not None
        return wish.prefixlen in (None, wish.type.bits)

    def healing(self, risen: Collection[str]) -> Declarations:
        """What is put right on any occasion; all that is wished of main devices that have just
        come, or come up."""
        blocks = self.declared.blocks
        kept = [one for one in blocks if one.wish.heal != OFF or one.wish.name.main in risen]
        return Declarations(kept, [])

    def freed(self, names: Iterable[AliasName]) -> bool:
        """Whether an alias, by any of these names, goes with its main device."""
        said = next((self.wish(name).on_down for name in names if name in self._places), "")
        return (said or self.on_down) == FREE

    def _alone(self, name: AliasName) -> Block:
        block, place = self._places[name]
        slot = block.slots[place]
        wish = block.wish.copy(name, block.addresses[place])
        return Block(wish, range(slot, slot + 1), [wish.address], block.source, block.line)
