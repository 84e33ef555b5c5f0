"""Plain tables, as wide as the terminal."""

from __future__ import annotations

import sys

from netalias.cli.output import write
from netalias.model.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def narrow(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    where: str,
    dropped: Sequence[tuple[str, ...]] | None = None,
) -> None:
    """Print a plain table: on a terminal without the columns *dropped* for which there is no room,
    and with a line that names them and the command *where* they are told."""
    rows = harmless(rows)
    if sys.stdout is not None and sys.stdout.isatty():
        from netalias.views import columns

        some = columns.DROPPED if dropped is None else dropped
        write(columns.fitted(headings, rows, width(), some, where=where))
    else:
        from netalias.views import aligned

        write(aligned(headings, rows))


def harmless(rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """The rows without what would be an order to a terminal."""
    if all(text.isprintable() for row in rows for text in row):
        return rows
    return [tuple(map(printable, row)) for row in rows]


def width() -> int:
    """The columns of the terminal, or those that COLUMNS says; 0 where there is neither."""
    from os import environ, get_terminal_size

    said = environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit():
        return int(said)
    try:
        return get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 0
