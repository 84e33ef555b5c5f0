"""Requests of those who subscribe to the bus: ``subscribe [KINDS] [DEV]``. Pure.

KINDS are some of KINDS with commas between them, or ``all``; DEV is the name of a main device or an
alias. A single word that is no KINDS is a DEV, unless a comma follows it.
"""

from __future__ import annotations

from netalias import errors
from netalias.model.events import (
    ADDRESS,
    ARRIVAL,
    CARRIER,
    DEPARTURE,
    FLAG,
    LINK_FIELDS,
    MEDIA,
    NETNS,
    ROUTE,
)
from netalias.monitor.selection import checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = (ARRIVAL, DEPARTURE, FLAG, CARRIER, *LINK_FIELDS, "altname", ADDRESS, NETNS, MEDIA, ROUTE)
"""Events that can be subscribed to."""
EVERY = "all"
"""Stands for all of them but ROUTE, which has to be named, as monitor prints it with -d only."""
ROOT = 0
"""The user who may ask for routes. A host may have a million of them, and whoever serves the
readers has to know them all: nobody else is to decide about so much of its memory."""


class Request:
    """The ``kinds`` of events and the ``device`` that a reader of the user *uid* wants, empty for
    all; *words* are those behind ``subscribe``. Raises UsageError, BadName, StateError."""

    __slots__ = ("device", "kinds", "uid")

    def __init__(self, words: Sequence[str], uid: int) -> None:
        self.kinds, self.device = _parsed(words)
        self.uid = uid
        if self.device:
            checked(self.device)
        if self.routes and uid != ROOT:
            raise errors.StateError(
                "only root may subscribe to route", "netalias -d monitor is for everybody"
            )

    @property
    def routes(self) -> bool:
        """Whether events of routes are among them."""
        return ROUTE in self.kinds


def message(words: Sequence[str], uid: int) -> bytes:
    """The bytes that go with the connection of a reader to whoever serves it."""
    return " ".join((str(uid), *words)).encode()


def read(content: bytes) -> Request:
    """The request of such bytes. Raises UsageError, BadName, StateError."""
    uid, *words = content.decode().split()
    return Request(words, int(uid))


def _parsed(words: Sequence[str]) -> tuple[frozenset[str], str]:
    if len(words) > 2:
        raise errors.UsageError("subscribe takes KINDS and DEV")
    first = words[0] if words else EVERY
    found = set(first.removesuffix(",").split(","))
    wrong = sorted(found.difference((EVERY, *KINDS)))
    if wrong and (words[1:] or "," in first):
        raise errors.UsageError(f"{wrong[0] or repr('')}: none of {', '.join((EVERY, *KINDS))}")
    device = first if wrong else "".join(words[1:])
    if wrong or EVERY in found:
        found = {*KINDS} - {ROUTE} | found & {ROUTE}
    return frozenset(found), device
