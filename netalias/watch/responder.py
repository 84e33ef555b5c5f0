"""The answers for networks that the kernel does not answer for, from the loop of a watcher.

Of IPv6 the kernel answers for no local route, of IPv4 only where arp_ignore is 0. Every device with
such networks has one socket, whose filter wakes the watcher for requests about them only.
"""

from __future__ import annotations

from select import POLLIN

from netalias import errors
from netalias.model import AF_INET, IFF_LOOPBACK, IFF_NOARP
from netalias.model.events import ADDRESS, LOCAL
from netalias.packets.respond import Answering, Networks, Served, answer
from netalias.system.backoff import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from netalias.engine import Engine
    from netalias.model.events import State
    from netalias.system.journal import Journal

LIMIT = 20_000
"""Requests a second that are looked at, answered or not: each takes some hundred-thousandths of a
second."""
DELAY = 0.05
"""Seconds in which changes are collected, and in which answers are allowed again."""
REST = 20
"""The pause before the next update, in multiples of the time that the last one took: thousands of
addresses may change, one after the other."""

MAC = 6


class Responder:
    """The sockets of all devices. *served* gives the networks to answer for and the addresses in
    them that are answered for otherwise; *within* calls a function inside the namespace; *clock*
    counts seconds."""

    def __init__(
        self,
        served: Callable[[], tuple[list[Served], set[bytes]]],
        journal: Journal,
        within: Callable[[Callable[[], Answering]], Answering],
        clock: Callable[[], float],
        limit: int = LIMIT,
    ) -> None:
        self._served = served
        self._journal = journal
        self._within = within
        self._clock = clock
        self._limit = limit
        self._left = limit
        self._counted = 0.0
        self._stale: float | None = None
        self._rested = 0.0
        self._patience = Backoff()
        self._complaint = ""
        self._others: set[bytes] = set()
        self._networks: dict[int, list[Served]] = {}
        self._found: dict[int, Networks] = {}
        self._sockets: dict[int, Answering] = {}

    @property
    def active(self) -> bool:
        """Whether there is anything to answer for, so that changes of addresses matter."""
        return bool(self._networks)

    def changed(self) -> None:
        """Look a moment later at the addresses that are served: they may have changed."""
        if self._stale is None:
            self._stale = max(self._clock() + DELAY, self._rested)

    def close(self) -> None:
        """Close all sockets, which gives the multicast back."""
        for one in self._sockets.values():
            one.close()
        self._sockets.clear()

    # The loop

    def wanted(self, now: float) -> dict[int, int]:
        """The sockets, as long as answers are allowed."""
        return {one.fileno(): POLLIN for one in self._sockets.values()} if self._left else {}

    def due(self, now: float) -> float | None:
        """Seconds until something was changed, or answers are allowed again."""
        times = [] if self._left else [self._counted + DELAY]
        if self._stale is not None:
            times.append(self._stale)
        return max(0.0, min(times) - now) if times else None

    def tick(self, now: float) -> None:
        """Serve what is to be served now."""
        self._allow(now)
        if self._stale is not None and now >= self._stale:
            self._stale = None
            self._update(now)

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Answer the requests that have come."""
        found = next((one for one in self._sockets.items() if one[1].fileno() == fileno), None)
        if found is None:
            return
        self._allow(now)
        index, socket = found
        networks, others = self._found[index], self._others
        try:
            for frame in socket.receive()[: self._left]:
                self._left -= 1  # one that gets no answer takes the same time
                reply = answer(frame, networks, others)
                if reply:
                    socket.send(reply)
        except errors.NetaliasError:  # the device went down or away; an event follows
            self._drop(index)
            self.changed()

    def _allow(self, now: float) -> None:
        """Allow answers for the time that has passed, of a second at most: a watcher that had no
        processor for a while finds many requests."""
        more = int((now - self._counted) * self._limit)
        if more:
            self._left = min(self._left + more, self._limit)
            self._counted = now

    # What is served

    def _update(self, now: float) -> None:
        try:
            served, self._others = self._served()
        except Exception:  # it is told by whoever called; what is served stays
            self._stale = now + self._patience.next()
            raise
        networks: dict[int, list[Served]] = {}
        for one in served:
            networks.setdefault(one.index, []).append(one)
        before, self._networks = self._networks, networks
        self._found = {index: Networks(found) for index, found in networks.items()}
        for index in [*self._sockets]:
            if networks.get(index) != before.get(index):
                self._drop(index)
        for index, found in networks.items():
            if index not in self._sockets:
                self._open(index, found, now)
        self._rested = now + REST * (self._clock() - now)

    def _open(self, index: int, served: Sequence[Served], now: float) -> None:
        try:
            self._sockets[index] = made = self._within(lambda: Answering(index, served))
        except errors.NetaliasError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                self._journal.warning(f"nobody answers for networks: {error.line()}")
            self._stale = now + self._patience.next()
            return
        self._patience.reset()
        self._complaint = ""
        networks = "1 network" if len(served) == 1 else f"{len(served)} networks"
        self._journal.info(f"answering for {networks} on {made.name}")

    def _drop(self, index: int) -> None:
        gone = self._sockets.pop(index, None)
        if gone is not None:
            gone.close()


def served_in(
    state: State, engine: Engine, others: Iterable[Served] = ()
) -> tuple[list[Served], set[bytes]]:
    """The networks of the prefixes in *state* that the kernel does not answer for, after *others*,
    and the addresses in them that it does answer for."""
    common: int | None = None
    found = [*others]
    for device in state.devices():
        routes = [route for _, route in state.of(device.index, LOCAL)]
        deaf = IFF_LOOPBACK | IFF_NOARP
        if not routes or not device.up or device.flags & deaf or len(device.mac) != MAC:
            continue
        for route in routes:
            if route.family == AF_INET:
                if common is None:
                    common = engine.common()["arp_ignore"]
                if not max(common, device.arp_ignore):
                    continue
            found.append(Served(device.index, route.network, route.prefixlen, device.mac))
    return found, set(inside(state, found)) if found else set()


def inside(state: State, served: Iterable[Served]) -> Iterator[bytes]:
    """The addresses of any device that lie in these networks."""
    networks = Networks(served)
    for parts in state.parts.values():
        for key, entry in parts.items():
            if key[0] == ADDRESS and networks.mac(entry.address.local):
                yield entry.address.local
