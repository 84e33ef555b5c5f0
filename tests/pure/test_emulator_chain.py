"""The device chain, and the order of aliases as read from a kernel."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.emulator.chain import Chain
from netalias.model import Alias, Device, Snapshot
from netalias.model.names import AliasName
from netalias.observed import ordered


def chain(*blocks: str) -> Chain:
    """``chain("lo", "eth0 0 2")``."""
    made = Chain()
    for block in blocks:
        main, *slots = block.split()
        made.append(main)
        for slot in slots:
            made.add(main, f"{main}:{slot}")
    return made


def test_order():
    """S32: every main device is followed by its aliases."""
    made = chain("lo", "eth0", "eth1")
    made.add("eth0", "eth0:0")
    made.add("eth1", "eth1:0")
    made.add("eth0", "eth0:2")
    assert " ".join(made) == "lo eth0 eth0:0 eth0:2 eth1 eth1:0"
    assert len(made) == 6
    assert "eth0:2" in made
    assert "eth0:1" not in made


def test_creation_order():
    """S33, S29: not the slot; what is deleted and made again comes last."""
    made = chain("eth0 0 5 3", "eth1")
    assert made.remove("eth0:0") == ["eth0:0"]
    made.add("eth0", "eth0:0")
    assert " ".join(made) == "eth0 eth0:5 eth0:3 eth0:0 eth1"


def test_cut():
    """S38: the aliases of a block leave in one go, the main device stays in its place."""
    made = chain("lo", "eth0 2 0", "eth1 0")
    assert made.cut("eth0") == ["eth0:2", "eth0:0"]
    assert " ".join(made) == "lo eth0 eth1 eth1:0"
    assert made.aliases("eth0") == []
    made.add("eth0", "eth0:2")


def test_teardown():
    """S39: the main device first, then its aliases in chain order."""
    made = chain("eth0 2 0 1")
    assert made.teardown("eth0") == ["eth0", "eth0:2", "eth0:0", "eth0:1"]
    assert len(made) == 4


def test_remove_main():
    """S34: a main device leaves with its block."""
    made = chain("lo", "eth0 2 0", "eth1")
    assert made.remove("eth0") == ["eth0", "eth0:2", "eth0:0"]
    assert " ".join(made) == "lo eth1"


def test_wrong_names():
    """A KeyError for what is unknown, or known already; S22: an alias has no aliases."""
    made = chain("eth0 0")
    for call in (
        lambda: made.append("eth0"),
        lambda: made.append("eth0:0"),
        lambda: made.add("eth0", "eth0:0"),
        lambda: made.add("eth0:0", "eth0:0:0"),
        lambda: made.remove("eth7"),
        lambda: made.cut("eth7"),
        lambda: made.teardown("eth0:0"),
    ):
        with pytest.raises(KeyError):
            call()
    assert " ".join(made) == "eth0 eth0:0"


ETH0, ETH1, LO = Device(3, "eth0"), Device(7, "eth1"), Device(1, "lo")


def alias(main: Device | None, slot: int, index: int = 0, name: str = "") -> Alias:
    device = Device(index, f"x{index}") if index else None
    named = AliasName(name or (main.name if main else "gone"), slot)
    return Alias(named, "macvlan" if index else "label", main=main, device=device)


def test_ordered():
    """S32, S33: mains as the kernel lists them, devices by index, labels as they are given."""
    given = [
        alias(ETH0, 9), alias(ETH1, 0, 20), alias(ETH0, 1, 12), alias(None, 3, name="b"),
        alias(LO, 0), alias(ETH0, 2, 11), alias(None, 4, name="a"), alias(ETH0, 0),
    ]  # fmt: skip
    got = ordered(given, Snapshot([LO, ETH0, ETH1]))
    names = [str(one.name) for one in got]
    assert names == ["lo:0", "eth0:2", "eth0:1", "eth0:9", "eth0:0", "eth1:0", "a:4", "b:3"]


def test_ordered_nothing():
    """Nothing is nothing; a main device that is not in the snapshot comes after those that are."""
    assert ordered([], Snapshot()) == []
    one, two = alias(ETH0, 0), alias(LO, 0)
    assert ordered([one, two], Snapshot([LO])) == [two, one]


@given(st.permutations(range(12)))
def test_ordered_is_deterministic(order):
    """S33: devices come out alike, whatever the order they come in."""
    aliases = [alias((LO, ETH0, ETH1, None)[i % 4], i, 100 + i) for i in range(12)]
    snapshot = Snapshot([LO, ETH0, ETH1])
    expected = ordered(aliases, snapshot)
    got = ordered([aliases[i] for i in order], snapshot)
    assert list(map(id, got)) == list(map(id, expected))


def test_ordered_calls_nothing_costly():
    """S33: ten thousand aliases are sorted without one comparison of aliases by value."""

    class Strict(Alias):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared by value")

        __hash__ = None

    aliases = [
        Strict(AliasName("eth0", i), "macvlan", main=ETH0, device=Device(i + 10, f"x{i}"))
        for i in range(10_000)
    ]
    mixed = random.Random(1).sample(aliases, len(aliases))
    got = ordered(mixed, Snapshot([ETH0]))
    assert [one.name.slot for one in got] == list(range(10_000))
