"""Our tables in nf_tables: read, and changed in one transaction for both families.

No other table is touched, and none of others that has the name of ours. A transaction holds for the
generation of the rules that was read; where somebody else has changed any rules since (ERESTART),
all is looked at again. What stands is remembered from one change to the next, so that a change
takes one send, whatever the number of addresses; where nothing is to be changed, the generation
tells whether others have changed anything.
"""

from __future__ import annotations

from errno import ENOENT, EOPNOTSUPP, ERESTART

from netalias import errors
from netalias.kernel.netlink.exchange import Exchange
from netalias.model import AF_INET, AF_INET6
from netalias.nat import FAMILIES, Change, Table, difference
from netalias.nat import messages as nft
from netalias.nat.lacking import NETLINK_NETFILTER, lacking, probed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from netalias.kernel.netlink.interrupted import Body

ATTEMPTS = 10
"""Conflicts with changes of others until a change of ours fails; a program that changes its rules
all the time leaves more than a millisecond between two changes."""
OPERATION = "translating addresses"
WORDS = {AF_INET: "ip", AF_INET6: "ip6"}
"""The names of the families in nft."""


class Nftables:
    """Our tables in the namespace of the calling thread. Raises KernelError, StateError where the
    kernel has no nf_tables."""

    def __init__(self) -> None:
        self._exchange = probed(
            "nf_tables (CONFIG_NF_TABLES)", Exchange, OPERATION, NETLINK_NETFILTER
        )
        self._standing: dict[int, Table] | None = None
        self._generation = 0

    def close(self) -> None:
        """Close the socket."""
        self._exchange.close()

    def read(self) -> dict[int, Table]:
        """Our tables by family, without those that are not there.

        Raises NotOurs where others have a table of our name, KernelError, StateError.
        """
        for _ in range(ATTEMPTS):
            generation = self._read_generation()
            standing, gone = {}, None
            try:
                for family in FAMILIES:
                    table = self._table(family)
                    if table is not None:
                        standing[family] = table
            except errors.KernelError as error:
                gone = error  # where another process has taken the table away meanwhile
            if self._read_generation() == generation:
                if gone is not None:
                    raise gone
                self._standing, self._generation = standing, generation
                return standing
        raise _conflict()

    def standing(self) -> dict[int, Table]:
        """The tables that stand as far as is known; they are read the first time."""
        return self.read() if self._standing is None else self._standing

    def apply(self, wanted: Mapping[int, Table]) -> list[Change]:
        """Make our tables those that are *wanted*, by family, and none else; what was changed.

        All of it is done or nothing. Raises NotOurs, KernelError, StateError.
        """
        for _ in range(ATTEMPTS):
            changes = difference(wanted, self.standing())
            if not changes and self._read_generation() == self._generation:
                return changes
            self._standing = None  # until it is known that it was done
            if changes and self._transaction(changes):
                self._standing = dict(wanted)
                self._generation = self._generation % 0xFFFFFFFF + 1
                self._check_marks([change.family for change in changes if change.create])
                return changes
        raise _conflict()

    def _check_marks(self, created: list[int]) -> None:
        """Take tables away again that the kernel has made without their mark: nobody would know
        whose they are. Raises StateError."""
        for family in created:
            if not self._marks(family).get(nft.NAME, True):
                self._transaction([Change(family, remove=True) for family in created])
                self._standing = None
                raise lacking("comments of tables in nf_tables (Linux 5.10)")

    def _transaction(self, changes: list[Change]) -> bool:
        """Whether it was done; not where others have changed rules since they were read."""
        requests = [one for change in changes for one in nft.changes(change)]
        packed = nft.batch(requests, self._generation)
        for place, code, text in self._exchange.change(OPERATION, packed, len(requests)):
            if place == 0 and code == ERESTART:
                return False
            if code in (ENOENT, EOPNOTSUPP) and packed[place][0] in nft.MADE_BY_MODULES:
                raise lacking("NAT by nf_tables (CONFIG_NFT_NAT)")
            raise errors.kernel_error(OPERATION, code, text)
        return True

    # Reading

    def _read_generation(self) -> int:
        body = nft.get_all(0)
        answer = probed(
            "nf_tables (CONFIG_NF_TABLES)", self._exchange.one, OPERATION, nft.NFT_MSG_GETGEN, body
        )
        return nft.read_generation(*answer)

    def _table(self, family: int) -> Table | None:
        """Our table of a family, or None. Raises NotOurs."""
        marks = self._marks(family)
        if nft.NAME not in marks:
            return None
        if not marks[nft.NAME]:
            raise errors.NotOurs(
                f"the table {WORDS[family]} {nft.NAME} of nftables is not ours: it is left as it"
                " is, and no address is translated"
            )
        parts = [one for get, new, read in READERS for one in self._parts(family, get, new, read)]
        ours = [one for one, same in parts if same]
        odd = [one for one, same in parts if not same]
        odd += [one for one in nft.PARTS if ours.count(one) > 1]
        odd += [f"{one} is missing" for one in nft.PARTS if one not in ours]
        table = Table(family, odd=odd)
        if f"map {nft.NEW}" in ours:
            table.new = self._new(family)
        if f"set {nft.OLD}" in ours:
            table.old = self._old(family)
        return table

    def _marks(self, family: int) -> dict[str, bool]:
        """The tables of a family, and whether each has our mark."""
        found = self._dump(nft.NFT_MSG_GETTABLE, nft.get_all(family), nft.NFT_MSG_NEWTABLE)
        return dict(nft.read_table(*body) for body in found)

    def _parts(
        self, family: int, get: int, new: int, read: Callable[..., tuple[str, str, bool]]
    ) -> Iterator[tuple[str, bool]]:
        """The parts of one kind in our table, and whether each is as ours."""
        for data, start, end in self._dump(get, nft.get_all(family), new):
            table, name, ours = read(data, start, end, family)
            if table == nft.NAME:
                yield name, ours

    def _new(self, family: int) -> dict[str, bytes]:
        return {device: value for device, _, value in self._elements(family, nft.NEW)}

    def _old(self, family: int) -> dict[str, frozenset[bytes]]:
        found: dict[str, set[bytes]] = {}
        for device, address, _ in self._elements(family, nft.OLD):
            found.setdefault(device, set()).add(address)
        return {device: frozenset(some) for device, some in found.items()}

    def _elements(self, family: int, name: str) -> Iterator[tuple[str, bytes, bytes]]:
        body = nft.get_elements(family, name)
        for found in self._dump(nft.NFT_MSG_GETSETELEM, body, nft.NFT_MSG_NEWSETELEM):
            yield from nft.read_elements(*found)

    def _dump(self, get: int, body: bytes, new: int) -> list[Body]:
        return self._exchange.dump(OPERATION, get, body, new)


READERS = (
    (nft.NFT_MSG_GETCHAIN, nft.NFT_MSG_NEWCHAIN, nft.read_chain),
    (nft.NFT_MSG_GETSET, nft.NFT_MSG_NEWSET, nft.read_set),
    (nft.NFT_MSG_GETRULE, nft.NFT_MSG_NEWRULE, nft.read_rule),
)
"""The reading of each kind of part: request, answer, decoder."""


def _conflict() -> errors.KernelError:
    text = f"others changed the rules of this namespace during each of {ATTEMPTS} attempts"
    return errors.KernelError(OPERATION, ERESTART, text)
