"""The texts of the watcher: files in a folder, and the socket beside it.

A usual place that this user may not write to, or that another process holds, is done without, with
a warning; a place that was asked for is required.
"""

from __future__ import annotations

import os

from netalias import errors
from netalias.engine.texts import Texts, made
from netalias.system.loop import Timer
from netalias.system.server import Server, listens
from netalias.views.texts import WORDS, answer
from netalias.watch.health import WORD
from netalias.watch.subscribers import WORD as SUBSCRIBE
from netalias.watch.subscribers import Subscribers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.system.journal import Journal
    from netalias.system.loop import Pollable
    from netalias.watch.controller import Controller
    from netalias.watch.health import Health

SOCKET = ".sock"
"""Suffix of the socket's path behind that of the folder."""
GRACE = 0.02
"""Seconds between a change and its text: a repair comes first, and is written with it."""


AHEAD = 0.01
"""A text waits for what comes first within so many seconds: to write one may take longer."""
LATE = 0.1
"""Seconds since the change during which it does."""


class TextService:
    """The texts in the folder *place*, kept up to date, and a server of them.

    *wanted*: the place was asked for. *namespace* is the inode of the network namespace, *table*
    that of its table of devices, *clock* counts seconds. *health* is asked for by the word
    ``health``. *first* gives the seconds until something that comes before a text, None for
    nothing. *adopted* are the descriptors of the claim and of the listening socket of a watcher
    that has handed them over, -1 for none. Raises StateError.
    """

    def __init__(
        self,
        controller: Controller,
        journal: Journal,
        clock: Callable[[], float],
        *,
        place: str,
        namespace: int,
        table: int = 0,
        wanted: bool,
        health: Health | None = None,
        first: Callable[[float], float | None] = lambda now: None,
        adopted: tuple[int, int] = (-1, -1),
    ) -> None:
        self._first = first
        self._controller = controller
        self._health = health
        self._journal = journal
        self._clock = clock
        self._since = clock()
        self._texts: Texts | None = None
        self._server: Server | None = None
        self._socket = ""
        self._subscribers = Subscribers(controller.engine, journal, clock)
        try:
            texts = Texts(place, namespace, table=table)
            texts.claim(adopted=adopted[0])
            self._texts = texts
            self._socket = place + SOCKET
            self._server = self._served(self._socket, adopted[1])
        except errors.NetaliasError as error:
            if wanted:
                self.close()
                raise
            journal.warning(f"no {'socket' if self._texts else 'texts'}: {error.line()}")

    def _served(self, path: str, adopted: int = -1) -> Server:
        """A server at *path*, in a folder that nobody else can write to."""
        try:
            made(os.path.dirname(path)).close()
        except OSError as error:
            raise errors.StateError(f"{path}: {error.strerror}") from None
        words = WORDS if self._health is None else (*WORDS, WORD)
        streams = {SUBSCRIBE: self._subscribers.add}
        return Server(path, words, self._answer, adopted=_there(path, adopted), streams=streams)

    def filenos(self) -> dict[str, int]:
        """The descriptors that another watcher can take over, by their roles."""
        found = {}
        if self._texts is not None and self._texts.fileno() >= 0:
            found["claim"] = self._texts.fileno()
        if self._server is not None:
            found["texts"] = self._server.fileno()
        return found

    @property
    def idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return self._server is None or self._server.idle

    def pause(self, paused: bool = True) -> None:
        """Accept nobody on the socket until that ends."""
        if self._server is not None:
            self._server.pause(paused)

    def close(self, *, leave: bool = False) -> None:
        """Remove the socket, and leave the files to the commands; *leave* both to another watcher,
        which has them too."""
        self._subscribers.close()
        if self._server is not None:
            self._server.close(leave=leave)
        if self._texts is not None:
            self._texts.close()

    def parts(self) -> list[Pollable]:
        """The parts for the loop."""
        parts: list[Pollable] = []
        if self._texts is not None:
            parts.append(Timer(self._due, self.write))
        if self._server is not None:
            parts += [self, self._subscribers]
        return parts

    def restore(self) -> None:
        """Make the folder and the socket again where they were removed."""
        self.changed()
        if self._server is not None and not os.path.exists(self._socket):
            self._server.close()
            try:
                self._server = self._served(self._socket)
            except errors.NetaliasError as error:
                self._journal.warning(f"no socket: {error.line()}")

    # The server, which may be another one than at the beginning

    def wanted(self, now: float) -> dict[int, int]:
        """Descriptor: events of poll(2)."""
        return self._serving.wanted(now)

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Serve a descriptor."""
        self._serving.ready(fileno, events, now)

    def due(self, now: float) -> float | None:
        """Seconds until tick()."""
        return self._serving.due(now)

    def tick(self, now: float) -> None:
        """Serve clients in time."""
        self._serving.tick(now)

    @property
    def _serving(self) -> Server:
        assert self._server is not None
        return self._server

    def changed(self) -> None:
        """Note that the aliases may have changed."""
        if self._texts is not None:
            now = self._clock()
            if self._texts.due(now) is None:
                self._since = now
            self._texts.changed()

    def write(self, now: float) -> None:
        """Write the texts after the events so far."""
        if self._texts is not None:
            problem = self._texts.write(self._controller.observe)
            if problem:
                self._journal.warning(problem)

    def _due(self, now: float) -> float | None:
        assert self._texts is not None
        due = self._texts.due(now)
        if due is None:
            return None
        first = self._first(now) if now < self._since + LATE else None
        wait = first if first is not None and first <= AHEAD else 0.0
        return max(due, self._since + GRACE - now, wait)

    def _answer(self, word: str) -> bytes:
        """The text for *word*, as of this moment."""
        self._controller.read_events()
        if word == WORD and self._health is not None:
            return self._health.answer()
        controller = self._controller
        return answer(word, controller.observe(), controller.engine.kernel.proxies)


def _there(path: str, adopted: int) -> int:
    """The descriptor *adopted*, if that is the socket at *path*; else it is closed, and -1."""
    if adopted < 0:
        return -1
    try:
        if listens(adopted, path):
            return adopted
    except OSError:
        pass
    os.close(adopted)
    return -1
