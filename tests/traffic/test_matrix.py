"""The matrix: an alias is reached, or netalias has said at its creation why not."""

from __future__ import annotations

import matrix
import pytest
from places import COLUMNS
from support import why_no_namespace

CASES = [(row, *settings) for row in matrix.ROWS for settings in COLUMNS]


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
    if why_no_namespace():
        pytest.skip(why_no_namespace())
    cell = matrix.column(row.kind, rp_filter, arp_ignore)[row]
    if cell.text == matrix.NO_KIND:
        pytest.skip(cell.why)
    assert cell.text != matrix.FAILED, cell.why
