"""One label that a killed run has left with several prefix lengths."""

from __future__ import annotations

from itertools import permutations

import pytest
from test_moves import Witness, promoting
from test_plan_compare import Declared

from netalias import errors
from netalias.model import AF_INET, PROTOCOL, address_text

LABEL = "10.0.0.9"
BROADCAST = {24: b"\x0a\0\0\xff"}
BEFORE, BEHIND = "before", "behind"


@pytest.mark.parametrize("promote", [0, 1])
@pytest.mark.parametrize("own", ["", BEFORE, BEHIND])
@pytest.mark.parametrize("lengths", list(permutations((32, 31, 24), 2)))
@pytest.mark.parametrize("wanted", ["", "/24", "/31"])
def test_one_is_left(lengths: tuple[int, int], wanted: str, own: str, promote: int) -> None:
    """The next run leaves the declared one, in whatever order they stand, also beside an own
    address; the address is there all the time, and so is that of others."""
    kernel = Witness()
    stage = Declared(kernel)
    promoting(stage, "eth0", promote)
    if own == BEFORE:
        kernel.add_address("eth0", "10.0.0.1/24")
    for length in lengths:
        fields = {"label": "eth0:1", "protocol": PROTOCOL, "broadcast": BROADCAST.get(length, b"")}
        kernel.add_address("eth0", f"{LABEL}/{length}", **fields)
    if own == BEHIND:
        kernel.add_address("eth0", "10.0.0.1/24")
    text = f"eth0:1 {LABEL}{wanted} kind label\n"
    index = stage.device("eth0").index
    there = {entry.local for entry in kernel.snapshot().on(index)}
    kernel.kept = there
    outcome = stage.reconcile(text)
    assert outcome.status == errors.STATUS_OK
    assert kernel.away == set()
    left = [one for one in kernel.snapshot().on(index) if one.family == AF_INET]
    expected = [LABEL] + ["10.0.0.1"] * bool(own)
    assert sorted(address_text(AF_INET, one.local) for one in left) == sorted(expected)
    assert stage.lines(text) == []
