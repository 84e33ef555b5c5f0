"""The translations that are wanted, those that stand, and what leads from one to the other."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from translating import FakeNat

from netalias.model import AF_INET, AF_INET6
from netalias.nat import Change, Table, Translation, difference, stale, wanted_tables

A, B, C, D = (ip_address(f"10.0.0.{last}").packed for last in (1, 2, 3, 4))
SIX = ip_address("2001:db8::1").packed


def translation(new: bytes | None, *old: bytes, device: str = "eth0") -> Translation:
    """One of IPv4."""
    return Translation(device, AF_INET, new, old)


def between(wanted: Iterable[Translation], standing: Iterable[Translation]) -> list[Change]:
    """The difference of two lists of translations."""
    return difference(wanted_tables(wanted), wanted_tables(standing))


def carried_out(changes: Iterable[Change], tables: dict[int, Table]) -> dict[int, Table]:
    """What stands after the changes, as the kernel does them: what goes first, then what comes."""
    found = dict(tables)
    for one in changes:
        table = found.pop(one.family, None)
        assert one.remove <= (table is not None)
        if one.remove:
            table = None
        if one.create:
            assert table is None
            table = Table(one.family)
        if table is None:
            continue
        new = dict(table.new)
        for device, address in one.gone_new:
            assert new.pop(device) == address
        for device, address in one.new:
            assert device not in new
            new[device] = address
        old = {(device, address) for device, some in table.old.items() for address in some}
        old -= {*one.gone_old}
        old |= {*one.old}
        devices = {device for device, _ in old}
        sets = {name: frozenset(a for device, a in old if device == name) for name in devices}
        found[one.family] = Table(one.family, new, sets)
    return found


def test_the_first_old_address_makes_the_table() -> None:
    """The table is made with its elements."""
    (change,) = between([translation(B, A)], [])
    assert (change.create, change.remove) == (True, False)
    assert (change.new, change.old) == ([("eth0", B)], [("eth0", A)])


def test_a_change_of_address_is_three_elements() -> None:
    """Whatever the number of old addresses, the new one is replaced, and one more is old."""
    many = [bytes((10, 1, high, low)) for high in range(4) for low in range(250)]
    (change,) = between([translation(C, A, B, *many)], [translation(B, A, *many)])
    assert change == Change(AF_INET, gone_new=[("eth0", B)], new=[("eth0", C)], old=[("eth0", B)])


def test_the_way_back_to_an_older_address() -> None:
    """The address that is in use again is old no more."""
    (change,) = between([translation(A, B)], [translation(B, A)])
    assert change == Change(
        AF_INET,
        gone_new=[("eth0", B)],
        gone_old=[("eth0", A)],
        new=[("eth0", A)],
        old=[("eth0", B)],
    )


def test_the_table_goes_with_its_last_old_address() -> None:
    """That of the other family stays, and nothing is changed in it."""
    six = Translation("eth0", AF_INET6, SIX, [bytes(16)])
    (change,) = between([translation(B), six], [translation(B, A), six])
    assert change == Change(AF_INET, remove=True)


def test_one_device_of_two_ends() -> None:
    """Only its elements go."""
    stays = translation(D, C, device="eth1")
    (change,) = between([stays], [translation(B, A), stays])
    assert change == Change(AF_INET, gone_new=[("eth0", B)], gone_old=[("eth0", A)])


def test_without_a_new_address_nothing_is_translated() -> None:
    """The old ones stay in the set, for the address that will come."""
    (change,) = between([translation(None, A, B)], [translation(B, A)])
    assert change == Change(AF_INET, gone_new=[("eth0", B)], old=[("eth0", B)])


def test_a_table_that_somebody_edited_is_made_anew() -> None:
    """In one transaction; the elements that were read do not count."""
    wanted = wanted_tables([translation(B, A)])
    edited = Table(AF_INET, wanted[AF_INET].new, wanted[AF_INET].old, odd=["rule in postrouting"])
    (change,) = difference(wanted, {AF_INET: edited})
    assert (change.remove, change.create) == (True, True)
    assert (change.new, change.old) == ([("eth0", B)], [("eth0", A)])
    assert difference(wanted, wanted) == []


addresses = st.sampled_from([A, B, C, D])
some_translations = st.lists(
    st.builds(
        Translation,
        st.sampled_from(["eth0", "eth1"]),
        st.sampled_from([AF_INET, AF_INET6]),
        st.none() | addresses,
        st.sets(addresses),
    ),
    unique_by=lambda one: (one.device, one.family),
)


@given(some_translations, some_translations)
def test_any_state_leads_to_any_other(
    wanted: list[Translation], standing: list[Translation]
) -> None:
    """And a second difference is empty."""
    before, after = wanted_tables(standing), wanted_tables(wanted)
    assert carried_out(difference(after, before), before) == after
    assert difference(after, after) == []
    told = [one for table in after.values() for one in table.translations()]
    assert wanted_tables(told) == after


def test_which_flows_are_stale() -> None:
    """Those that leave with the former address: untranslated from it, or translated to it."""
    cases = [
        (translation(B), translation(C, B), [(B, B), (C, B)]),
        (translation(B, A), translation(C, A, B), [(B, B), (A, B), (C, B)]),
        (translation(B, A), translation(A, B), [(B, B), (A, B)]),
        (translation(None, A), translation(C, A, B), [(A, A), (B, B)]),
        (translation(C, A), translation(C, A, B), [(B, B)]),
        (translation(C, A, B), translation(C, A), []),
        (translation(C, A), translation(C, A), []),
        (translation(C, A), translation(None, A), [(A, C)]),
        (translation(C, A), translation(None, A, C), [(C, C), (A, C)]),
    ]
    for before, after, expected in cases:
        found = [*stale(before.new, after.old - before.old, after)]
        assert sorted(found) == sorted(expected), (before, after)
        untranslated = [pair for pair in found if pair[0] == pair[1]]
        assert found[: len(untranslated)] == untranslated, "the last address comes first"


def test_the_stand_in_of_the_kernel() -> None:
    """A flow of the first address follows every change, also the one back."""
    nat = FakeNat()
    assert nat.send(AF_INET, "eth0", A) == A
    for new, old in ((B, [A]), (C, [A, B])):
        assert nat.apply([translation(new, *old)])
        assert nat.flows(AF_INET, old) == {}
        assert nat.send(AF_INET, "eth0", A) == new
        assert nat.flows(AF_INET, old) == {A: 1}
    assert nat.apply([translation(A, B, C)])
    assert nat.flows(AF_INET, [A]) == {}
    assert nat.send(AF_INET, "eth0", B) == A
    assert nat.apply([translation(A, B, C)]) == []
    assert nat.apply([])
    assert nat.read() == {}
    assert str(translation(B, A)) == "eth0: 10.0.0.1 -> 10.0.0.2"
