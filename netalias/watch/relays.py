"""Declared relays: their routes and their publication are kept for as long as they are declared.

The tunnel itself is made by others, and heard of by its device: whenever that or the device that
answers comes, goes up or is gone, and now and then, all of it is made again (engine/relays.py).
The kernel answers for single addresses, the responder of the watcher for networks.
"""

from __future__ import annotations

from netalias.model import IFF_LOOPBACK, IFF_NOARP
from netalias.model.events import LINK
from netalias.runtime import published
from netalias.watch.repeated import LOOK, Repeated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from netalias.desired.relays import Relay
    from netalias.desired.tasks import Task
    from netalias.desired.tunnels import Tunnel
    from netalias.engine import Engine
    from netalias.model import Device
    from netalias.model.events import Event, State
    from netalias.nat.forwarding import Chain
    from netalias.packets.respond import Served
    from netalias.system.journal import Journal

KEYWORD = "relay"
MAC = 6
SOON = 0.05
"""Seconds in which changes of addresses are collected."""


class Relays(Repeated):
    """The relays of a watcher.

    *closed* is as engine.relays.keep() takes it, None for the usual one; *changed* is called when
    what is published, or what is to be answered for, may be another.
    """

    def __init__(
        self,
        engine: Engine,
        state: State,
        journal: Journal,
        clock: Callable[[], float],
        changed: Callable[[], None],
        closed: Callable[[str], list[Chain]] | None = None,
    ) -> None:
        super().__init__(engine, state, journal, clock)
        self._changed = changed
        self._closed = closed
        self._relays: list[Relay] = []
        self._told: set[str] = set()
        self._loaded = False

    def resume(self, tunnels: Iterable[Tunnel]) -> None:
        """Have relays keep the names that they had under the watcher before, which carried
        *tunnels*; before load()."""
        from netalias.desired.relays import Relay

        self._relays = [one for one in tunnels if isinstance(one, Relay)]

    def load(self, tasks: Iterable[Task]) -> None:
        """Replace the lines, of which the last of the same prefixes holds, and give each relay its
        name; act() is due. What relays have published that are there no more is taken back."""
        wanted = [one for one in tasks if one.keyword == KEYWORD]
        if not (wanted or self._relays or self._is_left()):
            return
        from netalias.desired.relays import Relay, name
        from netalias.engine.relays import of_others

        relays = [one for one in wanted if isinstance(one, Relay)]
        name(relays, self._relays, of_others(self._engine))
        self._relays = [*{one.name: one for one in relays}.values()]
        self.wake = 0.0

    def take(self, relay: Relay) -> None:
        """Keep one relay, which has its name; act() is due."""
        self._relays = [relay]
        self.wake = 0.0

    def close(self) -> None:
        """Take back what is published; the routes go with the tunnels."""
        if self._relays:
            self._relays = []
            with self._engine.transaction():
                self._act(self._clock())

    def _is_left(self) -> bool:
        """Whether a watcher that was killed has left anything; asked once."""
        loaded, self._loaded = self._loaded, True
        folder, cookie = self._engine.runtime.path, self._engine.kernel.cookie()
        return not loaded and bool(published.read(folder, cookie, published.RELAYED))

    def hear(self, event: Event) -> None:
        """Take note of an event; act() is due if it is about a device of a relay."""
        if event.key[0] == LINK and event.device is not None and self._relays:
            names = {event.device.name, *event.device.altnames}
            if any(not names.isdisjoint((one.main, one.name)) for one in self._relays):
                self.wake = 0.0

    def hear_address(self, device: Device) -> None:
        """Take note that an address of a device has changed: with its last one of IPv4 the kernel
        drops its entries, too. A watcher publishes those again by itself (periodic.py)."""
        names = {device.name, *device.altnames}
        if any(one.main in names for one in self._relays):
            soon = self._clock() + SOON
            self.wake = soon if self.wake is None else min(self.wake, soon)

    def served(self) -> Iterator[Served]:
        """The networks that are to be answered for."""
        if not self._relays:
            return
        from netalias.packets.respond import Served

        for relay in self._relays:
            main, tunnel = self._device(relay.main), self._device(relay.name)
            if main is None or tunnel is None or not _hears(main) or not tunnel.up:
                continue
            for one in relay.prefixes:
                if not one.single:
                    yield Served(main.index, one.network, one.prefixlen, main.mac)

    def _device(self, name: str) -> Device | None:
        found = (one for one in self._state.devices() if name in (one.name, *one.altnames))
        return next(found, None)

    def _act(self, now: float) -> None:
        from netalias.engine.relays import keep
        from netalias.nat.forwarding import closed

        done = keep(self._engine, self._relays, self._closed or closed)
        for text in done.warnings:
            if text not in self._told:
                self._journal.warning(text)
        self._told = {*done.warnings}
        self._rest(done.refused, now + LOOK if self._relays else None)

    def _acted(self) -> None:
        self._changed()


def _hears(device: Device) -> bool:
    """Whether a device hears who asks for an address."""
    deaf = device.flags & (IFF_LOOPBACK | IFF_NOARP)
    return device.up and not deaf and len(device.mac) == MAC
