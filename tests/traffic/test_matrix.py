"""The matrix: an alias is reached, or netalias has said at its creation why not."""

from __future__ import annotations

from pathlib import Path

import matrix
import pytest
from places import COLUMNS, KINDS
from shortened import later

CASES = [(kind, *settings) for settings in COLUMNS for kind in KINDS]


@pytest.mark.parametrize(
    ("kind", "rp_filter", "arp_ignore"),
    [*CASES[::3], *later(CASES[1::3]), *later(CASES[2::3])],  # every kind, and every setting
)
def test_column(kind: str, rp_filter: int, arp_ignore: int) -> None:
    """Packets arrive, the peer knows the right MAC and never another, one station answers."""
    cells = matrix.column(kind, rp_filter, arp_ignore)
    absent = {cell.why for cell in cells.values() if cell.text == matrix.NO_KIND}
    if absent:
        pytest.skip(absent.pop())
    failed = {
        (row.place.network, row.place.family, row.way): cell.why
        for row, cell in cells.items()
        if cell.text == matrix.FAILED
    }
    assert failed == {}


def test_the_page_has_every_row() -> None:
    """docs/traffic.md shows the matrix as it is, but for kinds that the kernel lacked."""
    page = (Path(__file__).parents[2] / "docs" / "traffic.md").read_text(encoding="utf-8")
    shown = {tuple(line.split()[:4]) for line in page.splitlines()}
    absent = {line.split()[0] for line in page.splitlines() if f" {matrix.NO_KIND} [" in line}
    for row in matrix.ROWS:
        words = (row.kind, row.place.network, row.place.family[2:], row.way)
        assert row.kind in absent or words in shown
    assert matrix.FAILED not in page
