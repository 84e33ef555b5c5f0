"""The judge of traces (tools/cluster) on made-up ones: those with two holders must fail."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "cluster"))

import judge as judging
from judge import Answer, Claim, Verdict

A, B, C = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"
WEB = "10.0.0.100"
PERIOD = 0.01
LATE = 0.0002
"""Seconds from a question to its answer."""


def asked(count: int) -> list[float]:
    """The times of *count* rounds."""
    return [1000 + PERIOD * number for number in range(count)]


def answers(
    mac: str, rounds: Sequence[int], address: str = WEB, late: float = LATE
) -> list[Answer]:
    """One holder's answers to these rounds."""
    return [Answer(1000 + PERIOD * one + late, address, mac, one) for one in rounds]


def claim(mac: str, time: float) -> Claim:
    """An announcement, *time* seconds after the first question."""
    return Claim(1000 + time, WEB, mac)


def verdict(
    count: int, *some: Iterable[Answer], claims: Sequence[Claim] = (), lost: int = 0
) -> Verdict:
    """The judge's, on *count* rounds for one address."""
    return judging.judge([WEB], asked(count), [*chain(*some)], claims, lost)


def test_one_holder() -> None:
    """Nothing to tell, and no time without an answer."""
    found = verdict(100, answers(A, range(100)))
    assert found.proven
    assert (found.moves, found.gaps, found.silent, found.answers) == (0, [], [], 100)
    assert found.spread() == {A: 1}


def test_a_move_with_a_gap() -> None:
    """It is one move; the gap is from the first question without an answer to the next with one."""
    found = verdict(
        100, answers(A, range(40)), answers(B, range(50, 100)), claims=[claim(B, 0.4951)]
    )
    assert found.proven
    assert (found.moves, found.claims, found.storm) == (1, 1, 1)
    (gap,) = found.gaps
    assert gap.seconds == pytest.approx(0.1)
    assert (gap.before, gap.after) == (A, B)
    assert found.longest == gap
    assert found.owners() == {WEB: B}


@pytest.mark.parametrize("overlap", [1, 2, 50])
def test_two_who_answer_one_question(overlap: int) -> None:
    """A single question is enough; those that follow one another are one finding."""
    found = verdict(100, answers(A, range(50)), answers(B, range(50 - overlap, 100), late=2 * LATE))
    assert not found.proven
    (double,) = found.doubles
    assert double.macs == (A, B)
    assert double.begin == asked(100)[50 - overlap]
    assert double.end == pytest.approx(asked(100)[49] + 2 * LATE)


def test_two_who_answer_in_turn() -> None:
    """Questions that were lost on the way hide nothing: A has it before and after B."""
    found = verdict(100, answers(A, range(0, 100, 2)), answers(B, range(51, 60, 2)))
    assert not found.proven
    assert {one.macs for one in found.doubles} == {(A, B)}


def test_a_holder_that_comes_back() -> None:
    """Where it was away for long enough, it has let go in between."""
    there = answers(A, range(30)), answers(B, range(40, 60)), answers(A, range(70, 100))
    found = verdict(100, *there)
    assert found.proven
    assert found.moves == 2


def test_an_announcement_while_another_one_answers() -> None:
    """Whoever announces says that it has the address: A answers before and after."""
    found = verdict(100, answers(A, range(100)), claims=[claim(B, 0.503)])
    assert [(one.macs, round(one.begin - 1000, 4)) for one in found.doubles] == [((A, B), 0.5002)]


def test_a_late_announcement_of_the_former_holder() -> None:
    """The caches of the neighbours would believe it, however long ago it let go."""
    there = answers(A, range(30)), answers(B, range(40, 100))
    found = verdict(100, *there, claims=[claim(A, 0.805)])
    assert [one.macs for one in found.doubles] == [(A, B)]


def test_a_trace_with_holes_proves_nothing() -> None:
    """Frames that the capture lost may have been the second holder's."""
    assert not verdict(100, answers(A, range(100)), lost=1).proven


def test_addresses_are_judged_apart() -> None:
    """Two holders of two addresses are no double."""
    found = judging.judge(
        [WEB, "10.0.0.101"], asked(50),
        answers(A, range(50)) + answers(B, range(50), "10.0.0.101"),
    )  # fmt: skip
    assert found.proven
    assert found.spread() == {A: 1, B: 1}


@pytest.mark.parametrize(
    ("rounds", "silent"), [(range(0), [WEB]), (range(198), [WEB]), (range(202), [])]
)
def test_nobody_in_the_end(rounds: range, silent: list[str]) -> None:
    """It is told if it lasts for a second, and the gap is open."""
    found = verdict(300, answers(A, rounds))
    assert found.silent == silent
    assert found.gaps[-1].after == ""
    assert found.gaps[-1].end == asked(300)[-1]


def test_an_address_that_is_not_asked_for() -> None:
    """Its announcements are judged, its silence is not."""
    found = judging.judge([], asked(10), [], [claim(A, 0.01), claim(B, 0.02), claim(A, 0.03)])
    assert len(found.doubles) == 1
    assert (found.gaps, found.silent) == ([], [])


def test_storms() -> None:
    """The most in one second, of all and of one address."""
    times = [0.1 * number for number in range(30)]
    found = verdict(300, answers(A, range(300)), claims=[claim(A, one) for one in times])
    assert (found.claims, found.storm, found.shouted) == (30, 10, 10)


def test_the_gap_of_a_time() -> None:
    """Gaps outside are not looked at."""
    found = verdict(300, answers(A, [*range(50), *range(60, 200), *range(203, 300)]))
    gaps = found.between(1001.0, 1003.0), found.between(1000.0, 1000.55)
    assert [one and round(one.seconds, 6) for one in gaps] == [0.03, 0.1]
    assert found.between(1001.0, 1001.5) is None


def test_what_was_taken_late() -> None:
    """From a moment until the last of those that were silent then had an answer, of one holder."""
    found = verdict(300, answers(A, [*range(50), *range(60, 200)]), answers(B, range(230, 300)))
    assert found.behind(1000.55, {A}) == pytest.approx(0.05)
    assert found.behind(1002.1, {A}) == pytest.approx(0.2)
    assert found.behind(1001.0, {A}) is None
    assert found.behind(1002.3, {A}) is None
    assert found.behind(1002.1, {B, C}) is None


@given(
    st.lists(
        st.tuples(st.sampled_from([A, B, C]), st.integers(0, 299), st.integers(1, 120)),
        min_size=1, max_size=6,
    )
)  # fmt: skip
def test_any_holders(times: list[tuple[str, int, int]]) -> None:
    """A double is found exactly where two hold the address in one round, or one is away between two
    times of its own, another one's within, for less than the shortest absence."""
    held = {mac: set[int]() for mac in (A, B, C)}
    for mac, begin, length in times:
        held[mac] |= set(range(begin, min(300, begin + length)))
    found = verdict(300, *(answers(mac, sorted(rounds)) for mac, rounds in held.items()))
    owners = [[mac for mac in held if number in held[mac]] for number in range(300)]
    two = any(len(one) > 1 for one in owners)
    back = False
    for mac, rounds in held.items():
        numbers = sorted(rounds)
        for one, other in pairwise(numbers):
            away = PERIOD * (other - one)
            assume(abs(away - judging.TURNAROUND) > PERIOD / 2)  # the times are rounded
            back |= away < judging.TURNAROUND and any(
                set(owners[at]) - {mac} for at in range(one + 1, other)
            )
    if not two and not back:
        assert found.proven
    if two or back:
        assert not found.proven
    unanswered = [number for number in range(300) if not owners[number]]
    assert bool(found.gaps) == bool(unanswered)
