"""Lines that follow the addresses of a device: its routes, and the peers that others answer for.

All of it is made again whenever an address of the device comes or goes, or one of the devices
does, and now and then. At the end of a watcher it stays, as the addresses do.
"""

from __future__ import annotations

from netalias import errors
from netalias.model.events import ADDRESS, ARRIVAL, DEPARTURE, FLAG
from netalias.runtime import published
from netalias.runtime import tasks as carried
from netalias.watch.repeated import LOOK, Repeated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from netalias.desired.following import Proxies, Route
    from netalias.desired.tasks import Task
    from netalias.engine import Engine
    from netalias.model import Address, Device
    from netalias.model.events import Entry, Event, State
    from netalias.model.gateways import Way
    from netalias.plan.following import Ends
    from netalias.plan.keeping import Key
    from netalias.plan.proxies import Wanted
    from netalias.system.journal import Journal

    Line = Route | Proxies

KEYWORDS = ("route", "proxy", "proxyall")
"""Keywords of desired/following.py, which files without such lines do not load."""
WAKING = (ADDRESS, ARRIVAL, DEPARTURE, FLAG, "name", "altname")
"""Events that may concern a device."""
RENAMING = ("name", "altname")
"""Some of them, after which a line may be about another device than before."""


class Known:
    """The ``addresses`` of a device and the ``ends`` of each family, as they were last seen."""

    def __init__(self) -> None:
        self.addresses: list[Address] = []
        self.ends: dict[int, Ends] = {}
        self._usable: set[Key] = set()

    def choose(self, device: Device, entries: Sequence[Entry]) -> None:
        """Look at the addresses of now."""
        from netalias.plan.following import ends
        from netalias.plan.keeping import choose

        before = {family: one.own for family, one in self.ends.items()}
        chosen, self._usable = choose(entries, device, (before, self._usable))
        self.addresses = [one.address for one in entries]
        self.ends = ends(chosen, self.addresses)


class Following(Repeated):
    """The lines of a watcher. *folder* is the runtime directory; *changed* is called when what is
    published may be another."""

    def __init__(
        self,
        engine: Engine,
        state: State,
        journal: Journal,
        clock: Callable[[], float],
        folder: str,
        changed: Callable[[], None],
    ) -> None:
        super().__init__(engine, state, journal, clock)
        self._folder = folder
        self._changed = changed
        self._lines: list[Line] = []
        self._known: dict[str, Known] = {}
        self._made: dict[int, list[Way]] = {}
        """Routes by the index of their device, which may have another name since."""
        self._loaded = self._published = self._searched = False
        self._told: set[str] = set()
        self._waiting: list[str] = []

    def load(self, tasks: Iterable[Task]) -> None:
        """Replace the lines; act() is due. What a line made that is there no more is undone."""
        wanted = [one for one in tasks if one.keyword in KEYWORDS]
        before = [*self._lines, *self._left()]
        if not (wanted or before or self._published):
            return
        from netalias.desired.following import Proxies, Route

        self._lines = [one for one in wanted if isinstance(one, (Route, Proxies))]
        for one in (*before, *self._lines):
            self._known.setdefault(one.main, Known())
        self.wake = 0.0

    def _left(self) -> Iterator[Task]:
        """The lines of the watcher before, which may have changed while none was running."""
        loaded, self._loaded = self._loaded, True
        if loaded:
            return
        cookie = self._engine.kernel.cookie()
        self._published = bool(published.read(self._folder, cookie, published.PEERS))
        for line in carried.left(self._folder, carried.FOLLOWING):
            from netalias.desired.tasks import read

            try:
                yield read(line.split())
            except errors.NetaliasError:
                continue  # of another version

    # Events

    def hear(self, event: Event) -> None:
        """Take note of an event; act() is due if it is about a device of a line."""
        if not self._lines or event.what not in WAKING or event.device is None:
            return
        names = {event.device.name, *event.device.altnames}
        named = (one.main in names or getattr(one, "on", "") in names for one in self._lines)
        if event.what in RENAMING or any(named):
            self.wake = 0.0

    # Work

    def _act(self, now: float) -> None:
        from netalias.engine.following import answer, route, routed

        self._waiting = []
        # The first time those of the watcher before, whatever its devices are called by now.
        places = self._made if self._searched else routed(self._engine)
        devices = map(self._state.device, places)
        routes: dict[int, tuple[Device, list[Way]]] = {
            one.index: (one, []) for one in devices if one is not None and one.up
        }
        peers: dict[str, list[Wanted]] = {}
        for name, known in self._known.items():
            device = self._device(name)
            if device is None or not device.up:  # the kernel has dropped its routes
                self._known[name] = Known()
                continue
            lines = [one for one in self._lines if one.main == name]
            entries = [one for _, one in self._state.of(device.index, ADDRESS)]
            known.choose(device, entries)
            _, ways = routes.setdefault(device.index, (device, []))
            ways += self._ways(device, known, lines)
            for main, wanted in self._peers(device, known, lines):
                peers[main] = [*dict.fromkeys([*peers.get(main, ()), *wanted])]
        refused = route(self._engine, [*routes.values()], self._made)
        self._made = {index: ways for index, (_, ways) in routes.items() if ways}
        self._searched = True
        faults = answer(self._engine, peers) if peers or self._published else []
        self._published = bool(peers)
        self._tell(faults)
        mains = {one.main for one in self._lines}
        self._known = {name: one for name, one in self._known.items() if name in mains}
        carried.write(self._folder, [one.text for one in self._lines], carried.FOLLOWING)
        self._rest(refused, now + LOOK if self._lines else None)

    def _acted(self) -> None:
        self._changed()

    def _device(self, name: str) -> Device | None:
        found = (one for one in self._state.devices() if name in (one.name, *one.altnames))
        return next(found, None)

    def _ways(self, device: Device, known: Known, lines: Sequence[Line]) -> Iterator[Way]:
        from netalias.desired.following import Route
        from netalias.plan.following import reason, way

        for one in lines:
            if isinstance(one, Route):
                found = way(one, device.index, known.ends)
                if isinstance(found, str):
                    self._waiting.append(reason(one, found, device))
                else:
                    yield found

    def _peers(
        self, device: Device, known: Known, lines: Sequence[Line]
    ) -> Iterator[tuple[str, list[Wanted]]]:
        """The names of devices, and what each is to answer for."""
        from netalias.desired.following import Proxies
        from netalias.plan.following import peers

        for one in lines:
            if not isinstance(one, Proxies):
                continue
            main = self._device(one.on)
            if main is None:
                self._waiting.append(f"{one.title} waits: there is no device {one.on}")
            else:
                yield main.name, peers(device, known.addresses, known.ends, every=one.every)

    def _tell(self, faults: Sequence[str]) -> None:
        """Log what lines wait for, and what keeps packets from their way, once each time that it
        begins."""
        for text in dict.fromkeys(faults):
            if text not in self._told:
                self._journal.warning(text)
        for text in dict.fromkeys(self._waiting):
            if text not in self._told:
                self._journal.info(text)
        self._told = {*faults, *self._waiting}
