"""Faults of holders, of the network and of the engine, and the longest silence stated for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from scene import Late, Outcome, Scene
from segment import MANAGEMENT, SEGMENT

PLANNED = 0.3
"""Seconds without an answer at a move that is planned, at most."""
NOTHING = 0.1
"""The same where no address moves."""
QUIET = 2.0
"""Seconds that are recorded before a fault, and after it."""


class Fault(NamedTuple):
    """A fault: what is done while the segment is recorded, and what puts all right again.

    *stated* gives the longest time without an answer, in seconds.
    """

    title: str
    does: Callable[[Scene], None]
    stated: Callable[[Scene], float]
    undoes: Callable[[Scene], None]


def carry_out(scene: Scene, fault: Fault) -> Outcome:
    """Record the segment while a fault is done, until its consequences are over."""
    observed, departures = scene.observed(), scene.departures()
    time.sleep(QUIET)
    problem = _late(fault.does, scene)
    time.sleep(QUIET)
    frames, connections = observed.end()
    stated, noise = fault.stated(scene), observed.noise
    outcome = Outcome(fault.title, frames, connections, stated, scene.removed, noise)
    margin = scene.holders.lifetime - scene.holders.ttl
    for gone, name in departures.end() if departures is not None else ():
        outcome.ends.append((gone + margin, scene.macs(name, frames)))
    outcome.problem = problem or _late(fault.undoes, scene)
    return outcome


def _late(does: Callable[[Scene], None], scene: Scene) -> str:
    """Do a part of a fault; what did not come true, if anything."""
    try:
        does(scene)
    except Late as late:
        return str(late)
    return ""


# Faults of a holder: always the first host ------------------------------------------------------


def taken_over(scene: Scene) -> None:
    """Wait until the others have the addresses of the first host."""
    scene.until(lambda: scene.whole(scene.hosts[1:]), "the others have all addresses")


def _killed(scene: Scene) -> None:
    scene.holders.kill(scene.hosts[0])
    taken_over(scene)


def _stopped(scene: Scene) -> None:
    scene.holders.stop(scene.hosts[0])
    taken_over(scene)
    _started(scene)


def _frozen(scene: Scene) -> None:
    first = scene.hosts[0]
    scene.holders.freeze(first)
    time.sleep(2 * scene.holders.ttl)
    taken_over(scene)
    scene.holders.thaw(first)
    scene.until(scene.even, "it has its share again")


def _started(scene: Scene) -> None:
    scene.holders.start(scene.hosts[0])
    shared(scene)


def shared(scene: Scene) -> None:
    """Wait until all addresses are there, evenly."""
    scene.until(scene.even, "all hosts have their shares")


# Faults of the network --------------------------------------------------------------------------


def cut(device: str) -> Callable[[Scene], None]:
    """The first host is cut from a network, for 3 x ttl."""

    def does(scene: Scene) -> None:
        scene.segment.cut(scene.hosts[0], device)
        time.sleep(3 * scene.holders.ttl)
        if device == MANAGEMENT:
            taken_over(scene)
        scene.segment.join(scene.hosts[0], device)
        shared(scene)

    return does


def nothing(scene: Scene) -> None:
    """Everything is as it was."""


# The times that are stated ----------------------------------------------------------------------


def dead(scene: Scene) -> float:
    """A dead holder: until it is missed, the whole margin, and a second."""
    return scene.holders.lifetime + 1


def planned(scene: Scene) -> float:
    """A holder gives up what another one takes."""
    return PLANNED


def undisturbed(scene: Scene) -> float:
    """No address moves."""
    return NOTHING


def _cut_off(scene: Scene) -> float:
    """The segment is away for as long as it was cut, and every host there has its own addresses."""
    return 3 * scene.holders.ttl + 1


HOLDERS: Sequence[Fault] = (
    Fault("kill -9 of a holder", _killed, dead, _started),
    Fault("a holder ends by SIGTERM, and starts", _stopped, planned, nothing),
    Fault("SIGSTOP of a holder, then SIGCONT", _frozen, dead, shared),
    Fault("a holder is cut from the segment", cut(SEGMENT), _cut_off, shared),
)
"""These can be done to any holder."""
