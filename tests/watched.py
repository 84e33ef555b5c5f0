"""The controller of a watcher over the kernel in memory, with a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from errno import ENOBUFS
from io import StringIO

from netalias import errors
from netalias.desired import declarations
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory
from netalias.kernel.memory.rules import Rules
from netalias.model import Snapshot
from netalias.model.events import (
    LINK,
    ROUTE,
    Entry,
    Event,
    Route,
    State,
    address_key,
    apply,
    difference,
)
from netalias.packets import ARPOP_REPLY
from netalias.packets.pacing import Attempt
from netalias.packets.parse import parse
from netalias.runtime.private import PrivateDirectory
from netalias.system.journal import Journal
from netalias.watch.announcer import Announcer
from netalias.watch.checkpoint import Checkpoint
from netalias.watch.claims import Claims
from netalias.watch.controller import Controller

SOON = 0.005
"""Seconds that count as the same moment."""


def state_of(snapshot: Snapshot) -> State:
    """The state of a monitor when the kernel is so."""
    state = State()
    for device in snapshot.devices.values():
        apply(state, (LINK, device.index), device)
    for entries in snapshot.addresses.values():
        for entry in entries:
            apply(state, address_key(entry), Entry(entry))
    return state


class Announced:
    """A monitor over the kernel in memory, which counts its events; ``fails`` readings fail. Of the
    routes it tells the default ones."""

    def __init__(self, kernel: Memory) -> None:
        self.kernel = kernel
        self.defaults: dict[tuple[int, int], bytes] = {}
        self.state = State()
        self.port_id = 0
        self.lost = self.missed = self.behind = False
        self.fails = 0
        self.count = 0

    def read(self, most: int = 0) -> Iterator[Event]:
        if self.fails:
            self.fails -= 1
            self.lost = True
            raise errors.kernel_error("announcements of the kernel", 4)
        self.lost = False
        for event in [*difference(self.state, state_of(self.kernel.snapshot())), *self._routes()]:
            self.count += 1
            yield event

    def _routes(self) -> Iterator[Event]:
        """The default routes that have changed."""
        routing = self.kernel.routing()
        assert isinstance(routing, Rules)
        known, self.defaults = self.defaults, dict(routing.defaults)
        for (index, family), gateway in sorted(known.items() ^ self.defaults.items()):
            route = Route(family, b"", 0, (index,), gateway=gateway)
            yield Event(ROUTE, (ROUTE, index, route), "", route, None, subject=route)


class Busy(PrivateDirectory):
    """A runtime directory whose lock another run holds while ``held``; ``before`` is called by each
    try."""

    def __init__(self) -> None:
        super().__init__()
        self.held = False
        self.asked = 0
        self.before: Callable[[], object] = lambda: None

    def acquire(self, cookie: int = 0) -> None:
        self.asked += 1
        self.before()
        if self.held:
            raise errors.LockBusy("another netalias is at work")


class Paused:
    """In the place of a checkpoint: the ``reason`` of a test."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched

    def reason(self, digest: str) -> str:
        """For any configuration."""
        return self.watched.reason


class Sender:
    """The socket of an announcer: ``told`` has sender, MAC and address of each announcement, which
    is of one frame or two. Devices in ``stuck`` take no frame."""

    def __init__(self, kernel: Memory) -> None:
        self.kernel = kernel
        self.told: list[tuple[str, bytes, bytes]] = []
        self.stuck: set[str] = set()

    def close(self) -> None:
        """Nothing is held."""

    def push(self, name: str, frames: Attempt) -> None:
        """What *name* takes now."""

        def send(frame: bytes, flags: int) -> None:
            if name in self.stuck:
                raise OSError(ENOBUFS, "No buffer space available")
            message = parse(frame)
            if message.operation != ARPOP_REPLY:
                self.told.append((name, message.mac, message.target))

        frames.push(name, send)


class Watched:
    """Controller of what *text* declares; lo, eth0 and eth1 are up. With *claims* it probes and
    announces."""

    def __init__(
        self,
        text: str,
        kernel: Memory | None = None,
        checkpoint: Checkpoint | None = None,
        claims: bool = False,
        **options: object,
    ) -> None:
        self.kernel = kernel or Memory()
        self.kernel.set_device("lo", up=True)
        for name in ("eth0", "eth1"):
            self.kernel.add_device(name, up=True)
        self.now = 1000.0
        self.reason = ""
        self.journal = StringIO()
        self.lock = Busy()
        self.engine = Engine(
            Setup(
                self.kernel,
                runtime=self.lock,
                claims=claims,
                aside=claims,
                claimant=lambda *words: self.claims.session(*words),
            )
        )
        self.monitor = Announced(self.kernel)
        journal = Journal(stream=self.journal, environ={}, now=str)
        self.sender = Sender(self.kernel)
        self.announcer = Announcer(
            self.engine,
            self.monitor.state,
            journal,
            lambda: self.now,
            sender=lambda: self.sender,  # type: ignore[arg-type,return-value]
        )
        self.claims = Claims(self.monitor.state, self.announcer, lambda: self.now)
        self.controller = Controller(
            self.engine,
            self.monitor,  # type: ignore[arg-type]
            journal,
            lambda: self.now,
            checkpoint or Paused(self),  # type: ignore[arg-type]
            **options,  # type: ignore[arg-type]
        )
        self.claims.checked = self.controller.checked
        for _ in self.monitor.read():
            pass
        self.load(text)

    def load(self, text: str) -> None:
        """Other files, and what follows."""
        found = declarations.parse([("t.conf", text)], self.engine.registry)
        assert found.errors == []
        self.controller.load(found)
        self.quiet()

    def quiet(self, *, port_id: int = 0) -> None:
        """Hear and act until there is nothing to do at this moment. What happened was asked for by
        the netlink port ID *port_id*."""
        self.monitor.port_id = port_id
        count = -1
        for _ in range(20):
            if count == self.monitor.count and not self.due and not self.pending:
                return
            count = self.monitor.count
            self.act()
            self.controller.read_events()
            self.pass_time(SOON)
            self.monitor.port_id = 0
        raise AssertionError("it never comes to rest")

    @property
    def pending(self) -> bool:
        """Whether a part of the loop is about to do something."""
        times = [part.due(self.now) for part in (self.claims, self.announcer)]
        return any(time is not None and time <= SOON for time in times)

    def pass_time(self, seconds: float) -> None:
        """Let the time pass, and the parts of the loop do what is due by then."""
        end = self.now + seconds
        for _ in range(1000):
            waits = [
                (wait, number, part)
                for number, part in enumerate((self.claims, self.announcer))
                if (wait := part.due(self.now)) is not None and self.now + wait <= end
            ]
            if not waits:
                break
            wait, _, part = min(waits)
            self.now += wait
            part.tick(self.now)
        if seconds > SOON:
            self.now = end

    def act(self) -> None:
        """Once; an error is logged, as the watcher does."""
        try:
            self.controller.act()
        except errors.NetaliasError as error:
            self.journal.write(f"error: {error.line()}\n")
        self.controller.touched = self.controller.republish = False
        self.controller.linked, self.controller.readdressed = set(), set()

    @property
    def due(self) -> bool:
        """Whether act() is to be called now."""
        wake = self.controller.wake
        return wake is not None and wake <= self.now

    def wait(self) -> float:
        """Until it is time to act, and do it; how many seconds that took."""
        wake = self.controller.wake
        assert wake is not None
        assert wake > self.now
        waited, self.now = wake - self.now, wake
        self.quiet()
        return waited

    def names(self) -> list[str]:
        """The aliases that are there, in chain order."""
        return [str(alias.name) for alias in self.engine.show()]

    def said(self) -> list[str]:
        """The lines of the journal since the last call."""
        text = self.journal.getvalue()
        self.journal.seek(0)
        self.journal.truncate()
        return text.splitlines()
