"""Connection tracking: what leaves with a former address is decided anew.

What is done to a flow is decided by its first packet and stands in its entry: a new rule never
applies to it. So the entries that leave with a former address are deleted, by ctnetlink. There are
three ways to find them. The first is the text of nf_conntrack, half a millisecond for few entries.
Without it a deletion by a filter takes as long for each flow. A dump over netlink is the last: the
kernel takes a lock for each of its buckets, some hundred thousand, which is 15 ms however few
entries there are.
"""

from __future__ import annotations

from errno import EINVAL, ENOENT, EOPNOTSUPP
from itertools import islice

from netalias import errors
from netalias.kernel.netlink.exchange import Exchange
from netalias.model import AF_INET
from netalias.nat.entries import (
    IPCTNL_MSG_CT_DELETE,
    IPCTNL_MSG_CT_GET,
    IPCTNL_MSG_CT_GET_STATS,
    IPCTNL_MSG_CT_NEW,
    UNREAD,
    begun,
    filtered,
    read_entry,
    read_lines,
)
from netalias.nat.lacking import NETLINK_NETFILTER, probed
from netalias.nat.messages import family_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from io import FileIO

    from netalias.kernel.netlink.exchange import Failure
    from netalias.nat import Translation
    from netalias.nat.entries import Entry

TEXT = "/proc/thread-self/net/nf_conntrack"
"""The entries as text, where the kernel has it (CONFIG_NF_CONNTRACK_PROCFS)."""
OPERATION = "tracked connections"
FEW = 16
"""Deletions by a filter, for each of which the kernel goes through its table, in place of which all
entries are read."""
PACK = 500
"""Deletions in one send."""
PASSES = 3
"""Readings until one finds nothing to delete: a packet may have been decided before the rules were
changed, and have got its entry after the first reading."""


class Conntrack:
    """The entries of the namespace of the calling thread. Raises KernelError, StateError where the
    kernel does not track connections."""

    def __init__(self) -> None:
        self._exchange = probed("connection tracking", Exchange, OPERATION, NETLINK_NETFILTER)
        self._filters = True
        self._text: FileIO | None = None
        try:
            what = "connection tracking (CONFIG_NF_CT_NETLINK)"
            body = family_header(AF_INET)
            probed(what, self._exchange.one, OPERATION, IPCTNL_MSG_CT_GET_STATS, body)
        except BaseException:
            self._exchange.close()
            raise
        try:
            # Of this namespace, as the socket is.
            self._text = open(TEXT, "rb", buffering=0)  # noqa: SIM115 close() does it
        except OSError:
            pass

    def close(self) -> None:
        """Close what is open."""
        self._exchange.close()
        if self._text is not None:
            self._text.close()

    def flush(self, family: int, flows: Iterable[tuple[bytes, bytes]]) -> bool:
        """Delete the entries of these flows, each the source and the address with which it leaves,
        by filters. False where that was not done: then sift() has to find them, which is quicker
        where there is a text.

        Never for IPv6: kernels up to 6.18 at least take the address in a filter for the only one
        that does not match (ctnetlink_filter_match_tuple), and would delete all other entries.
        """
        some = [*islice(flows, FEW + 1)]
        if self._text or not self._filters or family != AF_INET or len(some) > FEW:
            return False
        requests = [
            (IPCTNL_MSG_CT_DELETE, 0, filtered(family, source, leaves)) for source, leaves in some
        ]
        refused = self._exchange.change(OPERATION, requests) if requests else []
        if any(code in (EINVAL, EOPNOTSUPP) for _, code, _ in refused):
            self._filters = False
            return False
        _check(refused)
        return True

    def sift(self, wanted: Translation) -> None:
        """Read all entries, and delete those of old addresses, and of the new one, that leave with
        another address than they should."""

        def concerns(source: bytes) -> bool:
            return source in wanted.old or source == wanted.new

        for _ in range(PASSES):
            wrong = [
                one.deletion()
                for one in self.entries(wanted.family, concerns)
                if one.leaves != (wanted.new or one.source)
            ]
            for at in range(0, len(wrong), PACK):
                _check(self._exchange.change(OPERATION, wrong[at : at + PACK]))
            if not wrong:
                return

    def flows(self, family: int, addresses: Collection[bytes]) -> dict[bytes, int]:
        """The numbers of flows that these addresses have begun, by one reading; without those that
        have begun none."""
        found: dict[bytes, int] = {}
        for one in self.entries(family, addresses.__contains__):
            found[one.source] = found.get(one.source, 0) + 1
        return found

    def entries(self, family: int, asked: Callable[[bytes], bool]) -> list[Entry]:
        """The entries of a family whose source is *asked* for. Raises KernelError."""
        if self._text is not None:
            try:
                self._text.seek(0)
                return [*read_lines(self._text.readall(), family, asked)]
            except UNREAD:
                pass  # netlink tells everything
        return [*self.dumped(family, asked)]

    def dumped(self, family: int, asked: Callable[[bytes], bool]) -> Iterator[Entry]:
        """The same by netlink, with their identities. Raises KernelError."""
        body = family_header(family)
        for found in self._exchange.dump(OPERATION, IPCTNL_MSG_CT_GET, body, IPCTNL_MSG_CT_NEW):
            source = begun(found[0], found[1], family)
            if source is not None and not asked(source):
                continue
            entry = read_entry(*found, family)
            if asked(entry.source):
                yield entry


def _check(refused: list[Failure]) -> None:
    """Raises KernelError for a deletion that was refused."""
    for _, code, text in refused:
        if code != ENOENT:  # it has ended meanwhile
            raise errors.kernel_error(OPERATION, code, text)
