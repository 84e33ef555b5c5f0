"""The process of the bus: it has a monitor of its own, and serves the readers that the watcher
accepts. So neither they nor a flood of routes keep the watcher from its work.

Each message of the watcher is the connection of a reader, with its user and the words of its
request. The answer is a number, again and again while nobody reads: of the connections that have
come. The watcher hangs up then, unless it has sent more of them, and this process ends.
"""

from __future__ import annotations

import os
import signal
from select import POLLIN
from time import monotonic

from netalias import errors
from netalias.kernel.netlink import heard
from netalias.model.events import ROUTE
from netalias.monitor.bus import Bus
from netalias.monitor.request import read
from netalias.system import descriptors
from netalias.system.bug import report
from netalias.system.guarded import Guarded
from netalias.system.journal import Journal
from netalias.system.loop import Loop
from netalias.system.server import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Sequence

NICER = 5
"""Steps of nice(2) below the watcher, which heals while readers wait."""
IDLE = 60.0
"""Seconds between two looks whether anybody reads."""


class Handed:
    """The connections that come over *channel*, a part of the loop. *end* is called when the other
    end of it is closed."""

    def __init__(
        self,
        channel: socket,
        bus: Bus,
        journal: Journal,
        clock: Callable[[], float],
        end: Callable[[], object],
    ) -> None:
        self._channel = channel
        self._bus = bus
        self._journal = journal
        self._end = end
        self._count = 0
        self._due = clock() + IDLE

    def wanted(self, now: float) -> dict[int, int]:
        """The channel."""
        return {self._channel.fileno(): POLLIN}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Serve another reader."""
        try:
            with descriptors.receive(self._channel) as found:
                self._take(found)
        except errors.StateError as error:  # no descriptor is left: the reader is hung up on
            self._count += 1
            self._journal.error(error.line())
        except OSError:  # ECONNRESET: the last number has not been read
            self._end()

    def _take(self, found: descriptors.Message) -> None:
        if not found.content:
            self._end()
            return
        self._count += 1
        (taken,) = found.take()
        connection = descriptors.adopted(taken)
        try:
            self._bus.subscribe(read(found.content), connection)
        except errors.NetaliasError as error:
            refuse(connection, error.line())

    def due(self, now: float) -> float:
        """Seconds until the next look."""
        return max(0.0, self._due - now)

    def tick(self, now: float) -> None:
        """Tell the watcher if nobody reads."""
        self._due = now + IDLE
        if len(self._bus.feeds):
            return
        try:
            descriptors.send(self._channel, b"%d" % self._count)
        except OSError:
            pass  # it has not read the last one yet, or has hung up, of which ready() is told


def serve(channel: socket, group: int, journal: Journal, *, routes: bool) -> None:
    """Serve readers until the other end of *channel* is closed. *group* is our mark of devices.
    Raises KernelError."""
    monitor = heard.monitor(media=True, routes=routes)
    for _ in monitor.start():
        pass
    bus = Bus(monitor.state, group)

    def failed(error: Exception) -> None:
        journal.error(error.line() if isinstance(error, errors.NetaliasError) else report(error))

    handed = Handed(channel, bus, journal, monotonic, lambda: loop.end())
    parts = (handed, heard.Heard(monitor, bus.hear, bus.feeds.miss), bus.feeds)
    loop = Loop([Guarded(part, monotonic, failed) for part in parts], monotonic)
    loop.run()


def main(arguments: Sequence[str]) -> int:
    """The process of the bus; its exit status. The arguments are the descriptor of the channel, the
    mark of our devices, and ``route`` where routes are to be read."""
    channel, group, *more = arguments
    # A ^C, and what a service manager sends to all processes, is for the watcher; this one goes
    # with it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        os.nice(NICER)
    except OSError:
        pass  # EPERM of a service whose filter has no setpriority(2)
    journal = Journal()
    connected = descriptors.adopted(int(channel))
    connected.setblocking(False)
    try:
        serve(connected, int(group), journal, routes=ROUTE in more)
    except errors.NetaliasError as error:
        journal.error(f"the bus: {error.line()}")
        return error.status
    return errors.STATUS_OK
