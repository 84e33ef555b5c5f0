"""A part that fails ends nobody: it rests longer and longer, and others are served."""

from __future__ import annotations

import os
from collections.abc import Iterator
from select import POLLIN

import pytest

from netalias.system.guarded import Guarded
from netalias.system.loop import Loop, Timer


class Part:
    """A part whose methods named in ``broken`` raise ``error``; it notes what it is asked."""

    def __init__(self, fileno: int = -1) -> None:
        self.fileno = fileno
        self.broken: set[str] = set()
        self.error: Exception = IndexError("nothing there")
        self.asked: list[str] = []
        self.wait: float | None = None

    def _note(self, name: str) -> None:
        self.asked.append(name)
        if name in self.broken:
            raise self.error

    def wanted(self, now: float) -> dict[int, int]:
        self._note("wanted")
        return {self.fileno: POLLIN} if self.fileno >= 0 else {}

    def due(self, now: float) -> float | None:
        self._note("due")
        return self.wait

    def ready(self, fileno: int, events: int, now: float) -> None:
        self._note("ready")

    def tick(self, now: float) -> None:
        self._note("tick")


class Stage:
    """A part under guard, a clock that tests move, and what was told."""

    def __init__(self, part: Part) -> None:
        self.now = 100.0
        self.told: list[Exception] = []
        self.part = part
        self.guarded = Guarded(part, lambda: self.now, self.told.append)

    def call(self, name: str) -> object:
        """Call one of the four methods."""
        words = (3, POLLIN, self.now) if name == "ready" else (self.now,)
        return getattr(self.guarded, name)(*words)


METHODS = {"wanted": {}, "due": None, "ready": None, "tick": None}


@pytest.fixture
def pipe() -> Iterator[int]:
    """A descriptor that stays readable."""
    end, begin = os.pipe()
    os.write(begin, b"x")
    yield end
    os.close(end)
    os.close(begin)


@pytest.mark.parametrize("error", [IndexError("x"), MemoryError(), OSError(24, "x")])
@pytest.mark.parametrize("name", METHODS)
def test_an_exception_is_told_and_the_part_rests(name: str, error: Exception) -> None:
    """Whichever method raises, and whatever."""
    stage = Stage(Part(3))
    stage.part.broken, stage.part.error = {name}, error
    assert stage.call(name) == METHODS[name]
    assert stage.told == [error]
    stage.part.asked.clear()
    assert stage.call("wanted") == {}
    assert stage.call("due") == 1.0
    stage.call("ready")
    assert not stage.part.asked
    stage.now += 1.0
    stage.part.broken.clear()
    assert stage.call("wanted") == {3: POLLIN}
    stage.call("ready")
    assert stage.part.asked[-1] == "ready"


def test_it_rests_longer_and_longer() -> None:
    """Up to a minute; when it has done its work, a second again."""
    stage = Stage(Part())
    stage.part.broken = {"tick"}
    rests = []
    for _ in range(8):
        stage.call("tick")
        rests.append(stage.call("due"))
        stage.now += 60
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60]
    stage.part.broken.clear()
    stage.call("tick")
    stage.part.broken.add("tick")
    stage.call("tick")
    assert stage.call("due") == 1.0


def test_signals_pass() -> None:
    """KeyboardInterrupt and SystemExit are no failures of a part."""
    stage = Stage(Part())
    stage.part.broken, stage.part.error = {"tick"}, KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        stage.call("tick")


def test_who_cannot_be_told() -> None:
    """Without memory the journal fails, too."""
    part = Part()
    part.broken = {"tick"}

    def told(error: Exception) -> None:
        raise MemoryError

    Guarded(part, lambda: 0.0, told).tick(0.0)


def test_others_are_served(pipe: int) -> None:
    """In one loop: a part whose descriptor stays ready is called once, and does not keep the loop
    turning."""
    part, told = Part(pipe), list[Exception]()
    part.broken = {"ready"}
    turns: list[float] = []

    def turn(now: float) -> None:
        turns.append(now)
        if len(turns) == 5:
            loop.end()

    timer = Timer(lambda now: 0.0, turn)
    parts = [Guarded(part, lambda: 5.0, told.append), Guarded(timer, lambda: 5.0, told.append)]
    loop = Loop(parts, lambda: 5.0)
    loop.run()
    assert len(turns) == 5
    assert part.asked.count("ready") == 1
    assert len(told) == 1
