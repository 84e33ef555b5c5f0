"""The process of the agent: it carries what the agent wants to the store and to the watcher.

The watcher starts it with one end of a pair of sockets (system/lines.py) and its runtime directory,
and writes ::

    cluster etcd https://a:2379          the declared lines, whenever they change,
    float web eth0:0-9 10.0.0.10-19/24
                                         then an empty one;
    stands web/10.0.0.10                 and its reports (orders.py)
    alive                                again and again

The orders come back. Without a line ``cluster`` the agent gives up everything and leaves the
cluster; the process ends after that, and when another line ``cluster`` is declared, for the next
one to begin with it. When the other end is closed, or silent for a whole lifetime, the host leaves
the cluster at once: what stands runs out, and others wait no longer than for that. All times are of
CLOCK_BOOTTIME.
"""

from __future__ import annotations

import os
import signal
from binascii import crc32
from select import POLLOUT
from time import CLOCK_BOOTTIME, clock_gettime, monotonic, time

from netalias import errors
from netalias.cluster import fence
from netalias.cluster.agent import Agent
from netalias.cluster.membership import Settings
from netalias.cluster.orders import Stands, parse
from netalias.cluster.records import Spread
from netalias.cluster.store import Change, Follow, Revoke, StoreError
from netalias.cluster.suspend import Suspension
from netalias.cluster.tokens import FILE, Tokens
from netalias.desired.cluster import Cluster, cluster
from netalias.desired.floats import floats
from netalias.desired.tasks import FIRST
from netalias.runtime import condition, remove_file
from netalias.system.journal import Journal
from netalias.system.lines import Link, inherited
from netalias.system.loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from netalias.cluster.outbox import Asked
    from netalias.cluster.store import Engine
    from netalias.cluster.tickling import Tickling
    from netalias.desired.floats import Float
    from netalias.desired.tasks import Task
    from netalias.model.connections import Connection

    Connect = Callable[[Cluster], Engine]
    """Makes the engine of a line. Raises NetaliasError."""
    Tickle = Callable[[Agent, str, str], Tickling]
    """Makes what tickles, for an agent, a prefix and a node."""

RETRY = 5.0
"""Seconds before files that cannot be used are looked at again."""
KEYWORDS = ("cluster", "float")
MORE = 10.0
"""Seconds more than twice a lifetime, after which nothing of before is held any more."""
LAST = Change, Revoke
"""Requests that have to be answered, or have failed, before the process ends."""
ALIVE = "alive"
"""The line by which a watcher shows that it would carry out orders."""


class Carrier:
    """A part of the loop, the only one. *boottime* and *clock* are CLOCK_BOOTTIME and
    CLOCK_MONOTONIC; *end* ends the loop. *tickle* is for a line that says so. *tell* takes the
    reason why nothing is decided here, empty for none, and until when addresses may stand.
    *release* is that of netalias, for people who ask which hosts there are."""

    def __init__(
        self,
        link: Link,
        connect: Connect,
        tokens: Tokens,
        journal: Journal,
        boottime: Callable[[], float],
        clock: Callable[[], float],
        end: Callable[[], object],
        tickle: Tickle | None = None,
        tell: Callable[[float, str], object] = lambda until, reason: None,
        release: str = "",
    ) -> None:
        self._link = link
        self._connect = connect
        self._tokens = tokens
        self._journal = journal
        self._boottime = boottime
        self._clock = clock
        self._end = end
        self._suspension = Suspension(boottime(), clock())
        self._heard = boottime()
        self._linked = True
        self._lines: list[str] = []
        self._tasks: list[Task] = []
        self._line: Cluster | None = None
        self._agent: Agent | None = None
        self._tickle = tickle or _tickling
        self._tickling: Tickling | None = None
        self._engine: Engine | None = None
        self._retry: float | None = None
        self._complaint = ""
        self._tell = tell
        self._release = release
        self._told: tuple[float, str] | None = None
        self._until = 0.0
        self._asked: dict[int, Asked] = {}
        self._numbers: dict[Asked, int] = {}
        self.replaced = False
        """Whether nothing holds any more of what was known of the store."""

    # A part of the loop

    def wanted(self, now: float) -> dict[int, int]:
        """The link, and the connections to the store."""
        found = self._engine.wanted(now) if self._engine is not None else {}
        return {**found, self._link.fileno(): self._link.events} if self._linked else found

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Something has come, or can be sent. Raises PacketError."""
        self._look()
        if fileno == self._link.fileno():
            self._exchange(events)
        elif self._engine is not None:
            self._engine.ready(fileno, events, now)
        self._carry()

    def due(self, now: float) -> float | None:
        """Seconds until the store or the agent has something to do."""
        times: list[float | None] = []
        if self._linked and self._line is not None:
            times.append(max(0.0, self._heard + self._line.ttl - now))
        if self._retry is not None:
            times.append(max(0.0, self._retry - now))
        if self._engine is not None:
            times.append(self._engine.due(now))
        if self._agent is not None:
            times.append(self._agent.due(now))
        if self._tickling is not None:
            times.append(self._tickling.due(now))
        found = [one for one in times if one is not None and one != float("inf")]
        return min(found, default=None)

    def tick(self, now: float) -> None:
        """Do what is due. Raises PacketError."""
        self._look()
        if self._linked and self._line is not None and now >= self._heard + self._line.ttl:
            self._journal.error("the watcher does not answer: this host leaves the cluster")
            self._leave()
        if self._retry is not None and now >= self._retry:
            self._retry = None
            self._begin()
        if self._engine is not None:
            self._engine.tick(now)
        if self._agent is not None:
            self._agent.tick(self._boottime())
        if self._tickling is not None:
            self._tickling.tick(self._boottime())
        self._carry()

    def close(self) -> None:
        """Close the connections."""
        if self._engine is not None:
            self._engine.close()
        self._link.close()

    # What comes

    def _look(self) -> None:
        """Before anything else: has the machine been suspended?"""
        boottime = self._boottime()
        if self._suspension.passed(boottime, self._clock()) and self._agent is not None:
            self._agent.suspended(boottime)

    def _exchange(self, events: int) -> None:
        """Read lines of the watcher, and write orders."""
        try:
            if events & POLLOUT:
                self._link.write()
            if events & ~POLLOUT:
                for line in self._link.read():
                    self._heard = self._boottime()
                    self._hear(line)
        except OSError:
            self._leave()  # the watcher has ended, or wants no agent any more

    def _leave(self) -> None:
        """End the registration, and then: there is nobody any more who would carry out orders."""
        self._linked = False
        self._retry = None
        if self._agent is None or self._engine is None:
            self._end()
        elif not self._agent.ended:
            self._agent.membership.leave(self._boottime())
            self._agent.ended = True

    def _hear(self, line: str) -> None:
        """A declared line, the end of those, or a report. Raises PacketError."""
        if not line:
            lines, self._lines = self._lines, []
            self._declare(lines)
        elif line.partition(" ")[0] in KEYWORDS:
            self._lines.append(line)
        elif self._agent is not None and self._line is not None and line != ALIVE:
            report, now = parse(line), self._boottime()
            if isinstance(report, Stands):
                self._until = fence.end(now, self._line.ttl)  # at most, by a proof of before
            self._agent.hear(report, now)

    def _declare(self, lines: Iterable[str]) -> None:
        self._tasks = [_task(line) for line in lines]
        line = cluster(self._tasks)
        if line is None:
            self._stop()
        elif self._line is not None and line.text != self._line.text:
            self._end()
        else:
            self._line = line
            self._begin()

    def _begin(self) -> None:
        """Begin, or go on, with the declared pools."""
        line = self._line
        assert line is not None
        if self._agent is None:
            try:
                self._engine = self._connect(line)
            except errors.NetaliasError as error:
                self._complain(f"{line.title}: {error.line()}")
                self._retry = self._boottime() + RETRY
                return
            name = line.node or os.uname().nodename
            settings = Settings(name, line.weight, line.ttl, self._release)
            self._agent = Agent(settings, line.prefix, self._tokens, time)
            if line.tickles:
                self._tickling = self._tickle(self._agent, line.prefix, settings.node)
        pools = {one.name: spread(one) for one in floats(self._tasks)}
        self._agent.declare(pools, self._boottime())

    def _stop(self) -> None:
        if self._agent is None:
            self._end()
        else:
            self._agent.stop(self._boottime())

    # What goes

    def _carry(self) -> None:
        """Bring answers to the agent, and requests, orders and sentences out, until all is quiet.
        Raises PacketError."""
        while self._agent is not None and self._engine is not None:
            if self._engine.replaced():
                self._begin_anew()
                return
            answers = self._engine.answers()
            for answer in answers:
                asked = self._asked.get(answer.number)
                if asked is None:
                    continue  # of a request that was cancelled a moment ago
                if isinstance(answer.result, StoreError) or not isinstance(asked.request, Follow):
                    self._forget(asked)
                # The time is read after the answer has come: the agent rests on that.
                self._agent.answered(asked, answer.result, self._boottime())
            if not self._send(self._agent, self._engine) and not answers:
                break
        self._note_trouble()
        if self._agent is not None and self._agent.ended:
            # What only asks, and may wait for a store that is away, keeps nobody here.
            left = [one for one in self._asked.values() if isinstance(one.request, LAST)]
            if not left:
                self._end()

    def _note_trouble(self) -> None:
        """Tell what has changed of the reason why nothing is decided here. Who leaves is silent:
        the next agent may tell by then."""
        if not self._linked or (self._agent is not None and self._agent.ended):
            return
        reason = self._complaint or condition.UNKNOWN
        if self._agent is not None and self._line is not None:
            one = self._agent.membership
            known = condition.OUTSIDE if self._agent.view.revision else condition.UNKNOWN
            asked = self._engine.trouble() if self._engine is not None else ""
            reason = one.trouble or ((asked or known) if not one.created else "")
            self._until = max(self._until, fence.end(one.proof, self._line.ttl))
        told = (self._until if reason else 0.0, reason)
        if told != self._told:
            self._told = told
            self._tell(*told)

    def _begin_anew(self) -> None:
        """End for another agent, which knows nothing of before: what was held has run out, and the
        revisions of a registration may be those of another host's by now."""
        text = "the store of the cluster is another one, or from a backup: this host begins anew"
        self._journal.error(text)
        self.replaced = True
        self._end()

    def _send(self, agent: Agent, engine: Engine) -> bool:
        """Empty the outbox; whether there were requests."""
        out = agent.outbox
        if self._tickling is not None:
            for message in out.messages:
                self._tickling.ordered(message, self._boottime())
        for asked in out.cancelled:
            if asked in self._numbers:
                engine.cancel(self._forget(asked))
        requests, out.requests, out.cancelled = out.requests, [], []
        for asked in requests:
            number = engine.send(asked.request, self._boottime(), asked.timeout or 0.0)
            self._asked[number], self._numbers[asked] = asked, number
        for message in out.messages if self._linked else ():
            self._link.put(message.line())
        for failed, text in out.notes:
            (self._journal.warning if failed else self._journal.info)(text)
        out.messages, out.notes = [], []
        return bool(requests)

    def _forget(self, asked: Asked) -> int:
        number = self._numbers.pop(asked)
        del self._asked[number]
        return number

    def _complain(self, text: str) -> None:
        """Log an error, unless it was the last one."""
        if text != self._complaint:
            self._complaint = text
            self._journal.error(text)


def spread(pool: Float) -> Spread:
    """A pool as other hosts are to see it."""
    spans: list[tuple[str, str]] = []
    first = last = b""
    for packed in sorted(pool.places):
        if last and int.from_bytes(packed, "big") == int.from_bytes(last, "big") + 1:
            spans.pop()
        else:
            first = packed
        last = packed
        spans.append((pool.spelled(first), pool.spelled(last)))
    return Spread(tuple(spans), pool.prefer, pool.hold_down)


def noting(folder: str, journal: Journal) -> Callable[[float, str], None]:
    """A function that notes the condition of the store in a runtime directory. Addresses do not
    depend on that, so a folder that is full or cannot be written only costs the note."""

    def note(until: float, reason: str) -> None:
        try:
            condition.note(folder, condition.Condition(until, reason) if reason else None)
        except OSError as error:
            text = f"{folder}{condition.FILE}: {error.strerror}"
            journal.warning(f"{text}: check and doctor do not tell how the store is")

    return note


def _task(line: str) -> Task:
    """The task of a line that the watcher has parsed before. Raises UsageError."""
    words = line.split()
    module = __import__(FIRST[words[0]], fromlist=["read"])
    found: Task = module.read(words)
    return found


def _connect(line: Cluster) -> Engine:
    """An engine for etcd. Raises StateError, UsageError."""
    from netalias.cluster.etcd.engine import EtcdEngine
    from netalias.cluster.etcd.settings import Settings as Way

    node = line.node or os.uname().nodename
    # What was held by another etcd has run out after that, on all hosts (fence.py).
    forget = 2 * line.ttl + MORE
    return EtcdEngine(Way(line.endpoints, **line.files), crc32(node.encode()), forget=forget)


def _tickling(agent: Agent, prefix: str, node: str) -> Tickling:
    """Tickles by a raw socket, for the connections that the kernel knows in this namespace."""
    from netalias.cluster.tickling import Tickling
    from netalias.kernel.netlink.connections import established
    from netalias.nat.connections import tracked
    from netalias.packets.tickle import Tickler

    def collect(addresses: Collection[bytes]) -> Iterable[Connection]:
        return {*established(addresses), *tracked(addresses)}

    return Tickling(agent, prefix, node, collect, Tickler().send)


def _boottime() -> float:
    return clock_gettime(CLOCK_BOOTTIME)


def main(arguments: Sequence[str]) -> int:
    """Serve the watcher at the other end of a socket until that is closed; the exit status. The
    arguments are the descriptor of the socket, the runtime directory of the watcher, and the
    release of netalias."""
    fileno, folder, release = arguments
    # A ^C, and what a service manager sends to all processes, is for the watcher, who decides what
    # becomes of this: the host leaves the cluster when the watcher has ended.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    journal = Journal()
    tell = noting(folder, journal)
    try:
        tokens = Tokens(folder)
        carrier = Carrier(
            inherited(int(fileno)),
            _connect,
            tokens,
            journal,
            _boottime,
            monotonic,
            lambda: loop.end(),
            tell=tell,
            release=release,
        )
        loop = Loop([carrier], _boottime)
        loop.run()
        carrier.close()
        if carrier.replaced:
            remove_file(f"{folder}/{FILE}")
    except OSError as error:
        journal.error(f"{error.filename or 'the agent of the cluster'}: {error.strerror}")
        return errors.STATUS_KERNEL
    except errors.NetaliasError as error:
        journal.error(f"the agent of the cluster: {error.line()}")
        return error.status
    return errors.STATUS_OK
