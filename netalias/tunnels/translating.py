"""Former addresses of a device of ours, translated by who carries its packets (nat/userspace.py).

The watcher writes what is wanted into a file of the runtime directory. A data plane that starts
later, or takes the place of another one, reads it too. Without a wish nothing is in the way of the
packets.
"""

from __future__ import annotations

from select import POLLIN
from time import monotonic

from netalias.runtime import translated
from netalias.system.inotify import Followed
from netalias.tunnels import counters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from netalias.nat.userspace import Translator
    from netalias.tunnels.carriage import Source
    from netalias.tunnels.outward import Outgoing
    from netalias.tunnels.relay import Incoming
    from netalias.tunnels.tun import Tun

    class Filtered(Protocol):
        """A Relay, or whoever else carries the packets of a device through filters."""

        tun: Tun
        outgoing: list[Outgoing]
        incoming: list[Incoming]

        def give(self, packet: memoryview) -> object:
            """Give the device a packet that a filter made."""


COUNTERS = {
    "": 0,
    "malformed": counters.MALFORMED,
    "denied": counters.UNASKED,
    "full": counters.UNTRACKED,
    "waiting": counters.HELD,
}
"""Answer of nat/userspace.py, which is not loaded before it is needed: the counter."""


class Translating:
    """A part of the loop that serves *relay*. *folder* is the runtime directory, *cookie* that of
    its namespace. Raises StateError without an inotify instance."""

    def __init__(self, relay: Filtered, folder: str, cookie: int) -> None:
        self._relay = relay
        self._path = folder + translated.FILE
        self._reader = translated.Reader(folder, cookie)
        self._wish = translated.Translated()
        self._translator: Translator | None = None
        self._followed = Followed()
        self._wanted = {self._followed.fileno(): POLLIN}
        self._followed.follow([self._path])
        self._load()

    def wanted(self, now: float) -> dict[int, int]:
        """Changes of the file."""
        return self._wanted

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Do as the file says now."""
        if self._followed.read():
            self._load()

    def due(self, now: float) -> None:
        """Never."""

    def tick(self, now: float) -> None:
        """Nothing."""

    def _load(self) -> None:
        while self._reader.load():
            self._followed.follow([self._path])
        found = self._reader.devices.get(self._relay.tun.name)
        # A copy: the reader goes on with its own.
        wish = translated.Translated() if found is None else found.copy()
        if wish == self._wish:
            return
        if self._translator is None or wish.deny != self._wish.deny:
            self._attach(wish)
        from netalias.nat import Translation

        assert self._translator is not None
        name = self._relay.tun.name
        self._translator.apply(
            Translation(name, family, new, old) for family, (new, old) in wish.families.items()
        )
        self._wish = wish
        if not wish.families and not wish.deny:
            self._detach()

    def _attach(self, wish: translated.Translated) -> None:
        from netalias.nat.userspace import Translator

        self._detach()
        self._translator = Translator(monotonic, self._relay.give, deny=wish.deny)
        # What others refuse is not to be translated, and what is translated is as it leaves.
        self._relay.outgoing.insert(0, self._outgoing)
        self._relay.incoming.append(self._incoming)

    def _detach(self) -> None:
        if self._translator is not None:
            self._relay.outgoing.remove(self._outgoing)
            self._relay.incoming.remove(self._incoming)
            self._translator = None

    def _outgoing(self, packet: memoryview, size: int, partial: bool) -> int:
        assert self._translator is not None
        return COUNTERS[self._translator.outgoing(packet, partial)]

    def _incoming(self, packet: memoryview, size: int, partial: bool, source: Source) -> int:
        assert self._translator is not None
        return COUNTERS[self._translator.incoming(packet, partial)]
