"""The check of source addresses: whether a main device is spoken for by one of its aliases."""

from __future__ import annotations

from netalias.doctor.facts import network_text, text_of
from netalias.doctor.finding import WARNING, Finding, finding, netalias
from netalias.model import AF_INET, AF_INET6, address_text, prefix
from netalias.observed.labels import Own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.doctor.facts import Facts
    from netalias.model import Address, Alias, Device


def source_address(facts: Facts) -> Iterator[Finding]:
    """The host sends from an alias where its main device has an address of its own."""
    for main in facts.mains:
        for family in (AF_INET, AF_INET6):
            own = facts.own_addresses(main, family)
            speakers: dict[bytes, tuple[Alias, list[str]]] = {}
            for one in own:
                for where, destination in facts.destinations(one):
                    alias = _speaker(facts, main, one, destination)
                    if alias is not None:
                        speakers.setdefault(alias.address, (alias, []))[1].append(where)
            for alias, places in speakers.values():
                yield _finding(alias, own, list(dict.fromkeys(places)))


def _speaker(facts: Facts, main: Device, own: Address, destination: bytes) -> Alias | None:
    """The alias on *main* that the host sends from to a *destination*; None where it may: in a
    network that only the alias has, as it is declared, or to hosts that *own* is not for."""
    way = facts.ways.get(destination)
    source = way.source if way is not None else b""
    for alias in facts.on(main):
        if not source or not alias.ours or alias.entry is None or alias.address != source:
            continue
        wish = facts.wishes.get(alias.name)
        if wish is not None and wish.source == "on":
            return None
        if prefix.contains(own.local, own.prefixlen, destination):
            return alias
        if alias.family == AF_INET6 and not Own([own]).speaks_for(alias.address):
            return None
        return None if prefix.contains(alias.address, alias.asked, destination) else alias
    return None


def _finding(alias: Alias, own: Sequence[Address], places: list[str]) -> Finding:
    """The finding that the host sends to *places* from an alias, not from one of its *own*
    addresses: that in the network of the alias, else the first."""
    entry = alias.entry
    assert entry is not None
    text = f"{text_of(alias)}/{alias.asked}"
    if entry.networked and any(
        one.prefixlen <= entry.prefixlen and prefix.contains(one.local, one.prefixlen, entry.local)
        for one in own
    ):
        first = network_text(
            alias.family, prefix.network(alias.address, alias.prefixlen), alias.prefixlen
        )
        why, command = f"it had {first} before the main device", netalias(alias.name, text)
    elif alias.family == AF_INET6:
        why, command = "it is not deprecated", netalias(alias.name, "deprecated")
    else:
        why, command = "it comes before that in the list of addresses", netalias(alias.name, text)
    beside = (one for one in own if prefix.contains(one.local, one.prefixlen, alias.address))
    other = next(beside, own[0])
    return finding(
        alias,
        WARNING,
        f"the host sends to {' and '.join(places)} from {text_of(alias)},"
        f" not from {address_text(other.family, other.local)}",
        why,
        command,
    )
