"""What a watcher shows: the texts in a folder, and the socket beside it.

Where there is no right to the usual place, or another one holds it, there are none of them, and a
warning says so; a place that was asked for must do.
"""

from __future__ import annotations

from netalias import errors
from netalias.engine.texts import Texts
from netalias.system.loop import Timer
from netalias.system.server import Server
from netalias.views.texts import WORDS, answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.system.journal import Journal
    from netalias.system.loop import Pollable
    from netalias.watch.controller import Controller

SOCKET = ".sock"
"""What is behind the name of the folder of the texts in that of the socket."""
GRACE = 0.02
"""Seconds that a change is kept from the texts: what follows from it comes first, and is written
with it."""


class TextService:
    """*place* is the folder, *wanted* whether it was asked for; *namespace* the inode of the
    network namespace. Raises StateError."""

    def __init__(
        self,
        controller: Controller,
        journal: Journal,
        clock: Callable[[], float],
        *,
        place: str,
        namespace: int,
        wanted: bool,
    ) -> None:
        self._controller = controller
        self._journal = journal
        self._clock = clock
        self._since = clock()
        self._texts: Texts | None = None
        self._server: Server | None = None
        try:
            texts = Texts(place, namespace)
            texts.claim()
            self._texts = texts
            self._server = Server(place + SOCKET, WORDS, self._answer)
        except errors.NetaliasError as error:
            if wanted:
                self.close()
                raise
            journal.warning(f"no {'socket' if self._texts else 'texts'}: {error.line()}")

    def close(self) -> None:
        """Leave the texts to the commands, and take the socket away."""
        if self._server is not None:
            self._server.close()
        if self._texts is not None:
            self._texts.close()

    def parts(self) -> list[Pollable]:
        """What the loop serves."""
        parts: list[Pollable] = []
        if self._texts is not None:
            parts.append(Timer(self._due, self.write))
        if self._server is not None:
            parts.append(self._server)
        return parts

    def changed(self) -> None:
        """There may be other aliases."""
        if self._texts is not None:
            now = self._clock()
            if self._texts.due(now) is None:
                self._since = now
            self._texts.changed()

    def write(self, now: float) -> None:
        """Write what the events have told."""
        if self._texts is not None:
            problem = self._texts.write(self._controller.observe)
            if problem:
                self._journal.warning(problem)

    def _due(self, now: float) -> float | None:
        assert self._texts is not None
        due = self._texts.due(now)
        return None if due is None else max(due, self._since + GRACE - now)

    def _answer(self, word: str) -> bytes:
        """What is there at this moment."""
        self._controller.hear()
        return answer(word, self._controller.observe(), self._controller.engine.kernel.proxies)
