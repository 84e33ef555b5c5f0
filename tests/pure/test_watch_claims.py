"""A watcher that probes for addresses: what goes on meanwhile, and what its repair is based on."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from test_claim import STRANGER, packed, text
from watched import SOON, Watched

from netalias import errors
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, Address, Device
from netalias.model.events import State
from netalias.model.steps import AddAddress
from netalias.packets import NEAR
from netalias.packets.pacing import STALL
from netalias.packets.probe import InUse
from netalias.system.backoff import BURST
from netalias.watch import claims
from netalias.watch.claims import VALID

LINES = "eth0:0 10.0.0.1 kind macvlan acd rfc\neth0:1 10.0.0.2 kind macvlan\n"


class Segment:
    """A watcher of *lines*, whose probes end when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lines: str = LINES) -> None:
        self.checks: list[Any] = []
        segment = self

        class Probing:
            """A check that goes on until ``over`` is set."""

            files = ()

            def __init__(
                self, pairs: Sequence[tuple[int, bytes]], ours: Any, timing: Any, *_: Any
            ) -> None:
                assert not segment.held
                self.pairs = list(pairs)
                self.timing = timing
                self.over = self.closed = False
                self.problem: errors.NetaliasError | None = None
                self.taken: list[InUse] = []
                segment.checks.append(self)

            def turn(self) -> float | None:
                """More in a second."""
                assert not segment.held
                if self.problem is not None:
                    raise self.problem
                return None if self.over else 1.0

            def verdicts(self) -> tuple[list[InUse], list[tuple[int, bytes]]]:
                return self.taken, []

            def close(self, *, aside: bool = False) -> None:
                """Once."""
                assert not self.closed
                self.closed = True

        monkeypatch.setattr(claims, "Probing", Probing)
        self.watched = Watched("", Memory(), claims=True)
        lock = self.watched.lock
        self.held = False
        acquire, release = lock.acquire, lock.release
        monkeypatch.setattr(lock, "acquire", lambda *a: (acquire(*a), self._hold(True)))
        monkeypatch.setattr(lock, "release", lambda *a: (release(*a), self._hold(False)))
        self.watched.load(lines)

    def _hold(self, held: bool) -> None:
        self.held = held

    def asked(self) -> list[str]:
        """The addresses that are being probed for."""
        return [text(one) for check in self.checks if not check.closed for _, one in check.pairs]

    def answer(self, *taken: str, problem: errors.NetaliasError | None = None) -> None:
        """The checks end: these addresses are in use."""
        for check in self.checks:
            check.over, check.problem = True, problem
            check.taken = [
                InUse(one, index, "eth0", STRANGER)
                for index, one in check.pairs
                if text(one) in taken
            ]
        self.watched.pass_time(1.0)
        self.watched.quiet()

    def lose(self, name: str) -> None:
        """Somebody deletes a device."""
        self.watched.kernel.remove_device(name)
        self.watched.quiet()

    def heard(self) -> list[str]:
        """The addresses that were announced since the last call."""
        found, self.watched.sender.told = self.watched.sender.told, []
        return [text(address) for *_, address in found]


@pytest.fixture
def segment(monkeypatch: pytest.MonkeyPatch) -> Segment:
    """Both aliases are there, and the journal is empty."""
    found = Segment(monkeypatch)
    found.answer()
    assert sorted(found.watched.names()) == ["eth0:0", "eth0:1"]
    assert sorted(found.heard()) == ["10.0.0.1", "10.0.0.2"]
    found.watched.said()
    return found


def test_a_start_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What need not be probed for is there at once; the rest comes, and is told, when it may."""
    segment = Segment(monkeypatch)
    assert segment.watched.names() == ["eth0:1"]
    assert segment.asked() == ["10.0.0.1"]
    assert segment.watched.said() == ["netalias: 1 alias made (eth0:1), 1 setting changed (eth0)"]
    segment.answer()
    assert segment.watched.said() == ["netalias: 1 alias made (eth0:0)"]
    assert segment.asked() == []


def test_others_are_put_right_meanwhile(segment: Segment) -> None:
    """As often as it takes, and without another check of the first one."""
    segment.lose("eth0_0")
    for _ in range(2):
        segment.lose("eth0_1")
        assert segment.watched.names() == ["eth0:1"]
        assert segment.asked() == ["10.0.0.1"]
    assert segment.heard() == ["10.0.0.2"] * 2
    segment.answer()
    assert sorted(segment.watched.names()) == ["eth0:0", "eth0:1"]
    assert segment.watched.said()[-1] == "netalias: eth0:0 was removed: put right"
    assert len(segment.checks) == 2


def test_the_lock_is_free_meanwhile(segment: Segment) -> None:
    """Another run takes it, and what that has made is not made again."""
    segment.lose("eth0_0")
    assert not segment.held
    segment.watched.engine.derived(claimant=None, claims=False).create("eth0:0", "10.0.0.1")
    segment.watched.quiet()
    made = segment.watched.kernel.device("eth0_0")
    segment.answer()
    assert segment.watched.kernel.device("eth0_0").index == made.index
    assert segment.watched.said() == []


def test_a_lock_that_is_held_when_the_verdict_comes(segment: Segment) -> None:
    """The verdict holds for some seconds, and no longer: then it is asked for again."""
    for wait, checks in ((VALID / 2, 1), (VALID * 2, 2)):
        segment.checks.clear()
        segment.lose("eth0_0")
        segment.watched.lock.held = True
        for check in segment.checks:
            check.over = True
        segment.watched.pass_time(1.0)
        segment.watched.act()
        assert segment.watched.names() == ["eth0:1"]
        segment.watched.now += wait
        segment.watched.lock.held = False
        segment.watched.quiet()
        segment.answer()
        assert len(segment.checks) == checks
        assert sorted(segment.watched.names()) == ["eth0:0", "eth0:1"]


@pytest.mark.parametrize("case", ["undeclared", "down", "gone", "elsewhere"])
def test_the_world_is_read_again_after_the_wait(segment: Segment, case: str) -> None:
    """What is planned then is what is true then."""
    kernel = segment.watched.kernel
    segment.lose("eth0_0")
    if case == "undeclared":
        segment.watched.load(LINES.partition("\n")[2])
    elif case == "down":
        kernel.set_device("eth0", up=False)
    elif case == "gone":
        kernel.remove_device("eth0")
    else:
        index = kernel.device("eth1").index
        kernel.send([AddAddress("eth1", index, Address(index, AF_INET, packed("10.0.0.1"), 24))])
    before = kernel.snapshot().device("eth0_0")
    segment.watched.quiet()
    segment.answer()
    assert before is None
    there = "eth0:0" in segment.watched.names()
    assert there is (case == "elsewhere")
    if case == "elsewhere":  # that of somebody else is as it was
        entries = kernel.snapshot().on(kernel.device("eth1").index)
        (entry,) = (one for one in entries if one.family == AF_INET)
        assert (entry.local, entry.prefixlen) == (packed("10.0.0.1"), 24)


def test_an_address_in_use(segment: Segment) -> None:
    """It is told, and tried again later and later; that is nobody's undoing."""
    segment.lose("eth0_0")
    segment.answer("10.0.0.1")
    says = f"eth0:0: 10.0.0.1 is in use on eth0 by {STRANGER.hex(':')}"
    assert segment.watched.said() == [f"netalias: warning: t.conf:1: {says}"]
    assert segment.watched.names() == ["eth0:1"]
    waits = []
    for _ in range(3):
        waits.append(segment.watched.wait())
        segment.answer("10.0.0.1")
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
    assert segment.watched.said() == []
    segment.watched.wait()
    segment.answer()
    assert sorted(segment.watched.names()) == ["eth0:0", "eth0:1"]


def test_a_check_that_fails(segment: Segment) -> None:
    """The alias stays away, with the reason; it is tried again."""
    segment.lose("eth0_0")
    segment.answer(problem=errors.StateError("eth0 has no carrier"))
    assert segment.watched.said() == ["netalias: warning: t.conf:1: eth0:0: eth0 has no carrier"]
    assert segment.watched.names() == ["eth0:1"]
    segment.watched.wait()
    segment.answer()
    assert sorted(segment.watched.names()) == ["eth0:0", "eth0:1"]


def test_one_main_device_does_not_wait_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a check of its own, and so has each timing."""
    segment = Segment(
        monkeypatch,
        "eth0:0 10.0.0.1 acd rfc\neth0:1 10.0.0.2 acd rfc\neth0:2 10.0.0.3 acd fast\n"
        "eth1:0 10.0.1.1 acd rfc\n",
    )
    assert [len(check.pairs) for check in segment.checks] == [2, 1, 1]
    segment.checks[2].over = True
    segment.watched.pass_time(1.0)
    segment.watched.quiet()
    assert segment.watched.names() == ["eth1:0"]
    segment.answer()
    assert len(segment.watched.names()) == 4
    assert len(segment.checks) == 3


def test_one_undone_again_and_again_comes_later(segment: Segment) -> None:
    """A repair that had to wait for its check counts once."""
    said = []
    while not said or "keeps undoing it" not in said[-1]:
        segment.lose("eth0_0")
        segment.answer()
        said += segment.watched.said()
    assert said == ["netalias: eth0:0 was removed: put right"] * BURST + [
        "netalias: warning: eth0:0: somebody keeps undoing it: next try in 1 s"
    ]


# Announcements


def test_a_device_that_takes_no_frame(segment: Segment) -> None:
    """Nobody waits for it; it is told once, and others are announced meanwhile."""
    segment.watched.sender.stuck = {"eth0_0"}
    segment.lose("eth0_0")
    segment.answer()
    begin = segment.watched.now
    segment.lose("eth0_1")
    assert segment.watched.now - begin < 10 * SOON
    assert segment.heard() == ["10.0.0.2"]
    segment.watched.said()
    segment.watched.pass_time(STALL + 1)
    assert segment.watched.said() == [
        "netalias: warning: not announced: eth0_0 has accepted no frame for 5 s"
    ]
    segment.watched.sender.stuck = set()
    segment.watched.pass_time(STALL)
    assert segment.heard() == []


def test_what_has_gone_meanwhile_is_not_announced(segment: Segment) -> None:
    """Another host may have the address by then."""
    kernel = segment.watched.kernel
    segment.watched.load(LINES.replace("acd rfc", "announce 3"))
    segment.watched.load("eth0:1 10.0.0.2 kind macvlan announce 3\n")
    kernel.remove_device("eth0_1")
    segment.watched.quiet()
    assert segment.heard() == ["10.0.0.2"]
    segment.watched.load("eth1:0 10.0.1.1 kind macvlan\n")
    segment.heard()
    segment.watched.pass_time(10.0)
    assert segment.heard() == []


@pytest.mark.parametrize("count", [NEAR, NEAR + 2])
def test_one_among_many_is_announced_by_the_main_device(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """With the MAC of the alias; by its own device where the copies cost nothing."""
    segment = Segment(monkeypatch, f"eth0:0-{count - 1} 10.0.0.1+ kind macvlan announce 1\n")
    segment.watched.pass_time(10.0)
    segment.watched.sender.told.clear()
    segment.lose("eth0_3")
    ((sender, mac, address),) = segment.watched.sender.told
    assert sender == ("eth0" if count > NEAR else "eth0_3")
    assert mac == device(segment.watched, "eth0_3").mac
    assert text(address) == "10.0.0.4"


def device(watched: Watched, name: str) -> Device:
    """As the kernel has it."""
    return watched.kernel.device(name)


def test_verdicts_that_nobody_asks_for() -> None:
    """Their aliases went meanwhile, with ever new main devices: they are forgotten."""
    now = [100.0]
    none: Any = None
    found = claims.Claims(State(), none, lambda: now[0])
    for index in range(2, 50):
        one: Any = SimpleNamespace(main=Device(index, "eth0"), address=packed("10.0.0.1"), name="")
        found._note([one], [])
        now[0] += VALID
    assert len(found._verdicts) == 1
