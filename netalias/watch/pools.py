"""The cluster of a watcher: nothing of it is loaded before a line is about it."""

from __future__ import annotations

from netalias.runtime import tasks as carried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.desired.tasks import Task
    from netalias.model.events import Event
    from netalias.system.journal import Journal
    from netalias.views.metrics import Floats
    from netalias.watch.agent import Agent
    from netalias.watch.claims import Claims
    from netalias.watch.controller import Controller

KEYWORDS = ("cluster", "float")


class Pools:
    """A part of the loop: the pools that float, and the agent that orders where they stand.
    *release* is that of this program."""

    def __init__(
        self,
        controller: Controller,
        checks: Claims,
        journal: Journal,
        clock: Callable[[], float],
        folder: str,
        release: str,
    ) -> None:
        self._parts = controller, checks, journal, clock, folder
        self._release = release
        self._folder = folder
        self._loaded = False
        self.agent: Agent | None = None

    def load(self, tasks: Iterable[Task]) -> None:
        """Replace the lines."""
        mine = [one for one in tasks if one.keyword in KEYWORDS]
        if mine and self.agent is None:
            from netalias.watch.agent import Agent, spawn

            release = self._release
            self.agent = Agent(*self._parts, lambda link, folder: spawn(link, folder, release))
        if self.agent is not None:
            self.agent.load(mine)
        elif not self._loaded:
            carried.write(self._folder, [], carried.FLOATS)  # those of a watcher that was killed
        self._loaded = True

    def hear(self, event: Event) -> None:
        """Take note of an event."""
        if self.agent is not None:
            self.agent.hear(event)

    def close(self, *, release: bool = False, wait: bool = True) -> None:
        """End the agent, and *wait* for that (agent.py). What stands runs out, unless another
        watcher goes on with it; with *release* it is given up first, so that others need not
        wait."""
        if self.agent is not None:
            if release:
                self.agent.release()
            self.agent.close(wait=wait)

    def counts(self) -> Floats:
        """The numbers of addresses, for views.metrics.floats()."""
        return self.agent.floats.counts() if self.agent is not None else ({}, 0.0)

    # A part of the loop

    def wanted(self, now: float) -> dict[int, int]:
        """The link to the agent."""
        return self.agent.wanted(now) if self.agent is not None else {}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Something has come from the agent, or can be sent."""
        if self.agent is not None:
            self.agent.ready(fileno, events, now)

    def due(self, now: float) -> float | None:
        """Seconds until tick()."""
        return self.agent.due(now) if self.agent is not None else None

    def tick(self, now: float) -> None:
        """Start the agent, or do what it has ordered."""
        if self.agent is not None:
            self.agent.tick(now)
