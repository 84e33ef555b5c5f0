"""The width of a terminal: which columns of a table fit, and colours of the brief rows."""

from __future__ import annotations

from netalias.views import aligned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Rows = Sequence[Sequence[str]]
    Dropped = Sequence[tuple[str, ...]]

DRAWN = (("MAC",), ("RX", "TX"))
"""Columns to leave out where a drawn table is too wide, the first ones first; ``show -d`` tells
them. A plain one is narrower, so that others go in it alone."""
DROPPED = (*DRAWN, ("KIND",), ("DEVICE",))
"""Those of a plain table. What is left, name, address and state, is never cut."""
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


def left_out(headings: Sequence[str], kept: Sequence[str], where: str) -> str:
    """A line that names the columns that were left out, and *where* they are told; empty if all
    are there, or without *where*."""
    gone = ", ".join(heading for heading in headings if heading not in kept)
    return f"not shown: {gone} ({where})\n" if gone and where else ""


def fitted(
    headings: Sequence[str],
    rows: Rows,
    width: int,
    dropped: Dropped = DROPPED,
    *,
    where: str = "",
) -> str:
    """The plain table with the columns that fit into *width*, 0 for any; without those that can be
    left out if none do. The last line says so, with *where* they are told."""
    text = ""
    for table in narrower(headings, rows, dropped):
        text = aligned(*table)
        if not width or max(map(len, text.split("\n"))) <= width:
            break
    return text + left_out(headings, table[0], where)


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
