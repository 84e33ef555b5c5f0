"""A nat.kernel.KernelNat in memory, for tests without root and without a kernel."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from netalias import errors
from netalias.nat import FAMILIES, Change, Table, Translation, difference, wanted_tables


class FakeNat:
    """Tables by family, and flows: (family, address of the program) -> the one it leaves with.

    ``changes`` are all that were made; ``foreign`` are families in which others have a table of our
    name; ``failure`` is raised instead of the next change, which then is not done.
    """

    def __init__(self) -> None:
        self.tables: dict[int, Table] = {}
        self.entries: list[tuple[int, bytes, bytes]] = []
        self.changes: list[Change] = []
        self.foreign: set[int] = set()
        self.failure: errors.NetaliasError | None = None
        self.closed = False

    def send(self, family: int, device: str, source: bytes) -> bytes:
        """The address with which the first packet of a new flow leaves."""
        table = self.tables.get(family, Table(family))
        translated = source in table.old.get(device, ())
        leaves = table.new.get(device, source) if translated else source
        self.entries.append((family, source, leaves))
        return leaves

    def read(self) -> dict[int, Table]:
        """As KernelNat.read."""
        if self.foreign & {*FAMILIES}:
            raise errors.NotOurs("the table ip netalias of nftables is not ours")
        return dict(self.tables)

    def apply(self, wanted: Iterable[Translation]) -> list[Change]:
        """As KernelNat.apply."""
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        translations = [*wanted]
        after = wanted_tables(translations)
        changes = difference(after, self.read())
        self.tables = after
        self.changes += changes
        for one in translations if changes else ():
            self.entries = [
                (family, source, leaves)
                for family, source, leaves in self.entries
                if family != one.family
                or source not in one.old | {one.new}
                or leaves == (one.new or source)
            ]
        return changes

    def flows(self, family: int, addresses: Collection[bytes]) -> dict[bytes, int]:
        """As KernelNat.flows."""
        found: dict[bytes, int] = {}
        for of, source, _ in self.entries:
            if of == family and source in addresses:
                found[source] = found.get(source, 0) + 1
        return found

    def close(self) -> None:
        """As KernelNat.close."""
        self.closed = True
