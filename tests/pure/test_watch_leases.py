"""Leases under a watcher: when they are renewed, and that a renewal affects nothing."""

from __future__ import annotations

import pytest
from test_plan import Stage

from netalias.desired import Wish, declarations
from netalias.desired.declarations import Declarations
from netalias.desired.index import Index
from netalias.families import lazy
from netalias.kernel.memory import Memory
from netalias.model import Address, Alias
from netalias.model.events import ADDRESS, LINK, Entry, State, address_key, apply
from netalias.watch.impact import Impact
from netalias.watch.periodic import LeaseRenewer

TWO = "eth0:0 10.0.0.1/24 kind macvlan lease 30\neth0:1 fd00::1 kind label lease 60\n"


def declared(text: str) -> Declarations:
    found = declarations.parse([("f", text)], lazy())
    assert found.errors == []
    return found


class Kept:
    """In the place of a Controller: the wishes, and the aliases of a kernel in memory."""

    def __init__(self, stage: Stage, text: str) -> None:
        self.engine = stage.engine
        self.wished = Index(declared(text))

    def wish(self, alias: Alias) -> Wish | None:
        return self.wished.wish(alias.name) if alias.name in self.wished else None


@pytest.fixture
def stage() -> Stage:
    made = Stage(Memory(kinds=("macvlan",)))
    for line in [*TWO.splitlines(), "eth1:0 10.0.0.9 kind label lease 90"]:
        made(line)
    return made


def left(stage: Stage) -> dict[str, int]:
    found = {}
    for alias in stage.engine.show():
        assert alias.entry is not None
        found[str(alias.name)] = alias.entry.valid
    return found


def renewer(stage: Stage, text: str) -> LeaseRenewer:
    return LeaseRenewer(Kept(stage, text), 0.0)  # type: ignore[arg-type]


def test_what_is_declared_is_renewed(stage: Stage) -> None:
    """All that has used up its share, and nothing else."""
    stage.kernel.pass_time(20)
    assert renewer(stage, TWO).renew(0.0) == []
    assert left(stage) == {"eth0:0": 30, "eth0:1": 60, "eth1:0": 70}


def test_when_it_is_due(stage: Stage) -> None:
    """Whenever a third of the shortest lease is over."""
    found = renewer(stage, TWO)
    found.renew(100.0)
    assert found.due(100.0) == pytest.approx(10.0)
    assert found.due(107.5) == pytest.approx(2.5)
    assert found.due(200.0) == 0.0


def test_without_a_lease_it_is_never(stage: Stage) -> None:
    """So an idle watcher sleeps."""
    text = "eth0:0 10.0.0.1/24\neth0:1 fd00::1 lease off\n"
    assert renewer(stage, text).due(100.0) is None


def test_what_has_run_out_is_not_added(stage: Stage) -> None:
    """Not even where it runs out between the reading and the renewal; it is healed by the
    next event."""
    kept = Kept(stage, TWO)
    stage.kernel.pass_time(29)
    observed = stage.engine.observe()
    stage.engine.observe = lambda: observed  # type: ignore[method-assign]
    stage.kernel.pass_time(1)
    assert LeaseRenewer(kept, 0.0).renew(0.0) == []  # type: ignore[arg-type]
    eth0 = stage.kernel.snapshot().device("eth0_0")
    assert eth0 is not None
    assert [one for one in stage.kernel.snapshot().on(eth0.index) if one.lease] == []


class Announced:
    """A state with the aliases of a stage, and what follows from events."""

    def __init__(self, stage: Stage, text: str) -> None:
        self.state = State()
        self.impact = Impact(self.state, Index(declared(text)))
        snapshot = stage.kernel.snapshot()
        for device in snapshot.devices.values():
            apply(self.state, (LINK, device.index), device)
        for index in snapshot.addresses:
            for entry in snapshot.on(index):
                apply(self.state, address_key(entry), Entry(entry, 1))

    def changed(self, local: bytes, seconds: int) -> list[str]:
        """The names that are touched when an address gets another lifetime."""
        key, entry = self._find(local)
        for event in apply(self.state, key, Entry(entry.address.lasting(seconds), 2)):
            self.impact.add(event)
        return [str(name) for name in self.impact.affected.dirty]

    def _find(self, local: bytes) -> tuple[tuple[object, ...], Entry]:
        for parts in self.state.parts.values():
            for key, one in parts.items():
                if key[0] == ADDRESS and one.address.local == local:
                    return key, one
        raise AssertionError(local)


V4, V6 = b"\n\0\0\1", bytes.fromhex("fd00") + bytes(13) + b"\1"


@pytest.mark.parametrize(("local", "lease"), [(V4, 30), (V6, 60)])
def test_a_renewal_is_no_news(stage: Stage, local: bytes, lease: int) -> None:
    """Else renewing would be followed by a comparison, and that by renewing."""
    announced = Announced(stage, TWO)
    assert announced.changed(local, lease) == []
    assert not announced.impact.affected.touched
    assert not announced.impact.affected.pressing


@pytest.mark.parametrize(("local", "name"), [(V4, "eth0:0"), (V6, "eth0:1")])
@pytest.mark.parametrize("seconds", [0, 45])
def test_another_lease_is_news(stage: Stage, local: bytes, name: str, seconds: int) -> None:
    """Somebody else has changed it."""
    assert Announced(stage, TWO).changed(local, seconds) == [name]


def test_a_lease_that_is_not_wished_is_news(stage: Stage) -> None:
    """The wish says nothing of a lease, so it lasts for ever."""
    announced = Announced(stage, TWO.replace(" lease 30", ""))
    assert announced.changed(V4, 45) == ["eth0:0"]


def test_the_lifetime_of_what_no_line_has_is_no_news(stage: Stage) -> None:
    """Those of a cluster are set again and again."""
    announced = Announced(stage, "")
    assert announced.changed(V4, 45) == []
    assert not announced.impact.affected.touched


def test_an_address_is_what_it_was(stage: Stage) -> None:
    """The state has the new lifetime all the same."""
    announced = Announced(stage, TWO)
    announced.changed(V4, 30)
    found: Address = announced._find(V4)[1].address
    assert (found.valid, found.lease) == (30, 30)
