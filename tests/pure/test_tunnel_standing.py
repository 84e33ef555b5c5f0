"""A queue that stands is told from one that is long for a moment."""

from __future__ import annotations

from itertools import pairwise

from netalias.tunnels.standing import INTERVAL, Standing

STEP = INTERVAL / 4


def signals(looks: list[tuple[float, bool]]) -> list[float]:
    """The times at which a flow is slowed down."""
    queue = Standing()
    return [now for now, empty in looks if queue.look(now, empty)]


def test_a_queue_that_is_never_empty_is_told_once_an_interval() -> None:
    """Beginning one interval after it was seen first."""
    found = signals([(1 + STEP * one, False) for one in range(19)])
    assert len(found) in (3, 4)
    assert found[0] >= 1 + INTERVAL - STEP / 2
    between = [after - before for before, after in pairwise(found)]
    assert all(INTERVAL - STEP / 2 <= one <= INTERVAL + 1.5 * STEP for one in between)


def test_a_queue_that_is_empty_now_and_then_is_left_alone() -> None:
    """Once an interval is enough, however long it is between."""
    looks = [(STEP * one, one % 4 == 3) for one in range(100)]
    assert signals(looks) == []


def test_it_begins_anew_after_it_was_empty() -> None:
    """A pause between two packets does not count."""
    assert signals([(0, False), (0.001, True), (5, False), (5.001, False)]) == []
