"""Tunnels whose outer address goes: over the kernel in memory, with sockets that are none."""

from __future__ import annotations

import pytest
from test_watch_tunnels import LINE, Part, Stage
from test_watch_tunnels import stage as stage

from netalias import errors
from netalias.desired.tunnels import Tunnel
from netalias.engine import Engine
from netalias.engine import tunnels as work
from netalias.model import AF_INET, Address
from netalias.model.events import ADDRESS, Entry, Event

OUTER, NEW, OTHER = (bytes((10, 9, 0, last)) for last in (1, 3, 8))


class Carriages:
    """Opens carriages, each with the ``local`` address of the moment; none while that is empty."""

    def __init__(self) -> None:
        self.local = "10.9.0.1"
        self.made: list[Part] = []

    def open(self, engine: Engine, tunnel: Tunnel) -> Part:
        """In the place of engine.tunnels.opened()."""
        if not self.local:
            raise errors.kernel_error("udp port 7777", 101)
        made = Part()
        made.local = self.local
        self.made.append(made)
        return made


@pytest.fixture
def carriages(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Carriages:
    """A tunnel from 10.9.0.1 that is carried."""
    made = Carriages()
    hold = stage.hold

    def held(engine: Engine, tunnel: Tunnel) -> work.Held:
        found = hold(engine, tunnel)
        found.carriage.close()
        found.carriage = made.open(engine, tunnel)  # type: ignore[assignment]
        return found

    monkeypatch.setattr(work, "hold", held)
    monkeypatch.setattr(work, "opened", made.open)
    stage.load(LINE)
    stage.said()
    return made


def hear(stage: Stage, local: bytes, *, gone: bool) -> None:
    """An address of another device goes or comes."""
    device = stage.kernel.device("lo")
    entry = Entry(Address(device.index, AF_INET, local, 24))
    old, new = (entry, None) if gone else (None, entry)
    stage.tunnels.hear(Event(ADDRESS, (ADDRESS,), "", old, new, device=device, subject=entry))
    stage.rest()


def test_only_its_own_address_concerns_it(stage: Stage, carriages: Carriages) -> None:
    """Another one may come and go, and its own one may come once more."""
    hear(stage, OTHER, gone=False)
    hear(stage, OTHER, gone=True)
    hear(stage, OUTER, gone=False)
    assert (len(carriages.made), len(stage.started), stage.said()) == (1, 1, [])


def test_it_goes_on_from_another_one(stage: Stage, carriages: Carriages) -> None:
    """Another socket, another data plane, the same device; told once."""
    index = stage.kernel.device("vif0").index
    carriages.local = "10.9.0.3"
    hear(stage, OUTER, gone=True)
    assert stage.said() == ["vif0: goes on from 10.9.0.3"]
    assert (len(carriages.made), len(stage.started)) == (2, 2)
    assert stage.kernel.device("vif0").index == index
    hear(stage, OUTER, gone=True)
    assert len(carriages.made) == 2


def test_it_waits_for_an_address(stage: Stage, carriages: Carriages) -> None:
    """While there is none no data plane is started, and the device stays; any address that comes
    is a reason to try again."""
    carriages.local = ""
    hear(stage, OUTER, gone=True)
    (said,) = stage.said()
    assert said.startswith("warning: vif0: no address leads to its peer: ")
    assert (len(stage.started), "vif0" in stage.devices) == (1, True)
    hear(stage, OTHER, gone=False)
    assert (len(stage.started), stage.said()) == (1, [])
    carriages.local = "10.9.0.3"
    hear(stage, NEW, gone=False)
    assert stage.said() == ["vif0: goes on from 10.9.0.3", "vif0: all is well again"]
    assert len(stage.started) == 2
