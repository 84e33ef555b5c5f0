"""A table for a terminal, drawn by rich; imported only when there is a terminal."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

STYLES = {"up": "green", "down": "red", "no-carrier": "yellow"}
NUMBERS = ("RX", "TX", "N_ATTACH")
UNLIMITED = 1 << 16


def render(
    headings: Sequence[str], rows: Sequence[Sequence[str]], file: TextIO, *, color: bool
) -> str:
    """The table as text for *file*; empty when it is too wide, since texts are never cut, and where
    rich is not installed, which a package only recommends."""
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return ""
    console = Console(
        file=file, force_terminal=True, no_color=not color, highlight=False, emoji=False
    )
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in headings:
        drawn.add_column(heading, no_wrap=True, justify="right" if heading in NUMBERS else "left")
    for row in rows:
        drawn.add_row(*(Text(text, style=STYLES.get(text, "")) for text in row))
    # Measured within the console width, a table never exceeds it, so measure without a limit.
    unlimited = console.options.update_width(UNLIMITED)
    if console.measure(drawn, options=unlimited).maximum > console.width:
        return ""
    with console.capture() as capture:  # rich would end the process when its reader is gone
        console.print(drawn)
    return capture.get()
