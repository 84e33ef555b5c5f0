"""The labels that the host is not to choose as sources: those of IPv6 are deprecated, those of IPv4
come behind the own addresses of their main device. Pure."""

from __future__ import annotations

from netalias.model import AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired import Wish
    from netalias.model import Address, Alias, Device
    from netalias.observed import Observed


def give_way(
    wish: Wish, kind: str, entry: Address, main: Device, observed: Observed, alias: Alias | None
) -> bool:
    """Deprecate *entry*, if it is an IPv6 address that is to be; whether *alias*, if it is an IPv4
    label, is to be added again with *entry*, its address."""
    if entry.family != AF_INET6:
        return alias is not None and kind == "label" and _comes_last(wish, entry, alias, observed)
    if _deprecates(wish, kind, entry, main, observed, alias):
        entry.preferred = 0
    return False


def _deprecates(
    wish: Wish, kind: str, entry: Address, main: Device, observed: Observed, alias: Alias | None
) -> bool:
    """Whether the IPv6 address *entry* is to be deprecated: said, or else a label where its main
    device speaks for itself (observed/labels.py). A change of something else leaves what was said;
    what was usual becomes what is usual for *kind* and the new prefix length, as in a file."""
    if wish.deprecated or wish.source == "on":
        return wish.deprecated
    old = alias.entry if alias is not None and not (wish.address or wish.source) else None
    if alias is not None and old is not None and old.deprecated != alias.sheltered:
        return old.deprecated
    return kind == "label" and observed.shelters(main, entry)


def _comes_last(wish: Wish, entry: Address, alias: Alias, observed: Observed) -> bool:
    """Whether the IPv4 label *alias*, which is to have the same address *entry*, comes before own
    addresses of its main device and is to come behind them: the kernel adds an address behind those
    that are there. One with secondaries stays, since one of them would take its place. A change of
    something else leaves it, too."""
    if wish.source == "on" or not (wish.address or wish.source) or alias.entry is None:
        return False
    same = (alias.address, alias.asked) == (entry.local, entry.prefixlen)
    return alias.sheltered and same and observed.heir(alias.entry) is None
