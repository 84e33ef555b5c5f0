"""Gentle moves: which addresses a host gives up now, of those that others are to have. Pure.

Every host decides this for its own addresses, by its own clock. An address stays for its hold-down
first. Then addresses go at a RATE, or as many as leave them all gone in about a minute, and to each
host only so many as it shall take without having done so yet (IN_FLIGHT): a host that has a key in
the store but takes nothing gets no more of them.
What a dead host had is no move: whoever is to have it takes it as soon as the fence allows.

A host that ends gives up all it has, some at a time as well: each address is away while others take
these few, and not while they take all.

Times are seconds of one clock that does not go back.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netalias.cluster.placement import Key

RATE = 50.0
"""Addresses that a host gives up in a second at least."""
PART = 1 / 20
"""The part of the addresses that are to leave that it gives up in a second, where that is more."""
IN_FLIGHT = 8
"""Addresses that are free, on their way to one host."""
PAUSE = 0.16
"""Seconds between two times at which some are given up: each time costs transactions of the store.
After a longer pause there are twice as many at once."""
ENDING = 16
"""Addresses that a host that ends gives up at once, or a QUARTER of them where that is more."""
QUARTER = 1 / 4
STEP = 0.1
"""Seconds between these."""
LATER = 0.001
"""Seconds that next() is late, so that no rounding leaves the last address of a batch."""
ROUNDING = 1e-6


class Moves:
    """The pace of one host, whose name is *node*. Its credit is counted in seconds of giving up."""

    __slots__ = ("_at", "_credit", "_ends", "_next", "_node")

    def __init__(self, node: str) -> None:
        self._node = node
        self._credit = 2 * PAUSE
        self._at: float | None = None
        self._ends: float | None = None
        self._next: float | None = None

    def due(
        self,
        now: float,
        held: Mapping[Key, float],
        placed: Mapping[Key, str],
        free: Iterable[Key],
    ) -> list[Key]:
        """The addresses to give up now, in their order.

        *held* has the addresses of this host, each with the time at which its hold-down is over: 0
        for one that is not to wait, as on a host that drains. *free* are those that hosts have
        given up, or are about to, and nobody has taken yet. An address that has no place stays.
        """
        leaving, later = self._leaving(now, held, placed)
        rate = max(RATE, len(leaving) * PART)
        if self._at is not None:
            self._credit = min(2 * PAUSE, self._credit + (now - self._at))
        self._at = now
        most = int(self._credit * rate + ROUNDING)
        batch = min(round(PAUSE * rate), len(leaving))
        given: list[Key] = []
        if most >= batch:
            room = _Room(placed, free)
            ready = [key for key in in_turn(leaving, placed) if room.take(placed[key])]
            given = ready[:most]
            self._credit -= len(given) / rate
            batch = min(batch, len(ready) - len(given))
        self._next = now + max(0.0, batch / rate - self._credit) + LATER if batch else later
        return given

    def ending(
        self, now: float, held: Iterable[Key], placed: Mapping[Key, str], *, at_once: bool
    ) -> list[Key]:
        """The addresses that a host that ends gives up now, of those that it has; all *at_once*
        where nobody can take them anyway."""
        keys = in_turn(held, placed)
        if at_once or not keys:
            self._next = None
            return keys
        if self._ends is None or now >= self._ends:
            self._ends = now + STEP
            given = keys[: max(ENDING, int(len(keys) * QUARTER))]
        else:
            given = []
        self._next = self._ends if len(given) < len(keys) else None
        return given

    def next(self) -> float | None:
        """The time at which more may be due though nothing changes in the store; None for never."""
        return self._next

    def _leaving(
        self, now: float, held: Mapping[Key, float], placed: Mapping[Key, str]
    ) -> tuple[list[Key], float | None]:
        """The addresses that are to leave, and the end of the hold-down that is over next."""
        leaving, later = [], None
        for key, ready in held.items():
            if placed.get(key, self._node) == self._node:
                continue
            if ready <= now:
                leaving.append(key)
            elif later is None or ready < later:
                later = ready
        return leaving, later


class _Room:
    """The number of addresses that may still be sent on their way, host by host."""

    def __init__(self, placed: Mapping[Key, str], free: Iterable[Key]) -> None:
        self._flying: dict[str, int] = {}
        for key in free:
            node = placed.get(key)
            if node is not None:
                self._flying[node] = self._flying.get(node, 0) + 1

    def take(self, node: str) -> bool:
        """Whether one more may go to a host; it is counted."""
        flying = self._flying.get(node, 0)
        if flying >= IN_FLIGHT:
            return False
        self._flying[node] = flying + 1
        return True


def in_turn(keys: Iterable[Key], placed: Mapping[Key, str]) -> list[Key]:
    """Addresses in an order in which the hosts take turns that are to have them."""
    turns: dict[str, int] = {}
    order = []
    for key in sorted(keys):
        node = placed.get(key, "")
        turns[node] = turns.get(node, 0) + 1
        order.append((turns[node], node, key))
    return [key for _, _, key in sorted(order)]
