"""Devices of a state, found by their names and places."""

from __future__ import annotations

import random

from netalias.model import Device
from netalias.model.devices import Devices
from netalias.model.events import LINK, LOCAL, State, apply
from netalias.model.local_routes import LocalRoute

NAMES = [f"n{number}" for number in range(6)]
ALTNAMES = [f"{main}:{slot}" for main in ("eth0", "lan") for slot in range(3)]


def drawn(dice: random.Random, index: int) -> Device:
    """A device as another program could leave it."""
    return Device(
        index,
        dice.choice(NAMES),
        kind=dice.choice(("", "macvlan", "ipvlan")),
        link=dice.randrange(3),
        remote=dice.random() < 0.2,
        group=dice.randrange(2),
        altnames=dice.sample(ALTNAMES, dice.randrange(3)),
        ifalias=dice.choice(("", "netalias eth0:1 inet 10.0.0.1", "uplink")),
    )


def contents(found: Devices) -> object:
    """All that can be found, without an order."""
    slots = {
        (link, str(slot)): {one.index for one in found.with_slot(link, str(slot))}
        for link in range(3)
        for slot in range(3)
    }
    return {place: dict(members) for place, members in found.places.items()}, slots


def test_it_follows_the_state() -> None:
    """After any changes it is as if it were made of the devices that there are then."""
    dice = random.Random(12)
    state = State()
    kept = state.lookup
    for _ in range(2000):
        index = dice.randrange(1, 8)
        list(apply(state, (LINK, index), drawn(dice, index) if dice.random() < 0.8 else None))
        assert contents(kept) == contents(Devices(state.devices()))
        assert state.lookup is kept
        for name in [*NAMES, *ALTNAMES]:
            called = kept.called(name)
            assert called is None or name in (called.name, *called.altnames)
            assert called is None or called is state.device(called.index)


def test_a_name_that_went_to_another_device() -> None:
    """The kernel tells of both changes, in any order after events were lost."""
    found = Devices([before := Device(1, "eth0_1", altnames=["eth0:1"]), other := Device(2, "x")])
    taker = Device(2, "eth0_1", altnames=["eth0:1"])
    found.replace(other, taker)
    found.replace(before, Device(1, "y"))
    assert found.called("eth0_1") is found.called("eth0:1") is taker
    assert found.called("x") is None


def test_slots_of_a_device() -> None:
    """By its alternative names, whatever its main device was called then; by its ifalias only
    where it has none, as a run that was killed has left it."""
    named = Device(4, "a", link=2, altnames=["old:7"], ifalias="netalias eth0:8 inet 10.0.0.1")
    recorded = Device(5, "b", link=2, ifalias="netalias eth0:8 inet 10.0.0.1")
    found = Devices([named, recorded, Device(6, "c", link=3, altnames=["eth1:7"])])
    assert [*found.with_slot(2, "7")] == [named]
    assert [*found.with_slot(2, "8")] == [recorded]
    assert [*found.with_slot(2, "9")] == []


def test_local_routes_go_with_their_device() -> None:
    state = State()
    route = LocalRoute(3, 2, bytes([10, 9, 0, 0]), 16, 5)
    list(apply(state, (LINK, 3), Device(3, "eth0")))
    list(apply(state, (LOCAL, 3, route), route))
    assert [*state.local.values()] == [route]
    list(apply(state, (LINK, 3), None))
    assert not state.local
