"""Requests to the store, orders to the watcher and sentences for the journal, until they are sent.

Pure: the parts of an agent put in what they want, and the process takes it out.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.cluster.orders import Message
    from netalias.cluster.store import Request, Result

    Then = Callable[["Asked", Result, float], None]
    """Takes the request, a result, and a time that was read after that had come."""

NOTES_MAX = 100
"""Sentences that wait at most: the first ones are kept."""


class Asked:
    """A request that was *made* at a time, before it is sent, and waits *timeout* seconds for its
    answer; None for a Follow. ``then`` takes each of its results."""

    __slots__ = ("made", "request", "then", "timeout")

    def __init__(self, request: Request, made: float, timeout: float | None, then: Then) -> None:
        self.request = request
        self.made = made
        self.timeout = timeout
        self.then = then


class Outbox:
    """``requests`` are to be sent in their order, after those of ``cancelled`` are cancelled."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.cancelled: list[Asked] = []
        self.messages: list[Message] = []
        self.notes: list[tuple[bool, str]] = []
        """Sentences, each with whether it tells of an error."""
        self.ordered = 0
        """Orders so far."""

    def ask(self, request: Request, now: float, timeout: float | None, then: Then) -> Asked:
        """Send a request."""
        asked = Asked(request, now, timeout, then)
        self.requests.append(asked)
        return asked

    def cancel(self, asked: Asked) -> None:
        """Want no more results of a request."""
        if asked in self.requests:
            self.requests.remove(asked)
        else:
            self.cancelled.append(asked)

    def order(self, message: Message) -> int:
        """Send an order; its number, from 1 on."""
        self.messages.append(message)
        self.ordered += 1
        return self.ordered

    def note(self, text: str, *, error: bool = False) -> None:
        """Tell people."""
        if len(self.notes) < NOTES_MAX:
            self.notes.append((error, text))
