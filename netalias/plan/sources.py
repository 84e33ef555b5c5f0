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
    """Deprecate *entry*, if it is an IPv6 address that is to be; whether it is that of an IPv4
    label that is to come behind the own addresses of *main*."""
    if entry.family != AF_INET6:
        return kind == "label" and _comes_last(wish, entry, main, observed, alias)
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


def precedes(alias: Alias, main: Device, observed: Observed) -> bool:
    """Whether the IPv4 label *alias* of *main* comes before an own primary address of it: the
    kernel adds an address behind those that are there, and so it does with the secondary one that
    it promotes (__inet_del_ifa of net/ipv4/devinet.c)."""
    own, entry = observed.own(main), alias.entry
    if entry is None or own.first is None or not alias.sheltered:
        return False
    if own.heirs:
        entries = observed.snapshot.on(main.index)
        if entries.index(entry) > entries.index(own.first):
            return False
    return True


def _comes_last(
    wish: Wish, entry: Address, main: Device, observed: Observed, alias: Alias | None
) -> bool:
    """Whether the IPv4 label of *wish*, which is to have *entry*, comes before own addresses of its
    main device, or will by what is planned. A change of something else leaves *alias* there."""
    if wish.source == "on" or not (wish.address or wish.source or not alias):
        return False
    label = alias if alias is not None and alias.device is None else None
    present = label.entry if label is not None else None
    if any(_is_promoted(one, present, observed) for one in observed.own(main).heirs):
        return True
    return label is not None and label.address == entry.local and precedes(label, main, observed)


def _is_promoted(own: Address, present: Address | None, observed: Observed) -> bool:
    """Whether an own address that is secondary to a label becomes primary by what is planned: the
    label leaves the network, as *present* does."""
    from netalias.observed.heirs import network_of

    if present is not None and not present.secondary and network_of(present) == network_of(own):
        return True
    return observed.deserted(own)
