"""When what was undone may be put right, by a clock that only tests move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.system.backoff import BURST, LONGEST, SHORTEST, WINDOW, Backoff, RepairBackoff


@pytest.fixture
def patience() -> RepairBackoff:
    """One that has put right a burst at the times 0.0, 0.1, 0.2 ..."""
    found = RepairBackoff()
    for number in range(BURST):
        assert found.undone("a", number / 10) == number / 10
    return found


def test_a_burst_is_put_right_at_once(patience: RepairBackoff) -> None:
    assert patience.until("a") <= BURST / 10
    assert patience.until("b") == 0


def test_then_later_and_later(patience: RepairBackoff) -> None:
    """Each time it was put right it is undone at once."""
    now, waits = 1.0, []
    for _ in range(9):
        when = patience.undone("a", now)
        waits.append(when - now)
        assert patience.until("a") == when
        assert patience.undone("a", when) == when
        now = when + 0.001
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60])
    assert waits[0] == pytest.approx(SHORTEST)
    assert waits[-1] == pytest.approx(LONGEST)


def test_who_is_told_a_time_is_told_the_same_again(patience: RepairBackoff) -> None:
    """What is undone meanwhile is no further count."""
    when = patience.undone("a", 1.0)
    assert when == 1 + SHORTEST
    assert {patience.undone("a", 1.0 + part / 10) for part in range(10)} == {when}


def test_calm(patience: RepairBackoff) -> None:
    """After a window without a word everything begins anew."""
    when = patience.undone("a", 1.0)
    later = when + WINDOW + 0.1
    for number in range(BURST):
        assert patience.undone("a", later + number) == later + number
    assert patience.undone("a", later + BURST) > later + BURST


def test_slowly_is_no_quarrel() -> None:
    """A few times in a window, for ever."""
    patience = RepairBackoff()
    for number in range(1000):
        now = number * (WINDOW / BURST + 0.1)
        assert patience.undone("a", now) == now


def test_a_long_quarrel_takes_a_long_calm(patience: RepairBackoff) -> None:
    """Who undoes it once a minute does not begin anew every time."""
    now = 1.0
    for _ in range(12):
        now = patience.undone("a", now) + 0.1
        patience.undone("a", now)
    assert patience.undone("a", now + LONGEST - 1) == now + LONGEST - 1 + LONGEST


def test_forgiven() -> None:
    """What was the beginning of the next one does not count."""
    patience = RepairBackoff()
    for number in range(3 * BURST - 3):
        assert patience.undone("a", number / 10) == number / 10
        if number % 3:
            patience.uncount("a")
    patience.uncount("never heard of")


def test_everybody_has_his_own(patience: RepairBackoff) -> None:
    assert patience.undone("b", 1.0) == 1.0


@given(st.lists(st.floats(0, 100), max_size=60))
def test_it_is_never_waited_longer_than_the_longest(pauses: list[float]) -> None:
    """Nor is a time told that has gone by."""
    patience, now = RepairBackoff(), 0.0
    for pause in pauses:
        now += pause
        assert now <= patience.undone("a", now) <= now + LONGEST


def test_delay() -> None:
    """Twice as long every time, until it is reset."""
    delay = Backoff()
    assert [delay.next() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    delay.reset()
    assert delay.next() == SHORTEST
