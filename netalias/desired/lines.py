"""The lines of a text and their words."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.errors import UsageError

COMMENT = "#"
DEFAULTS = "defaults"
PIECE = 1 << 16
"""Characters that are split into lines at once."""


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """Number, from 1 on, and text of each line that has a word.

    A few at a time, so that a text of nothing but newlines takes neither time nor memory.
    """
    for number, lines in pieces(text):
        for offset, line in enumerate(lines):
            if line and not line.isspace():
                yield number + offset, line


def pieces(text: str) -> Iterator[tuple[int, list[str]]]:
    """Some lines at a time, with the number of the first one, from 1 on; not those that are blank
    for long."""
    begin, number = 0, 1
    while begin < len(text):
        end = text.find("\n", begin + PIECE) + 1 or len(text)
        piece = text[begin:end]
        begin = end
        if piece.isspace():
            number += piece.count("\n")
            continue
        lines = piece.split("\n")
        yield number, lines
        number += len(lines) - 1


def words_of(line: str) -> list[str]:
    """The words of a line, without its comment."""
    words = line.split()
    for index, word in enumerate(words):
        if word.startswith(COMMENT):
            return words[:index]
    return words


def column(line: str, index: int) -> int:
    """The column at which the word with this index begins, counted from 1."""
    column = 0
    for word in line.split()[: index + 1]:
        begin = line.index(word, column)
        column = begin + len(word)
    return begin + 1


def at_word(index: int, error: UsageError) -> UsageError:
    """*error* with the index of its word."""
    error.word = index
    return error
