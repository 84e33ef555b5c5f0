"""The width of a terminal: which columns of a table fit, and colours of the brief rows."""

from __future__ import annotations

from netalias.views import aligned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Rows = Sequence[Sequence[str]]
    Dropped = Sequence[tuple[str, ...]]

DROPPED = (("MAC",), ("RX", "TX"))
"""Columns to leave out where a table is too wide, the first ones first; ``show -d`` tells them."""
COLOURS = {"up": 32, "down": 31, "no-carrier": 33}
"""State: the parameter of SGR (ECMA-48)."""


def narrower(
    headings: Sequence[str], rows: Rows, dropped: Dropped = DROPPED
) -> Iterator[tuple[Sequence[str], Rows]]:
    """The table, and then with fewer and fewer columns."""
    yield headings, rows
    gone: tuple[str, ...] = ()
    for some in dropped:
        gone += some
        kept = [at for at, heading in enumerate(headings) if heading not in gone]
        if len(kept) < len(headings):
            yield [headings[at] for at in kept], [[row[at] for at in kept] for row in rows]


def fitted(headings: Sequence[str], rows: Rows, width: int, dropped: Dropped = DROPPED) -> str:
    """The plain table with the columns that fit into *width*, 0 for any; without those that can be
    left out if none do."""
    text = ""
    for table in narrower(headings, rows, dropped):
        text = aligned(*table)
        if not width or max(map(len, text.split("\n"))) <= width:
            break
    return text


def painted(rows: Rows) -> str:
    """The brief rows, name, state and address, with colours in the state."""
    begin = max(len(row[0]) for row in rows) + 2
    lines = aligned(rows[0], rows[1:]).split("\n")
    for at, row in enumerate(rows):
        colour = COLOURS.get(row[1])
        if colour is not None:
            line, end = lines[at], begin + len(row[1])
            lines[at] = f"{line[:begin]}\x1b[{colour}m{row[1]}\x1b[0m{line[end:]}"
    return "\n".join(lines)
