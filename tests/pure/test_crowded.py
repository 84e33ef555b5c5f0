"""Announcements of one alias among many macvlans, whose device would copy each frame to all of
them."""

from __future__ import annotations

import pytest
from test_claim import V6, Wire, on

from netalias import cli, desired
from netalias.desired import declarations
from netalias.engine import Engine, reconcile
from netalias.engine import announce as announcing
from netalias.kernel.memory import Memory
from netalias.packets import NEAR
from netalias.plan import settled


@pytest.fixture(params=[NEAR, NEAR + 2])
def crowd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Crowd:
    """A main device with few enough macvlans, or with one too many."""
    return Crowd(request.param, monkeypatch)


class Crowd:
    """A main device with *count* macvlans; ``sender`` is the device that is to announce eth0:0."""

    def __init__(self, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.memory = Memory()
        self.memory.set_device("lo", up=True)
        self.memory.add_device("eth0", up=True)
        self.memory.add_device("eth1", up=True)
        self.wire = Wire(self.memory, monkeypatch)
        self.engine = on(self.memory)
        for slot in range(count):
            self.do(f"eth0:{slot} 10.0.{slot}.1 kind macvlan announce off")
        self.sender = "eth0" if count > NEAR else "eth0_0"

    def do(self, line: str) -> None:
        """One command."""
        self.engine.realise(desired.parse(line.split(), self.engine.registry))

    def reconcile(self, text: str) -> None:
        """A run over these lines, which removes nothing."""
        declared = declarations.parse([("t", text)], self.engine.registry)
        with self.engine.transaction():
            reconcile.reconcile(self.engine, declared, reconcile.Rules(removing=False))

    def heard(self) -> list[tuple[str, bytes]]:
        """Sender and MAC of each announcement."""
        found, self.wire.told = self.wire.told, []
        return [(sender, mac) for sender, mac, _ in found]

    @property
    def mac(self) -> bytes:
        """That of the alias."""
        return self.memory.device("eth0_0").mac


@pytest.mark.parametrize(
    "line", ["10.0.0.9", "10.0.0.9 announce 1", "10.0.0.9 acd fast", f"{V6} acd fast", V6]
)
def test_a_command(crowd: Crowd, line: str) -> None:
    """The alias gets another address; neighbours learn its own MAC in any case."""
    crowd.do("eth0:0-")
    crowd.do(f"eth0:0 {line} kind macvlan")
    assert crowd.heard() == [(crowd.sender, crowd.mac)]


def test_a_reconciliation(crowd: Crowd) -> None:
    """That makes one alias beside the others."""
    crowd.do("eth0:0-")
    crowd.reconcile("eth0:0 10.0.0.1 kind macvlan\n")
    assert crowd.heard() == [(crowd.sender, crowd.mac)]


def test_a_reconciliation_that_leaves_out_what_is_as_declared(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The macvlans of which it makes no objects count."""
    monkeypatch.setattr(settled, "MANY", 1)
    text = "".join(f"eth0:{slot} 10.0.{slot}.1 kind macvlan\n" for slot in range(NEAR + 2))
    count = len(crowd.engine.observe().aliases)
    crowd.do("eth0:0-")
    lines = text.splitlines(keepends=True)[:count]
    declared = declarations.parse([("t", "".join(lines))], crowd.engine.registry)
    with crowd.engine.transaction():
        outcome = reconcile.reconcile(crowd.engine, declared, reconcile.Rules())
    assert len(outcome.diff.devices) > NEAR // 2
    assert crowd.heard() == [(crowd.sender, crowd.mac)]


def test_a_main_device_with_few(crowd: Crowd) -> None:
    """Each is counted by itself."""
    crowd.do("eth1:0 10.9.0.1 kind macvlan")
    assert [sender for sender, _ in crowd.heard()] == ["eth1_0"]


def test_again_by_hand_and_every_so_often(crowd: Crowd, tmp_path: object) -> None:
    """The verb announce, and ``announce every``."""

    def engine(options: cli.Options) -> Engine:
        return on(crowd.memory)

    assert cli.main(["announce", "eth0:0"], engine) == 0
    declared = declarations.parse(
        [("t", "eth0:0 10.0.0.1 kind macvlan announce every 60\n")], crowd.engine.registry
    )
    assert announcing.again(crowd.engine, str(tmp_path), declared, "", ()) == []
    assert crowd.heard() == [(crowd.sender, crowd.mac)] * 2
