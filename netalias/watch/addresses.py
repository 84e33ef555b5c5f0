"""The addresses of a namespace as their keeper asks for them (keeper.py).

A change beside thousands of addresses is no look at each of them: what is known is brought up to
date with each event.
"""

from __future__ import annotations

from netalias.model import AF_INET
from netalias.model.events import ADDRESS
from netalias.plan.keeping import is_copy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from netalias.model import Device
    from netalias.model.events import Entry, State
    from netalias.model.events import Key as Place
    from netalias.plan.keeping import Key


class Addresses:
    """The addresses in *state* by where they are: a place is a key of the state.

    ``changed`` are those that came, went or changed since the caller has emptied it.
    """

    def __init__(self, state: State) -> None:
        self.changed: set[Key] = set()
        self._state = state
        self._places: dict[Key, dict[Place, bool]] = {}
        """The places of each address, and whether it is a copy there."""
        self._others: dict[int, dict[Place, None]] = {}
        """By device the places of what is no copy."""

    def read(self) -> None:
        """Look at all of them; the caller does so, too."""
        self._places, self._others = {}, {}
        for device in self._state.devices():
            self.note_all(device)
        self.changed.clear()

    def note_all(self, device: Device) -> None:
        """Take note of the addresses of a device."""
        for place, _ in self._state.of(device.index, ADDRESS):
            self.note(place)

    def note(self, place: Place) -> None:
        """Take note of an address that came, went or changed."""
        index, key = place[1], (place[2], place[3])
        self.changed.add(key)
        entry, device = self._state.get(place), self._state.device(index)
        places, others = self._places.setdefault(key, {}), self._others.setdefault(index, {})
        places.pop(place, None)
        others.pop(place, None)
        if entry is not None:
            copy = device is not None and is_copy(entry.address, device)
            places[place] = copy
            if not copy:
                others[place] = None
        if not places:
            del self._places[key]
        if not others:
            del self._others[index]

    def others(self, index: int) -> list[Entry]:
        """The addresses of a device that are no copies."""
        found = map(self._state.get, self._others.get(index, ()))
        return [one for one in found if one is not None]

    def copies(self, index: int) -> Iterator[Key]:
        """The addresses of which a device has copies, by a look at all that it has."""
        for place, _ in self._state.of(index, ADDRESS):
            key = place[2], place[3]
            if self._places.get(key, {}).get(place):
                yield key

    def copy(self, index: int, key: Key) -> Entry | None:
        """The copy of an address on this device."""
        for place, copy in self._places.get(key, {}).items():
            if copy and place[1] == index:
                found: Entry | None = self._state.get(place)
                return found
        return None

    def elsewhere(self, index: int, key: Key) -> bool:
        """Whether another device has an address, not as a copy."""
        places = self._places.get(key, {}).items()
        return any(place[1] != index and not copy for place, copy in places)


class View:
    """The Sight of plan/keeping.py from the device with this *index*. Of the copies of IPv6 on the
    device *loopback* those are its own whose address is *known*."""

    def __init__(
        self, addresses: Addresses, index: int, loopback: int, known: Callable[[Key], bool]
    ) -> None:
        self.entries: Sequence[Entry] = addresses.others(index)
        self._addresses = addresses
        self._index = index
        self._loopback = loopback
        self._known = known

    def copy(self, key: Key) -> Entry | None:
        """The copy of a former address."""
        if key[0] == AF_INET:
            return self._addresses.copy(self._index, key)
        return self._addresses.copy(self._loopback, key) if self._known(key) else None

    def elsewhere(self, key: Key) -> bool:
        """Whether another device has an address, not as a copy."""
        return self._addresses.elsewhere(self._index, key)
