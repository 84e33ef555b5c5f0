"""Back-off of repairs, by a clock that only tests move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.system.backoff import BURST, LONGEST, SHORTEST, WINDOW, Backoff, RepairBackoff


@pytest.fixture
def backoff() -> RepairBackoff:
    """A back-off after a burst of repairs at the times 0.0, 0.1, 0.2 ..."""
    found = RepairBackoff()
    for number in range(BURST):
        assert found.undone("a", number / 10) == number / 10
    return found


def test_a_burst_is_repaired_at_once(backoff: RepairBackoff) -> None:
    assert backoff.until("a") <= BURST / 10
    assert backoff.until("b") == 0


def test_then_later_and_later(backoff: RepairBackoff) -> None:
    """Each repair is undone at once."""
    now, waits = 1.0, []
    for _ in range(9):
        when = backoff.undone("a", now)
        waits.append(when - now)
        assert backoff.until("a") == when
        assert backoff.undone("a", when) == when
        now = when + 0.001
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60])
    assert waits[0] == pytest.approx(SHORTEST)
    assert waits[-1] == pytest.approx(LONGEST)


def test_the_time_stays_until_it_comes(backoff: RepairBackoff) -> None:
    """Further changes until then do not count."""
    when = backoff.undone("a", 1.0)
    assert when == 1 + SHORTEST
    assert {backoff.undone("a", 1.0 + part / 10) for part in range(10)} == {when}


def test_calm(backoff: RepairBackoff) -> None:
    """After a window without a word everything begins anew."""
    when = backoff.undone("a", 1.0)
    later = when + WINDOW + 0.1
    for number in range(BURST):
        assert backoff.undone("a", later + number) == later + number
    assert backoff.undone("a", later + BURST) > later + BURST


def test_slowly_is_not_delayed() -> None:
    """A few times in a window, for ever."""
    backoff = RepairBackoff()
    for number in range(1000):
        now = number * (WINDOW / BURST + 0.1)
        assert backoff.undone("a", now) == now


def test_a_long_backoff_takes_a_long_calm(backoff: RepairBackoff) -> None:
    """A change once a minute does not begin anew every time."""
    now = 1.0
    for _ in range(12):
        now = backoff.undone("a", now) + 0.1
        backoff.undone("a", now)
    assert backoff.undone("a", now + LONGEST - 1) == now + LONGEST - 1 + LONGEST


def test_refused() -> None:
    """Later and later, without a burst before; after a pause it begins anew."""
    backoff = RepairBackoff()
    now, waits = 100.0, []
    for _ in range(9):
        assert backoff.undone("a", now) == now
        due = backoff.refused("a", now)
        assert backoff.undone("a", now) == backoff.until("a") == due
        waits.append(due - now)
        now = due
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert backoff.undone("a", now) == now
    now += 3 * LONGEST
    assert backoff.undone("a", now) == now
    assert backoff.refused("a", now) == now + SHORTEST


def test_uncounted() -> None:
    """A count that is taken back is none."""
    backoff = RepairBackoff()
    for number in range(3 * BURST - 3):
        assert backoff.undone("a", number / 10) == number / 10
        if number % 3:
            backoff.uncount("a")
    backoff.uncount("unknown")


def test_each_key_has_its_own(backoff: RepairBackoff) -> None:
    assert backoff.undone("b", 1.0) == 1.0


@given(st.lists(st.floats(0, 100), max_size=60))
def test_it_is_never_waited_longer_than_the_longest(pauses: list[float]) -> None:
    """Nor is a time given that has gone by."""
    backoff, now = RepairBackoff(), 0.0
    for pause in pauses:
        now += pause
        assert now <= backoff.undone("a", now) <= now + LONGEST


def test_exponential() -> None:
    """Twice as long every time, until it is reset."""
    delay = Backoff()
    assert [delay.next() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    delay.reset()
    assert delay.next() == SHORTEST
