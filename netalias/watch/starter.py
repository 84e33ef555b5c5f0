"""Starting the data planes of a watcher."""

from __future__ import annotations

import os
from time import monotonic

from netalias.tunnels import plane
from netalias.watch.tunnels import Tunnels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.desired.tunnels import Tunnel
    from netalias.engine import Engine
    from netalias.engine.tunnels import Held
    from netalias.system.journal import Journal
    from netalias.tunnels.spare import Spare


class Starter:
    """Starts data planes that end with this process, however it ends: each has the reading end of a
    pipe, whose other end is here. Both ends may be those of a watcher before this one.

    One process waits to be the next data plane, while there are tunnels.
    """

    def __init__(self, alive: int = -1, lifeline: int = -1) -> None:
        self._alive = alive
        self.lifeline = lifeline
        """The writing end; -1 before the first start."""
        self._spare: Spare | None = None

    def filenos(self) -> dict[str, int]:
        """Both ends, which another watcher takes over with the data planes."""
        found = {"alive": self._alive, "lifeline": self.lifeline}
        return found if self.lifeline >= 0 else {}

    def __call__(self, held: Held, words: list[str]) -> int:
        """Start one, in the process that waits if there is one; its pid. Raises OSError."""
        parts = held.device, held.carriage, held.count
        spare, self._spare = self._spare, None
        if spare is not None:
            try:
                return spare.take(*parts, words)
            except OSError:
                pass  # somebody has ended it
        return plane.spawn(*parts, words, self._pipe())

    def tunnels(
        self,
        engine: Engine,
        journal: Journal,
        folder: str,
        loaded: Callable[[Iterable[Tunnel]], object],
    ) -> Tunnels:
        """The tunnels of a watcher whose data planes are started here; see Tunnels."""
        return Tunnels(engine, journal, monotonic, folder, self, loaded, self.prepare)

    def prepare(self, keyed: bool | None) -> None:
        """Have a process wait for the next call, with what a key needs if it is to be *keyed*; None
        for no process at all. Without one a start only takes longer."""
        if self._spare is not None and (keyed is None or (keyed and not self._spare.keyed)):
            self._spare.close()
            self._spare = None
        if self._spare is not None or keyed is None:
            return
        from netalias.tunnels.spare import Spare

        try:
            self._spare = Spare(self._pipe(), keyed=keyed)
        except OSError:
            pass

    def _pipe(self) -> int:
        """The reading end, which a data plane gets."""
        if self._alive < 0:
            self._alive, self.lifeline = os.pipe()
        return self._alive
