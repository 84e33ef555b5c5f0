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
    """An interface and the name of its definitions; ``place``, which may be empty, says so."""

    __slots__ = ("defined", "name", "place")

    def __init__(self, name: str, defined: str, place: str) -> None:
        self.name = name
        self.defined = defined
        self.place = place


class Targets:
    """The targets, each interface once. There may be more of them while they are iterated."""

    __slots__ = ("_defined", "_found", "_seen")

    def __init__(self, stanzas: Iterable[Stanza], defined: Collection[str]) -> None:
        self._defined = defined
        self._found: list[Target] = []
        self._seen: set[str] = set()
        self._add(LOOPBACK, LOOPBACK, "")
        listing = [stanza for stanza in stanzas if selected(stanza.word)]
        for stanza in listing:
            if selected(stanza.word) == AUTO:
                self.bring_up(stanza.words, stanza.place)
        for stanza in listing:
            # Of a class, ifup does not bring up what is below a VLAN.
            for word in stanza.words:
                self._add(*_split(word), stanza.place)

    def bring_up(self, words: Iterable[str], place: str) -> None:
        """Add interfaces, each ``NAME`` or ``NAME=DEFINED``. What is below a VLAN that is defined
        comes before it."""
        for word in words:
            name, defined = _split(word)
            below, dot, _ = name.partition(".")
            if dot and defined in self._defined:
                self._add(below, below, place)
            self._add(name, defined, place)

    def _add(self, name: str, defined: str, place: str) -> None:
        """Add one that is not there yet, and no pattern, which means devices that exist."""
        if name not in self._seen and "/" not in name:
            self._seen.add(name)
            self._found.append(Target(name, defined, place))

    def __iter__(self) -> Iterator[Target]:
        return iter(self._found)


def _split(word: str) -> tuple[str, str]:
    name, _, defined = word.partition("=")
    return name, defined or name
