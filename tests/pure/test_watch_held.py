"""What a watcher holds does not grow, however long and whatever others do to its devices."""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

import pytest
from shortened import quarter
from watched import Watched

from netalias.kernel.memory import Memory

LINES = (
    "eth0:0-3 10.0.0.1/32+ kind macvlan\n"
    "eth0:10-12 10.0.1.1/24+ kind label\n"
    "eth0:20 2001:db8::1/64 kind label\n"
    "eth0:30 10.0.2.1 kind macvlan lease 60\n"
)
FORMER = 10
"""Indexes of former devices that are remembered here."""
WARM, LONG = 12, 48
"""Cycles until everything has been met once, and until it is counted again."""


def held(watched: Watched) -> int:
    """The objects that are reached from the parts of a watcher, without its kernel and its code."""
    others = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, Memory)
    found: dict[int, object] = {}
    waiting: list[object] = [watched.controller, watched.claims, watched.announcer, watched.lock]
    while waiting:
        one = waiting.pop()
        if id(one) not in found and not isinstance(one, others) and one is not watched:
            found[id(one)] = one
            waiting += gc.get_referents(one)
    return len(found)


def again(watched: Watched, cycle: int) -> None:
    """The main device is made again, with another index."""
    watched.kernel.remove_device("eth0")
    watched.quiet()
    watched.kernel.add_device("eth0", up=True)


def strangers(watched: Watched, cycle: int) -> None:
    """Containers come and go, each with a name that was never there, and aliases that no file
    declares."""
    name = f"veth{cycle}"
    watched.kernel.add_device(name, up=True)
    watched.quiet()
    watched.engine.create(f"{name}:0", f"10.9.{cycle}.1/32", kind="macvlan")
    watched.engine.create(f"{name}:1", f"10.9.{cycle}.2/32", kind="label")
    watched.quiet()
    watched.kernel.remove_device(name)


def renamed(watched: Watched, cycle: int) -> None:
    """The main device gets another name for a while."""
    watched.kernel.set_device("eth0", name=f"lan{cycle}")
    watched.quiet()
    watched.kernel.set_device(f"lan{cycle}", name="eth0")


def flapping(watched: Watched, cycle: int) -> None:
    """The main device is down for a while."""
    watched.kernel.set_device("eth0", up=False)
    watched.quiet()
    watched.kernel.set_device("eth0", up=True)


def loaded(watched: Watched, cycle: int) -> None:
    """The files are written again, each time with another alias."""
    watched.load(f"{LINES}eth0:{100 + cycle} 10.5.{cycle}.1 kind macvlan\n")
    watched.load(LINES)


def lost(watched: Watched, cycle: int) -> None:
    """An alias is deleted again and again, more and more seldom."""
    watched.kernel.remove_device("eth0_1")


@pytest.mark.parametrize("happens", [again, strangers, renamed, flapping, loaded, lost])
@pytest.mark.parametrize("claims", quarter([True, False]))
def test_nothing_grows(
    happens: Callable[[Watched, int], None], claims: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by a single object a cycle."""
    monkeypatch.setattr("netalias.runtime.former.MOST", FORMER)
    watched = Watched(LINES, claims=claims)
    counts = []
    for cycle in range(LONG + 1):
        if happens is not lost or "eth0:1" in watched.names():
            happens(watched, cycle)
        watched.quiet()
        watched.pass_time(100.0)
        watched.quiet()
        watched.said()
        watched.sender.told.clear()
        if cycle in (WARM, LONG):
            counts.append(held(watched))
    assert counts[1] - counts[0] < (LONG - WARM) / 2
