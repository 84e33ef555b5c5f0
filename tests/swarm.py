"""Many hosts of a cluster in one process: real agents on one store, each with a watcher that obeys
at once and has no kernel.

With the store in memory time is a number, which jumps to whatever is due next; with a real one it
passes by itself, but slower for the agents: they share a processor that each would have for itself.
What is measured of the agents is the processor's time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from select import poll

from clustered import Tokens

from netalias.cluster.agent import Agent
from netalias.cluster.membership import Settings
from netalias.cluster.memory import MemoryStore
from netalias.cluster.orders import Check, Checked, Forget, Gone, Message, Release, Take
from netalias.cluster.outbox import Asked
from netalias.cluster.placement import Key
from netalias.cluster.records import Spread
from netalias.cluster.store import Grant, StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cluster.store import Engine

PREFIX = "/netalias"
FOLLOWING = 1e9
WAY = 0.004
"""Seconds that a request takes to the store in memory; its answer, and events, come at once."""
TICK = 1e-6
"""The least that time goes on, so that no rounding keeps it."""


class Member:
    """One host: ``held`` are the addresses that its kernel would have, ``sent`` the requests so
    far, ``slowest`` the most seconds of the processor that one event has taken."""

    def __init__(self, name: str, engine: Engine, pools: dict[str, Spread], ttl: int) -> None:
        self.name = name
        self.engine = engine
        self.pools = pools
        self.held: set[Key] = set()
        self.sent = 0
        self.failed = 0
        self.slowest = 0.0
        self.alive = False
        self.slow = 1
        """Seconds of the store in one of its own: leases are granted for so many times as long."""
        self._asked: dict[int, Asked] = {}
        self._done = 0
        settings = Settings(name, 100, ttl)
        self.agent = Agent(settings, PREFIX, Tokens(name), lambda: 0.0)

    def start(self, now: float) -> None:
        """The processes begin."""
        self.alive = True
        self.agent.declare(self.pools, now)
        self._carry(now)

    def kill(self) -> None:
        """They end, without a word to the store; the kernel has the addresses for a while."""
        self.alive = False
        self.held.clear()

    @property
    def over(self) -> bool:
        """Whether the agent has ended, and nothing that it asked for is on its way."""
        return self.agent.ended and all(one.timeout is None for one in self._asked.values())

    def due(self, now: float) -> float:
        """Seconds until something is to be done; infinite where it is dead."""
        if not self.alive:
            return float("inf")
        due = self.engine.due(now)
        return min(self.agent.due(now), float("inf") if due is None else due)

    def work(self, now: float) -> None:
        """Do what is due."""
        due = self.engine.due(now)
        if due is not None and due <= 0:
            self.engine.tick(now)
        for answer in self.engine.answers():
            self.failed += isinstance(answer.result, StoreError)
            asked = self._asked.get(answer.number)
            if asked is None:
                continue
            if asked.timeout is not None:
                del self._asked[answer.number]
            begin = time.process_time()
            self.agent.answered(asked, answer.result, now)
            self.slowest = max(self.slowest, time.process_time() - begin)
            self._carry(now)
        self.agent.tick(now)
        self._carry(now)

    def _carry(self, now: float) -> None:
        """Carry out what the agent wants, until it wants no more."""
        outbox = self.agent.outbox
        while outbox.requests or outbox.messages or outbox.cancelled:
            for asked in outbox.cancelled:
                for number in [at for at, one in self._asked.items() if one is asked]:
                    self.engine.cancel(number)
                    del self._asked[number]
            for asked in outbox.requests:
                timeout = FOLLOWING if asked.timeout is None else asked.timeout
                request = asked.request
                if isinstance(request, Grant):
                    request = Grant(request.ttl * self.slow)
                self._asked[self.engine.send(request, now, timeout)] = asked
                self.sent += 1
            orders = [*outbox.messages]
            for waiting in (outbox.cancelled, outbox.requests, outbox.messages, outbox.notes):
                waiting.clear()
            for order in orders:
                self._obey(order, now)

    def _obey(self, order: Message, now: float) -> None:
        self._done += 1
        if isinstance(order, Take):
            self.held.update(order.keys)
        elif isinstance(order, Forget):
            self.held.clear()
        elif isinstance(order, Release):
            self.held.difference_update(order.keys)
            self.agent.hear(Gone(self._done, order.keys), now)
        elif isinstance(order, Check):
            self.agent.hear(Checked(order.keys), now)


class Swarm:
    """All of them; how time passes is that of a subclass."""

    def __init__(self, members: Iterable[Member]) -> None:
        self.members = [*members]

    def now(self) -> float:
        """Seconds."""
        raise NotImplementedError

    def read(self, one: Member) -> None:
        """Take what has come for a host, however late: others had the processor."""

    def wait(self, seconds: float) -> None:
        """Let so much time pass at most, until somebody has something to do."""
        raise NotImplementedError

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> float:
        """Let time pass until something is so; the seconds that it took. Raises TimeoutError."""
        begin = self.now()
        end = begin + seconds
        while True:
            self._work()
            if until is not None and until():
                return self.now() - begin
            if self.now() >= end:
                if until is not None:
                    raise TimeoutError(f"not so within {seconds} seconds")
                return self.now() - begin
            self._wait(end)

    def step(self, end: float) -> None:
        """Let time pass until the next thing is due, no longer than until *end*, and do that."""
        self._wait(end)
        self._work()

    def _work(self) -> None:
        """Everybody does what is due."""
        for one in self.members:
            if one.alive:
                self.read(one)
            if one.due(self.now()) <= 0:
                one.work(self.now())

    def _wait(self, end: float) -> None:
        due = min(one.due(self.now()) for one in self.members)
        self.wait(min(max(0.0, due), end - self.now()))

    def sent(self) -> int:
        """Requests of all so far."""
        return sum(one.sent for one in self.members)

    def even(self, count: int) -> bool:
        """Whether *count* addresses are on exactly one living host each, evenly."""
        held = [len(one.held) for one in self.members if one.alive]
        return sum(held) == count and max(held) - min(held) <= 1


class InMemory(Swarm):
    """Hosts on one store in memory, whose time jumps."""

    def __init__(self, names: Iterable[str], pools: dict[str, Spread], ttl: int) -> None:
        self._now = 1000.0
        self.store = MemoryStore(lambda: self._now, late=0.5)
        members = []
        for name in names:
            engine = self.store.session()
            engine.there = WAY
            members.append(Member(name, engine, pools, ttl))
        super().__init__(members)

    def now(self) -> float:
        return self._now

    def wait(self, seconds: float) -> None:
        self._now += max(seconds, TICK)


class InTime(Swarm):
    """Hosts on a real store, each with connections of its own; their clocks are *slow* times as
    slow as that of the store."""

    def __init__(
        self,
        names: Iterable[str],
        pools: dict[str, Spread],
        ttl: int,
        engine: Callable[[], Engine],
        slow: int,
    ) -> None:
        super().__init__(Member(name, engine(), pools, ttl) for name in names)
        self._slow = slow
        for one in self.members:
            one.slow = slow

    def now(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME) / self._slow

    def read(self, one: Member) -> None:
        state = poll()
        for fileno, events in one.engine.wanted(self.now()).items():
            state.register(fileno, events)
        for fileno, events in state.poll(0):
            one.engine.ready(fileno, events, self.now())
            one.work(self.now())

    def wait(self, seconds: float) -> None:
        state = poll()
        for one in self.members:
            for fileno, events in one.engine.wanted(self.now()).items() if one.alive else ():
                state.register(fileno, events)
        state.poll(min(seconds * self._slow, 1.0) * 1000 + 1)
