"""Targets: the interfaces that are brought up at boot, in the order of ifup(8). Pure.

``ifup -a`` brings up what is auto, and networking.service then the class hotplug. The other classes
of allow- are for whoever asks for them, and come last.
"""

from __future__ import annotations

from netalias.importers.ifupdown.syntax import AUTO, selected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from netalias.importers.ifupdown.syntax import Stanza

LOOPBACK = "lo"
"""It is auto without being said."""


class Target:
    """An interface and the name of its definitions; ``place``, which may be empty, says so.

    ``below`` is what must be up before, or empty.
    """

    __slots__ = ("below", "defined", "name", "place")

    def __init__(self, name: str, defined: str, place: str, below: str) -> None:
        self.name = name
        self.defined = defined
        self.place = place
        self.below = below


class Targets:
    """The targets, each interface once. There may be more of them while they are iterated."""

    __slots__ = ("_defined", "_found", "_named")

    def __init__(self, stanzas: Iterable[Stanza], defined: Collection[str]) -> None:
        self._defined = defined
        self._found: list[Target] = []
        self._named: dict[str, Target] = {}
        self._add(LOOPBACK, LOOPBACK, "")
        listing = [stanza for stanza in stanzas if selected(stanza.word)]
        for stanza in listing:
            if selected(stanza.word) == AUTO:
                self.bring_up(stanza.words, stanza.place)
        for stanza in listing:
            if selected(stanza.word) != AUTO:
                for word in stanza.words:
                    # Of a class, ifup does not ask for what is below a VLAN.
                    self._add(*_split(word), stanza.place).below = ""

    def bring_up(self, words: Iterable[str], place: str) -> None:
        """Add interfaces, each ``NAME`` or ``NAME=DEFINED``, but no patterns, which mean devices
        that exist. What is below a VLAN that is defined comes before it."""
        for word in words:
            name, defined = _split(word)
            below, dot, _ = name.partition(".")
            if dot and defined in self._defined:
                self._add(below, below, place)
                self._add(name, defined, place, below)
            else:
                self._add(name, defined, place)

    def _add(self, name: str, defined: str, place: str, below: str = "") -> Target:
        """The target of that name, which is added where there is none."""
        if name not in self._named:
            self._named[name] = Target(name, defined, place, below)
            if "/" not in name:
                self._found.append(self._named[name])
        return self._named[name]

    def __iter__(self) -> Iterator[Target]:
        return iter(self._found)


def _split(word: str) -> tuple[str, str]:
    name, _, defined = word.partition("=")
    return name, defined or name
