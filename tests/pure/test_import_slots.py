"""Names for what importers find: every address has a slot of its own."""

from __future__ import annotations

from netalias.importers.lines import detailed
from netalias.importers.slots import Found, rows
from netalias.model.names import AliasName


def found(label: str, number: int, place: str = "f:1", asleep: str = "") -> Found:
    packed = bytes([10, 0, 0, number])
    return Found(label, packed, [f"10.0.0.{number}/24", "kind", "label"], place, asleep)


def named(*some: Found, **taken: int) -> tuple[list[str], list[str]]:
    """The words before each comment, and the notes. *taken* are names of this host, as ``eth0_5``,
    and the last numbers of their addresses."""
    notes: list[str] = []
    here = {
        AliasName(name.split("_")[0], int(name.split("_")[1])): {bytes([10, 0, 0, number])}
        for name, number in taken.items()
    }
    texts = [line.partition("   #")[0] for line in detailed(rows(some, notes, here))]
    return [" ".join(text.split()[:3]).removesuffix(" kind") for text in texts], notes


def test_names_that_are_taken() -> None:
    """They are free for those only that are called so."""
    taken = Found("eth0:0", b"", [], "f:2")
    got, notes = named(found("eth0:web", 1), found("eth0:1", 2), taken)
    assert got == ["eth0:2 10.0.0.1/24", "eth0:1 10.0.0.2/24"]
    assert notes == ["f:1: eth0:web: 10.0.0.1/24 becomes eth0:2, since a slot is a number"]


def test_names_that_are_taken_on_this_host() -> None:
    """What has no name keeps the one that its address has here, unless the files have it; another
    one of the host is not free."""
    some = found("eth0:web", 1), found("eth0:old", 2), found("eth0:", 3), found("eth0:7", 4)
    got, notes = named(*some, eth0_0=9, eth0_2=9, eth0_5=2, eth0_7=3)
    assert got == [
        "eth0:1 10.0.0.1/24", "eth0:5 10.0.0.2/24", "eth0:3 10.0.0.3/24", "eth0:7 10.0.0.4/24",
    ]  # fmt: skip
    assert notes == [
        "f:1: eth0:web: 10.0.0.1/24 becomes eth0:1, since a slot is a number",
        "f:1: eth0:old: 10.0.0.2/24 becomes eth0:5, since a slot is a number",
        "f:1: eth0:7: 10.0.0.4/24: that name is in use here, for another address",
    ]
    assert named(*some[3:], eth0_7=4)[1] == []


def test_a_name_without_an_address() -> None:
    """It is kept for what will have it, once the file is put right."""
    got, _ = named(found("eth0:web", 1), Found("eth0:0", b"", [], "f:2"))
    assert got == ["eth0:1 10.0.0.1/24"]


def test_what_is_brought_up_comes_first() -> None:
    """It has its name and its address, whatever a comment before it says."""
    got, notes = named(found("eth0:0", 1, "f:1", "asleep"), found("eth0:0", 2, "f:2"))
    assert got == ["eth0:0 10.0.0.2/24", "# eth0:1 10.0.0.1/24"]
    assert notes == [
        "f:1: eth0:0: 10.0.0.1/24 becomes eth0:1, since 10.0.0.2/24 at f:2 has that name"
    ]


def test_a_main_device_has_its_own_address() -> None:
    """No alias gets it, and the main device is no line."""
    got, notes = named(found("eth0", 1, "f:1"), found("eth0:0", 1, "f:2"))
    assert got == []
    assert notes == ["f:2: eth0:0: 10.0.0.1/24 is not carried over: eth0 at f:1 has it"]


def test_the_same_twice() -> None:
    """One line, and nothing is said."""
    assert named(found("eth0:a", 1), found("eth0:a", 1))[0] == ["eth0:0 10.0.0.1/24"]


def test_the_name_must_fit_a_label() -> None:
    """A slot with more digits than there is room for is a note."""
    main = "enx0011223344"
    some = [found(f"{main}:{slot}", slot) for slot in range(10)]
    got, notes = named(*some, found(f"{main}:a", 10))
    assert len(got) == 10
    assert notes[-1].endswith(
        "is not carried over: enx0011223344:10: an address label has 15 bytes at most, this one 16"
        " (a device has room for the name: kind macvlan)"
    )
