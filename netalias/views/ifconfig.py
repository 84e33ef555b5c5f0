"""The output of ifconfig(8) with alias devices under the names of their aliases. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netalias.model.names import AliasName

COLUMN = 16
"""Width of the column of names in the table of ``ifconfig -s``."""


def blocks(text: str, known: Mapping[str, AliasName]) -> str:
    """The output of ``ifconfig -a``: blocks that begin with a name, an empty line after each.

    *known* maps primary names to aliases. An alias stands behind its main device and its labels.
    """
    return "".join(_arranged([f"{one}\n\n" for one in text.split("\n\n") if one], known, _heading))


def table(text: str, known: Mapping[str, AliasName]) -> str:
    """The output of ``ifconfig -s``: a heading, and a line for each name."""
    heading, *lines = text.splitlines(keepends=True) or [""]
    return heading + "".join(_arranged(lines, known, _column))


def _arranged(
    parts: Sequence[str],
    known: Mapping[str, AliasName],
    renamed: Callable[[str, str, str], str],
) -> list[str]:
    """The parts with other names, each alias behind its main device."""
    behind: dict[str, list[tuple[int, str]]] = {}
    places: dict[str, list[str]] = {}
    for part in parts:
        name = _name(part)
        alias = known.get(name)
        if alias is None:
            places.setdefault(name.partition(":")[0], []).append(part)
        else:
            row = alias.slot, renamed(part, name, str(alias))
            behind.setdefault(alias.main, []).append(row)
    found = []
    for main, own in places.items():
        found += [*own, *(part for _, part in sorted(behind.pop(main, ())))]
    # The main device may not be shown: it is down, or another name was asked for.
    return found + [part for rows in behind.values() for _, part in sorted(rows)]


def _name(part: str) -> str:
    """The name that a block, ``eth0:1: flags=...``, or a line of the table begins with."""
    return part.split(None, 1)[0].removesuffix(":")


def _heading(part: str, old: str, new: str) -> str:
    return new + part[len(old) :]


def _column(part: str, old: str, new: str) -> str:
    rest = part[len(old) :].lstrip(" ")
    width = len(part) - len(rest)
    return f"{new:<{width - 1}} {rest}"
