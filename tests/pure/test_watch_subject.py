"""What a watcher knows of a device whose addresses are kept, told apart step by step."""

from __future__ import annotations

import random
from pathlib import Path
from socket import inet_aton

import pytest
from kept import Kept

from netalias.desired.keeping import Keeping
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, Address, Device
from netalias.model.events import Entry, address_key
from netalias.plan.keeping import copy_of
from netalias.runtime import kept as record
from netalias.watch.subject import Subject, changes

COUNT = 200


def entry(dice: random.Random, device: Device) -> Entry:
    """A copy, or an address of somebody else; a copy of version 0.4 has no peer."""
    local = inet_aton(f"10.0.0.{dice.randrange(1, 5)}")
    found = copy_of(AF_INET, local, device.index, 100, device.name)
    if dice.random() < 0.3:
        found = found.copy(peer=b"")
    if dice.random() < 0.4:
        found = Address(device.index, AF_INET, local, 24)
    return Entry(found, dice.randrange(100))


@pytest.mark.parametrize("seed", range(20))
def test_it_is_as_if_all_were_looked_at_anew(seed: int) -> None:
    """Whatever comes, goes or is replaced, one address twice with other peers too."""
    dice = random.Random(seed)
    kernel = Memory()
    device = kernel.add_device("eth0", up=True)
    subject = Subject(Keeping(device.name, "kernel"))
    there: dict[object, Entry] = {}
    for _ in range(60):
        one = entry(dice, device)
        if dice.random() < 0.5:
            there[address_key(one.address)] = one
        elif there:
            del there[dice.choice([*there])]
        others, copies = subject.parted(device, there.items())
        anew = Subject(subject.task).parted(device, there.items())
        assert sorted(map(id, others)) == sorted(map(id, anew[0]))
        assert copies.keys() == anew[1].keys()
        assert {*map(id, copies.values())} <= {*map(id, there.values())}


def test_changes_are_those_of_objects() -> None:
    """Equal ones that are others have come, too."""
    first, second, again = [1], [2], [2]
    assert changes({1: first, 2: second}, {1: first, 2: again}) == ([(2, second)], [(2, again)])
    assert changes({1: first}, {1: first, 2: second}) == ([], [(2, second)])
    assert changes({1: first, 2: second}, {2: second}) == ([(1, first)], [])


def test_a_copy_that_lasts_longer_than_the_line_says(tmp_path: Path) -> None:
    """Nothing is known of it but its lifetime: others end in their own time, and for good."""
    kept = Kept(str(tmp_path), "eth0 iface-alias kernel keep 3600 max 3")
    kept.add("10.0.0.1/24")
    kept.add("10.0.0.2/24")
    kept.rest()
    kept.remove("10.0.0.1/24")
    kept.rest()
    (tmp_path / "kept").unlink()
    kept.text = "eth0 iface-alias kernel keep 20 max 3"
    kept.begin()
    kept.negotiate("10.0.0.2/24", "10.0.0.3/24")
    kept.rest()
    assert kept.copies == ["10.0.0.1", "10.0.0.2"]
    kept.pass_time(21)
    assert kept.copies == ["10.0.0.1"]


def test_each_line_of_the_record_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change beside hundreds of kept addresses makes those of what has changed."""
    kept = Kept(str(tmp_path), f"eth0 iface-alias kernel keep 1000 max {2 * COUNT}")
    for last in range(1, COUNT):
        kept.add(f"10.1.0.{last}/16")
    kept.rest()
    for last in range(1, COUNT):
        kept.remove(f"10.1.0.{last}/16")
    kept.add("10.1.1.1/16")
    kept.rest()
    made, text = [], record.address_text

    def counted(family: int, local: bytes) -> str:
        made.append(local)
        return text(family, local)

    monkeypatch.setattr(record, "address_text", counted)
    kept.negotiate("10.1.1.1/16", "10.1.1.2/16")
    (found,) = record.read(kept.folder, kept.kernel.cookie()).values()
    assert len(found.former) == COUNT
    assert len(made) < COUNT + 20  # reading it makes them as well
