"""One poll loop over pipes and a clock that only tests move."""

from __future__ import annotations

import os
from collections.abc import Iterator
from select import POLLIN, POLLOUT

import pytest

from netalias.system.loop import Loop, Reader, Timer


class Pipe:
    """Two ends."""

    def __init__(self) -> None:
        self.end, self.begin = os.pipe()

    def fill(self) -> None:
        """Make it readable."""
        os.write(self.begin, b"x")

    def drain(self) -> None:
        """Make it no longer readable."""
        os.read(self.end, 1)

    def close(self) -> None:
        """Both ends."""
        os.close(self.end)
        os.close(self.begin)


@pytest.fixture
def pipes() -> Iterator[list[Pipe]]:
    """Three of them."""
    found = [Pipe(), Pipe(), Pipe()]
    yield found
    for pipe in found:
        pipe.close()


class Script:
    """A loop whose parts note their calls, and end it after so many notes."""

    def __init__(self, count: int) -> None:
        self.notes: list[str] = []
        self.count = count
        self.now = 0.0
        self.loop = Loop([], self.clock)

    def clock(self) -> float:
        """Seconds."""
        return self.now

    def run(self, *parts: object) -> list[str]:
        """The notes until the end."""
        self.loop = Loop(parts, self.clock)  # type: ignore[arg-type]
        self.loop.run()
        return self.notes

    def note(self, text: str) -> None:
        """One more."""
        self.notes.append(text)
        if len(self.notes) >= self.count:
            self.loop.end()


def test_who_is_ready_is_served_in_order(pipes: list[Pipe]) -> None:
    """Each by its own descriptor, none of the others."""
    script = Script(3)
    readers = [
        Reader([pipe.end], lambda name=name, pipe=pipe: (script.note(name), pipe.drain()))  # type: ignore[misc]
        for name, pipe in zip("abc", pipes, strict=True)
    ]
    pipes[2].fill()
    pipes[0].fill()
    pipes[2].fill()
    assert script.run(*readers) == ["a", "c", "c"]


def test_a_time_that_has_come(pipes: list[Pipe]) -> None:
    """A timer without a time is never called, one whose time has come before anybody waits."""
    script = Script(2)

    def tick(now: float) -> None:
        assert now == script.now
        script.note("now")

    never = Timer(lambda now: None, lambda now: script.note("never"))
    assert script.run(never, Timer(lambda now: 0.0, tick)) == ["now", "now"]


def test_nobody_is_called_too_early() -> None:
    """A deadline is waited for up to the next millisecond, never less: else it would be asked for
    again and again."""
    script = Script(1)
    waited = []

    class Clocked:
        """Poll that moves the clock."""

        def register(self, fileno: int, mask: int) -> None:
            """Nothing."""

        def poll(self, timeout: int | None) -> list[tuple[int, int]]:
            """Nobody; the time goes by."""
            assert timeout is not None
            waited.append(timeout)
            script.now += timeout / 1000
            return []

    timer = Timer(lambda now: max(0.0, 0.0153 - now), lambda now: script.note("due"))
    script.loop = Loop([timer], script.clock)
    script.loop._poll = Clocked()  # type: ignore[assignment]
    script.loop.run()
    assert waited == [16]


def test_without_a_deadline_it_waits_for_ever() -> None:
    """A timer without a time is no deadline."""
    loop = Loop([Timer(lambda now: None, lambda now: None)], lambda: 0.0)
    assert loop._tick() is None
    late, soon = (Timer(lambda now: 7.0, print), Timer(lambda now: 2.0001, print))
    loop = Loop([late, soon], lambda: 0.0)
    assert loop._tick() == 2001


def test_a_turn_asks_each_part_once(pipes: list[Pipe]) -> None:
    """A watcher has ten parts, and a turn for every event."""
    script = Script(3)
    asked: list[float] = []
    pipes[0].fill()
    reader = Reader([pipes[0].end], lambda: script.note("turn"))
    assert script.run(reader, Timer(asked.append, lambda now: None)) == ["turn"] * 3
    assert len(asked) == 3


class Changing:
    """A part that waits for another pipe every time, reading or writing."""

    def __init__(self, script: Script, pipes: list[Pipe]) -> None:
        self.script = script
        self.turns = [(pipes[0].end, POLLIN), (pipes[1].begin, POLLOUT), (pipes[0].end, POLLIN)]

    def wanted(self, now: float) -> dict[int, int]:
        return dict(self.turns[:1])

    def ready(self, fileno: int, events: int, now: float) -> None:
        assert (fileno, events) == self.turns.pop(0)
        self.script.note(str(events))

    def due(self, now: float) -> float | None:
        return None

    def tick(self, now: float) -> None:
        raise AssertionError


def test_descriptors_that_change(pipes: list[Pipe]) -> None:
    """A descriptor that is not wanted any more is not served, though it is ready."""
    script = Script(3)
    pipes[0].fill()
    assert script.run(Changing(script, pipes)) == [str(POLLIN), str(POLLOUT), str(POLLIN)]


def test_a_descriptor_that_is_another_one_now(pipes: list[Pipe]) -> None:
    """A number that was closed and given again belongs to the part that wants it now."""
    script = Script(2)
    number = pipes[0].end

    def swap() -> None:
        script.note("first")
        other = os.dup(pipes[1].end)
        os.dup2(other, number)
        os.close(other)
        pipes[1].fill()

    pipes[0].fill()
    turns = iter((swap, lambda: script.note("second")))
    assert script.run(Reader([number], lambda: next(turns)())) == ["first", "second"]


def test_nobody_has_a_turn_after_the_end(pipes: list[Pipe]) -> None:
    """A part that removes aliases at the end must not have them repaired by another one."""
    script = Script(1)
    for pipe in pipes:
        pipe.fill()
    readers = [Reader([pipe.end], lambda: script.note("reader")) for pipe in pipes]
    timer = Timer(lambda now: None if not script.notes else 0.0, lambda now: script.note("timer"))
    assert script.run(*readers, timer) == ["reader"]


def test_a_part_may_give_the_same_dictionary_with_other_descriptors(pipes: list[Pipe]) -> None:
    """The loop waits for those that stand there now."""

    class Changing(Timer):
        """Waits for the first pipe, then for the second."""

        def __init__(self) -> None:
            super().__init__(lambda now: None, lambda now: None)
            self.events = {pipes[0].end: POLLIN}
            self.heard: list[int] = []

        def wanted(self, now: float) -> dict[int, int]:
            return self.events

        def ready(self, fileno: int, events: int, now: float) -> None:
            self.heard.append(fileno)
            self.events.clear()
            self.events[pipes[1].end] = POLLIN
            if len(self.heard) == 2:
                loop.end()

    for pipe in pipes:
        pipe.fill()
    part = Changing()
    loop = Loop([part], lambda: 0.0)
    loop.run()
    assert part.heard == [pipes[0].end, pipes[1].end]
