"""Faults that only a cluster with an engine can have, and what is planned in one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from functools import partial

from faults import Fault, cut, dead, nothing, planned, shared, taken_over, undisturbed
from floating import FAKETIME, Netalias
from scene import Late, Scene
from segment import MANAGEMENT, Host, families

BRIEF = 1.0
"""Seconds for which all members are stopped, much less than a lifetime."""
STEP = 3600
"""Seconds by which the clock of a host is stepped."""
MOVED = 8
"""Addresses that are moved by command."""
AGAIN = 8.0
"""Seconds after the engine is back in which all addresses are there again: an election, a time-out
of a request, and a proof."""


def netalias(scene: Scene) -> Netalias:
    """The holders, which are ours."""
    assert isinstance(scene.holders, Netalias)
    return scene.holders


# Members ----------------------------------------------------------------------------------------


def _member(scene: Scene, *, leads: bool) -> Host:
    leader = scene.members.leader()
    return leader if leads else next(one for one in scene.members.hosts if one is not leader)


def _member_killed(leads: bool) -> Callable[[Scene], None]:
    """kill -9 of a member, which is started again after 2 x ttl."""

    def does(scene: Scene) -> None:
        host = _member(scene, leads=leads)
        scene.members.kill(host)
        time.sleep(2 * scene.holders.ttl)
        scene.members.start(host)
        scene.members.wait()
        shared(scene)

    return does


def _member_cut(leads: bool) -> Callable[[Scene], None]:
    """For 2 x ttl a member hears nobody, neither the others nor a host."""

    def does(scene: Scene) -> None:
        host = _member(scene, leads=leads)
        scene.segment.cut(host, MANAGEMENT)
        time.sleep(2 * scene.holders.ttl)
        scene.segment.join(host, MANAGEMENT)
        scene.members.wait()
        shared(scene)

    return does


def _engine_away(seconds: Callable[[Scene], float]) -> Callable[[Scene], None]:
    """All members are killed, and started again with their data."""

    def does(scene: Scene) -> None:
        for host in scene.members.hosts:
            scene.members.kill(host)
        time.sleep(seconds(scene))
        for host in scene.members.hosts:
            scene.members.start(host)
        scene.members.wait()
        shared(scene)

    return does


def _brief(scene: Scene) -> float:
    return BRIEF


def _long(scene: Scene) -> float:
    return 2 * scene.holders.ttl


def _silent_meanwhile(scene: Scene) -> float:
    """Nobody proves anything: the addresses run out, and come back with the engine."""
    return _long(scene) + AGAIN


# One host ---------------------------------------------------------------------------------------


def _agent_killed(scene: Scene) -> None:
    """kill -9 of the process that talks to the engine; the watcher starts another one."""
    netalias(scene).kill_agent(scene.hosts[0])
    time.sleep(scene.holders.lifetime)
    shared(scene)


def _restarted(scene: Scene) -> None:
    """kill -9 of the watcher and the agent, and another start at once."""
    first = scene.hosts[0]
    scene.holders.kill(first)
    scene.holders.start(first)
    time.sleep(scene.holders.ttl)
    shared(scene)


def _half_frozen(scene: Scene, *, watcher: bool) -> None:
    """SIGSTOP of the watcher or of the agent, while the other one is well."""
    first = scene.hosts[0]
    netalias(scene).freeze(first, watcher=watcher, agent=not watcher)
    time.sleep(2 * scene.holders.ttl)
    taken_over(scene)
    scene.holders.thaw(first)
    shared(scene)


def _stepped(scene: Scene) -> None:
    """The clock of the last host jumps ahead, and back beyond the right time."""
    if not FAKETIME:
        raise Late("libfaketime is not unpacked in NETALIAS_PROGRAMS")
    for step in (STEP, -STEP, 0):
        netalias(scene).step(scene.hosts[-1], step)
        time.sleep(scene.holders.ttl)
    shared(scene)


# What is planned --------------------------------------------------------------------------------


def _drained(scene: Scene) -> None:
    """Each host in turn gives all its addresses to the others, and gets its share back."""
    for host in scene.hosts:
        others = [one for one in scene.hosts if one is not host]
        netalias(scene).command(host, "cluster", "drain")
        scene.until(lambda: scene.whole(others), f"{host.name} is drained")  # noqa: B023 over by then
        netalias(scene).command(host, "cluster", "undrain")
        shared(scene)


def _moved(scene: Scene) -> None:
    """By command some addresses of the first host move to the last one, and go free again."""
    first, last = scene.hosts[0], scene.hosts[-1]
    some = sorted(scene.held(first))[:MOVED]
    for address in some:
        netalias(scene).command(first, "cluster", "move", address, last.name)
    scene.until(lambda: scene.held(last) >= {*some}, f"{last.name} has what was moved to it")
    for address in some:
        netalias(scene).command(first, "cluster", "move", address, "auto")
    shared(scene)


def _come_and_go(scene: Scene, *, count: int) -> None:
    """Hosts leave and join at random, two of them stay at least."""
    dice = random.Random(count)
    there = set(scene.hosts)
    for _ in range(count):
        away = [host for host in scene.hosts if host not in there]
        if away and (len(there) <= 2 or dice.random() < 0.5):
            host = dice.choice(away)
            scene.holders.start(host)
            there.add(host)
        else:
            host = dice.choice([one for one in scene.hosts if one in there])
            scene.holders.stop(host)
            there.remove(host)
        time.sleep(dice.random() * 2)
    for host in scene.hosts:
        if host not in there:
            scene.holders.start(host)
    shared(scene)


def _declared(scene: Scene, addresses: Sequence[str]) -> None:
    """All files declare these addresses."""
    scene.removed = frozenset(scene.addresses).difference(addresses)
    for host in scene.hosts:
        netalias(scene).declare(host, addresses)
    shared(scene)


def _shrunk(scene: Scene) -> None:
    halves = [some[: len(some) // 2] for some in families(scene.addresses)]
    _declared(scene, [one for some in halves for one in some])


def _grown(scene: Scene) -> None:
    _declared(scene, scene.addresses)


ENGINE: Sequence[Fault] = (
    Fault("a holder is cut from the engine", cut(MANAGEMENT), dead, nothing),
    Fault("kill -9 of a member", _member_killed(False), undisturbed, nothing),
    Fault("kill -9 of the leader", _member_killed(True), undisturbed, nothing),
    Fault("a member is cut off", _member_cut(False), undisturbed, nothing),
    Fault("the leader is cut off", _member_cut(True), undisturbed, nothing),
    Fault("all members stop for a second", _engine_away(_brief), undisturbed, nothing),
    Fault("all members stop for long", _engine_away(_long), _silent_meanwhile, nothing),
    Fault("kill -9 of a holder, started again at once", _restarted, undisturbed, nothing),
    Fault("kill -9 of a holder's agent", _agent_killed, undisturbed, nothing),
    Fault("SIGSTOP of a holder's agent alone", partial(_half_frozen, watcher=False), dead, nothing),
    Fault("SIGSTOP of a watcher alone", partial(_half_frozen, watcher=True), dead, nothing),
    Fault("a holder's clock is stepped", _stepped, undisturbed, nothing),
    Fault("each host is drained in turn", _drained, planned, nothing),
    Fault("addresses are moved by command", _moved, planned, nothing),
    Fault("a pool shrinks by half", _shrunk, planned, _grown),
)


def changes(count: int) -> Fault:
    """So many joins and leaves in a row, which take seconds each."""
    does = partial(_come_and_go, count=count)
    return Fault(f"{count} joins and leaves", does, planned, nothing)
