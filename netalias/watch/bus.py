"""The bus: events of devices and addresses for all who subscribe, as ``netalias -j monitor`` has
them.

``subscribe [KINDS] [DEV]``: KINDS are some of KINDS with commas between them, or ``all``; DEV is
the name of a main device or an alias. A single word that is no KINDS is a DEV, unless a comma
follows it.
"""

from __future__ import annotations

from time import monotonic, process_time

from netalias import errors
from netalias.model.events import (
    ADDRESS,
    ARRIVAL,
    CARRIER,
    DEPARTURE,
    FLAG,
    LINK,
    LINK_FIELDS,
    LOCAL,
    MEDIA,
    NETNS,
    ROUTE,
    RULE,
    Event,
)
from netalias.monitor.selection import TURNING, Selection, label_in, names_of
from netalias.system.feed import Feed, Feeds, Item
from netalias.views import json
from netalias.views.events import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Iterator, Sequence

    from netalias.model.events import State
    from netalias.system.slots import Accounts

KINDS = (ARRIVAL, DEPARTURE, FLAG, CARRIER, *LINK_FIELDS, "altname", ADDRESS, NETNS)
"""Events that can be subscribed to; those of MEDIA are not known to a watcher."""
EVERY = "all"
"""Stands for all of them."""
UNSERVED = (ROUTE, MEDIA)
"""Events of monitor that cannot be subscribed to: whoever asks for one alone means no device."""
UNTOLD = (ROUTE, LOCAL, RULE, MEDIA)
"""Sorts of objects that are of no use without the others of their sort, which nobody reads here."""
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
            for event in present(self._state_of)
            for one in selection.pick(event, self._state_of)
        ]


class Bus:
    """Subscriptions to the events that *state* goes through; *group* is our mark.

    *accounts* are those of the server of the socket. *clock* counts seconds, *spent* those of work.
    ``feeds`` is the part for the loop.
    """

    def __init__(
        self,
        state: State,
        group: int,
        accounts: Accounts,
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
        self.feeds = Feeds(Texts(state, group), accounts, spent)

    def subscribe(self, words: Sequence[str], connection: socket, uid: int) -> None:
        """Make a connection of the user *uid* a reader. Raises UsageError, BadName, StateError."""
        kinds, name = request(words)
        self._clean()
        channel = self._channels.get(name) or Channel(
            name, self._state, self._group, self._hearing.clear
        )
        self.feeds.admit(connection, uid, channel, kinds, self._clock())
        self._channels[name] = channel
        self._hearing.clear()
        self._labels = {}
        for one in self._channels.values():
            for label in one.names:
                if ":" in label:
                    self._labels.setdefault(label, []).append(one)

    def hear(self, event: Event) -> None:
        """Report an event, which the state has already."""
        if event.key[0] in UNTOLD or not len(self.feeds):
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


def request(words: Sequence[str]) -> tuple[frozenset[str] | None, str]:
    """The kinds of events, None for all, and the device, empty for all, of ``[KINDS] [DEV]``.

    Raises UsageError.
    """
    if len(words) > 2:
        raise errors.UsageError("subscribe takes KINDS and DEV")
    kinds = words[0] if words else EVERY
    found = kinds.removesuffix(",").split(",")
    wrong = [word for word in found if word not in KINDS and found != [EVERY]]
    if wrong and (words[1:] or "," in kinds or kinds in UNSERVED):
        raise errors.UsageError(f"{wrong[0]}: none of {', '.join((EVERY, *KINDS))}")
    device = "".join(words[-1:]) if wrong else "".join(words[1:])
    return None if wrong or found == [EVERY] else frozenset(found), device


def present(state: State) -> Iterator[Event]:
    """The objects of a state as arrivals: those of a device after the device."""
    for index in list(state.parts):
        device = state.device(index)
        if device is not None:
            yield Event(ARRIVAL, (LINK, index), "", None, device, device=device)
        for sort in (ADDRESS, NETNS):
            for key, value in state.of(index, sort):
                yield Event(sort, key, "", None, value, device=device, subject=value)
