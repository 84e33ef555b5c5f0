"""Translation by the kernel: nf_tables decides for the first packet of a flow, and connection
tracking keeps to it.
"""

from __future__ import annotations

from netalias.nat import FAMILIES, Table, stale, wanted_tables
from netalias.nat.conntrack import Conntrack
from netalias.nat.nftables import Nftables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from netalias.nat import Change, Translation


class KernelNat:
    """The translations of the namespace of the calling thread.

    Raises StateError with the reason where the kernel lacks nf_tables or connection tracking,
    NotPermitted without CAP_NET_ADMIN, KernelError.
    """

    def __init__(self) -> None:
        self._conntrack = Conntrack()
        try:
            self._nftables = Nftables()
        except BaseException:
            self._conntrack.close()
            raise
        self._ended: set[int] = set()
        """Families without a table since a change of ours. Where a table went by others' doing, or
        was changed, there may be flows that leave with any address."""

    def close(self) -> None:
        """Close the sockets; what stands stays."""
        self._conntrack.close()
        self._nftables.close()

    def read(self) -> dict[int, Table]:
        """The tables that stand, by family. What ``Table.odd`` names is mended by the next apply().

        Raises NotOurs where others have a table of our name, KernelError.
        """
        return self._nftables.read()

    def apply(self, wanted: Iterable[Translation]) -> list[Change]:
        """Make exactly these translations stand, in one transaction; then have every flow of an old
        address decided anew that leaves with a former one. What was changed, empty for nothing.

        Where others have changed rules since, what they have done to our tables is put right too.
        Raises NotOurs where others have a table of our name, KernelError.
        """
        translations = [*wanted]
        tables = wanted_tables(translations)
        before = dict(self._nftables.standing())
        changes = self._nftables.apply(tables)
        changed = {change.family: change for change in changes}
        for one in translations:
            if one.family in changed and one.old:
                self._flush(before.get(one.family), one, changed[one.family])
        self._ended = {*FAMILIES} - {*tables}
        return changes

    def _flush(self, before: Table | None, wanted: Translation, change: Change) -> None:
        family, device = wanted.family, wanted.device
        known = family in self._ended if before is None else not before.odd
        former = before.new.get(device) if before else None
        added = {address for name, address in change.old if name == device}
        whole = self._conntrack.flush(family, stale(former, added, wanted))
        if not (known and whole):
            self._conntrack.sift(wanted)

    def flows(self, family: int, addresses: Collection[bytes]) -> dict[bytes, int]:
        """The numbers of flows that these addresses have begun; those with none are not there."""
        return self._conntrack.flows(family, addresses)
