"""Selection of events by names of main devices and aliases, which may come and go. Pure.

A name without a device is awaited. A device that gets a wanted name arrives by that, with all that
belongs to it; one that loses its last wanted name departs.
"""

from __future__ import annotations

from netalias.model import GROUP
from netalias.model.events import (
    ADDRESS,
    ARRIVAL,
    DEPARTURE,
    LINK,
    MEDIA,
    NETNS,
    ROUTE,
    Event,
)
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
TURNING = (ARRIVAL, DEPARTURE, *NAMING)
"""Events by which a device may be a wanted one from now on, or no more."""
PARTS = (ADDRESS, MEDIA, NETNS, ROUTE)
"""Sorts of objects that come after their device."""


def checked(name: str) -> str:
    """The name of a main device or an alias as events have it. Raises BadName."""
    if ":" in name:
        return str(parse(name)[0])
    check_device(name, limit=ALTNAME_MAX)
    return name


def present(state: State, index: int) -> Iterator[Event]:
    """The events by which a device of *state* comes, with all that belongs to it; without a device,
    by which the objects come that have none."""
    device = state.device(index)
    if device is not None:
        yield Event(ARRIVAL, (LINK, index), "", None, device, device=device)
    for sort in PARTS:
        for key, value in state.of(index, sort):
            yield Event(sort, key, "", None, value, device=device, subject=value)


def label_in(event: Event) -> str:
    """The name of the label that an event is about, as one asks for it; empty for another event."""
    if event.what != ADDRESS or event.device is None:
        return ""
    return str(label_of(event.subject.address, event.device) or "")


def names_of(device: Device, state: State, group: int = GROUP) -> frozenset[str]:
    """The names by which a device is a wanted one: its own, and, of an alias, also those of its
    main device, and of this slot there."""
    found = {device.name, *device.altnames}
    alias = alias_of(device, group)
    if alias is not None:
        mains = {alias.main}
        below = None if device.remote else state.device(device.link)
        if below is not None:
            mains |= {below.name, *below.altnames}
        found |= {str(alias)} | mains | {str(AliasName(main, alias.slot)) for main in mains}
    return frozenset(found)


class Selection:
    """Events of the main devices and aliases with these *names*, and of the aliases of the former.

    Without names all events. *group* is the mark of our devices (IFLA_GROUP). Raises BadName.
    """

    def __init__(self, names: Iterable[str] = (), group: int = GROUP) -> None:
        self._wanted = {*map(checked, names)}
        self._group = group
        self._indexes: set[int] = set()

    def named(self, device: Device) -> bool:
        """Whether one of the names is this very device's."""
        alias = alias_of(device, self._group)
        return not self._wanted.isdisjoint({device.name, *device.altnames, str(alias)})

    @property
    def names(self) -> frozenset[str]:
        """The names, as names_of() and label_in() spell them."""
        return frozenset(self._wanted)

    def has(self, index: int) -> bool:
        """Whether all events of a device are reported now, but those of TURNING, of which some may
        be even so."""
        return not self._wanted or index in self._indexes

    def pick(
        self, event: Event, state: State, names: frozenset[str] | None = None
    ) -> Iterator[Event]:
        """The events to report for *event*: itself, none, or arrivals and departures by name.

        *state* is the state after it; *names* are names_of() its device, where they are known.
        """
        if not self._wanted:
            yield event
        elif event.what in TURNING:
            yield from self._present(event, state, names)
        elif event.key[1] in self._indexes or label_in(event) in self._wanted:
            yield event

    def _present(self, event: Event, state: State, names: frozenset[str] | None) -> Iterator[Event]:
        index, device = event.key[1], event.device
        assert device is not None
        before = index in self._indexes
        after = event.what != DEPARTURE and self._is_wanted(device, state, names)
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
        index = device.index
        if after and index not in self._indexes:
            self._indexes.add(index)
            yield from present(state, index)
        elif not after and index in self._indexes:
            self._indexes.discard(index)
            yield Event(DEPARTURE, (LINK, index), "", device, None, device=device)

    def _is_wanted(self, device: Device, state: State, names: frozenset[str] | None = None) -> bool:
        if names is None:
            names = names_of(device, state, self._group)
        return not self._wanted.isdisjoint(names)
