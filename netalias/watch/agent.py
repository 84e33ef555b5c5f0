"""The agent of a watcher: the process that talks to the store, and what it orders.

A request to the store may take seconds, and must delay nothing here. So a process of its own does
that and decides; it is told the declared lines, what stands in the kernel, and what has
become of its orders (cluster/orders.py). When it dies another one goes on; until that has proved
itself to the store, all addresses run towards their end.
"""

from __future__ import annotations

import os
import signal
from select import POLLIN, POLLOUT, poll

from netalias import errors
from netalias.cluster.orders import Stands, parse, parts
from netalias.desired.cluster import cluster
from netalias.runtime import condition
from netalias.runtime import tasks as carried
from netalias.runtime.loans import now as boottime
from netalias.system import interpreter
from netalias.system.backoff import RepairBackoff
from netalias.system.lines import Link, pair
from netalias.system.process import tell
from netalias.watch.floats import Floats
from netalias.watch.mains import Mains

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.cluster.orders import Message
    from netalias.desired.cluster import Cluster
    from netalias.desired.tasks import Task
    from netalias.model.events import Event
    from netalias.system.journal import Journal
    from netalias.watch.claims import Claims
    from netalias.watch.controller import Controller

NAME = "netalias.cluster.process"
ALIVE = 1.0
"""Seconds between two signs of life, without which the agent would leave the cluster."""


def spawn(link: int, folder: str, release: str = "") -> int:
    """Start an agent, which has the descriptor *link* to the watcher, its runtime directory, and
    the *release* of netalias; its pid. Raises OSError."""
    return interpreter.start(NAME, [link], [folder, release])


LEAVING = 5.0
"""Seconds for the agent to leave the cluster at the end, also with all that it gives up."""
TURNS = 16
"""Turns for what it has left, in each of which a quarter goes, or more."""


class Agent:
    """A part of the loop. *folder* is the runtime directory; *start* starts the process."""

    def __init__(
        self,
        controller: Controller,
        checks: Claims,
        journal: Journal,
        clock: Callable[[], float],
        folder: str,
        start: Callable[[int, str], int] = spawn,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._folder = folder
        self._start = start
        self.floats = Floats(controller, checks, journal, clock, boottime, self._send)
        self._mains = Mains(controller.devices, journal)
        self._tasks: list[Task] = []
        self._lines: list[str] | None = None
        self._told: list[str] = []
        self._store = ""
        self._alive = 0.0
        self._stuck = False
        self._link: Link | None = None
        self._pidfd = -1
        self._due: float | None = None
        self._deaths = RepairBackoff()

    def load(self, tasks: Iterable[Task]) -> None:
        """Replace the lines, all of which are about the cluster: the process is told, started or
        ended."""
        mine = [*tasks]
        lines = [one.text for one in mine]
        store = cluster(mine)
        reason = _reason(mine, store)
        if reason:
            self._journal.warning(f"{reason}: nothing of it is held here")
            mine, lines, store = [], [], None
        if mine or self._link is None:
            self.floats.load(mine)
        if lines == self._lines:
            return
        if self._link is None:
            self._note(store)
        carried.write(self._folder, lines, carried.FLOATS)
        self._lines, self._tasks = lines, mine
        if self._link is not None and store is not None and store.text != self._store:
            self._end()
        self._store = store.text if store is not None else ""
        if self._link is not None:
            # Without any, the process orders what stands to go, once others know that it does, and
            # ends when nothing is held any more.
            self._declare()
        else:
            self._due = 0.0 if lines else None

    def _note(self, store: Cluster | None) -> None:
        """Note that nothing is known of a store yet, until its agent does; nothing without one."""
        until = boottime() + store.ttl if store is not None and self.floats.standing() else 0.0
        found = condition.Condition(until, condition.UNKNOWN) if store is not None else None
        try:
            condition.note(self._folder, found)
        except OSError as error:
            self._journal.warning(f"{self._folder}{condition.FILE}: {error.strerror}")

    def release(self) -> None:
        """Give up all, as the agent orders, and wait until the store knows; not for long, if one of
        them does not answer."""
        self.load(())
        end = self._clock() + LEAVING
        state = poll()
        while self._link is not None and (now := self._clock()) < end:
            due = self.due(now)
            if due is not None and due <= 0:
                self.tick(now)
                continue
            for fileno, events in self.wanted(now).items():
                state.register(fileno, events)
            for fileno, events in state.poll(int(min(end - now, due or LEAVING) * 1000) + 1):
                self.ready(fileno, events, self._clock())
        self.floats.load(())  # what nobody has ordered to go
        for _ in range(TURNS):
            self.floats.tick(self._clock())

    def close(self, *, wait: bool = True) -> None:
        """End the process. What stands runs out, unless another watcher goes on with it. *wait*
        until it has left the cluster, not for long, if the store does not answer: a service manager
        kills what a service leaves behind."""
        process = os.dup(self._pidfd) if wait and self._link is not None else -1
        self._end()
        if process >= 0:
            state = poll()
            state.register(process, POLLIN)
            state.poll(LEAVING * 1000)
            os.close(process)

    # The agent

    def _begin(self) -> None:
        """Start an agent. Raises OSError."""
        link, theirs = pair()
        with theirs:
            try:
                self._pidfd = os.pidfd_open(self._start(theirs.fileno(), self._folder))
            except OSError:
                link.close()
                raise
        self._link = link
        self._declare()
        for part in parts(self.floats.standing()):
            self._send(Stands(part))

    def _declare(self) -> None:
        """Tell the lines of what can stand here, and that there are no more."""
        self._told = self._mains.filter(self._tasks, self._clock())
        for line in [*self._told, ""]:
            self._put(line)

    def hear(self, event: Event) -> None:
        """Take note of an event."""
        self.floats.hear(event)
        self._mains.hear(event)

    def _send(self, message: Message) -> None:
        self._put(message.line())

    def _put(self, line: str) -> None:
        if self._link is not None:
            try:
                self._link.put(line)
            except errors.PacketError:
                self._stuck = True  # ended by tick(): the caller still needs the link

    def _end(self, *, kill: bool = False) -> None:
        """End the agent, which leaves the cluster when nobody has the other end of the link any
        more."""
        self._due = None
        if self._link is not None:
            self._link.close()
            self._link = None
            if kill:
                tell(self._pidfd, signal.SIGKILL)
            os.close(self._pidfd)
            self._pidfd = -1
        self.floats.reset()

    def _died(self, why: str, now: float) -> None:
        self._end(kill=True)
        if not self._lines:  # it was to end, and orders nothing to go any more
            self.floats.load(())
            return
        self._due = self._deaths.undone(NAME, now)
        self._journal.error(f"the agent of the cluster {why}; another one goes on")
        self._note(cluster(self._tasks))  # that one may come much later

    # A part of the loop

    def wanted(self, now: float) -> dict[int, int]:
        """The link."""
        return {} if self._link is None else {self._link.fileno(): self._link.events}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Read orders, and write reports."""
        assert self._link is not None
        try:
            if events & POLLOUT:
                self._link.write()
            if events & ~POLLOUT:
                for line in self._link.read():
                    self.floats.order(parse(line))
        except OSError:
            self._died("has ended", now)
        except errors.PacketError as error:
            self._died(f"cannot be understood ({error})", now)

    def due(self, now: float) -> float | None:
        """Seconds until tick()."""
        times = [self.floats.due(now) if not self._stuck else 0.0]
        if self._link is not None:
            times += [max(0.0, self._alive + ALIVE - now), self._mains.due(now)]
        elif self._due is not None:
            times.append(max(0.0, self._due - now))
        return min((one for one in times if one is not None), default=None)

    def tick(self, now: float) -> None:
        """Start an agent, or do what was ordered."""
        if self._stuck:
            self._stuck = False
            self._died("does not read", now)
        if self._due is not None and self._link is None and self._due <= now:
            self._due = None
            try:
                self._begin()
            except OSError:
                self._due = self._deaths.undone(NAME, now)
                raise
        moved = self._link is not None and self._mains.due(now) == 0.0
        if moved and self._mains.filter(self._tasks, now) != self._told:
            self._declare()
        if self._link is not None and now >= self._alive + ALIVE:
            self._alive = now
            self._put("alive")
        self.floats.tick(now)


def _reason(tasks: Sequence[Task], store: Cluster | None) -> str:
    """The reason why nothing of these lines can be carried out; empty for none."""
    if tasks and store is None:
        return f"{tasks[0].title} ({tasks[0].place}): no line cluster says by which store"
    try:
        if store is not None:
            store.named(os.uname().nodename)
    except errors.StateError as error:
        return error.line()
    return ""
