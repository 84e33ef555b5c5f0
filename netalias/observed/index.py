"""Hashed address lookup: (main device, family, packed address) -> alias.

Rules, those of net/core/net_alias.c where several aliases have one address:
- the one that was addressed last is found;
- when it goes, the one before it is found again.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.model import Alias


class AddressIndex:
    """The interface. Items are told apart by identity, never compared."""

    def add(self, main: str, family: int, address: bytes, alias: Alias) -> None:
        """Let *alias* own *address* on *main*, in front of every earlier owner."""
        raise NotImplementedError

    def remove(self, main: str, family: int, address: bytes, alias: Alias) -> None:
        """Undo add(). Raises KeyError when *alias* does not own *address*."""
        raise NotImplementedError

    def move(self, main: str, old: tuple[int, bytes], new: tuple[int, bytes], alias: Alias) -> None:
        """Re-address *alias* from *old* to *new*, both (family, address); the same: nothing."""
        if old != new:
            self.remove(main, *old, alias)
            self.add(main, *new, alias)

    def find(self, main: str, family: int, address: bytes) -> Alias | None:
        """The alias on *main* that was given *address* last, or None."""
        raise NotImplementedError


class Owners:
    """The addresses of one family on one main device.

    ``find(address)`` is the get() of a dict itself: to be fetched once and called in a loop.
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
    """The index of production: one dict by (main, family), in it one dict by packed address."""

    __slots__ = ("_owners",)

    def __init__(self, aliases: Iterable[Alias] = ()) -> None:
        """*aliases* in the order in which they were addressed."""
        self._owners: dict[tuple[str, int], Owners] = {}
        for alias in aliases:
            if alias.address:
                self.add(alias.name.main, alias.family, alias.address, alias)

    def __len__(self) -> int:
        return sum(map(len, self._owners.values()))

    def owners(self, main: str, family: int) -> Owners:
        """The addresses of *family* on *main*, for many look-ups there. Not to be changed."""
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
    """list.remove() by identity: aliases compare by value, which is slow and not meant here."""
    for place, item in enumerate(items):
        if item is alias:
            del items[place]
            return
    raise KeyError(str(alias.name))
