"""A bundle that goes on in another process, in the midst of a flow."""

from __future__ import annotations

import pytest
from bundled import Flow, Pair
from hypothesis import given
from hypothesis import strategies as st

from netalias.links import spec
from netalias.links.bundle.member import KEPT, Member
from netalias.links.spec import BUNDLE

FAST, SLOW = (2_000_000.0, 0.005, 100_000), (500_000.0, 0.02, 100_000)
WINDOW = 30
"""Segments on their way, which both links together take without a loss."""
WORDS = ["link0", "link1"]


def under_load(*links: tuple[float, float, int]) -> tuple[Pair, Flow]:
    """A pair over links, in the midst of a flow."""
    pair = Pair(*links)
    pair.simulation.run(1.0, pair.up)
    flow = Flow(pair, WINDOW)
    pair.simulation.run(1.0)
    return pair, flow


@pytest.mark.parametrize("words", [WORDS, WORDS[::-1]], ids=["in order", "in another one"])
@pytest.mark.parametrize("end", ["a", "b"])
def test_a_flow_goes_on(end: str, words: list[str]) -> None:
    """B-10: nothing is lost, nothing comes in another order, and the rate stays; no link dies, and
    the other end sees no new session."""
    pair, flow = under_load(FAST, SLOW)
    before = flow.rate(1.0)
    taken, other = getattr(pair, end), pair.b if end == "a" else pair.a
    instance = taken.bundle.instance
    old = {one.name: (one.sent, one.received) for one in taken.bundle.members}
    for _ in range(20):
        taken.change_hands(words)
        pair.simulation.run(0.013)
        words = words[::-1]
    assert flow.rate(1.0) > 0.8 * before
    assert (flow.retransmitted, flow.timeouts, flow.disorder) == (0, 0, 0)
    assert other.bundle.peer == taken.bundle.instance == instance
    for one in (*taken.bundle.members, *other.bundle.members):
        assert (one.up, one.deaths) == (True, 0)
    assert not taken.bundle.events
    assert all(one.sent >= old[one.name][0] for one in taken.bundle.members)
    assert all(one.received >= old[one.name][1] for one in taken.bundle.members)
    assert [one.lost for one in (*taken.bundle.members, *other.bundle.members)] == [0] * 4


def test_a_link_that_the_other_process_does_not_have() -> None:
    """Its share goes to the others, and the flow goes on; one that is new comes up."""
    pair, flow = under_load(FAST, FAST)
    pair.a.change_hands(["link1"])
    assert flow.rate(2.0) > 0
    assert [one.up for one in pair.b.bundle.members] == [False, True]
    assert flow.disorder == 0
    assert [one.up for one in pair.a.bundle.members] == [True]


def test_what_waits_goes_along() -> None:
    """A packet that is sent in part, parts that wait for the rest, and fragments that wait for
    earlier ones."""
    pair = Pair(SLOW, SLOW)
    pair.simulation.run(1.0, pair.up)
    packets = [bytes([0x45, number]) + bytes(5000) for number in range(30)]
    left = iter(packets)
    pair.a.more = lambda: next(left, None)
    pair.a.flush()
    while len(pair.b.packets) < len(packets):
        before = pair.simulation.now
        pair.simulation.run(0.004)
        assert pair.simulation.now < before + 1
        pair.a.change_hands()
        pair.b.change_hands()
    assert pair.b.packets == packets
    assert pair.b.bundle.received.incomplete == 0


def test_a_state_is_whole() -> None:
    """plain() has exactly the fields of the layout."""
    pair, _ = under_load(FAST, SLOW)
    plain = {**pair.a.bundle.plain(), "dropped": 3}
    found = BUNDLE.parse(BUNDLE.build(plain))
    assert set(plain) == {one.name for one in BUNDLE.subcons}
    assert list(found.former) == list(plain["former"])
    for parsed, member in zip(found.members, pair.a.bundle.members, strict=True):
        again = Member(member.name, member.limit)
        again.resume(parsed)
        for name in KEPT:
            kept = getattr(member, name)
            assert getattr(again, name) == (list(kept) if isinstance(kept, tuple) else kept)
        assert again.flight == member.flight
        assert again.plain().keys() == parsed.keys() - {"_io"}


@given(st.binary(max_size=300))
def test_any_body(content: bytes) -> None:
    """It is malformed, or a state; never something else."""
    try:
        BUNDLE.parse(content)
    except (spec.FailedLayout, UnicodeError):
        pass
