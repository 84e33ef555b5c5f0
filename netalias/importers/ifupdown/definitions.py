"""Definitions: ``iface`` stanzas with what they inherit, and the faults for which ifup refuses a
file. Pure.

The model is config.c of ifupdown 0.8: the options of a template come first, an option that is said
again is appended to the first in a line of its own, and one fault makes the whole file void.
"""

from __future__ import annotations

from netalias import errors
from netalias.importers.ifupdown.syntax import IFACE, MAPPING, Option, is_keyword

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.importers.ifupdown.syntax import Stanza

    Note = Callable[[str, str], None]
    """Takes ``file:line`` and a text."""

METHODS = {
    "inet": "loopback static manual dhcp bootp tunnel ppp wvdial ipv4ll",
    "inet6": "auto loopback static manual dhcp tunnel v4tunnel 6to4",
    "ipx": "static dynamic",
    "can": "static",
    "meta": "none",
}
"""Methods of each address family on Linux."""
COMMANDS = ("pre-up", "up", "post-up", "down", "pre-down", "post-down")
"""Options whose values are run; each may be said many times."""
EARLY = COMMANDS[:1]
"""Those that are run before the address is set."""
RAISING = COMMANDS[:3]
"""Those of ifup; the others are of ifdown."""
MAP = ("script", "map")
"""Options of a mapping."""
INHERITS = "inherits"
INHERITED = 1_000_000
"""Options that all definitions may inherit: each one of a chain has those of all before it."""
REFUSED = "ifup refuses the file"


class Definition:
    """An interface as its stanza and its templates define it. ``place`` is ``file:line``."""

    __slots__ = ("family", "method", "name", "options", "place")

    def __init__(self, name: str, family: str, method: str, place: str) -> None:
        self.name = name
        self.family = family
        self.method = method
        self.place = place
        self.options: list[Option] = []

    @property
    def values(self) -> dict[str, str]:
        """The value of each option that is no command; lines of one that is said again."""
        found: dict[str, list[str]] = {}
        for option in self.options:
            if option.word not in COMMANDS:
                found.setdefault(option.word, []).append(option.value)
        return {word: "\n".join(lines) for word, lines in found.items()}


def define(stanzas: Iterable[Stanza], note: Note) -> tuple[list[Definition], set[str]]:
    """The definitions in order, and the names of those that are templates of others.

    Faults, and mappings, are noted.
    """
    found: list[Definition] = []
    templates: set[str] = set()
    known = _Known()
    for stanza in stanzas:
        if stanza.word == IFACE:
            try:
                found.append(_define(stanza, known, templates))
                known.add(found[-1])
            except errors.UsageError as error:
                note(stanza.place, f"{error}: {REFUSED}")
            wrong = [option for option in stanza.options if not option.value]
            _refuse(wrong, "it needs a value", note)
        elif stanza.word == MAPPING:
            what = " ".join([MAPPING, *stanza.words])
            note(stanza.place, f"{what}: logical interfaces are not carried over")
            wrong = [option for option in stanza.options if option.word not in MAP]
            _refuse(wrong, "not an option of a mapping", note)
        elif not is_keyword(stanza.word):
            note(stanza.place, f"{stanza.word}: an option outside of a stanza: {REFUSED}")
    return found, templates


class _Known:
    """The first definition of each name, also by its family, and the options that may still be
    inherited."""

    __slots__ = ("first", "left")

    def __init__(self) -> None:
        self.first: dict[tuple[str, str], Definition] = {}
        self.left = INHERITED

    def add(self, one: Definition) -> None:
        for family in ("", one.family):
            self.first.setdefault((one.name, family), one)


def _define(stanza: Stanza, known: _Known, templates: set[str]) -> Definition:
    """The definition of ``iface NAME [FAMILY [METHOD]] [inherits TEMPLATE]``. Raises UsageError.

    Other words after the method are ignored, as ifup does with a warning.
    """
    if not stanza.words:
        raise errors.UsageError(f"{IFACE}: a name, an address family and a method are needed")
    name, *words = stanza.words
    head: list[str] = []
    while words and len(head) < 2 and words[0] != INHERITS:
        head.append(words.pop(0))
    family, method = (*head, "", "")[:2]
    if family and family not in METHODS:
        raise errors.UsageError(f"{name}: unknown address family {family}")
    if method and method not in METHODS[family].split():
        raise errors.UsageError(f"{name}: unknown method {method} of {family}")
    found = Definition(name, family, method, stanza.place)
    if words and words[0] == INHERITS:
        _inherit(found, words[1] if len(words) > 1 else "", known)
        templates.add(words[1])
    elif not method:
        raise errors.UsageError(f"{name}: an address family and a method are needed")
    found.options += [option for option in stanza.options if option.value]
    return found


def _inherit(new: Definition, template: str, known: _Known) -> None:
    """Fill *new* from the first definition of that name and family. Raises UsageError."""
    one = known.first.get((template, new.family))
    if one is None:
        what = f"there is no {template} before it to inherit from" if template else "of what?"
        raise errors.UsageError(f"{new.name}: {INHERITS}: {what}")
    known.left -= len(one.options)
    if known.left < 0:
        raise errors.UsageError(f"{new.name}: {INHERITS}: more than {INHERITED} options in all")
    new.family = one.family
    new.method = new.method or one.method
    new.options += one.options


def _refuse(options: Iterable[Option], why: str, note: Note) -> None:
    for option in options:
        note(option.place, f"{option.word}: {why}: {REFUSED}")
