"""A monitor as a part of a loop: a bounded turn, and what was lost is read again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netalias import errors
from netalias.kernel.netlink.heard import AGAIN, TURN, Heard
from netalias.model.events import ARRIVAL, LINK, Event


class Told:
    """A monitor of what a test says."""

    lost = False

    def __init__(self) -> None:
        self.events: list[Event | Exception] = []

    def filenos(self) -> list[int]:
        return [98, 99]

    def read(self, most: int) -> Iterator[Event]:
        assert most == TURN
        while self.events:
            one = self.events.pop(0)
            if isinstance(one, Exception):
                raise one
            yield one


def test_events_are_told_and_what_was_lost_is_read_again() -> None:
    """After an error somebody is told, since the state may have more than was heard; and where
    announcements were lost it is read again, though none may come."""
    monitor, heard, missed = Told(), [], []
    part = Heard(monitor, heard.append, lambda: missed.append(True))  # type: ignore[arg-type]
    assert set(part.wanted(0.0)) == {98, 99}
    one, two = (Event(ARRIVAL, (LINK, index)) for index in (2, 3))
    monitor.events += [one, two]
    part.ready(98, 1, 0.0)
    assert (heard, missed, part.due(0.0)) == ([one, two], [], None)
    monitor.events += [one, errors.kernel_error("announcements", 105)]
    monitor.lost = True
    with pytest.raises(errors.KernelError):
        part.ready(98, 1, 0.0)
    assert (heard, missed) == ([one, two, one], [True])
    assert part.due(0.0) == AGAIN
    assert part.due(AGAIN) == 0
    monitor.lost = False
    part.tick(AGAIN)
    assert part.due(AGAIN) is None
