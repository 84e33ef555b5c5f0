"""The readers who subscribe to the events of a watcher; the bus is loaded for the first of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Sequence

    from netalias.system.slots import Accounts
    from netalias.watch.bus import Bus
    from netalias.watch.controller import Controller

WORD = "subscribe"
"""The first word of their request."""


class Subscribers:
    """A part of the loop. *accounts* gives those of the server of the socket."""

    def __init__(self, controller: Controller, accounts: Callable[[], Accounts]) -> None:
        self._controller = controller
        self._accounts = accounts
        self._bus: Bus | None = None

    def add(self, words: Sequence[str], connection: socket, uid: int) -> None:
        """Serve a connection of the user *uid*; *words* are those of the request. Raises
        UsageError, BadName, StateError."""
        if self._bus is None:
            from netalias.watch.bus import Bus

            controller = self._controller
            self._bus = bus = Bus(controller.state, controller.engine.group, self._accounts())
            controller.listen(bus.hear, bus.feeds.miss)
        self._bus.subscribe(words, connection, uid)

    def close(self) -> None:
        """Hang up on all of them; whoever connects again gets a whole state."""
        if self._bus is not None:
            self._bus.feeds.close()

    def wanted(self, now: float) -> dict[int, int]:
        """Descriptor: events of poll(2)."""
        return {} if self._bus is None else self._bus.feeds.wanted(now)

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Serve a descriptor."""
        if self._bus is not None:
            self._bus.feeds.ready(fileno, events, now)

    def due(self, now: float) -> float | None:
        """Seconds until tick()."""
        return None if self._bus is None else self._bus.feeds.due(now)

    def tick(self, now: float) -> None:
        """Send what has come."""
        if self._bus is not None:
            self._bus.feeds.tick(now)
