"""The help, for a terminal of 80 columns."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 80


def wrapped(text: str, width: int = WIDTH) -> str:
    """*text* with no line over *width*, but for single words.

    A paragraph is lines of one indentation; an entry is a term, two blanks or more, and its
    description, which goes on in the same column. Those that fit stay as they are.
    """
    return "".join(f"{line}\n" for line in _lines(text.split("\n")[:-1], width))


def _lines(lines: list[str], width: int) -> Iterator[str]:
    at = 0
    while at < len(lines):
        indent, column = _shape(lines[at])
        end = at + 1
        while end < len(lines) and lines[end].strip() and _continues(lines[end], indent, column):
            end += 1
        block = lines[at:end] if lines[at] else [""]
        at += len(block)
        if max(map(len, block)) <= width:
            yield from block
            continue
        begin = column or indent
        words = " ".join([block[0][begin:], *block[1:]]).split()
        yield from _filled(block[0][:begin], words, begin, width)


def _shape(line: str) -> tuple[int, int]:
    """The indentation of a line, and the column of its description, 0 without one."""
    indent = len(line) - len(line.lstrip())
    gap = line.rfind("  ", indent)
    return indent, gap + 2 if gap >= 0 else 0


def _continues(line: str, indent: int, column: int) -> bool:
    """Whether *line* goes on with what begins in these columns."""
    return _shape(line) == (column or indent, 0)


def _filled(begin: str, words: list[str], indent: int, width: int) -> Iterator[str]:
    line = begin
    for word in words:
        if line.strip() and len(line) + (line != begin) + len(word) > width and line != begin:
            yield line
            line = " " * indent
            begin = line
        line += word if line == begin else f" {word}"
    yield line
