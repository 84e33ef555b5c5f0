"""Tickles of one host: it tells the others of its connections, and the peers of addresses that it
takes that theirs are gone. Pure but for what it is given to collect and to send with.

Times are seconds of the clock of the agent.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_pton

from netalias import errors
from netalias.cluster import tickles
from netalias.cluster.holdings import HELD
from netalias.cluster.orders import Take
from netalias.cluster.store import Change, Done, Put, Read, Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from netalias.cluster.agent import Agent
    from netalias.cluster.orders import Key, Message
    from netalias.cluster.outbox import Asked
    from netalias.cluster.store import Result
    from netalias.model.connections import Connection

    Collect = Callable[[Collection[bytes]], Iterable[Connection]]
    Send = Callable[[Sequence[Connection]], int]

FIRST = 0.5
"""Seconds from the order to take an address to its first tickles: it stands then, and its host has
announced it."""
AGAIN = 0.05
"""Seconds before more are sent where the queue of a device was full."""
AT_ONCE = 100
"""Tickles that are sent in one go."""
TIMEOUT = 2.0


class Tickling:
    """*collect* gives the connections to packed addresses, *send* sends tickles and returns the
    number of those that have gone; either may raise NetaliasError."""

    def __init__(self, agent: Agent, prefix: str, node: str, collect: Collect, send: Send) -> None:
        self._agent = agent
        self._prefix = prefix
        self._node = node
        self._collect = collect
        self._send = send
        self._published = tickles.Published()
        self._waiting: list[tuple[float, list[Connection]]] = []
        self._complaint = ""

    def due(self, now: float) -> float:
        """Seconds until tick(); infinite once the agent has ended."""
        if self._agent.ended:
            return float("inf")
        times = [at - now for at, _ in self._waiting]
        return max(0.0, min([self._published.due(now), *times]))

    def tick(self, now: float) -> None:
        """Publish and send what is due."""
        if self._agent.ended:
            return
        if self._published.due(now) <= 0:
            self._publish(now)
        ready = [one for at, found in self._waiting if at <= now for one in found]
        if ready:
            self._waiting = [one for one in self._waiting if one[0] > now]
            self._tickle(ready, now)

    def ordered(self, order: Message, now: float) -> None:
        """An order goes to the watcher: of addresses that others had, their connections are asked
        for."""
        if not isinstance(order, Take):
            return
        taken: dict[str, set[bytes]] = {}
        for key in order.keys:
            seen = self._agent.view.owners.get(key)
            if seen is not None and seen.former not in ("", self._node):
                taken.setdefault(seen.former, set()).add(_packed(key))
        for node, addresses in taken.items():
            self._ask(node, addresses, now)

    def _ask(self, node: str, addresses: set[bytes], now: float) -> None:
        text = tickles.key(self._prefix, node)

        def then(asked: Asked, result: Result, later: float) -> None:
            entry = result.entries.get(text) if isinstance(result, Snapshot) else None
            known = tickles.decode(entry.value, addresses) if entry is not None else []
            times = [now + FIRST + tickles.APART * number for number in range(tickles.TIMES)]
            self._waiting += [(at, known) for at in times if known]

        self._agent.outbox.ask(Read(text), now, TIMEOUT, then)

    def _publish(self, now: float) -> None:
        states = self._agent.holdings.states
        held = {_packed(key) for key, state in states.items() if state.name == HELD}
        found: Iterable[Connection] = ()
        try:
            found = self._collect(held) if held else ()
        except errors.NetaliasError as error:
            self._complain(error)
        value = self._published.collected(now, found)
        if not value:
            return

        def then(asked: Asked, result: Result, later: float) -> None:
            if not isinstance(result, Done):
                self._published.failed()

        put = Put(tickles.key(self._prefix, self._node), value)
        self._agent.outbox.ask(Change([], [put]), now, TIMEOUT, then)

    def _tickle(self, ready: list[Connection], now: float) -> None:
        try:
            gone = self._send(ready[:AT_ONCE])
        except errors.NetaliasError as error:
            self._complain(error)
            return
        if ready[gone:]:
            self._waiting.append((now + AGAIN, ready[gone:]))

    def _complain(self, error: errors.NetaliasError) -> None:
        """Note an error, unless it was the last one."""
        if error.line() != self._complaint:
            self._complaint = error.line()
            self._agent.outbox.note(f"tickles: {self._complaint}", error=True)


def _packed(key: Key) -> bytes:
    return inet_pton(AF_INET6 if ":" in key[1] else AF_INET, key[1])
