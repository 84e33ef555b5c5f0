"""One request at a time, for those who have nothing else to do: the commands."""

from __future__ import annotations

from select import poll

from netalias.cluster.store import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.cluster.store import Engine, Request, Result

TIMEOUT = 5.0
"""Seconds for which a command waits for an answer."""


def ask(
    engine: Engine, request: Request, clock: Callable[[], float], timeout: float = TIMEOUT
) -> Result:
    """The result of a request, the first one of a Follow. Raises StoreError.

    It takes the answers to all other requests, and drops them.
    """
    number = engine.send(request, clock(), timeout)
    while True:
        for answer in engine.answers():
            if answer.number == number:
                if isinstance(answer.result, StoreError):
                    raise answer.result
                return answer.result
        turn(engine, clock)


def turn(engine: Engine, clock: Callable[[], float], most: float | None = None) -> None:
    """Serve an engine once: wait until it has something to do, *most* seconds at most."""
    state = poll()
    for fileno, events in engine.wanted(clock()).items():
        state.register(fileno, events)
    wait = engine.due(clock())
    if most is not None:
        wait = most if wait is None else min(wait, most)
    for fileno, events in state.poll(None if wait is None else int(wait * 1000 + 0.999)):
        engine.ready(fileno, events, clock())
    due = engine.due(clock())
    if due is not None and due <= 0:
        engine.tick(clock())
