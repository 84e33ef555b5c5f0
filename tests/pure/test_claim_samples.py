"""The addresses of a prefix that a conflict check asks for."""

from __future__ import annotations

from random import Random

import pytest
from test_plan_compare import Declared

from netalias.claim import Policy, claims
from netalias.claim.samples import FIRST, LAST, MOST, offsets
from netalias.kernel.memory import Memory


@pytest.mark.parametrize("count", [2, MOST, MOST + 1, 65536, 1 << 24])
def test_a_choice(count: int) -> None:
    """All of a few; else MOST different ones, the first and the last among them."""
    found = offsets(count, Random(1))
    assert found == sorted(set(found))
    assert len(found) == min(count, MOST)
    assert {*found} >= {*range(min(FIRST, count)), *range(max(0, count - LAST), count)}


def test_another_one_for_every_check() -> None:
    """The next check may find a host that one has missed."""
    assert offsets(65536, Random(1)) != offsets(65536, Random(2))


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("eth0:5 10.9.0.0/16 kind prefix acd fast", MOST),
        ("eth0:5 10.9.0.0/30 kind prefix acd rfc", 4),
        ("eth0:5 10.9.0.0/16 kind prefix", 0),
        ("eth0:5 2001:db8:9::/64 kind prefix", 0),
    ],
)
def test_claims(line: str, asked: int) -> None:
    """IPv4 with the word only; nothing is announced."""
    stage = Declared(Memory(kinds=("macvlan", "dummy")))
    (item,) = stage.check(f"{line}\n").items
    found = [*claims([(item.model, item.plan)], Policy())]
    assert [(len(one.asked), one.rounds, one.probed) for one in found] == (
        [(asked, 0, True)] if asked else []
    )
    assert any("of 65536 addresses were asked for" in one for one in item.plan.notes) == (
        asked == MOST
    )
