"""Addresses and names that are there twice, or belong to nobody."""

from __future__ import annotations

import os
from shlex import quote

from netalias.doctor.finding import ERROR, HINT, WARNING, Finding
from netalias.doctor.reading import text_of
from netalias.doctor.states import finding, fits
from netalias.model import RT_SCOPE_LINK, address_text
from netalias.names import NAME_MAX, AliasName
from netalias.strays import strays as found_strays

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.reading import Reading
    from netalias.model import Alias


def labels(reading: Reading) -> Iterator[Finding]:
    """A label of others has the name of an alias of ours."""
    for alias in reading.aliases:
        if not alias.ours:
            continue
        for twin in reading.world.by_name[alias.name]:
            if twin.ours or twin.main is None:
                continue
            address = f"{text_of(twin)}/{twin.prefixlen}"
            why = f"somebody has given {address} on {twin.main.name} the label {alias.name}"
            if reading.ifconfig:
                why += f"; ifconfig {alias.name} shows and changes that"
            yield finding(
                alias,
                WARNING,
                "its name is there twice",
                why,
                f"ip addr del {address} dev {quote(twin.main.name)}",
            )


def colon(reading: Reading) -> Iterator[Finding]:
    """ifconfig cuts names at 15 bytes: of the name of an alias the main device is left."""
    for alias in reading.aliases:
        device, main = alias.device, alias.name.main
        if device is None or not reading.ifconfig:
            continue
        if len(os.fsencode(main)) == NAME_MAX:
            yield finding(
                alias,
                HINT,
                f"ifconfig {alias.name} ADDRESS replaces the address of {main} itself",
                f"ifconfig cuts names at {NAME_MAX} bytes; ifconfig {device.name} is the alias",
            )


def duplicates(reading: Reading) -> Iterator[Finding]:
    """The address of an alias stands on another device, or twice on one."""
    seen: set[int] = set()
    standing: dict[bytes, list[int]] = {}
    for index, entries in reading.world.snapshot.addresses.items():
        for entry in entries:
            if entry.scope != RT_SCOPE_LINK:
                standing.setdefault(entry.local, []).append(index)
    for alias in sorted(reading.aliases, key=_index, reverse=True):
        if not alias.ours or alias.entry is None or id(alias) in seen:
            continue
        places = list(standing[alias.address]) if alias.address in standing else []
        if alias.carrier is not None and alias.carrier.index in places:
            places.remove(alias.carrier.index)
        if not places:
            continue
        seen |= {id(one) for one in reading.world.aliases if one.address == alias.address}
        yield finding(
            alias,
            ERROR,
            f"{text_of(alias)} is there twice",
            f"it stands on {reading.name(places[0])} too, and packets go to one of them",
            f"netalias {quote(f'{alias.name}-')}",
        )


def _index(alias: Alias) -> int:
    """Of two aliases the later one has the higher number."""
    return alias.device.index if alias.device is not None else 0


def strays(reading: Reading) -> Iterator[Finding]:
    """An address with our mark has lost its slot."""
    taken = set(reading.world.by_name)
    for (index, local), stray in found_strays(reading.world).items():
        main = stray.main
        if main is None or main not in reading.mains:
            continue
        name = next(
            one for slot in range(1 << 16) if (one := AliasName(main.name, slot)) not in taken
        )
        taken.add(name)
        address = f"{address_text(stray.family, local)}/{stray.prefixlen}"
        kind = " kind label" if fits(name) else ""
        yield Finding(
            WARNING,
            f"{main.name}: {address} belongs to no alias",
            f"its label had a slot until {main.name} was renamed, or somebody changed it",
            f"ip addr del {address} dev {quote(main.name)}"
            f" && netalias {quote(str(name))} {address}{kind}",
            main=main.name,
            device=reading.name(index),
        )
