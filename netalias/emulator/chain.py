"""The device chain: every main device, and right after it its aliases in creation order.

The stacking order of net/core/net_alias.c: ``lo eth0 eth0:0 eth0:2 eth1``. Deleting an alias and
creating it again moves it to the end of its block; slots do not count.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Chain:
    """Names in stacking order. Every change costs the same however long the chain is."""

    __slots__ = ("_blocks", "_main_of")

    def __init__(self) -> None:
        # Dicts for their order: a main to its block, a block to its aliases.
        self._blocks: dict[str, dict[str, None]] = {}
        self._main_of: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        for main, block in self._blocks.items():
            yield main
            yield from block

    def __len__(self) -> int:
        return len(self._blocks) + len(self._main_of)

    def __contains__(self, name: object) -> bool:
        return name in self._blocks or name in self._main_of

    def append(self, main: str) -> None:
        """Put a main device at the end. Raises KeyError if the name is in the chain."""
        self._refuse_known(main)
        self._blocks[main] = {}

    def add(self, main: str, alias: str) -> None:
        """Put *alias* at the end of the block of *main*. Raises KeyError, as append()."""
        block = self._blocks[main]
        self._refuse_known(alias)
        block[alias] = None
        self._main_of[alias] = main

    def aliases(self, main: str) -> list[str]:
        """The aliases of *main* in creation order. Raises KeyError."""
        return list(self._blocks[main])

    def teardown(self, main: str) -> list[str]:
        """The devices to close when *main* goes down, in order: *main*, then its aliases."""
        return [main, *self._blocks[main]]

    def cut(self, main: str) -> list[str]:
        """Remove all aliases of *main* at once; their names in chain order."""
        block, self._blocks[main] = self._blocks[main], {}
        for alias in block:
            del self._main_of[alias]
        return list(block)

    def remove(self, name: str) -> list[str]:
        """Remove an alias, or a main device with its block; the removed names in chain order."""
        main = self._main_of.pop(name, None)
        if main is not None:
            del self._blocks[main][name]
            return [name]
        aliases = self.cut(name)
        del self._blocks[name]
        return [name, *aliases]

    def _refuse_known(self, name: str) -> None:
        if name in self:
            raise KeyError(f"{name} is in the chain already")
