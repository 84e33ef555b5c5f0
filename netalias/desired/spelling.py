"""Lines of declarations: taken apart, and spelled again for other slots, addresses or words. Pure.

What does not change keeps its columns and its comment.
"""

from __future__ import annotations

from netalias.desired import arguments
from netalias.desired.declarations import EACH, address_at
from netalias.desired.lines import column, words_of
from netalias.families import BUILTIN_WORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from netalias.families import AliasType

    Item = tuple[str, ...]
    """A word of the grammar and its arguments."""


class Entry:
    """One alias of a line; ``length`` is the text behind the slash, or empty, and ``items`` are
    all words but name and address."""

    __slots__ = ("address", "items", "length", "slot", "type")

    def __init__(
        self, slot: int, alias_type: AliasType, address: bytes, length: str, items: Iterable[Item]
    ) -> None:
        self.slot = slot
        self.type = alias_type
        self.address = address
        self.length = length
        self.items = tuple(items)

    @property
    def alone(self) -> bool:
        """Whether it cannot share a line: a MAC belongs to one alias, and only IPv4 and IPv6 have
        ranges."""
        given = any(item[0] == "hw" and item[-1] != "random" for item in self.items)
        return given or self.type.name not in BUILTIN_WORDS


class Line:
    """A line that declares aliases, and the places of its words.

    ``at`` is the index of the address in ``words``, ``first`` that of the word for its type, which
    is the same where there is none; ``length`` is the text behind the slash of the address, empty
    for a network (``each``), whose aliases are hosts.
    """

    def __init__(self, text: str) -> None:
        self.text = text.rstrip()
        self.words = words_of(self.text)
        self.at, kind = address_at(self.words)
        typed = self.at > 1 and self.words[self.at - 1] == kind
        self.first = self.at - typed
        self._each = self.words[self.at + 1 : self.at + 2] == [EACH] if self.at else False
        word = self.words[self.at] if self.at else ""
        self._counting = word.endswith("+")
        self.length = "" if self._each else word.rstrip("+").partition("/")[2]

    @property
    def items(self) -> list[Item]:
        """All words but name and address."""
        if not self.at:
            return items(self.words[1:])
        return items(self.words[1 : self.first] + self.words[self.at + 1 + self._each :])

    def same(self, main: str, entries: Sequence[Entry]) -> str:
        """The line for some of its aliases, in a row: with other slots and addresses only."""
        text = self.text
        if self._each:
            text = _put(text, self.at + 1, "")
        text = _put(text, self.at, addresses(entries, counting=self._counting))
        return _put(text, 0, name(main, entries))

    def other(self, main: str, entries: Sequence[Entry]) -> str:
        """A line for these aliases in the columns of this one, with its comment."""
        text = self.like(main, entries)
        if len(self.text.split()) == len(self.words):
            return text
        begin = column(self.text, len(self.words)) - 1
        return f"{text:{begin - 1}} {self.text[begin:]}"

    def like(self, main: str, entries: Sequence[Entry]) -> str:
        """A line for these aliases in the columns of this one."""
        begin = column(self.text, 0) - 1
        widths = [0, 0]
        if self.at == 1:
            widths = [self._width(0), self._width(1)]
        return self.text[:begin] + spelled(main, entries, *widths)

    def _width(self, index: int) -> int:
        """The characters from one word to the next, without the blank between; 0 for the last."""
        if index + 1 >= len(self.words):
            return 0
        return column(self.text, index + 1) - column(self.text, index) - 1


def items(words: Sequence[str]) -> list[Item]:
    """The words of the grammar, each with its arguments."""
    found = []
    index = 0
    while index < len(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        end = index + 1 + arguments(words[index], following)
        found.append(tuple(words[index:end]))
        index = end
    return found


def spelled(main: str, entries: Sequence[Entry], first: int = 0, second: int = 0) -> str:
    """A line for aliases that differ in slot and address only; *first* and *second* are widths of
    name and address."""
    address = addresses(entries)
    alias_type = entries[0].type
    if alias_type.name not in BUILTIN_WORDS:
        address = f"{alias_type.name} {address}"
    words = " ".join(word for item in entries[0].items for word in item)
    return f"{name(main, entries):{first}} {address:{second}} {words}".rstrip()


def name(main: str, entries: Sequence[Entry]) -> str:
    """``eth0:4`` or ``eth0:4-7``."""
    low, high = entries[0].slot, entries[-1].slot
    return f"{main}:{low}" if low == high else f"{main}:{low}-{high}"


def addresses(entries: Sequence[Entry], *, counting: bool = False) -> str:
    """The word for the addresses of aliases, of one type and length. *counting*: with ``+`` where
    they count up."""
    alias_type, length = entries[0].type, entries[0].length
    slash = f"/{length}" if length else ""
    runs = list(_runs([entry.address for entry in entries]))
    if counting and len(runs) == 1:
        return f"{alias_type.format(runs[0][0])}{slash}+"
    return ",".join(_range(alias_type, *run) for run in runs) + slash


def _runs(packed: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The first and last of each row of addresses that count up."""
    first = last = packed[0]
    for address in packed[1:]:
        if int.from_bytes(address, "big") != int.from_bytes(last, "big") + 1:
            yield first, last
            first = address
        last = address
    yield first, last


def _range(alias_type: AliasType, first: bytes, last: bytes) -> str:
    """``10.0.0.1``, ``10.0.0.1-9``, or first and last."""
    text = alias_type.format(first)
    if first == last:
        return text
    if len(first) == 4 and first[:3] == last[:3]:
        return f"{text}-{last[3]}"
    return f"{text}-{alias_type.format(last)}"


def _put(line: str, index: int, new: str) -> str:
    """The line with *new* in place of a word; what follows keeps its column where it can."""
    begin = column(line, index) - 1
    old = line[begin:].split(None, 1)[0]
    rest = line[begin + len(old) :]
    following = rest.lstrip()
    if not following:
        return (line[:begin] + new).rstrip()
    blanks = rest[: -len(following)]
    if not new:
        return line[:begin] + following
    if "\t" not in blanks:
        blanks = " " * max(len(blanks) + len(old) - len(new), 1)
    return f"{line[:begin]}{new}{blanks}{following}"
