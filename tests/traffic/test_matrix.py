"""The matrix: an alias is reached, or netalias has said at its creation why not."""

from __future__ import annotations

from pathlib import Path

import matrix
import pytest
from places import COLUMNS

CASES = [(row, *settings) for settings in COLUMNS for row in matrix.ROWS]
"""Column by column, and the kinds of each one after the other: rows that are made together follow
one another, so that few of several processes make the same."""


def name(case: tuple[matrix.Row, int, int]) -> str:
    """``macvlan-own-IPv4-to-rp_filter1-arp_ignore0``."""
    row, rp_filter, arp_ignore = case
    place = row.place
    words = (row.kind, place.network, place.family, row.way)
    return "-".join((*words, f"rp_filter{rp_filter}", f"arp_ignore{arp_ignore}"))


@pytest.mark.parametrize("case", CASES, ids=map(name, CASES))
def test_cell(case: tuple[matrix.Row, int, int]) -> None:
    """Packets arrive, the peer knows the right MAC and never another, one station answers."""
    row, rp_filter, arp_ignore = case
    cell = matrix.column(row.kind, rp_filter, arp_ignore)[row]
    if cell.text == matrix.NO_KIND:
        pytest.skip(cell.why)
    assert cell.text != matrix.FAILED, cell.why


def test_the_page_has_every_row() -> None:
    """docs/traffic.md shows the matrix as it is, but for kinds that the kernel lacked."""
    page = (Path(__file__).parents[2] / "docs" / "traffic.md").read_text(encoding="utf-8")
    shown = {tuple(line.split()[:4]) for line in page.splitlines()}
    absent = {line.split()[0] for line in page.splitlines() if f" {matrix.NO_KIND} [" in line}
    for row in matrix.ROWS:
        words = (row.kind, row.place.network, row.place.family[2:], row.way)
        assert row.kind in absent or words in shown
    assert matrix.FAILED not in page
