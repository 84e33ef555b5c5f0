"""A relay whose tunnel is carried by a process of its own: what a watcher would do for it beside.

The parts stand in the loop of the data plane: routes and publication are kept, and networks are
answered for. What fails is logged, and never ends the tunnel.
"""

from __future__ import annotations

from time import monotonic

from netalias import errors
from netalias.kernel.netlink.monitor import Monitor
from netalias.model.events import ADDRESS
from netalias.system.bug import report
from netalias.system.guarded import Guarded
from netalias.system.loop import Reader, Timer
from netalias.watch.relays import Relays
from netalias.watch.responder import Responder, inside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired.relays import Relay
    from netalias.engine import Engine
    from netalias.packets.respond import Served
    from netalias.system.journal import Journal
    from netalias.system.loop import Pollable


class Beside:
    """The ``parts`` of one relay, whose tunnel is up. Raises KernelError."""

    def __init__(self, engine: Engine, relay: Relay, journal: Journal) -> None:
        self._journal = journal
        self._monitor = engine.within(lambda: Monitor(media=False))
        for _ in self._monitor.start():
            pass
        self._responder = Responder(self._served, journal, engine.within, monotonic)
        self._relays = Relays(
            engine, self._monitor.state, journal, monotonic, self._responder.changed
        )
        self._relays.take(relay)
        parts: list[Pollable] = [
            Reader(self._monitor.filenos(), self._hear),
            Timer(self._relays.due, self._relays.act),
            self._responder,
        ]
        self.parts = [Guarded(one, monotonic, self._failed) for one in parts]

    def _hear(self) -> None:
        for event in self._monitor.read():
            self._relays.hear(event)
            if event.key[0] == ADDRESS and event.device is not None:
                self._relays.hear_address(event.device)
        self._responder.changed()

    def _served(self) -> tuple[list[Served], set[bytes]]:
        found = [*self._relays.served()]
        return found, set(inside(self._monitor.state, found))

    def _failed(self, error: Exception) -> None:
        if isinstance(error, errors.NetaliasError):
            self._journal.error(error.line())
        else:
            self._journal.error(report(error))

    def close(self) -> None:
        """Close the sockets; what is published stays for undo() of engine/relays.py."""
        self._responder.close()
        self._monitor.close()
