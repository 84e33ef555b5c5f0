"""The bus: events of devices, addresses, media and routes for all who subscribe, as ``netalias -j
monitor`` has them.
"""

from __future__ import annotations

from time import monotonic, process_time

from netalias.model.events import Event
from netalias.monitor.selection import TURNING, Selection, label_in, names_of, present
from netalias.system.feed import Feed, Feeds, Item
from netalias.views import json
from netalias.views.events import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Iterator

    from netalias.model.events import State
    from netalias.monitor.request import Request

RESET, SYNCED = "reset", "synced"
"""Events of the bus itself: a state follows, and the reader forgets what it knew; it is complete.
"""


class Initial:
    """An event for an object that was there before."""

    __slots__ = ("event",)

    def __init__(self, event: Event) -> None:
        self.event = event


class Texts:
    """The lines of a feed, as JSON. *state* is that of the monitor, *group* our mark."""

    def __init__(self, state: State, group: int) -> None:
        self._lines = Lines(state, group)

    def line(self, item: Item) -> bytes:
        """The line of an Event, or of an Initial."""
        found = item.what
        initial = isinstance(found, Initial)
        event = found.event if isinstance(found, Initial) else found
        assert isinstance(event, Event)
        return json.line(self._lines.fields(event, initial=initial)).encode("ascii")

    def begin(self, lost: int) -> bytes:
        """The one before a state."""
        return json.line({"event": RESET, "lost": lost}).encode("ascii")

    def end(self) -> bytes:
        """The one after a state."""
        return json.line({"event": SYNCED}).encode("ascii")


class Channel(Feed):
    """The feed of those who have subscribed to the same device, or to all. *turned* is called when
    other devices may be those of the name."""

    def __init__(self, name: str, state: State, group: int, turned: Callable[[], object]) -> None:
        self._name = name
        self._turned = turned
        self._state_of = state
        self._group = group
        self._selection = self._selected()
        super().__init__(self._present)

    def _selected(self) -> Selection:
        return Selection([self._name] if self._name else (), self._group)

    @property
    def names(self) -> frozenset[str]:
        """As Selection.names."""
        return self._selection.names

    def has(self, index: int) -> bool:
        """As Selection.has()."""
        return self._selection.has(index)

    def pick(self, event: Event, names: frozenset[str] | None) -> Iterator[Event]:
        """The events to report for *event*, which the state has already; *names* as in
        Selection.pick()."""
        return self._selection.pick(event, self._state_of, names)

    def _present(self) -> list[Item]:
        """The objects that there are now; what is picked from now on follows them."""
        self._selection = selection = self._selected()
        self._turned()
        return [
            Item(one.what, Initial(one))
            for index in list(self._state_of.parts)
            for event in present(self._state_of, index)
            for one in selection.pick(event, self._state_of)
        ]


class Bus:
    """Subscriptions to the events that *state* goes through; *group* is our mark.

    *clock* counts seconds, *spent* those of work. ``feeds`` is the part for the loop.
    """

    def __init__(
        self,
        state: State,
        group: int,
        clock: Callable[[], float] = monotonic,
        spent: Callable[[], float] = process_time,
    ) -> None:
        self._state = state
        self._group = group
        self._clock = clock
        self._channels: dict[str, Channel] = {}
        self._hearing: dict[int, list[Channel]] = {}
        """Index: the channels that have all events of this device. However many names users ask
        for, an event costs no more than those that are told of it."""
        self._labels: dict[str, list[Channel]] = {}
        """Name of a label: the channels that have its address."""
        self.feeds = Feeds(Texts(state, group), spent)

    def subscribe(self, request: Request, connection: socket) -> None:
        """Make a connection a reader. Raises StateError."""
        name = request.device
        self._clean()
        channel = self._channels.get(name) or Channel(
            name, self._state, self._group, self._hearing.clear
        )
        self.feeds.admit(connection, request.uid, channel, request.kinds, self._clock())
        self._channels[name] = channel
        self._hearing.clear()
        self._labels = {}
        for one in self._channels.values():
            for label in one.names:
                if ":" in label:
                    self._labels.setdefault(label, []).append(one)

    def hear(self, event: Event) -> None:
        """Report an event, which the state has already."""
        if not len(self.feeds):
            return
        item = Item(event.what, event)
        names = None
        if event.what in TURNING and event.device is not None:
            names = names_of(event.device, self._state, self._group)
        for channel in self._concerned(event):
            if channel.readers:
                for one in channel.pick(event, names):
                    self.feeds.add(channel, item if one is event else Item(one.what, one))

    def _concerned(self, event: Event) -> list[Channel]:
        """The channels that may have something to tell of an event."""
        if event.what in TURNING:
            self._hearing.clear()
            return list(self._channels.values())
        index = event.key[1]
        found = self._hearing.get(index)
        if found is None:
            found = [one for one in self._channels.values() if one.has(index)]
            self._hearing[index] = found
        if not self._labels:
            return found
        return [*found, *(one for one in self._labels.get(label_in(event), ()) if one not in found)]

    def _clean(self) -> None:
        """Forget the channels that nobody reads any more."""
        self._channels = {name: one for name, one in self._channels.items() if one.readers}
