"""What a service manager is told of tunnels, and one that does not listen."""

from __future__ import annotations

from typing import Any

from netalias.desired.tunnels import tunnel_of
from netalias.watch.carrying import Carrying
from netalias.watch.storing import KEPT, Store

LINE = "vif0 198.51.100.7/32 to 203.0.113.9 carriage udp:7777"


class Manager:
    """In the place of the Service: ``heard`` are the words and names that it was told, until it is
    ``deaf``; ``waits`` counts what it was told in vain."""

    told = True

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.deaf = False
        self.waits = 0

    def _hear(self, line: str) -> bool:
        self.waits += self.deaf
        self.heard += [] if self.deaf else [line]
        return not self.deaf

    def store(self, name: str, descriptor: int) -> bool:
        """Keep a descriptor."""
        assert descriptor >= 0
        return self._hear(f"+{name}")

    def forget(self, name: str) -> bool:
        """Close those of a name."""
        return self._hear(f"-{name}")

    def barrier(self) -> bool:
        """It has heard all."""
        return self._hear("!")


class Part:
    """A device, socket or counters."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def fileno(self) -> int:
        """The descriptor; -1 for none."""
        return self.number


class Held:
    """The parts of a tunnel."""

    def __init__(self) -> None:
        self.device, self.carriage, self.count = Part(), Part(), Part()


def stage() -> tuple[Any, Store, Carrying]:
    """A manager, a store that has begun, and a tunnel."""
    manager: Any = Manager()
    store = Store(manager)
    store.begin()
    task = tunnel_of(LINE, "vif0")
    assert task is not None
    one = Carrying(task)
    one.held = Held()  # type: ignore[assignment]
    return manager, store, one


def told(*parts: str) -> list[str]:
    """What is said of these parts of vif0."""
    return [f"{sign}vif0 {part}" for part in parts for sign in "-+"]


def test_only_what_has_changed_is_told() -> None:
    """Each part replaces one of before; a socket that is closed is none."""
    manager, store, one = stage()
    for _ in range(2):
        assert store.keep(one)
    assert manager.heard == told(*KEPT)
    manager.heard.clear()
    assert one.held is not None
    one.held.carriage = Part(-1)  # type: ignore[assignment]
    assert store.keep(one)
    assert manager.heard == ["-vif0 carriage"]
    one.held.carriage = Part(4)  # type: ignore[assignment]
    assert store.keep(one)
    assert manager.heard[1:] == told("carriage")


def test_one_that_does_not_listen_is_told_later() -> None:
    """It costs the time of one message, not of all."""
    manager, store, one = stage()
    manager.deaf = True
    assert not store.keep(one)
    assert manager.waits == 1
    store.drop("vif1")
    assert manager.waits == 2
    manager.deaf = False
    assert store.keep(one)
    assert manager.heard == told(*KEPT)


def test_who_lets_go_waits_until_it_has_gone() -> None:
    """Nobody has the name or the port then; what was let go is kept again where it is used."""
    manager, store, one = stage()
    store.keep(one)
    manager.heard.clear()
    store.free("vif0")
    assert manager.heard == ["-vif0 carriage", "!"]
    store.keep(one)
    assert manager.heard[2:] == told("carriage")
    manager.heard.clear()
    store.drop("vif0")
    assert manager.heard == [*(f"-vif0 {part}" for part in KEPT), "!"]
