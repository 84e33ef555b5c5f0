"""The health of a watcher: an answer on its socket, and metrics in a file for Prometheus."""

from __future__ import annotations

from os import getpid

from netalias import errors
from netalias.observed import ordered
from netalias.views import metrics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.engine import Engine
    from netalias.observed import Observed
    from netalias.system.journal import Journal
    from netalias.views.metrics import Floats
    from netalias.watch.controller import Controller

WORD = "health"
"""The word that the socket answers."""
PERIOD = 15.0
"""Seconds between two files; Prometheus reads them every fifteen to sixty seconds."""
OK, INCOMPLETE, PAUSED = "ok", "incomplete", "paused"


class Health:
    """The numbers of aliases that a watcher keeps and that are there. *since* is its start in
    seconds since the epoch; *floats* is as views.metrics.floats() takes it."""

    def __init__(
        self, controller: Controller, since: float, floats: Callable[[], Floats] = lambda: ({}, 0.0)
    ) -> None:
        self._controller = controller
        self.since = since
        self.floats = floats

    def state(self, observed: Observed | None = None) -> dict[str, object]:
        """The fields of the answer. ``status`` is PAUSED while nothing is put right, with the
        ``reason``, INCOMPLETE while declared aliases are not there, else OK. By default *observed*
        is what the events tell."""
        controller = self._controller
        wished = controller.wished
        found = (observed or controller.observe()).aliases
        present = sum(alias.ours and wished.of(alias) is not None for alias in found)
        status = INCOMPLETE if present < len(wished) else OK
        return {
            "status": PAUSED if controller.paused else status,
            "reason": controller.paused,
            "pid": getpid(),
            "since": round(self.since, 3),
            "declared": len(wished),
            "present": present,
            "healed": controller.healed,
        }

    def answer(self) -> bytes:
        """The answer to WORD: a JSON object in a line."""
        from netalias.views import json  # for those who ask

        return json.line(self.state()).encode("ascii")


class MetricsFile:
    """The file at *path*, written every PERIOD seconds and at the end. It has the counters of
    *most* aliases; *wall* gives the time in seconds since the epoch. What keeps it from being
    written is told once."""

    def __init__(
        self,
        health: Health,
        engine: Engine,
        journal: Journal,
        path: str,
        most: int,
        wall: Callable[[], float],
    ) -> None:
        self._health = health
        self._engine = engine
        self._journal = journal
        self._path = path
        self._most = most
        self._wall = wall
        self._next = 0.0
        self._problem = ""

    def due(self, now: float) -> float | None:
        """Seconds until write()."""
        return max(0.0, self._next - now)

    def write(self, now: float) -> None:
        """Write the file."""
        self._next = now + PERIOD
        self._write(up=True)

    def close(self) -> None:
        """Write it for the last time: the watcher has ended."""
        self._write(up=False)

    def _write(self, *, up: bool) -> None:
        try:
            # Events tell no counters.
            observed = self._engine.observe()
            text = metrics.watching(
                self._health.state(observed), metrics.counts(observed.aliases), self._wall(), up=up
            )
            text += metrics.floats(*self._health.floats())
            if self._most:
                aliases = ordered(observed.aliases, observed.snapshot)
                text += metrics.alias_counters(aliases, self._most)
            metrics.write(self._path, text)
        except errors.NetaliasError as error:
            if error.line() != self._problem:
                self._problem = error.line()
                self._journal.warning(f"no metrics: {error.line()}")
            return
        self._problem = ""
