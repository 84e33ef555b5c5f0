"""A Follow over watches of etcd, one after the other. Pure.

A watch has no heartbeat, and a member that is cut off from the others is silent for ever; so it is
opened anew from time to time, from the revision after the last event that came.
"""

from __future__ import annotations

from netalias.cluster.etcd import messages
from netalias.cluster.etcd.http import BODY_MAX, Malformed
from netalias.cluster.store import Events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from netalias.cluster.store import Follow, StoreError

CREATING = 5.0
"""Seconds until the first line, which comes at once."""
LASTING = 30.0
"""Seconds after which a watch is opened anew."""


class Stream:
    """The watches of a Follow. *check* is given the fields of each line, and raises Malformed for
    those of a foreign etcd. ``created`` tells that the present one is there, ``over`` that none
    follows; the next one is not opened *before* a time."""

    __slots__ = (
        "_check", "_lines", "_revision", "_until", "before", "created", "number", "over",
        "refusals", "request", "tokens", "tries",
    )  # fmt: skip

    def __init__(
        self, number: int, request: Follow, check: Callable[[dict[str, Any], float], None]
    ) -> None:
        self.number = number
        self.request = request
        self.before = 0.0
        self.tries = self.tokens = self.refusals = 0
        self.created = self.over = False
        self._check = check
        self._revision = request.revision
        self._lines = bytearray()
        self._until = 0.0

    def body(self) -> bytes:
        """The message that opens the next watch."""
        self._lines.clear()
        self.created = False
        return messages.watch(self.request.prefix, self._revision)

    def reopen(self, before: float) -> None:
        """Open another watch, not before a time."""
        self.created = False
        self.before = before

    def until(self, now: float) -> float:
        """The time at which the present one is over."""
        return self._until if self.created else now + CREATING

    def take(self, data: bytes, now: float) -> Iterator[Events | StoreError]:
        """The results in these bytes, each of which counts as taken: those before nonsense too.
        Raises Malformed, StaleToken."""
        self._lines += data
        if len(self._lines) > BODY_MAX:
            raise Malformed("a line without an end")
        *lines, rest = self._lines.split(b"\n")
        self._lines = bytearray(rest)
        for line in lines:
            fields = messages.parsed(bytes(line))
            self._check(fields, now)
            result = messages.watched(fields, self._revision)
            if not self.created:
                self.created, self._until = True, now + LASTING
                self.tries = self.tokens = 0
            if isinstance(result, Events):
                self._revision = result.events[-1].revision + 1
            if result is not None:
                yield result
