"""Selection of events by names of main devices and aliases, which may come and go. Pure.

A name without a device is awaited. A device that gets a wanted name arrives by that, with its
addresses; one that loses its last wanted name departs.
"""

from __future__ import annotations

from netalias.model import GROUP
from netalias.model.events import ADDRESS, ARRIVAL, DEPARTURE, LINK, Event
from netalias.model.names import ALTNAME_MAX, AliasName, check_device, parse
from netalias.observed import alias_of
from netalias.observed.labels import label_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.model import Device
    from netalias.model.events import State

NAMING = ("name", "altname")
"""Events that can make a device a wanted one."""


class Selection:
    """Events of the main devices and aliases with these *names*, and of the aliases of the former.

    Without names all events. *group* is the mark of our devices (IFLA_GROUP). Raises BadName.
    """

    def __init__(self, names: Iterable[str] = (), group: int = GROUP) -> None:
        self._wanted = {self._checked(name) for name in names}
        self._group = group
        self._indexes: set[int] = set()

    @staticmethod
    def _checked(name: str) -> str:
        if ":" in name:
            return str(parse(name)[0])
        check_device(name, limit=ALTNAME_MAX)
        return name

    def named(self, device: Device) -> bool:
        """Whether one of the names is this very device's."""
        alias = alias_of(device, self._group)
        return not self._wanted.isdisjoint({device.name, *device.altnames, str(alias)})

    def pick(self, event: Event, state: State) -> Iterator[Event]:
        """The events to report for *event*: itself, none, or arrivals and departures by name.

        *state* is the state after it.
        """
        if not self._wanted:
            yield event
        elif event.what in (ARRIVAL, DEPARTURE, *NAMING):
            yield from self._present(event, state)
        elif event.key[1] in self._indexes or self._is_label(event):
            yield event

    def _present(self, event: Event, state: State) -> Iterator[Event]:
        index, device = event.key[1], event.device
        assert device is not None
        before = index in self._indexes
        after = event.what != DEPARTURE and self._is_wanted(device, state)
        if before or (after and event.what == ARRIVAL):
            yield event
        if event.what in (ARRIVAL, DEPARTURE):
            (self._indexes.add if after else self._indexes.discard)(index)
            return
        yield from self._turned(device, after, state)
        if alias_of(device, self._group) is not None:
            return  # an alias has no aliases
        for other in list(state.devices()):
            if other.link == index and not other.remote:
                yield from self._turned(other, self._is_wanted(other, state), state)

    def _turned(self, device: Device, after: bool, state: State) -> Iterator[Event]:
        """The arrival or departure that a new or lost name amounts to, if any.

        *after*: the device is a wanted one now.
        """
        index, key = device.index, (LINK, device.index)
        if after and index not in self._indexes:
            self._indexes.add(index)
            yield Event(ARRIVAL, key, "", None, device, device=device)
            for part, entry in state.of(index, ADDRESS):
                yield Event(ADDRESS, part, "", None, entry, device=device, subject=entry)
        elif not after and index in self._indexes:
            self._indexes.discard(index)
            yield Event(DEPARTURE, key, "", device, None, device=device)

    def _is_wanted(self, device: Device, state: State) -> bool:
        if self.named(device):
            return True
        alias = alias_of(device, self._group)
        if alias is None:
            return False
        mains = {alias.main}
        below = None if device.remote else state.device(device.link)
        if below is not None:
            mains |= {below.name, *below.altnames}
        aliases = {str(AliasName(main, alias.slot)) for main in mains}
        return not self._wanted.isdisjoint(mains | aliases)

    def _is_label(self, event: Event) -> bool:
        if event.what != ADDRESS or event.device is None:
            return False
        return str(label_of(event.subject.address, event.device)) in self._wanted
