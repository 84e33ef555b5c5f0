"""The checkpoint of engine/checkpoint.py, by event: the watcher must not undo a change under it."""

from __future__ import annotations

import os
from errno import ESRCH
from select import POLLIN

from netalias.engine.checkpoint import PENDING, REJECTED, pending, rejected, unguarded
from netalias.system.inotify import Followed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.engine.checkpoint import Pending

LOOK = 1.0
"""Seconds between two looks at a guard without a descriptor (pidfd_open(2)) to poll."""


class Checkpoint:
    """The checkpoint in a runtime directory, read when it changes; a Pollable.

    Its end is an event too: of its file, or of its guard, which may be killed. *work* is called
    after each event; *warn* gets a sentence once on a file that no guard is behind. Raises
    StateError.
    """

    def __init__(
        self, folder: str, work: Callable[[], object], warn: Callable[[str], object]
    ) -> None:
        self._folder = folder
        self._work = work
        self._warn = warn
        self._told = ""
        self._followed = Followed()
        self._stale = True
        self._pending: Pending | None = None
        self._rejected = ""
        self._guard = -1  # descriptor of the guard's process
        self._look = 0.0

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Follow nothing any more."""
        self._followed.close()
        self._close_guard()

    def reason(self, digest: str) -> str:
        """The reason not to apply the configuration with this digest now; empty for none.

        A change must not be undone before it is confirmed, and not be made again after it was not
        confirmed. An event that the loop has not seen yet counts. Raises StateError.
        """
        if self._followed.read() or self._stale:
            self._read()
        if self._pending is not None and self._pending.digest != digest:
            since = self._pending.since
            return f"a change waits for its confirmation since {since}: nothing is put right"
        if self._rejected == digest != "":
            return "this configuration was tried and not confirmed: it is not applied"
        return ""

    def _read(self) -> None:
        self._stale = True
        self._close_guard()
        # Follow first: a change after that is an event.
        blind = self._followed.follow(f"{self._folder}/{name}" for name in (PENDING, REJECTED))
        self._pending = pending(self._folder)
        self._rejected = rejected(self._folder)
        self._tell("" if self._pending is not None else unguarded(self._folder))
        if self._pending is not None:
            self._follow_guard(self._pending)
        self._stale = bool(blind)

    def _tell(self, text: str) -> None:
        before, self._told = self._told, text
        if text and text != before:
            self._warn(text)

    def _follow_guard(self, found: Pending) -> None:
        try:
            self._guard = os.pidfd_open(found.pid)
        except OSError as error:
            if error.errno == ESRCH:
                self._pending = None
            return
        if not found.alive:  # the pid may have been reused in between
            self._close_guard()
            self._pending = None

    def _close_guard(self) -> None:
        if self._guard >= 0:
            os.close(self._guard)
            self._guard = -1

    def wanted(self, now: float) -> dict[int, int]:
        """Descriptor: events of poll(2)."""
        found = {self._followed.fileno(): POLLIN}
        if self._guard >= 0:
            found[self._guard] = POLLIN
        return found

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Note the event of a descriptor."""
        if fileno == self._guard:
            self._close_guard()
        elif not self._followed.read():
            return
        self._stale = True
        self._work()

    def due(self, now: float) -> float | None:
        """Seconds until tick(); None where the guard is followed, or there is none."""
        if self._pending is None or self._guard >= 0 or self._stale:
            return None
        return max(0.0, self._look - now)

    def tick(self, now: float) -> None:
        """Have the checkpoint read again."""
        self._look = now + LOOK
        self._stale = True
        self._work()
