"""The hash table of one main device: rows of aliases, the newest of a row in front.

struct net_alias_info (include/linux/net_alias.h). It is here for its golden values; production
looks addresses up in netalias.lookup.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.emulator.device import Alias, Device
    from netalias.emulator.variants import Variant


class Block:
    """What hangs on a main device while it has aliases.

    ``maximum`` was captured with the first alias: slots go up to one less. ``rows`` are the
    buckets.
    """

    __slots__ = ("count", "maximum", "rows", "variant")

    def __init__(self, variant: Variant, maximum: int) -> None:
        self.variant = variant
        self.maximum = maximum
        self.count = 0
        self.rows: list[list[Alias]] = [[] for _ in range(variant.size(maximum))]

    def bucket(self, digest: int, family: int) -> int:
        """The number of the row for a 32-bit digest of an address."""
        return self.variant.bucket(digest, family, len(self.rows))

    def add(self, alias: Alias) -> None:
        """Put *alias* in front of the row for its address."""
        alias.block = self
        alias.bucket = self.bucket(alias.type.get_addr32(alias.address), alias.family)
        self.rows[alias.bucket].insert(0, alias)
        self.count += 1

    def remove(self, alias: Alias) -> bool:
        """Take *alias* out of the row that it remembers; True if that was the last one."""
        self.rows[alias.bucket].remove(alias)
        self.count -= 1
        return not self.count

    def find(self, digest: int, family: int, accept: Callable[[Alias], bool]) -> Device | None:
        """The first alias of *family* in the row of *digest* that *accept* takes, or None."""
        for alias in self.rows[self.bucket(digest, family)]:
            if alias.family == family and accept(alias):
                return alias.device
        return None

    def widen(self, maximum: int) -> None:
        """Go on with a larger maximum, and with a larger table where that asks for one."""
        self.maximum = maximum
        size = self.variant.size(maximum)
        if size == len(self.rows):
            return
        # The oldest first, so that owners of one address keep their order.
        aliases = [alias for row in self.rows for alias in reversed(row)]
        self.rows = [[] for _ in range(size)]
        self.count = 0
        for alias in aliases:
            self.add(alias)
