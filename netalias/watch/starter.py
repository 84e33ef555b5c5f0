"""Starting the data planes of a watcher."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.engine.tunnels import Held


class Starter:
    """Starts data planes that end with this process, however it ends: each has the reading end of a
    pipe, whose other end is here. Both ends may be those of a watcher before this one."""

    def __init__(self, alive: int = -1, lifeline: int = -1) -> None:
        self._alive = alive
        self.lifeline = lifeline
        """The writing end; -1 before the first start."""

    def filenos(self) -> dict[str, int]:
        """Both ends, which another watcher takes over with the data planes."""
        found = {"alive": self._alive, "lifeline": self.lifeline}
        return found if self.lifeline >= 0 else {}

    def __call__(self, held: Held, words: list[str]) -> int:
        """Start one; its pid. Raises OSError."""
        from netalias.tunnels.plane import spawn

        if self._alive < 0:
            self._alive, self.lifeline = os.pipe()
        return spawn(held.device, held.carriage, held.count, words, self._alive)
