"""A watcher in a flood of events: it acts on what it knows, and comes back to the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from watched import Watched

from netalias.kernel.netlink.monitor import TURN
from netalias.model.events import Event
from netalias.watch.repeated import BUSY

LINES = "eth0:0-2 10.0.0.1/32+ kind macvlan\neth1:0 10.0.1.1 kind macvlan\n"


class Flood:
    """The announcements of a watcher; each reading notes whether the lock was held, and how much it
    was to read at most."""

    def __init__(self, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lost = True
        self.readings: list[tuple[bool, int]] = []
        self._watched = watched
        self._held = False
        self._read = watched.monitor.read
        acquire, release = watched.lock.acquire, watched.lock.release
        monkeypatch.setattr(watched.monitor, "read", self.read)
        monkeypatch.setattr(watched.lock, "acquire", lambda *a: (acquire(*a), self._hold(True)))
        monkeypatch.setattr(watched.lock, "release", lambda *a: (release(*a), self._hold(False)))

    def _hold(self, held: bool) -> None:
        self._held = held

    def read(self, most: int = 0) -> Iterator[Event]:
        """What has changed by now; announcements are lost meanwhile."""
        self.readings.append((self._held, most))
        yield from self._read(most)
        self._watched.monitor.lost = self.lost


@pytest.fixture
def watched() -> Watched:
    """All aliases are there."""
    return Watched(LINES)


@pytest.fixture
def flood(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Flood:
    return Flood(watched, monkeypatch)


def test_a_fallen_main_device_frees_its_aliases(watched: Watched, flood: Flood) -> None:
    """Though no reading is ever complete."""
    watched.kernel.set_device("eth0", up=False)
    watched.controller.read_events()
    watched.act()
    assert watched.names() == ["eth1:0"]


def test_what_is_undone_before_it_is_known(watched: Watched) -> None:
    """Where the announcements of both are lost: neither the reading before nor the one after it has
    the alias, which is no difference."""
    watched.kernel.remove_device("eth0_1")
    watched.controller.read_events()
    watched.act()
    watched.kernel.remove_device("eth0_1")
    watched.monitor.missed = True
    watched.quiet()
    assert watched.names() == ["eth0:0", "eth0:1", "eth0:2", "eth1:0"]


@contextmanager
def unheard(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nothing that happens meanwhile be heard; afterwards announcements were lost."""
    with monkeypatch.context() as patched:
        patched.setattr(watched.monitor, "read", lambda most=0: iter(()))
        patched.setattr(watched.monitor, "behind", True)
        yield
    watched.monitor.missed = True
    watched.quiet()


def test_a_main_device_that_was_up_in_between(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down before and after, which is no difference: what was made meanwhile goes."""
    watched.kernel.set_device("eth0", up=False)
    watched.quiet()
    with unheard(watched, monkeypatch):
        watched.kernel.set_device("eth0", up=True)
        watched.load(LINES)
        assert watched.names() == ["eth0:0", "eth0:1", "eth0:2", "eth1:0"]
        watched.kernel.set_device("eth0", up=False)
    assert watched.names() == ["eth1:0"]


def test_a_main_device_that_was_down_in_between(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up before and after: what could not be made meanwhile is made."""
    watched.load("eth1:0 10.0.1.1 kind macvlan\n")
    with unheard(watched, monkeypatch):
        watched.kernel.set_device("eth0", up=False)
        watched.load(LINES)
        assert watched.names() == ["eth1:0"]
        watched.kernel.set_device("eth0", up=True)
    assert watched.names() == ["eth0:0", "eth0:1", "eth0:2", "eth1:0"]


def test_announcements_of_others_are_lost(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing was done since the last ones nothing is compared, however often that is."""
    monkeypatch.setattr(watched.engine, "transaction", None)
    for _ in range(3):
        watched.monitor.missed = True
        watched.quiet()
    assert watched.controller.wake is None


def test_everything_is_compared_once(
    watched: Watched, flood: Flood, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a repair, however many announcements are lost from then on: nothing more was made."""
    rounds: list[int] = []
    heal_all = watched.controller._healing.heal_all

    def counting(*words: Any) -> bool:
        rounds.append(len(rounds))
        return heal_all(*words)

    monkeypatch.setattr(watched.controller._healing, "heal_all", counting)
    watched.kernel.remove_device("eth0_1")
    watched.controller.read_events()
    watched.act()
    for _ in range(5):
        watched.monitor.missed = True
        watched.controller.read_events()
        watched.now += BUSY
        watched.act()
    assert len(rounds) == 1


def test_everything_is_read_again_at_a_pace(watched: Watched, flood: Flood) -> None:
    """Until nothing is lost: no event may come that tells of it."""
    watched.controller.read_events()
    for _ in range(3):
        before = len(flood.readings)
        watched.act()
        assert watched.controller.wake == watched.now + BUSY
        watched.now += BUSY
        assert len(flood.readings) == before + 1
    flood.lost = False
    watched.act()
    assert watched.controller.wake is None


@pytest.mark.parametrize("name", ["eth0_0", "eth1_1"], ids=["host", "network"])
def test_the_lock_is_not_held_to_the_end_of_a_flood(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Which may never come: a few announcements are read under it, for a repair of one alias and
    for a reconciliation alike."""
    watched = Watched(LINES + "eth1:1 10.0.2.1/24 kind macvlan\n")
    flood = Flood(watched, monkeypatch)
    watched.kernel.remove_device(name)
    watched.controller.read_events()
    watched.act()
    assert watched.kernel.device(name).up
    held = [most for held, most in flood.readings if held]
    assert held
    assert set(held) == {TURN}
