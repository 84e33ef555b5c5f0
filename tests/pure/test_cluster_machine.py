"""Clocks that drift, freezes, partitions, suspensions, kills, lost answers and changes of leader in
any order: no address is ever on two hosts, and when all is over each one is on exactly one, evenly.
"""

from __future__ import annotations

import pytest
from clustered import Cluster, Host, spread
from declared_machine import runs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from netalias.cluster import fence
from netalias.cluster.records import Keys
from netalias.cluster.store import Change, Delete, Put
from netalias.cluster.suspend import MARGIN

NAMES = "abcd"
RATES = st.sampled_from([1 - fence.RATE, 1.0, 1 + fence.RATE])
HOSTS = st.sampled_from(NAMES)
KEYS = Keys("/netalias")


class Clustered(RuleBasedStateMachine):
    """Four hosts and nine addresses. Nobody asks the link for conflicts: the fence alone decides.

    That no address is made while another host has it, is checked by the cluster itself.
    """

    @initialize(rates=st.tuples(RATES, RATES, RATES, RATES), minimum=st.sampled_from([1, 8]))
    def begin(self, rates: tuple[float, ...], minimum: int) -> None:
        """All hosts start."""
        speeds = dict(zip(NAMES, rates, strict=True))
        self.cluster = Cluster(NAMES, {"web": spread(1, 9)}, rates=speeds, minimum=minimum)
        self.cluster.start()
        self.cluster.run(3.0)

    def host(self, name: str) -> Host:
        """The host with a name."""
        return self.cluster.hosts[name]

    @rule(seconds=st.sampled_from([0.1, 0.7, 2.0, 5.0, 5.6, 7.0, 13.0, 30.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.cluster.run(seconds)

    @rule(name=HOSTS, which=st.sampled_from(["agent", "watch", "both"]), on=st.booleans())
    def freeze(self, name: str, which: str, on: bool) -> None:
        """SIGSTOP or SIGCONT of one process or both."""
        host = self.host(name)
        if which != "watch":
            host.agent_stopped = on
        if which != "agent":
            host.watch_stopped = on
        self.cluster.run(0.0)

    @rule(name=HOSTS, seconds=st.sampled_from([0.1, 0.24, 0.3, 4.0, 20.0]))
    def suspend(self, name: str, seconds: float) -> None:
        """A machine is suspended for a while, and goes on: CLOCK_BOOTTIME alone has counted that.
        Whatever can run releases first of all what stands there."""
        host = self.host(name)
        if host.suspended:
            return
        host.suspend()
        self.cluster.run(seconds)
        host.resume()
        self.cluster.run(0.0)
        if seconds > MARGIN and host.alive and not host.watch_stopped:
            assert not host.kernel.rests

    @rule(name=HOSTS, on=st.booleans())
    def sleep(self, name: str, on: bool) -> None:
        """A machine is suspended while other things happen, or goes on."""
        host = self.host(name)
        if on != host.suspended:
            (host.suspend if on else host.resume)()
        self.cluster.run(0.0)

    @rule(name=HOSTS)
    def kill(self, name: str) -> None:
        """kill -9 of a host's processes, or their new start."""
        host = self.host(name)
        if host.suspended:
            return
        if host.alive:
            host.kill()
        else:
            host.agent_stopped = host.watch_stopped = False
            host.start()

    @rule(name=HOSTS, seconds=st.sampled_from([0.0, 0.15, 2.0]))
    def leave(self, name: str, seconds: float) -> None:
        """SIGTERM: a host tells others, gives up what it has, and leaves, if nothing else comes."""
        host = self.host(name)
        if host.alive and not host.agent_stopped and not host.suspended:
            host.agent.stop(host.clock())
            self.cluster.run(seconds)

    @rule(name=HOSTS)
    def kill_agent(self, name: str) -> None:
        """kill -9 of the agent: the watcher starts another one."""
        host = self.host(name)
        if host.alive and not host.watch_stopped and not host.suspended:
            host.agent_stopped = False
            host.begin_agent()

    @rule(name=HOSTS, fault=st.sampled_from(["cut", "mute", "deaf"]))
    def part(self, name: str, fault: str) -> None:
        """A partition begins or ends."""
        engine = self.host(name).engine
        assert engine is not None
        setattr(engine, fault, not getattr(engine, fault))

    @rule(name=HOSTS)
    def isolate(self, name: str) -> None:
        """The member of the store that a host speaks to is a leader without followers, or not."""
        engine = self.host(name).engine
        assert engine is not None
        engine.isolated = None if engine.isolated is not None else self.cluster.now

    @rule(
        name=HOSTS,
        there=st.sampled_from([0, 0.3, 0.9, 8.0]),
        back=st.sampled_from([0, 0.6, 4.0]),
        early=st.booleans(),
    )
    def delay(self, name: str, there: float, back: float, early: bool) -> None:
        """Requests and answers take their time; some arrive long after they were given up. Events
        may come before the answers."""
        engine = self.host(name).engine
        assert engine is not None
        engine.there, engine.back, engine.early = there, back, early

    @rule(name=HOSTS, frozen=st.booleans())
    def forget(self, name: str, frozen: bool) -> None:
        """The store loses the key of a host at any time, as when a lease ends early; at the worst
        that host does not notice, and stands still with fresh lifetimes."""
        host = self.host(name)
        if frozen:
            host.agent_stopped = host.watch_stopped = True
        self._put(Delete(KEYS.host(name)))
        self.cluster.run(0.0)

    @rule()
    def change_leader(self) -> None:
        """All leases begin anew."""
        self.cluster.store.change_leader()

    @rule()
    def stop_store(self) -> None:
        """The whole store stops, or starts again."""
        store = self.cluster.store
        (store.start if store.down else store.stop)()

    @rule()
    def compact(self) -> None:
        """All history is forgotten."""
        self.cluster.store.compact()

    @rule(name=HOSTS)
    def drain(self, name: str) -> None:
        """A host is drained, or no more."""
        store = self.cluster.store
        key = KEYS.drain(name)
        self._put(Delete(key) if key in store.entries else Put(key, b"{}"))

    @rule(name=HOSTS, last=st.sampled_from([6, 9]))
    def declare(self, name: str, last: int) -> None:
        """A host has other addresses in its file."""
        if not self.host(name).suspended:
            self.host(name).declare({"web": spread(1, last)})

    @invariant()
    def one_owner(self) -> None:
        """No address is on two hosts."""
        cluster = getattr(self, "cluster", None)
        if cluster is not None:
            for key in {key for one in cluster.hosts.values() for key in one.kernel.ends}:
                assert len(cluster.owners(key)) < 2

    def _put(self, operation: Put | Delete) -> None:
        if not self.cluster.store.down:
            self.cluster.store.catch_up()
            self.cluster.store.execute(Change((), [operation]))

    def teardown(self) -> None:
        """All faults end: every address has its one owner in a while, as many on each host."""
        cluster = getattr(self, "cluster", None)
        if cluster is None:
            return
        if cluster.store.down:
            cluster.store.start()
        for name, host in cluster.hosts.items():
            if host.suspended:
                host.resume()
            host.agent_stopped = host.watch_stopped = False
            if host.alive and host.agent.membership.leaving:
                host.kill()
            if not host.alive:
                host.start()
            engine = host.engine
            engine.cut = engine.mute = engine.deaf = engine.early = False
            engine.isolated, engine.there, engine.back = None, 0.0, 0.0
            host.declare({"web": spread(1, 9)})
            if KEYS.drain(name) in cluster.store.entries:
                self._put(Delete(KEYS.drain(name)))
        cluster.run(
            90.0, lambda: cluster.whole() and sorted(cluster.spread().values()) == [2, 2, 2, 3]
        )
        assert sorted(cluster.spread().values()) == [2, 2, 2, 3], cluster.spread()
        assert cluster.whole()


@pytest.mark.early
def test_never_two_hosts_and_at_last_one() -> None:
    """A few runs; others come with make explore."""
    run_state_machine_as_test(
        Clustered,
        settings=settings(
            max_examples=runs(10), stateful_step_count=25, report_multiple_bugs=False
        ),
    )
