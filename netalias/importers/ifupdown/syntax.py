"""The syntax of interfaces(5): logical lines, stanzas and their options. Pure.

The model is config.c of ifupdown 0.8::

    auto eth0:0                        Stanza("auto", ["eth0:0"])
    iface eth0:0 inet static           Stanza("iface", ["eth0:0", "inet", "static"])
        address 200.1.1.1/24             its Option("address", "200.1.1.1/24")
        no-scripts                     Stanza("no-scripts", ["eth0:0"]); the one above goes on
"""

from __future__ import annotations

from netalias.model import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BLANK = " \t\v\f\r"
"""White space of isspace(3) in the C locale, without the newline."""

IFACE = "iface"
AUTO = "auto"
ALLOW = "allow-"
MAPPING = "mapping"
SOURCE = "source"
SOURCE_DIRECTORY = "source-dir"
"""ifup takes every word with this beginning for source-directory."""
OF_STANZA = ("no-auto-down", "no-scripts")
"""Keywords that list interfaces, and mean nothing to an importer."""
RENAME = "rename"
OPEN = (IFACE, MAPPING)
"""Keywords whose stanzas have options."""


class Option:
    """One line of a stanza; ``value`` is the rest of it, and ``place`` is ``file:line``."""

    __slots__ = ("place", "value", "word")

    def __init__(self, word: str, value: str, place: str) -> None:
        self.word = word
        self.value = value
        self.place = place


class Stanza:
    """A stanza: a keyword, the words after it, and its options. ``place`` is ``file:line``."""

    __slots__ = ("options", "place", "word", "words")

    def __init__(self, word: str, words: list[str], place: str) -> None:
        self.word = word
        self.words = words
        self.place = place
        self.options: list[Option] = []


def parse(text: str, name: str) -> list[Stanza]:
    """The stanzas of the file *name*. Never raises.

    A misplaced option is a stanza of its own.
    """
    stanzas: list[Stanza] = []
    current: Stanza | None = None
    for number, line in _logical_lines(text):
        place = f"{names.printable(name)}:{number}"
        word, *words = line.split()
        if not is_keyword(word) and current is not None:
            current.options.append(Option(word, line[len(word) :].strip(), place))
        elif not words and lists(word) and current is not None and current.word == IFACE:
            stanzas.append(Stanza(word, current.words[:1], place))  # it means this interface
        else:
            stanzas.append(Stanza(word, words, place))
            current = stanzas[-1] if word in OPEN else None
    return stanzas


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and stripped text of each logical line, without comments and blank lines.

    A backslash at the end of a line joins the next one, even if that looks like a comment.
    """
    physical = iter(enumerate(text.split("\n"), 1))
    for number, line in physical:
        line = line.lstrip(BLANK)
        if line.startswith("#"):
            continue
        if line.endswith("\\"):
            line = _joined(line, physical)
        if line.split():
            yield number, line.strip()


def _joined(line: str, physical: Iterator[tuple[int, str]]) -> str:
    """A line that ends in a backslash with those that it joins."""
    parts = []
    while line.endswith("\\"):
        parts.append(line[:-1])
        line = next(physical, (0, ""))[1]
    return "".join([*parts, line])


def is_keyword(word: str) -> bool:
    """Whether *word* begins a stanza."""
    return word in (*OPEN, SOURCE, RENAME) or word.startswith(SOURCE_DIRECTORY) or lists(word)


def lists(word: str) -> bool:
    """Whether this keyword lists interfaces."""
    return word in OF_STANZA or bool(selected(word))


def selected(word: str) -> str:
    """The class of interfaces that this keyword selects to be brought up; empty for others."""
    if word == AUTO:
        return AUTO
    return word[len(ALLOW) :] if word.startswith(ALLOW) else ""
