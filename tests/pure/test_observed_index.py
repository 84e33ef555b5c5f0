"""The address index: a dict that behaves as a linear scan by time of addressing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.model import Alias
from netalias.model.names import AliasName
from netalias.observed import index as lookup

A, B = b"\x0a\0\0\1", b"\x0a\0\0\2"


def alias(slot: int, main: str = "eth0", address: bytes = b"", family: int = 2) -> Alias:
    return Alias(AliasName(main, slot), "dummy", family=family, address=address)


def test_found_by_all_three():
    """S61: main, family and address all count."""
    one = alias(0, address=A)
    index = lookup.DictIndex([one, alias(1)])
    assert index.find("eth0", 2, A) is one
    assert index.find("eth1", 2, A) is None
    assert index.find("eth0", 10, A) is None
    assert index.find("eth0", 2, B) is None
    assert len(index) == 1


def test_duplicates():
    """S62: the one addressed last is found; without it the one before."""
    one, two, three = (alias(slot) for slot in range(3))
    index = lookup.DictIndex()
    for item in (one, two, three):
        index.add("eth0", 2, A, item)
    assert index.owners("eth0", 2).shared() == [A]
    assert index.find("eth0", 2, A) is three
    index.remove("eth0", 2, A, two)
    assert index.find("eth0", 2, A) is three
    index.remove("eth0", 2, A, three)
    assert index.find("eth0", 2, A) is one
    assert index.owners("eth0", 2).shared() == []
    index.remove("eth0", 2, A, one)
    assert index.find("eth0", 2, A) is None
    assert len(index) == 0


def test_move():
    """S67, S3: to a new address in front; to the same one not at all."""
    one, two = alias(0), alias(1)
    index = lookup.DictIndex()
    index.add("eth0", 2, A, one)
    index.add("eth0", 2, A, two)
    index.move("eth0", (2, A), (2, A), one)
    assert index.find("eth0", 2, A) is two
    index.move("eth0", (2, A), (10, bytes(16)), two)
    assert index.find("eth0", 10, bytes(16)) is two
    index.move("eth0", (10, bytes(16)), (2, A), two)
    assert index.find("eth0", 2, A) is two


def test_equal_aliases_are_not_mixed_up():
    """S62: aliases are told apart by identity."""
    one, two = alias(0), alias(0)
    assert one == two
    index = lookup.DictIndex()
    index.add("eth0", 2, A, one)
    index.add("eth0", 2, A, two)
    index.remove("eth0", 2, A, one)
    assert index.find("eth0", 2, A) is two


def test_removing_what_is_not_there():
    """A KeyError, and nothing is lost."""
    one, two = alias(0), alias(1)
    index = lookup.DictIndex()
    index.add("eth0", 2, A, one)
    for main, address in (("eth0", A), ("eth0", B), ("eth1", A)):
        with pytest.raises(KeyError):
            index.remove(main, 2, address, two)
    assert index.find("eth0", 2, A) is one


def test_owners():
    """The table of one main device is a dict look-up away, an empty one for unknown mains."""
    one = alias(0, address=A)
    index = lookup.DictIndex([one])
    find = index.owners("eth0", 2).find
    assert find(A) is one
    assert find(B) is None
    assert index.owners("eth9", 2).find(A) is None
    assert len(index.owners("eth0", 2)) == 1


def test_interface():
    """The interface does nothing by itself."""
    index = lookup.AddressIndex()
    for call in (index.add, index.remove):
        with pytest.raises(NotImplementedError):
            call("eth0", 2, A, alias(0))
    with pytest.raises(NotImplementedError):
        index.find("eth0", 2, A)


@given(
    st.lists(
        st.tuples(
            st.booleans(), st.integers(0, 5), st.sampled_from(["eth0", "eth1"]), st.integers(0, 3)
        ),
        max_size=60,
    )
)
def test_lookup_is_a_linear_scan(operations):
    """S68: the same alias as a scan finds, after any creations, re-addressings and deletions."""
    index = lookup.DictIndex()
    items = {(main, slot): alias(slot, main) for main in ("eth0", "eth1") for slot in range(6)}
    placed: dict[tuple[str, int], bytes] = {}  # the one addressed last comes last
    for give, slot, main, number in operations:
        key, address = (main, slot), bytes([10, 0, 0, number])
        before = placed.get(key)
        if not give and before is not None:
            index.remove(main, 2, before, items[key])
            del placed[key]
        elif give and before is None:
            index.add(main, 2, address, items[key])
            placed[key] = address
        elif give and before is not None and before != address:
            index.move(main, (2, before), (2, address), items[key])
            del placed[key]
            placed[key] = address
    for main in ("eth0", "eth1"):
        for number in range(4):
            address = bytes([10, 0, 0, number])
            found = [items[key] for key, one in placed.items() if key[0] == main and one == address]
            assert index.find(main, 2, address) is (found[-1] if found else None)
    assert len(index) == len(placed)
