"""The places of users at a server for everybody, and their turns.

No user keeps the others out, and none takes much of the time: each has a number of places and a
share of the time. A user that is over its share is not refused what it has; it waits until the time
is paid for. Knows no socket: a client is anything with the attributes of Client.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol, TypeVar

    class Client(Protocol):
        """``uid`` is its user, ``seen`` the time of the last byte from it or to it; ``waits``: it
        waits for us, and is not idle."""

        uid: int
        seen: float

        @property
        def waits(self) -> bool: ...

    C = TypeVar("C", bound=Client)

ROOT = 0
EACH = 64
"""Connections of one user."""
ALL = 256
"""Connections of all users but root, who may be many: a user namespace has 65536 of them."""
SHARE = 0.1
"""Part of the time that may be spent for one user."""
ADVANCE = 1.0
"""Seconds that a user may be behind with that: 0.1 s of work at once."""
DEBTORS = 4 * ALL
"""Users that are remembered."""


def crowding(clients: Iterable[C], uid: int, each: int = EACH, every: int = ALL) -> C | None:
    """The client that has to go before the user *uid* gets another connection; None without one.

    It is one of the same user if that has *each*, else, where all but root have *every*, one of the
    user that has most. The longest idle goes first, and the one that waits for us last.
    """
    of: dict[int, list[C]] = {}
    for client in clients:
        of.setdefault(client.uid, []).append(client)
    crowd = of.get(uid, [])
    if len(crowd) < each:
        ordinary = [group for one, group in of.items() if one != ROOT]
        if uid == ROOT or sum(map(len, ordinary)) < every:
            return None
        crowd = max(ordinary, key=len)
    return min(crowd, key=lambda client: (client.waits, client.seen))


class Accounts:
    """The time that was spent for each user, as the time at which it is paid for."""

    __slots__ = ("_paid",)

    def __init__(self) -> None:
        self._paid: dict[int, float] = {}

    def charge(self, uid: int, seconds: float, now: float) -> None:
        """Note that *seconds* were spent for a user until *now*."""
        if seconds <= 0:
            return
        self._paid[uid] = max(self._paid.get(uid, now), now) + seconds / SHARE
        if len(self._paid) > DEBTORS:
            self._paid = {one: paid for one, paid in self._paid.items() if paid > now}

    def until(self, uid: int) -> float:
        """The time from which on work is done for a user."""
        return self._paid.get(uid, float("-inf")) - ADVANCE

    def open(self, uid: int, now: float) -> bool:
        """Whether work is done for a user."""
        return now >= self.until(uid)
