"""Hashed address lookup: (main device, family, packed address) -> alias.

If several aliases have one address, the rules of net/core/net_alias.c of Linux 2.0 hold:
- the one that was addressed last is found;
- if that one is removed, the one before it is found again.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.model import Alias


class AddressIndex:
    """The interface of an index. Aliases are distinguished by identity, never compared."""

    def add(self, main: str, family: int, address: bytes, alias: Alias) -> None:
        """Let *alias* own *address* on *main*, in front of every earlier owner."""
        raise NotImplementedError

    def remove(self, main: str, family: int, address: bytes, alias: Alias) -> None:
        """Undo add(). Raises KeyError when *alias* does not own *address*."""
        raise NotImplementedError

    def move(self, main: str, old: tuple[int, bytes], new: tuple[int, bytes], alias: Alias) -> None:
        """Re-address *alias* from *old* to *new*, both (family, address), unless they are equal."""
        if old != new:
            self.remove(main, *old, alias)
            self.add(main, *new, alias)

    def find(self, main: str, family: int, address: bytes) -> Alias | None:
        """The alias on *main* that was given *address* last, or None."""
        raise NotImplementedError


class Owners:
    """The addresses of one family on one main device.

    ``find(address)`` is dict.get() itself, to be looked up once and called in a loop.
    """

    __slots__ = ("_found", "_hidden", "find")

    def __init__(self) -> None:
        self._found: dict[bytes, Alias] = {}
        # Earlier owners of an address in _found, the oldest first; nearly always empty.
        self._hidden: dict[bytes, list[Alias]] = {}
        self.find = self._found.get

    def __len__(self) -> int:
        return len(self._found) + sum(map(len, self._hidden.values()))

    def add(self, address: bytes, alias: Alias) -> None:
        """Let *alias* own *address*."""
        before = self._found.get(address)
        if before is not None:
            self._hidden.setdefault(address, []).append(before)
        self._found[address] = alias

    def remove(self, address: bytes, alias: Alias) -> None:
        """Undo add(). Raises KeyError."""
        hidden = self._hidden.get(address)
        if self._found[address] is not alias:
            _remove_identical(hidden or [], alias)
        elif hidden:
            self._found[address] = hidden.pop()
        else:
            del self._found[address]
        if hidden is not None and not hidden:
            del self._hidden[address]

    def shared(self) -> list[bytes]:
        """The addresses that have more than one owner."""
        return list(self._hidden)


class DictIndex(AddressIndex):
    """The index in use: a dict by (main, family) of dicts by packed address."""

    __slots__ = ("_owners",)

    def __init__(self, aliases: Iterable[Alias] = ()) -> None:
        """Add *aliases*, given in the order in which they were addressed."""
        self._owners: dict[tuple[str, int], Owners] = {}
        for alias in aliases:
            if alias.address:
                self.add(alias.name.main, alias.family, alias.address, alias)

    def __len__(self) -> int:
        return sum(map(len, self._owners.values()))

    def owners(self, main: str, family: int) -> Owners:
        """The owners of addresses of *family* on *main*, for many lookups; not to be modified."""
        return self._owners.get((main, family)) or Owners()

    def add(self, main: str, family: int, address: bytes, alias: Alias) -> None:
        """Let *alias* own *address* on *main*."""
        key = main, family
        owners = self._owners.get(key)
        if owners is None:
            owners = self._owners[key] = Owners()
        owners.add(address, alias)

    def remove(self, main: str, family: int, address: bytes, alias: Alias) -> None:
        """Undo add(). Raises KeyError."""
        owners = self._owners[main, family]
        owners.remove(address, alias)
        if not owners:
            del self._owners[main, family]

    def find(self, main: str, family: int, address: bytes) -> Alias | None:
        """The alias on *main* that was given *address* last, or None."""
        try:
            return self._owners[main, family].find(address)
        except KeyError:
            return None


def _remove_identical(items: list[Alias], alias: Alias) -> None:
    """list.remove() by identity, since aliases compare by value. Raises KeyError."""
    for place, item in enumerate(items):
        if item is alias:
            del items[place]
            return
    raise KeyError(str(alias.name))
