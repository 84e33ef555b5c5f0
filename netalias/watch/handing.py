"""The things that one watcher hands over to the next.

The events that nobody has read yet go along with their socket, so none is missed: the next watcher
reads everything, and then these. The lock of the namespace's watcher, that of the texts, and the
socket of those who ask for texts go along as well, so nobody finds any of them free or closed.
"""

from __future__ import annotations

from netalias.kernel.netlink.subscription import cookie_of
from netalias.links import handover, spec
from netalias.links.handover import Parcel, Refused
from netalias.system.sdnotify import taken_over
from netalias.watch.takeover import Beginning, connected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Iterable
    from typing import Any, Protocol

    from netalias.kernel.netlink.monitor import Monitor
    from netalias.links.handover import Taken
    from netalias.runtime.instance import Instance
    from netalias.system.journal import Journal
    from netalias.system.sdnotify import Service
    from netalias.watch.controller import Controller
    from netalias.watch.health import Health
    from netalias.watch.periodic import LeaseRenewer, Reannouncer
    from netalias.watch.starter import Starter
    from netalias.watch.texts import TextService
    from netalias.watch.tunnels import Tunnels

    class Watching(Protocol):
        """The parts of a watcher (watcher.py) that have what is handed over."""

        monitor: Monitor
        instance: Instance
        texts: TextService
        health: Health
        controller: Controller
        renewer: LeaseRenewer
        reannouncer: Reannouncer
        tunnels: Tunnels
        starter: Starter
        service: Service


PATIENCE = 60.0
"""Seconds that a watcher waits until the next one watches: it compares thousands of aliases first,
and may look for other hosts that have their addresses."""


def give(reply: socket, watcher: Watching, release: str, unless: Iterable[int]) -> int:
    """Hand over to the process that has asked; its pid, which the service manager knows by now.

    Nothing is done meanwhile but to tell that this process is alive; the offer is withdrawn if one
    of the descriptors *unless* becomes readable. Raises Kept: the watcher goes on.
    """
    pid, channel = handover.give(
        reply,
        _parcel(watcher),
        handover.version(release),
        patience=PATIENCE,
        meanwhile=watcher.service.alive,
        unless=unless,
    )
    watcher.service.main(pid)
    channel.close()
    watcher.service.barrier()  # this process may end before the manager knows whose word that was
    return pid


def _parcel(watcher: Watching) -> Parcel:
    filenos = {"events": watcher.monitor.fileno(), "lock": watcher.instance.fileno()}
    filenos |= watcher.texts.filenos() | watcher.starter.filenos() | watcher.tunnels.filenos()
    body = {
        "since": watcher.health.since,
        "healed": watcher.controller.healed,
        "leases": watcher.renewer.last,
        "announced": watcher.reannouncer.last,
        "tunnels": watcher.tunnels.states(),
        "service": watcher.service.packed(),
    }
    return Parcel("watcher", [*filenos], [*filenos.values()], spec.WATCHER.build(body))


class Inherited(Beginning):
    """The things that a watcher has taken over, until accept() still that of the other one."""

    accepted = False

    def __init__(self, taken: Taken, state: Any) -> None:
        super().__init__()
        self._taken = taken
        self.since = float(state.since)
        self.healed = int(state.healed)
        self.leases = float(state.leases)
        self.announced = float(state.announced)
        self.tunnels = state.tunnels
        self.service = taken_over(self.service, state.service)

    def take(self, role: str) -> int:
        """The descriptor with a role, which is the caller's from now on; -1 for none."""
        return self._taken.take(role)

    def accept(self) -> None:
        """Go on in the place of the other watcher, which ends; its descriptors that nobody has
        taken are closed. Raises Refused if it goes on itself."""
        self._taken.accept()
        self.accepted = True
        self._taken.finished()
        self._taken.close()

    def close(self) -> None:
        """Leave it to the other watcher."""
        super().close()
        self._taken.close()


def take(folder: str, release: str, journal: Journal, cookie: int) -> Beginning:
    """The things that the watcher of a runtime directory hands over; nothing without one, or if it
    refuses, which is logged.

    *cookie* is that of the network namespace: a service that owns the directories could put the
    rendezvous of the watcher of another one in the place of this one's.
    """
    through = connected(folder)
    if through is None:
        journal.info("no watcher runs that could be taken over")
        return Beginning()
    mine = handover.version(release)
    try:
        taken = handover.take(handover.ask(through, mine), mine)
    except Refused as error:
        journal.warning(error.line())
        return Beginning()
    finally:
        through.close()
    if cookie_of(taken.fileno("events")) != cookie:
        taken.refuse("this is another network namespace")
        journal.warning("the watcher to be taken over is that of another network namespace")
        return Beginning()
    try:
        return Inherited(taken, spec.WATCHER.parse(taken.body))
    except (spec.FailedLayout, UnicodeError):
        taken.refuse("the state of the watcher is malformed")
        journal.warning("the state of the running watcher is malformed")
        return Beginning()
    except BaseException:
        taken.close()
        raise
