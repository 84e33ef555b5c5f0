"""A table for a terminal, drawn by rich; imported only when there is a terminal."""

from __future__ import annotations

from netalias.views.columns import DRAWN, left_out, narrower

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from rich.table import Table

STYLES = {"up": "green", "down": "red", "no-carrier": "yellow"}
NUMBERS = ("RX", "TX", "N_ATTACH", "RX/s", "TX/s", "RXP/s", "TXP/s")
UNLIMITED = 1 << 16


def render(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    file: TextIO,
    *,
    color: bool,
    width: int,
    dropped: Sequence[tuple[str, ...]] = DRAWN,
    where: str = "",
) -> str:
    """The table as text for *file*, with the columns that fit into *width*, 0 for any; empty when
    it is too wide all the same, since texts are never cut, and where rich is not installed, which a
    package only recommends. *dropped* are the columns that can be left out, the first ones first;
    a line says so, with *where* they are told. Without *color* it has no escapes."""
    try:
        from rich.console import Console
    except ImportError:
        return ""
    console = Console(
        file=file,
        force_terminal=color,
        no_color=not color,
        color_system="auto" if color else None,
        width=width or UNLIMITED,
        highlight=False,
        emoji=False,
    )
    for table in narrower(headings, rows, dropped):
        drawn = _table(*table)
        # Measured within the console width, a table never exceeds it, so measure without a limit.
        unlimited = console.options.update_width(UNLIMITED)
        if console.measure(drawn, options=unlimited).maximum <= console.width:
            with console.capture() as capture:  # rich would end the process when its reader is gone
                console.print(drawn)
            return capture.get() + left_out(headings, table[0], where)
    return ""


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in headings:
        drawn.add_column(heading, no_wrap=True, justify="right" if heading in NUMBERS else "left")
    for row in rows:
        drawn.add_row(*(Text(text, style=STYLES.get(text, "")) for text in row))
    return drawn
