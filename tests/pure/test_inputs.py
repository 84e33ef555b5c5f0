"""Random texts, the same in every run: what reads them answers, or fails by an error of its own."""

from __future__ import annotations

from random import Random

import pytest
from inputs import SORTS, private

COUNT = 300
EXAMPLES: list[tuple[str, str]] = [
    ("file", "eth0:0 200.1.1.1\neth0:1\n"),
]
"""Inputs of a sort that were once not answered as they should."""


@pytest.mark.parametrize("sort", SORTS)
def test_random_inputs(sort: str) -> None:
    """Files, batches, command lines, files of other programs."""
    draw, check = SORTS[sort]
    with private():
        for number in range(COUNT):
            check(draw(Random(f"{sort} {number}")))


@pytest.mark.parametrize(("sort", "text"), EXAMPLES)
def test_found_by_dice(sort: str, text: str) -> None:
    """Examples that a long run has found."""
    with private():
        SORTS[sort][1](text)
