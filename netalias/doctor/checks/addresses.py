"""Checks of addresses and names that exist twice, or belong to no alias."""

from __future__ import annotations

import os

from netalias.doctor.facts import text_of
from netalias.doctor.finding import ERROR, HINT, WARNING, Finding, finding, fits, netalias, sysctl
from netalias.kinds import PREFIX
from netalias.model import AF_INET, IFF_LOOPBACK, RT_SCOPE_LINK, address_text, prefix
from netalias.model.names import NAME_MAX, AliasName
from netalias.model.shell import quoted
from netalias.observed.orphans import orphans
from netalias.plan.special import LOOPBACK, described

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts
    from netalias.model import Address, Alias


def label_twin(facts: Facts) -> Iterator[Finding]:
    """A foreign label has the name of one of our aliases; the alias gives way."""
    taken = set(facts.observed.by_name)
    for alias in facts.aliases:
        if not alias.ours:
            continue
        for other in facts.observed.by_name[alias.name]:
            if other.ours or other.main is None:
                continue
            address = f"{text_of(other)}/{other.prefixlen}"
            why = f"somebody has given {address} on {other.main.name} the label {alias.name}"
            if facts.ifconfig:
                why += f"; ifconfig {alias.name} shows and changes that"
            yield finding(
                alias,
                WARNING,
                "its name exists twice",
                why,
                _elsewhere(alias, _free(alias.name.main, taken)),
            )


def _elsewhere(alias: Alias, name: AliasName) -> str:
    """The command that makes the alias anew in another slot."""
    words = f"{text_of(alias)}/{alias.prefixlen} kind {alias.kind}"
    return f"{netalias(alias.name, '-')} && {netalias(name, words)}"


def _free(main: str, taken: set[AliasName]) -> AliasName:
    """The first free name, which is added to *taken*."""
    name = next(one for slot in range(1 << 16) if (one := AliasName(main, slot)) not in taken)
    taken.add(name)
    return name


def ifconfig(facts: Facts) -> Iterator[Finding]:
    """ifconfig cuts names at 15 bytes, and so the name of an alias to that of its main device."""
    for alias in facts.aliases:
        device, main = alias.device, alias.name.main
        if device is None or not facts.ifconfig:
            continue
        if len(os.fsencode(main)) == NAME_MAX:
            yield finding(
                alias,
                HINT,
                f"ifconfig {alias.name} ADDRESS replaces the address of {main} itself",
                f"ifconfig cuts names at {NAME_MAX} bytes; ifconfig {device.name} is the alias",
            )


def duplicate(facts: Facts) -> Iterator[Finding]:
    """The address of an alias is also on another device, or twice on its own."""
    seen: set[int] = set()
    places_of: dict[bytes, list[int]] = {}
    for index, entries in facts.observed.snapshot.addresses.items():
        for entry in entries:
            if entry.scope != RT_SCOPE_LINK:
                places_of.setdefault(entry.local, []).append(index)
    for alias in sorted(facts.aliases, key=_index, reverse=True):
        if not alias.ours or alias.entry is None or id(alias) in seen:
            continue
        places = list(places_of[alias.address]) if alias.address in places_of else []
        if alias.carrier is not None and alias.carrier.index in places:
            places.remove(alias.carrier.index)
        if not places:
            continue
        if copies := copies_of(alias, facts):
            yield _twice(alias, copies[0])
            continue
        seen |= {id(one) for one in facts.observed.aliases if one.address == alias.address}
        yield finding(
            alias,
            ERROR,
            f"{text_of(alias)} exists twice",
            f"it is also on {facts.name(places[0])}, and packets go to only one of them",
            netalias(alias.name, "-"),
        )


def copies_of(alias: Alias, facts: Facts) -> list[Address]:
    """The address of an alias once more on its own device, with other lengths."""
    if alias.device is None:
        return []
    entries = facts.observed.snapshot.on(alias.device.index)
    return [one for one in entries if one.local == alias.address and one is not alias.entry]


def _twice(alias: Alias, copy: Address) -> Finding:
    """That somebody, like ``ifup eth0:0``, has added the address of the alias to its device."""
    assert alias.device is not None
    address = f"{text_of(alias)}/{copy.prefixlen}"
    return finding(
        alias,
        ERROR,
        f"its device has {text_of(alias)} twice",
        f"another program, as ifup does, has added {address} to {alias.device.name}",
        f"ip addr del {address} dev {quoted(alias.device.name)}",
    )


def special(facts: Facts) -> Iterator[Finding]:
    """The IPv4 address of an alias is none that a host of its network can have."""
    for alias in facts.aliases:
        main = alias.main
        if alias.family != AF_INET or main is None or main.flags & IFF_LOOPBACK:
            continue
        if alias.kind == PREFIX:
            continue  # the kernel has no broadcast address in it
        entries = facts.observed.snapshot.on(main.index)
        place = described(alias.address, alias.asked, entries)
        if alias.address[0] == LOOPBACK:
            place = "loopback address"
        if place:
            yield finding(
                alias,
                WARNING,
                f"other hosts do not reach {text_of(alias)}",
                f"it is {'a' if place.startswith('loopback') else 'the'} {place}",
                netalias(alias.name, "-"),
            )


def _index(alias: Alias) -> int:
    """The index of the alias device: the later of two aliases has the higher one."""
    return alias.device.index if alias.device is not None else 0


def stray(facts: Facts) -> Iterator[Finding]:
    """An address with our mark has lost its slot, so no alias owns it."""
    taken = set(facts.observed.by_name)
    for (index, local), orphan in orphans(facts.observed).items():
        main = orphan.main
        if main is None or not (facts.everywhere or main in facts.mains):
            continue
        name = _free(main.name, taken)
        address = f"{address_text(orphan.family, local)}/{orphan.prefixlen}"
        kind = " kind label" if fits(name) else ""
        yield Finding(
            WARNING,
            f"{main.name}: {address} belongs to no alias",
            f"its label had a slot until {main.name} was renamed, or somebody changed it",
            " && ".join(
                [
                    *_promoting(facts, orphan, f"ip addr del {address} dev {quoted(main.name)}"),
                    netalias(name, address + kind),
                ]
            ),
            main=main.name,
            device=facts.name(index),
        )


def _promoting(facts: Facts, orphan: Alias, deletion: str) -> list[str]:
    """The *deletion* of an orphan, with the commands around it that keep its secondary addresses.

    The kernel would delete them with it (inet_del_ifa of net/ipv4/devinet.c).
    """
    main, key = orphan.main, "promote_secondaries"
    assert main is not None
    if orphan.entry is None or orphan.entry.secondary or facts.effective(main, key):
        return [deletion]
    for entry in facts.observed.snapshot.on(main.index):
        inside = entry.prefixlen == orphan.prefixlen and prefix.contains(
            orphan.address, orphan.prefixlen, entry.local
        )
        if entry.secondary and inside:
            return [sysctl(main.name, key, 1), deletion, sysctl(main.name, key, 0)]
    return [deletion]
