"""Hosts of a cluster in one process: real agents on the store in memory, made-up watchers and
kernels, each with a clock of its own. Time is a number that passes when it is told to.

A kernel has an address until its lifetime is over, however long the processes have been dead.
``owners()`` are the hosts whose kernels answer: at no time may there be two for one address, which
is checked whenever one is made. The one exception is that of docs/cluster.md: what stood on a
machine while it was suspended stands for the rest of its lifetime, and is no owner.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping

from netalias.cluster import fence
from netalias.cluster.agent import Agent
from netalias.cluster.membership import Settings
from netalias.cluster.memory import MemoryEngine, MemoryStore
from netalias.cluster.orders import (
    Check,
    Checked,
    Extend,
    Forget,
    Gone,
    Message,
    Release,
    Stands,
    Taken,
    Timed,
    parse,
)
from netalias.cluster.outbox import Asked
from netalias.cluster.placement import Key
from netalias.cluster.records import Spread
from netalias.cluster.suspend import Suspension

PREFIX = "/netalias"
FOLLOWING = 1e9
TICK = 1e-6
ROUNDS = 3_000
"""Rounds without an end: an agent that never comes to rest."""


def spread(first: int, last: int, prefers: str = "", hold_down: int = 0) -> Spread:
    """The pool 10.0.0.FIRST-LAST."""
    return Spread(((f"10.0.0.{first}", f"10.0.0.{last}"),), prefers, hold_down)


class Kernel:
    """The addresses of a host, each with the true time at which it goes. Its timer is *late*.

    ``since`` is the true time at which the machine was suspended, None while it runs; ``rests``
    are the addresses that stand for the rest of their lifetimes after that.
    """

    def __init__(self, late: float) -> None:
        self.late = late
        self.ends: dict[Key, float] = {}
        self.rests: set[Key] = set()
        self.since: float | None = None

    def has(self, key: Key, now: float) -> bool:
        """Whether it answers for an address."""
        return self.since is None and self.ends.get(key, 0.0) > now

    def owns(self, key: Key, now: float) -> bool:
        """Whether it answers for an address that was set since the machine was suspended last."""
        return self.has(key, now) and key not in self.rests

    def set(self, key: Key, end: float) -> None:
        """An address gets the time at which it goes."""
        self.ends[key] = end
        self.rests.discard(key)

    def remove(self, keys: Iterable[Key]) -> None:
        """Addresses go."""
        for key in keys:
            self.ends.pop(key, None)
            self.rests.discard(key)

    def suspend(self, now: float) -> None:
        """Its jiffies stand still from now on."""
        self.since = now

    def resume(self, now: float) -> float:
        """They go on; the seconds for which they have not."""
        assert self.since is not None
        slept, self.since = now - self.since, None
        self.ends = {key: end + slept for key, end in self.ends.items()}
        self.rests = {*self.ends}
        return slept

    def expire(self, now: float) -> list[Key]:
        """Remove what has run out."""
        if self.since is not None:
            return []
        found = [key for key, end in self.ends.items() if end <= now]
        self.remove(found)
        return found


class Tokens:
    """The tokens of one namespace in memory (cluster/tokens.py)."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._made: list[str] = []
        self._registered: list[int] = []
        self.after()

    def after(self) -> Tokens:
        """The same for the next agent."""
        self.former, self.registrations = [*self._made], [*self._registered]
        return self

    def __call__(self) -> str:
        self._made.append(f"{self._name}-{len(self._made)}")
        return self._made[-1]

    def register(self, registration: int) -> None:
        """A registration of the last one."""
        self._registered.append(registration)


class Host:
    """A host: its kernel, and the processes on it. ``rate`` is the speed of its clock, which shows
    *base* at the true time 0; ``node`` is its name in the cluster, if that is another."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        rate: float = 1.0,
        base: float = 1000.0,
        node: str = "",
    ) -> None:
        self.cluster = cluster
        self.name = name
        self.node = node or name
        self.rate = rate
        self.base = base
        self.kernel = Kernel(cluster.late)
        self.pools: dict[str, Spread] = dict(cluster.pools)
        self.tokens = Tokens(name)
        self.alive = False
        self.slept = 0.0
        self.agent_stopped = self.watch_stopped = False
        self.watched: set[Key] = set()
        self.until = 0.0
        self.ttl = cluster.ttl
        self.done = 0
        self.orders: deque[str] = deque()
        self.reports: deque[str] = deque()
        self.notes: list[str] = []
        self.ordered: list[Message] = []
        self.engine: MemoryEngine | None = None
        self.numbers: dict[int, Asked] = {}

    def clock(self) -> float:
        """Its CLOCK_BOOTTIME."""
        return self.base + self.cluster.now * self.rate

    def monotonic(self) -> float:
        """Its CLOCK_MONOTONIC, which does not count what it was suspended for."""
        return self.clock() - self.slept

    @property
    def suspended(self) -> bool:
        """Whether nothing goes on but CLOCK_BOOTTIME."""
        return self.kernel.since is not None

    def suspend(self) -> None:
        """The machine is suspended, and answers nobody."""
        self.kernel.suspend(self.cluster.now)

    def resume(self) -> None:
        """It goes on; what stands there has no more than a lifetime left."""
        now = self.cluster.now
        self.slept += self.kernel.resume(now) * self.rate
        most = now + (self.ttl + self.kernel.late) / self.rate + TICK
        assert all(end <= most for end in self.kernel.ends.values())

    def start(self) -> None:
        """The processes begin, and find what stands in the kernel."""
        assert not self.alive
        self.alive = True
        self.watched.clear()
        self._watcher_apart = Suspension(self.clock(), self.monotonic())
        self.begin_agent()

    def begin_agent(self) -> None:
        """An agent begins beside a watcher, which makes and prolongs nothing without it."""
        former = self.engine
        if former is not None:
            former.close()
        self.engine = self.cluster.store.session()
        if former is not None:
            for fault in ("there", "back", "early", "cut", "mute", "deaf", "isolated", "refused"):
                setattr(self.engine, fault, getattr(former, fault))
        self.numbers.clear()
        self.orders.clear()
        self.reports.clear()
        self.watched.clear()
        self.done = 0
        settings = Settings(self.node, 100, self.ttl)
        self._agent_apart = Suspension(self.clock(), self.monotonic())
        self.agent = Agent(settings, PREFIX, self.tokens.after(), lambda: self.cluster.now)
        if self.kernel.ends:
            self.reports.append(Stands(self.kernel.ends).line())
        self.agent.declare(self.pools, self.clock())

    def kill(self) -> None:
        """kill -9 of both. What they have sent is on its way."""
        self.alive = False

    def declare(self, pools: Mapping[str, Spread]) -> None:
        """The file changes."""
        self.pools = dict(pools)
        if self.alive:
            self.agent.declare(self.pools, self.clock())

    def work(self) -> bool:
        """One round of both processes; whether anything happened."""
        if not self.alive or self.suspended:
            return False
        happened = self._watch() if not self.watch_stopped else False
        return (self._run_agent() if not self.agent_stopped else False) or happened

    def next(self) -> float:
        """Seconds of true time until something is due here by itself."""
        if self.suspended:
            return FOLLOWING
        times = [end - self.cluster.now for end in self.kernel.ends.values()]
        if self.alive and not self.agent_stopped:
            assert self.engine is not None
            times.append(self.agent.due(self.clock()) / self.rate)
            due = self.engine.due(self.cluster.now)
            times += [] if due is None else [due]
        return min(times, default=FOLLOWING)

    # The process of the agent.

    def _run_agent(self) -> bool:
        engine, agent = self.engine, self.agent
        assert engine is not None
        happened = bool(self._agent_apart.passed(self.clock(), self.monotonic()))
        if happened:
            agent.suspended(self.clock())
        engine.tick(self.cluster.now)
        for answer in engine.answers():
            asked = self.numbers.get(answer.number)
            if asked is not None:
                if asked.timeout is not None:
                    del self.numbers[answer.number]
                agent.answered(asked, answer.result, self.clock())
                happened = True
        while self.reports:
            agent.hear(parse(self.reports.popleft()), self.clock())
            happened = True
        agent.tick(self.clock())
        return self._send() or happened

    def _send(self) -> bool:
        outbox, engine = self.agent.outbox, self.engine
        assert engine is not None
        sent = bool(outbox.requests or outbox.messages or outbox.cancelled)
        for asked in outbox.cancelled:
            for number in [number for number, one in self.numbers.items() if one is asked]:
                engine.cancel(number)
                del self.numbers[number]
        for asked in outbox.requests:
            timeout = FOLLOWING if asked.timeout is None else asked.timeout
            self.numbers[engine.send(asked.request, self.cluster.now, timeout)] = asked
        self.orders.extend(one.line() for one in outbox.messages)
        self.ordered += outbox.messages
        self.notes += [text for _, text in outbox.notes]
        for waiting in (outbox.cancelled, outbox.requests, outbox.messages, outbox.notes):
            waiting.clear()
        return sent

    # The process of the watcher.

    def _watch(self) -> bool:
        happened = bool(self.orders)
        if self._watcher_apart.passed(self.clock(), self.monotonic()):
            self._remove([*self.kernel.ends])
        while self.orders:
            self.done += 1
            self._obey(parse(self.orders.popleft()))
        overdue = self.clock() >= self.until
        lost = [key for key in self.watched if overdue or not self._has(key)]
        if lost:
            self._remove(lost)
        return happened or bool(lost)

    def _obey(self, order: Message) -> None:
        if isinstance(order, Timed):
            self.until = order.until
            seconds = fence.seconds(order.until, self.clock())
            keys: Iterable[Key] = order.keys
            if isinstance(order, Extend):
                keys = [key for key in self.watched if self._has(key)]
            else:
                self.watched.update(keys)
            for key in keys if seconds else ():
                self._set(key, seconds)
        elif isinstance(order, Release):
            self._remove(order.keys)
        elif isinstance(order, Forget):
            self.watched.clear()
        else:
            assert isinstance(order, Check)
            free = [key for key in order.keys if self.cluster.free(key, self)]
            taken = [key for key in order.keys if key not in free]
            self._report(Checked(free), Taken(taken))

    def _set(self, key: Key, seconds: int) -> None:
        now = self.cluster.now
        others = [one for one in self.cluster.owners(key) if one != self.name]
        assert not others, f"{now}: {self.name} makes {key}, which {others} answer for"
        # The kernel gets it as late as the deadline allows, and its timer is late as well.
        life = fence.SETTING + seconds + self.kernel.late
        self.kernel.set(key, now + life / self.rate)

    def _has(self, key: Key) -> bool:
        return self.kernel.has(key, self.cluster.now)

    def _remove(self, keys: Collection[Key]) -> None:
        self.kernel.remove(keys)
        self.watched.difference_update(keys)
        self._report(Gone(self.done, keys))

    def _report(self, *reports: Message) -> None:
        self.reports.extend(one.line() for one in reports if one.keys)


class Cluster:
    """The hosts with these names, the pools that they declare, and the store. *late* is what the
    timers of all kernels are late. Conflicts are not looked for unless ``checking``: the fence has
    to do without."""

    def __init__(
        self,
        names: Iterable[str],
        pools: Mapping[str, Spread],
        *,
        ttl: int = 5,
        rates: Mapping[str, float] | None = None,
        late: float = fence.LATE,
        minimum: int = 1,
    ) -> None:
        self.now = 0.0
        self.ttl = ttl
        self.late = late
        self.pools = dict(pools)
        self.checking = False
        self.foreign: set[Key] = set()
        self.store = MemoryStore(lambda: self.now, minimum=minimum, late=0.5)
        speeds = rates or {}
        self.hosts = {
            name: Host(self, name, speeds.get(name, 1.0), 1000.0 * number)
            for number, name in enumerate(names, 1)
        }

    def start(self) -> None:
        """All hosts begin."""
        for host in self.hosts.values():
            host.start()

    def owners(self, key: Key) -> list[str]:
        """The hosts that answer for an address, but for what was suspended."""
        return [one.name for one in self.hosts.values() if one.kernel.owns(key, self.now)]

    def free(self, key: Key, asking: Host) -> bool:
        """Whether nobody answers a probe of one host."""
        if key in self.foreign:
            return False
        return not (self.checking and [one for one in self.owners(key) if one != asking.name])

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> float:
        """Let time pass, until something is so; the seconds that have passed."""
        began, end = self.now, self.now + seconds
        for _ in range(ROUNDS):
            self._settle()
            if until is not None and until():
                return self.now - began
            step = min((one.next() for one in self.hosts.values()), default=FOLLOWING)
            step = min(step, self.store.next())
            if self.now + step >= end:
                self.now = end
                self._settle()
                return self.now - began
            self.now += max(step, TICK)
        raise AssertionError("it does not come to rest")

    def _settle(self) -> None:
        """Everybody does what is due at this time."""
        for _ in range(ROUNDS):
            self.store.catch_up()
            for one in self.hosts.values():
                one.kernel.expire(self.now)
            if not [one for one in self.hosts.values() if one.work()]:
                return
        raise AssertionError("they do not come to rest")

    @property
    def addresses(self) -> set[Key]:
        """All that is declared by everybody who lives."""
        from netalias.cluster.declared import addresses

        return {
            (name, address)
            for host in self.hosts.values()
            if host.alive
            for name, one in host.pools.items()
            for address in addresses(one)
        }

    def spread(self) -> dict[str, int]:
        """The number of addresses that each host answers for."""
        return {
            name: sum(one.kernel.has(key, self.now) for key in one.kernel.ends)
            for name, one in self.hosts.items()
        }

    def whole(self) -> bool:
        """Whether every address has exactly one owner."""
        return all(len(self.owners(key)) == 1 for key in self.addresses)
