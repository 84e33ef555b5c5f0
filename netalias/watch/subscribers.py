"""The readers who subscribe to events: their connections go to a process of its own, which is
started for the first of them, and ended when it has none (monitor/serving.py). Another one has
those who want routes as well, of which a host may have a million.
"""

from __future__ import annotations

from select import POLLIN

from netalias import errors
from netalias.system.backoff import RepairBackoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Sequence

    from netalias.engine import Engine
    from netalias.system.journal import Journal

    Start = Callable[[int, Sequence[str]], object]
    """Starts a process, with the descriptor of its end of the channel and its words. Raises
    OSError."""

WORD = "subscribe"
"""The first word of their request."""
NAME = "netalias.monitor.serving"
ROOM = 1 << 20
"""Bytes of connections that the process has not taken yet: some two thousand."""


class Serving:
    """A process that serves readers, and is started with these *words*."""

    def __init__(
        self, words: Sequence[str], start: Start, journal: Journal, clock: Callable[[], float]
    ) -> None:
        self._words = words
        self._start = start
        self._journal = journal
        self._clock = clock
        self._deaths = RepairBackoff()
        self._rested = float("-inf")
        self._given = 0
        self.channel: socket | None = None
        """None without a process."""

    def give(self, content: bytes, connection: socket) -> None:
        """Hand a connection over, with what the process is to know. Raises StateError."""
        from netalias.system import descriptors

        self.look()
        channel = self.channel or self._begun()
        try:
            descriptors.send(channel, content, [connection.fileno()])
        except OSError as error:
            raise errors.StateError(f"nobody serves subscriptions now: {error.strerror}") from None
        self._given += 1

    def _begun(self) -> socket:
        """The channel of a new process. Raises StateError."""
        now = self._clock()
        if now < self._rested:
            raise errors.StateError("whoever serves subscriptions keeps ending: later again")
        try:
            channel = self._started()
        except OSError as error:
            self._rested = self._deaths.undone(NAME, now)
            raise errors.StateError(f"nobody serves subscriptions: {error.strerror}") from None
        self.channel, self._given = channel, 0
        return channel

    def _started(self) -> socket:
        """Start a process; its channel. Raises OSError."""
        from netalias.system import descriptors

        channel, theirs = descriptors.packets()
        try:
            channel.setblocking(False)
            descriptors.enlarge(channel, ROOM)
            self._start(theirs.fileno(), self._words)
        except BaseException:  # a signal too: nobody else would close it
            channel.close()
            raise
        finally:
            theirs.close()
        return channel

    def look(self) -> None:
        """Take note of what the process has said: that nobody reads, or, by its end, nothing."""
        if self.channel is None:
            return
        from netalias.system import descriptors

        try:
            with descriptors.receive(self.channel) as found:
                said = found.content
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if said == b"%d" % self._given:
            self.close()
        elif not said:
            self.close()
            self._rested = self._deaths.undone(NAME, self._clock())
            self._journal.error("the process that serves subscriptions has ended")

    def close(self) -> None:
        """End the process, which hangs up on all of its readers."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None


def spawn(channel: int, words: Sequence[str]) -> int:
    """Start a process that serves readers; its pid. Raises OSError."""
    from netalias.system.interpreter import start

    return start(NAME, [channel], words)


class Subscribers:
    """A part of the loop. *start* starts a process; *clock* counts seconds."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        clock: Callable[[], float],
        start: Start = spawn,
    ) -> None:
        def begin(channel: int, words: Sequence[str]) -> object:
            return engine.within(lambda: start(channel, words))

        group = str(engine.group)
        self._plain = Serving([group], begin, journal, clock)
        self._routes = Serving([group, "route"], begin, journal, clock)

    def add(self, words: Sequence[str], connection: socket, uid: int) -> None:
        """Serve a connection of the user *uid*; *words* are those of the request. Raises
        UsageError, BadName, StateError."""
        from netalias.monitor.request import Request, message

        serving = self._routes if Request(words, uid).routes else self._plain
        serving.give(message(words, uid), connection)
        connection.close()

    def close(self) -> None:
        """Hang up on all of them; whoever connects again gets a whole state."""
        self._plain.close()
        self._routes.close()

    def wanted(self, now: float) -> dict[int, int]:
        """The channels to the processes."""
        channels = (self._plain.channel, self._routes.channel)
        return {one.fileno(): POLLIN for one in channels if one is not None}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Take note of what a process has said."""
        self._plain.look()
        self._routes.look()

    def due(self, now: float) -> None:
        """Never."""

    def tick(self, now: float) -> None:
        """Nothing."""
