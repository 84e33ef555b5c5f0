"""Changes of words in the text of a file, which keep all else of it: blanks, comments, order. Pure.

::

    eth0:1-9   10.0.0.1-9/32   kind label   # shop     ->  kind macvlan in place of kind label
    eth0:10    10.0.1.1                     # shop     ->  kind macvlan behind the last word
    defaults   kind label mtu 1400                     ->  changed where all lines below agree
"""

from __future__ import annotations

from netalias import desired
from netalias.desired.lines import DEFAULTS, words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KIND = "kind"


def spans(line: str) -> list[tuple[int, int]]:
    """Begin and end of each word of a line, without its comment."""
    found = []
    end = 0
    for word in words_of(line):
        begin = line.index(word, end)
        end = begin + len(word)
        found.append((begin, end))
    return found


def argument(line: str, word: str) -> int:
    """The index of the word after *word*, where that is no argument itself; 0 without it."""
    words = words_of(line)
    index = 1
    while index < len(words):
        if words[index] == word:
            return index + 1
        following = "".join(words[index + 1 : index + 2])
        known = words[index] in desired.WORDS
        index += 1 + (desired.arguments(words[index], following) if known else 0)
    return 0


def replaced(line: str, index: int, text: str) -> str:
    """*line* with *text* in place of the word with this index."""
    begin, end = spans(line)[index]
    return f"{line[:begin]}{text}{line[end:]}"


def appended(line: str, text: str) -> str:
    """*line* with *text* behind its last word. Of the blanks before a comment as many go as
    *text* needs, so that the comment stays in its column where that can be."""
    _, end = spans(line)[-1]
    rest = line[end:]
    comment = rest.lstrip(" ")
    spare = len(rest) - len(comment) if comment.startswith("#") else 0
    taken = min(len(text) + 1, max(spare - 1, 0))
    return f"{line[:end]} {text}{rest[taken:]}"


def with_kind(line: str, kind: str) -> str:
    """*line* with this kind in place of its own, or behind its last word."""
    index = argument(line, KIND)
    return replaced(line, index, kind) if index else appended(line, f"{KIND} {kind}")


def with_kinds(text: str, kinds: Mapping[int, str]) -> str:
    """The text of a file with new *kinds* in lines that declare aliases, by their number from 1 on.

    Where such lines have their kind from a line of defaults, that one is changed if all lines that
    have it from there get the same new one.
    """
    lines = text.split("\n")
    inheriting: dict[int, list[int]] = {}
    for number, defaults in _aliases(lines):
        if argument(lines[number - 1], KIND):
            defaults = 0
        if defaults:
            inheriting.setdefault(defaults, []).append(number)
        elif number in kinds:
            lines[number - 1] = with_kind(lines[number - 1], kinds[number])
    for defaults, numbers in inheriting.items():
        wanted = {kinds.get(number) for number in numbers}
        common = wanted.pop() if len(wanted) == 1 else None
        for number in (defaults,) if common else numbers:
            kind = common or kinds.get(number)
            if kind:
                lines[number - 1] = with_kind(lines[number - 1], kind)
    return "\n".join(lines)


def _aliases(lines: list[str]) -> Iterator[tuple[int, int]]:
    """The number of each line that declares aliases, and that of the line of defaults with a kind
    that holds for it, or 0."""
    defaults = 0
    for number, line in enumerate(lines, 1):
        words = words_of(line)
        if not words:
            continue
        if words[0] == DEFAULTS:
            defaults = number if argument(line, KIND) else 0
        else:
            yield number, defaults
