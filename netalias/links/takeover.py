"""A network device that is served goes to another process, with its link and all that is under way.

Whoever serves it has a rendezvous by its name, and gives to a process of the same user that asks.
The device keeps its carrier, addresses and queue, the peer hears nothing of it, and what fails
leaves everything where it was.
"""

from __future__ import annotations

import socket
from select import POLLIN
from time import monotonic, sleep

from netalias import errors
from netalias.links import handover, lcp, spec
from netalias.links.datagram import EthernetLink, UdpLink
from netalias.links.devices import EXEC, KINDS, LINK, STREAMS, TTY, UDP
from netalias.links.election import Server, elect, rendezvous
from netalias.links.local import end_program, leave_terminal, modem_carrier
from netalias.links.netdev import has_carrier
from netalias.links.state import COUNTERS, LinkState
from netalias.links.stream import StreamLink
from netalias.system import descriptors
from netalias.tunnels import tun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as _Socket
    from collections.abc import Callable, Sequence
    from typing import Any

    from netalias.links.bundle.runner import BundleRunner
    from netalias.links.link import Link
    from netalias.links.runner import LinkRunner
    from netalias.links.session import Session
    from netalias.system.sdnotify import Service

PATIENCE = 5.0
"""Seconds for the former process to give up its rendezvous."""
POLL = 0.01
TUN, OPEN = "tun", "link"
"""Roles of the descriptors; the second is that of each link that is open."""
ENDINGS = {TTY: leave_terminal, EXEC: end_program}
CARRIERS: dict[str, Callable[[int, LinkState], bool | None]] = {
    TTY: lambda fd, state: modem_carrier(fd),
    LINK: lambda fd, state: has_carrier(state.device.place),
}


def served(folder: str, name: str, patience: float = 0.0) -> Server:
    """The rendezvous of the network device *name*, which this process serves. Raises StateError if
    another process does, still after *patience* seconds."""
    end = monotonic() + patience
    while True:
        found = elect(folder, rendezvous(name))
        if isinstance(found, Server):
            return found
        found.close()
        if monotonic() >= end:
            raise errors.StateError(
                f"{name}: another process serves it", f"netalias link takeover {name} DEVICE..."
            )
        sleep(POLL)


class Giver:
    """Gives the device to a process that asks at the rendezvous *server*; a Pollable. That process
    is *service* from then on."""

    def __init__(
        self,
        server: Server,
        mine: bytes,
        runner: LinkRunner | BundleRunner,
        sessions: Sequence[Session],
        service: Service,
    ) -> None:
        self._server = server
        self._mine = mine
        self._runner = runner
        self._sessions = sessions
        self._service = service
        self._channel: _Socket | None = None
        self._heir = 0
        """The process that has it."""

    @property
    def given(self) -> bool:
        """Whether another process has it."""
        return self._channel is not None

    def wanted(self, now: float) -> dict[int, int]:
        """Somebody who asks."""
        return {} if self.given else {self._server.fileno(): POLLIN}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Give; if that fails, go on."""
        try:
            message = self._server.receive()
            reply = message and handover.asked(message, self._mine)
            if not reply:
                return
            try:
                pid, self._channel = handover.give(reply, self._parcel(now), self._mine)
            finally:
                reply.close()
        except (errors.StateError, OSError, spec.FailedLayout, UnicodeError) as error:
            self._sessions[0].log.warning(str(error))
            return
        self._heir = pid
        for session in self._sessions:
            session.release(pid)
        self._runner.end()

    def due(self, now: float) -> None:
        """Never."""

    def tick(self, now: float) -> None:
        """Nothing."""

    def close(self) -> None:
        """Leave the rendezvous; whoever has taken over may use it from now on."""
        for message in self._server.close():
            reply = handover.asked(message, self._mine)
            if reply is not None:
                handover.decline(reply, "the process that served it has ended")
        if self._channel is not None:
            self._service.main(self._heir)
            self._channel.close()
            # This process may end before the manager knows whose word that of main() was.
            self._service.barrier()

    def _parcel(self, now: float) -> handover.Parcel:
        runner = self._runner
        bundle = runner.packed(now)  # it may send something before
        links, states = [], []
        for session in self._sessions:
            state = session.pack(now)
            if state is not None and session.link is not None:
                links.append(session.link.fileno())
                states.append(packed(state))
        content = {
            "mtu": runner.mtu,
            "links": states,
            "filters": runner.beside.packed(),
            "bundle": bundle,
            "service": self._service.packed(),
        }
        filenos, roles = [*links, runner.tun.fileno()], [*[OPEN] * len(links), TUN]
        return handover.Parcel("link", roles, filenos, spec.DEVICE.build(content))


class Received:
    """A network device that has come: ``tun``, its ``mtu``, the ``links`` that are open, the
    ``filters`` as links.spec.FILTERS has them, the ``bundle`` as links.spec.BUNDLE has it, None for
    a single link, and the variables of the ``service`` as links.spec.SERVICE has them."""

    def __init__(self, device: tun.Tun, links: Sequence[Link], state: Any) -> None:
        self.tun = device
        self.links = links
        self.mtu = int(state.mtu)
        self.filters = state.filters
        self.bundle = state.bundle
        self.service = state.service


def receive(folder: str, name: str, mine: bytes, content: int) -> Received:
    """Take the network device *name*, which carries *content* (lcp.CONTENTS), over from the process
    that serves it. Raises StateError; it is still that process's then."""
    found = elect(folder, rendezvous(name))
    if isinstance(found, Server):
        found.close()
        raise errors.StateError(f"{name}: no process serves it", f"netalias link run {name}")
    try:
        message = handover.ask(found.channel, mine)
    finally:
        found.close()
    with handover.take(message, mine) as parcel:
        try:
            received = _received(parcel, content)
        except (errors.NetaliasError, OSError, spec.FailedLayout, UnicodeError) as error:
            parcel.refuse(str(error))
            raise errors.StateError(f"{name}: not taken over: {error}") from None
        try:
            parcel.accept()
        except errors.StateError:
            received.tun.close()
            for link in received.links:
                link.release()
            raise
        parcel.finished(PATIENCE)
    return received


def _received(parcel: handover.Taken, content: int) -> Received:
    """The objects of a parcel. Raises NetaliasError, OSError; its descriptors are closed then."""
    head = spec.DEVICE.parse(parcel.body)
    states = [unpacked(one) for one in head.links]
    roles = [*[OPEN] * len(states), TUN]
    fits = len(states) <= 1 if head.bundle is None else _is_of(head.bundle, states)
    if parcel.kind != "link" or sorted(parcel.roles) != roles or not fits:
        raise errors.StateError(f"a parcel of kind {parcel.kind} with {' '.join(parcel.roles)}")
    held = [parcel.take(role) for role in roles]
    links: list[Link] = []
    try:
        # Before anything is changed of a device that is another's.
        found = lcp.content(tap=tun.is_tap(held[-1]), bundle=head.bundle is not None)
        if found != content:
            raise errors.StateError(f"it carries {lcp.CONTENTS[found]}")
        device = tun.adopt(held[-1], offload=content in lcp.PACKETS)
        for state in states:
            links.append(adopted(held[0], state))
            del held[0]
        return Received(device, links, head)
    except BaseException:
        for link in links:
            link.release()
        descriptors.close(held)
        raise


def _is_of(bundle: Any, states: Sequence[LinkState]) -> bool:
    """Whether the links are those of the members that are open."""
    return [one.name for one in bundle.members if one.open] == [state.word for state in states]


def adopted(fd: int, state: LinkState) -> Link:
    """The link behind a descriptor that another process opened. Raises OSError."""

    def carrier() -> bool | None:
        look = CARRIERS.get(state.kind)
        return look(fd, state) if look is not None else None

    if state.kind in STREAMS:
        return StreamLink(fd, state, carrier=carrier, ending=ENDINGS.get(state.kind))
    found = socket.socket(fileno=fd)
    found.setblocking(False)
    if state.kind == UDP:
        return UdpLink(found, state, carrier=carrier, greets=lcp.greets)
    return EthernetLink(found, state, carrier=carrier, greets=lcp.greets)


def packed(state: LinkState) -> dict[str, object]:
    """A state as spec.STATE has it."""
    host, port = state.peer or ("", 0)
    pid, start = state.child or (0, "")
    modes, signs = state.modes[: spec.MODES], state.modes[spec.MODES] if state.modes else []
    return {
        **state.plain(),
        "kind": KINDS.index(state.kind) + 1,
        "peer": {"host": host, "port": port},
        "lcp": state.timers.get("lcp", 0.0),
        "carrier": state.timers.get("carrier", 0.0),
        "child": {"pid": pid, "start": start},
        "modes": modes or [0] * spec.MODES,
        "signs": b"".join(one if isinstance(one, bytes) else bytes([one]) for one in signs),
        "counters": [state.counters[name] for name in COUNTERS],
    }


def unpacked(found: Any) -> LinkState:
    """The state that packed() gave. Raises StateError for a kind that is unknown."""
    if found.kind > len(KINDS):
        raise errors.StateError(f"unknown link type {found.kind}")
    state = LinkState(str(found.word), KINDS[found.kind - 1], str(found.name))
    for name in ("passive", "magic", "heard", "mru", "unread", "unsent"):
        setattr(state, name, getattr(found, name))
    state.cd = str(found.cd)
    if found.peer.host:
        state.peer = (str(found.peer.host), found.peer.port)
    if found.child.pid:
        state.child = (found.child.pid, str(found.child.start))
    if found.signs:
        signs: list[bytes] = [bytes([one]) for one in found.signs]
        state.modes = [*found.modes, signs]
    state.timers = {"lcp": found.lcp, "carrier": found.carrier}
    state.counters.update(zip(COUNTERS, found.counters, strict=False))
    state.in_samples, state.out_samples = [*found.in_samples], [*found.out_samples]
    return state
