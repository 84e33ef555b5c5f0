"""Aliases that move between kinds while a peer asks all of them, again and again: none is lost."""

from __future__ import annotations

import pytest
from command import Command, without_dad
from probing import MOVES, moved, stand

COUNT = 40


@pytest.mark.parametrize(("promote", "moves"), [(0, list(MOVES)), (1, list(MOVES)[:2])])
def test_no_address_is_lost_in_a_move(cli: Command, promote: int, moves: list[str]) -> None:
    """Three networks, with primary and secondary addresses, from labels to devices and back: after
    each run every address answers every request, of a neighbour that asks nobody who has it."""
    without_dad(cli.namespace, "eth9")
    stand(cli, COUNT, promote)
    for name in moves:
        found = moved(cli, COUNT, name)
        assert found.silent == [], name
        print(f"{name}: at most {found.worst} ms without an answer, rounds of {found.round} ms")
