"""Lists of errors that nobody reads to the end: the first of them, and how many there are."""

from __future__ import annotations

from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST = 100
"""Lines that are shown of a list. A wrong file of a million lines would fill the journal."""


def first(lines: Iterable[str], what: str = "error") -> list[str]:
    """The first lines of a list of errors, and one with the number of the others.

    *what* is the word for one of them.
    """
    left = iter(lines)
    found = [*islice(left, FIRST)]
    return found + rest(len(found) + sum(1 for _ in left), what)


def rest(count: int, what: str = "error") -> list[str]:
    """The line with the number of those of *count* errors that are not shown, if there are any."""
    more = count - FIRST
    plural = "es" if what.endswith("s") else "s"
    return [f"and {more} more {what}{plural if more > 1 else ''}"] if more > 0 else []
