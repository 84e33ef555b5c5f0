"""Hints at the command that somebody may have meant."""

from __future__ import annotations

from netalias import errors
from netalias.model.names import printable, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from netalias.observed import Observed

    Options = Any
    """The Options of netalias.cli, which imports this module."""


def no_address(word: str, observed: Observed) -> errors.BadAddress:
    """The error for a word that is no address of a type that is told by its form."""
    named = observed.snapshot.device(word) or split(word) in observed.by_name
    hint = f"netalias show {word}" if named else ""
    return errors.BadAddress(f"{word}: neither an IPv4 nor an IPv6 address", hint)


def of_device(word: str, options: Options) -> str:
    """The advice on a primary name, eth0_0, in place of eth0:0; empty if *word* is none."""
    try:
        with options.engine() as engine:
            aliases = engine.observe().aliases
    except errors.NetaliasError:
        return ""
    names = [one.name for one in aliases if one.device is not None and one.device.name == word]
    return printable(f"{word} is the device of {names[0]}: say {names[0]}") if names else ""


def declared(error: errors.NetaliasError, words: list[str]) -> None:
    """Say in the hint of an *error* of the command *words* that the files declare its alias, which
    is missing."""
    name, deleted = words[0].removesuffix("-"), words[0].endswith("-")
    place = _place(name)
    if place:
        how = "--save takes it out" if deleted else "netalias reconcile makes it"
        error.hint = f"{place} declares it: {how}"


def _place(text: str) -> str:
    """``FILE:LINE`` of the declaration of an alias; empty without one, and where the files cannot
    be read."""
    from netalias import sources
    from netalias.desired import declarations
    from netalias.disclosure import withheld
    from netalias.families import lazy

    name = split(text)
    try:
        texts = sources.decode(sources.read(()))
    except (errors.NetaliasError, OSError):
        return ""
    for block in declarations.parse(texts, lazy(), withheld).blocks:
        if name is not None and name.main == block.wish.name.main and name.slot in block.slots:
            return block.place
    return ""
