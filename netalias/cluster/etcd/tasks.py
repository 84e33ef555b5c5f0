"""A request until its answer, and a connection while it serves one. Pure."""

from __future__ import annotations

from netalias.cluster.etcd.http import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cluster.etcd.connection import Connection
    from netalias.cluster.etcd.messages import Call
    from netalias.cluster.etcd.streams import Stream
    from netalias.cluster.store import Request

ANSWERING = 1.0
"""Seconds until an answer that another member may be asked for; more with each try."""


class Task:
    """A request with its *call*, until its answer. It is not tried *before* a time, and its answer
    is of the revision ``least`` at least. ``refusals`` counts its last tries that were refused."""

    __slots__ = (
        "before", "call", "deadline", "least", "number", "refusals", "request", "tokens", "tries",
    )  # fmt: skip

    def __init__(self, number: int, request: Request | None, call: Call, deadline: float) -> None:
        self.number = number
        self.request = request
        self.call = call
        self.deadline = deadline
        self.before = 0.0
        self.least = 0
        self.tries = self.tokens = 0
        self.refusals = 0

    def until(self, now: float) -> float:
        """The time until which a member may take."""
        patience = ANSWERING * (1 + self.tries)
        return min(self.deadline, now + patience) if self.call.repeatable else self.deadline


class Link:
    """A *connection* to a member, by its place, that serves an *owner*, None for nobody; given up
    at *until*."""

    __slots__ = ("connection", "owner", "place", "reader", "until")

    def __init__(self, connection: Connection, place: int) -> None:
        self.connection = connection
        self.place = place
        self.reader = Reader()
        self.owner: Task | Stream | None = None
        self.until = 0.0
