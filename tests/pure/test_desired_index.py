"""The index of declarations: single aliases from lines for many."""

from __future__ import annotations

import pytest

from netalias.desired import declarations
from netalias.desired.index import KEEP, DeclaredNames, Index
from netalias.families import lazy
from netalias.model import GROUP, Alias, Device
from netalias.model.names import AliasName

TEXT = """\
eth0:0-9 10.0.0.0+ heal off on-down keep
eth0:20 10.1.0.1/24
lan:0 10.2.0.1/32
eth1:0-3 fd00::+ on-down free
"""


def name(text: str) -> AliasName:
    """``eth0:3``"""
    main, _, slot = text.partition(":")
    return AliasName(main, int(slot))


def parsed(text: str = TEXT) -> declarations.Declarations:
    """The declarations of a file."""
    found = declarations.parse([("t.conf", text)], lazy())
    assert found.errors == []
    return found


def pairs(declared: declarations.Declarations) -> list[str]:
    """``eth0:3 10.0.0.3 t.conf:1`` for each wish."""
    return [
        f"{wish.name} {wish.type.format(wish.address)} {place}"
        for wish, place in declared
        if wish.type is not None
    ]


@pytest.fixture
def wished() -> Index:
    """The index of TEXT."""
    return Index(parsed())


def alias(text: str, main: Device | None, *altnames: str) -> Alias:
    """An alias of ours on *main*."""
    device = Device(9, "eth0_0", altnames=altnames, kind="macvlan", group=GROUP, link=2)
    return Alias(name(text), "macvlan", main=main, device=device)


def test_everything_is_found_by_name(wished: Index) -> None:
    assert len(wished) == 16
    assert wished.mains == {"eth0", "eth1", "lan"}
    assert name("eth0:9") in wished
    assert name("eth0:10") not in wished
    assert wished.by_address[bytes((10, 0, 0, 7))] == [name("eth0:7")]


def test_some(wished: Index) -> None:
    """Each as if it had a line of its own, with the place that it has."""
    found = wished.some([name("eth0:7"), name("eth0:20"), name("eth1:3")])
    assert pairs(found) == [
        "eth0:7 10.0.0.7 t.conf:1",
        "eth0:20 10.1.0.1 t.conf:2",
        "eth1:3 fd00::3 t.conf:4",
    ]


def test_who_is_put_right(wished: Index) -> None:
    assert not wished.heals(name("eth0:3"))
    assert wished.heals(name("eth0:20"))


def test_who_has_to_do_with_others(wished: Index) -> None:
    """An alias with a network."""
    simple = [one for one in ("eth0:3", "eth0:20", "lan:0", "eth1:0") if wished.simple(name(one))]
    assert simple == ["eth0:3", "lan:0", "eth1:0"]


def test_healing(wished: Index) -> None:
    """Not those that are left to others, unless their main device has just come."""
    assert len(wished.healing(())) == 6
    assert len(wished.healing({"eth1"})) == 6
    assert len(wished.healing({"eth0"})) == 16


@pytest.mark.parametrize(
    "resting",
    [[], [0], [9], [4], [0, 1], [8, 9], [3, 4, 7], [*range(10)], [*range(1, 9)]],
)
def test_without_those_that_rest(wished: Index, resting: list[int]) -> None:
    """The others of their lines stay, with their addresses."""
    rest = {AliasName("eth0", slot) for slot in resting} | {name("lan:0"), name("eth7:0")}
    found = pairs(wished.healing({"eth0"}, rest))
    every = pairs(parsed())
    assert found == [one for one in every if name(one.split()[0]) not in rest]


def test_on_down(wished: Index) -> None:
    """As its line says, by whatever name of the main device; the option holds where it does not."""
    eth0 = Device(2, "eth0", altnames=("lan",))
    keeping = Index(parsed(), KEEP)
    assert not wished.freed(alias("eth0:3", eth0))
    assert wished.freed(alias("eth0:20", eth0))
    assert not keeping.freed(alias("eth0:20", eth0))
    assert not keeping.freed(alias("eth0:77", eth0))
    assert keeping.freed(alias("eth1:2", Device(3, "eth1")))
    assert not keeping.freed(alias("wan:0", Device(3, "wan", altnames=("lan",))))


def test_on_down_of_a_renamed_one(wished: Index) -> None:
    """An alias still bears the name that it is declared by."""
    wan = Device(2, "wan0")
    assert not wished.freed(alias("wan0:3", wan, "eth0:3"))
    assert wished.of(alias("wan0:3", wan, "nonsense")) is None
    assert wished.of(alias("eth0:3", None)) is not None


def test_declared_names(wished: Index) -> None:
    """A name is found by any name of the main device; an undeclared one stays as it is."""
    devices = [Device(2, "eth5", altnames=("lan", "dmz")), Device(3, "eth0")]
    declared = DeclaredNames(wished, devices)
    assert declared.name(name("eth5:0")) == name("lan:0")
    assert declared.name(name("eth5:1")) == name("eth5:1")
    assert declared.name(name("eth0:1")) == name("eth0:1")
    assert declared.name(name("eth9:1")) == name("eth9:1")
