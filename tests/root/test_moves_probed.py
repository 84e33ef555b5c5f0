"""Aliases that move between kinds while a peer asks all of them, again and again: none is lost."""

from __future__ import annotations

import pytest
from command import Command, ip_json, without_dad
from probing import ENOUGH, MOVES, moved, stand
from support import until

COUNT = 40


@pytest.mark.parametrize(
    ("promote", "checked", "moves"),
    [(0, False, list(MOVES)), (1, False, list(MOVES)[:2]), (1, True, list(MOVES)[:4])],
)
def test_no_address_is_away_in_a_move(
    cli: Command, promote: int, checked: bool, moves: list[str]
) -> None:
    """Three networks, with primary and secondary addresses, from labels to devices and back, also
    where the kernel checks each new IPv6 address: every address answers all the time, and a
    neighbour that asks nobody who has it."""
    if not checked:
        without_dad(cli.namespace, "eth9")
    stand(cli, COUNT, promote)
    until(lambda: not ip_json(cli.namespace, "addr show tentative"))
    for name in moves:
        found = moved(cli, COUNT, name)
        assert found.silent == [], name
        late = {address: count for address, count in found.missed.items() if count > ENOUGH}
        assert late == {}, (name, found.round, found.slowest)
        flags = ip_json(cli.namespace, "-6 addr show")
        assert not any("nodad" in one for device in flags for one in device["addr_info"]), name
