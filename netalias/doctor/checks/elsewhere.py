"""Checks of declared aliases that another program is told to bring up as well."""

from __future__ import annotations

from netalias.doctor.finding import WARNING, Finding, listed
from netalias.doctor.stanzas import KEEPALIVED, STANZAS
from netalias.model import AF_INET, AF_INET6
from netalias.model.shell import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.doctor.facts import Facts
    from netalias.doctor.stanzas import Stanza

ADDS = "it adds them to the main device as well"
WHY = {
    "interfaces": "ifup -a fails where they are there already, and adds them to the main device"
    " where they are not",
    "ifupdown2": "ifreload -a adds them to the main device, and deletes addresses that its file"
    " does not have",
    "proxmox": "ifreload -a adds them to the main device, and deletes addresses that its file does"
    " not have",
    "ifcfg-rh": "ifup adds them to the main device as well, and ifdown takes them away",
    KEEPALIVED: "keepalived adds and removes them by election, and netalias puts them back",
}
"""Format: what its program does with such addresses."""


REMOVES = {
    "ifupdown2": ("ifreload -a", AF_INET6, "IPv6 addresses"),
    "network-scripts": ("ifup", AF_INET, "labels"),
}
"""Program: its command, and the family and the word for what that removes."""


def remover(facts: Facts) -> Iterator[Finding]:
    """Labels of ours that a program removes from the main device, since its file lacks them."""
    for main in facts.mains:
        for name, program in sorted(facts.removers):
            command, family, what = REMOVES[program]
            labels = [
                one
                for one in facts.on(main)
                if one.device is None and one.ours and one.family == family
            ]
            if name != main.name or not labels:
                continue
            yield Finding(
                WARNING,
                f"{main.name}: {command} may remove {listed([str(one.name) for one in labels])}",
                f"{program} configures {main.name} and removes {what} that its file does not have",
                f"netalias move {quoted(main.name)}",
                main=main.name,
                device=main.name,
            )


def stanza(facts: Facts) -> Iterator[Finding]:
    """Declared addresses stand in a file of another program too."""
    for one in by_file(facts.stanzas):
        one.text += " and in a file of netalias"
        yield one


def by_file(stanzas: Iterable[Stanza]) -> Iterator[Finding]:
    """One finding for each file of another program that has some of *stanzas*."""
    groups: dict[tuple[str, str], list[Stanza]] = {}
    for one in stanzas:
        groups.setdefault((one.file, one.format), []).append(one)
    for (file, format), found in groups.items():
        names = list(dict.fromkeys(str(one.name) for one in found))
        yield Finding(
            WARNING,
            f"{file}: {listed(names)} stand{'' if names[1:] else 's'} there",
            f"{WHY.get(format, ADDS)}; take out {_what(found)}",
            main=found[0].name.main,
            aliases=names,
        )


def _what(stanzas: list[Stanza]) -> str:
    """The stanzas and commands to be taken out of one file, and the line where they begin."""
    format, place = stanzas[0].format, stanzas[0].place
    if format == KEEPALIVED:
        return f"the lines of keepalived, the first at {place}, or those of netalias"
    if format not in STANZAS:
        return f"these addresses, the first at {place}"
    parts = []
    for alone, one, many in ((True, "stanza", "stanzas"), (False, "command", "commands")):
        found = [stanza.place for stanza in stanzas if stanza.alone is alone]
        if found[1:]:
            parts.append(f"{len(found)} {many}, the first at {found[0]}")
        elif found:
            parts.append(f"the {one} at {found[0]}")
    return " and ".join(parts)
