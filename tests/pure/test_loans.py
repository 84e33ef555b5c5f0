"""Loans: the order in which addresses are granted, and the record that outlives a command."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netalias import errors
from netalias.model.loans import Loan, Loans
from netalias.runtime.loans import Record, names

SPANS = [range(10, 14), range(20, 21)]
COOKIE = 7


def first(count: int) -> int:
    """The least of all numbers."""
    return 0


def granted(loans: Loans, wanted: int = -1, client: str = "", now: float = 100.0) -> int:
    """An address that is then lent for 50 seconds."""
    address = loans.grant(SPANS, wanted, client, now, draw=first)
    if address >= 0:
        loans.put(Loan(address, client, now + 50, 50))
    return address


def test_the_order_of_grants() -> None:
    """A-16: what is asked for, if it is free and of the pool; what the client had; a free one;
    none."""
    loans = Loans()
    assert granted(loans, 12, "a") == 12
    assert granted(loans, 12, "b") == 10
    assert granted(loans, 99, "c") == 11
    assert granted(loans, -1, "a") == 12
    assert granted(loans, 20, "a") == 20
    assert granted(loans, -1, "") == 13
    assert granted(loans, -1, "") == -1
    assert granted(loans, 10, "") == -1
    assert granted(loans, -1, "b") == 10


def test_an_ended_loan_is_free_and_remembered() -> None:
    """A-16: the former client gets its address again, unless somebody else has it by now."""
    loans = Loans()
    assert granted(loans, 12, "a") == 12
    assert granted(loans, -1, "a", now=200.0) == 12
    assert granted(loans, 12, "b", now=300.0) == 12
    assert granted(loans, -1, "a", now=301.0) == 10
    loans.put(loans.by_address[10].ended())
    assert granted(loans, -1, "a", now=302.0) == 10


def test_others_first_get_what_was_never_lent() -> None:
    """So a client that comes back finds its address as long as there are others."""
    loans = Loans()
    for address in (10, 11, 12, 13):
        loans.put(Loan(address, "a", 0.0, 50))
    assert granted(loans) == 20
    assert granted(loans) == 10


def test_busy_addresses_are_passed_over() -> None:
    """Whether asked for, had before, or drawn."""
    loans = Loans([Loan(10, "a", 0.0, 50)])
    for wanted in (10, -1):
        found = loans.grant(SPANS, wanted, "a", 1.0, busy={10, 11}, draw=first)
        assert found in (12, 13, 20)
    assert loans.grant(SPANS, -1, "", 1.0, busy=set(range(99)), draw=first) == -1


def test_nobody_in_particular_has_nothing_again() -> None:
    """Two takes without a client are two addresses."""
    loans = Loans()
    assert len({granted(loans) for _ in range(5)}) == 5


def test_an_end_before_the_last_boot() -> None:
    """A time that is further away than the loan is long was written before the clock began anew."""
    loans = Loans([Loan(10, "a", 90000.0, 50)])
    assert granted(loans, 10, "b", now=60.0) == 10


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.integers(8, 22),
            st.sampled_from(["", "a", "b", "c"]),
            st.sampled_from(["take", "any", "back"]),
            st.integers(0, 30),
        ),
        max_size=60,
    ),
    st.integers(0, 1000),
)
def test_no_address_is_lent_twice(steps: list[tuple[int, str, str, int]], seed: int) -> None:
    """Whatever is taken, given back and forgotten: one address, one client; a refusal only if all
    are taken."""
    loans, drawn, now = Loans(), random.Random(seed), 1000.0
    has: dict[int, tuple[str, float]] = {}
    for wanted, client, action, passed in steps:
        now += passed
        has = {address: one for address, one in has.items() if one[1] > now}
        assert {one.address for one in loans.running(now)} == set(has)
        if action == "back":
            if wanted in has:
                loans.put(loans.by_address[wanted].ended())
                del has[wanted]
            continue
        asked = wanted if action == "take" else -1
        address = loans.grant(SPANS, asked, client, now, draw=drawn.randrange)
        if address < 0:
            assert len(has) == sum(map(len, SPANS))
            assert client == "" or client not in {one for one, _ in has.values()}
            continue
        assert any(address in span for span in SPANS)
        assert address not in has or has[address][0] == client != ""
        assert address == asked or asked in has or not any(asked in span for span in SPANS)
        loans.put(Loan(address, client, now + 50, 50))
        has[address] = client, now + 50


# The record


def record(folder: Path, cookie: int = COOKIE, size: int = 4) -> Record:
    return Record(str(folder), "web", size, cookie)


def known(folder: Path, cookie: int = COOKIE) -> list[tuple[int, str, float, int, str]]:
    """What another process reads."""
    found = record(folder, cookie).loans.by_address.values()
    return sorted((one.address, one.client, one.end, one.length, one.alias) for one in found)


def test_what_is_noted_is_read(tmp_path: Path) -> None:
    """The last line of an address counts; names of clients are any word."""
    one = record(tmp_path)
    one.note(Loan(10, "a", 150.25, 50, "eth0:3"))
    one.note(Loan(11, "", 99.0, 50))
    one.note(Loan(10, "container/\udcff#1", 160.0, 60))
    assert known(tmp_path) == [(10, "container/\udcff#1", 160.0, 60, ""), (11, "", 99.0, 50, "")]
    assert names(str(tmp_path)) == ["web"]
    assert (tmp_path / "pool-web.loans").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("thousandth", range(10))
def test_what_was_lent_just_now_is_lent(tmp_path: Path, thousandth: int) -> None:
    """A record that is read in the same moment has it: rounded up, the loan would end later than
    its length from now, like one of a former boot."""
    now = 39218.29 + thousandth / 1000
    record(tmp_path).note(Loan(7, "", now + 3600, 3600))
    assert record(tmp_path).loans.by_address[7].live(now)


def test_another_namespace_begins_anew(tmp_path: Path) -> None:
    """The directory is that of an inode, which is used again."""
    record(tmp_path).note(Loan(10, "a", 150.0, 50))
    other = record(tmp_path, cookie=8)
    assert not other.loans.by_address
    other.note(Loan(11, "b", 150.0, 50))
    assert [one[0] for one in known(tmp_path, cookie=8)] == [11]
    assert known(tmp_path) == []


@pytest.mark.parametrize("cut", range(1, 25))
def test_a_line_that_was_cut(tmp_path: Path, cut: int) -> None:
    """What a full file system left of the last line is dropped, the lines before it hold, and the
    next note is whole."""
    one = record(tmp_path)
    one.note(Loan(10, "a", 150.0, 50))
    one.note(Loan(11, "client", 150.0, 50))
    path = tmp_path / "pool-web.loans"
    path.write_bytes(path.read_bytes()[:-cut])
    again = record(tmp_path)
    assert again.loans.by_address[10].client == "a"
    again.note(Loan(12, "c", 150.0, 50))
    assert {10, 12} <= {address for address, *_ in known(tmp_path)} <= {10, 11, 12}
    assert record(tmp_path).loans.by_address[12].client == "c"


@pytest.mark.parametrize(
    "line",
    ["0.0.0.10 nan 50 - a", "0.0.0.10 1 50 -", "::10 1.00 50 - a", "x", "0.0.0.10 -1.00 50 - a"],
)
def test_a_malformed_line(tmp_path: Path, line: str) -> None:
    """It tells nothing, and is gone with the next note."""
    path = tmp_path / "pool-web.loans"
    path.write_text(f"namespace {COOKIE}\n{line}\n0.0.0.11 150.00 50 - b\n")
    one = record(tmp_path)
    assert [*one.loans.by_address] == [11]
    one.note(Loan(12, "c", 150.0, 50))
    assert path.read_text().splitlines()[1:] == ["0.0.0.11 150.00 50 - b", "0.0.0.12 150.00 50 - c"]


def test_the_file_stays_small(tmp_path: Path) -> None:
    """It is written anew now and then, without the ended loans of nobody."""
    one = record(tmp_path)
    for turn in range(1000):
        one.note(Loan(10 + turn % 4, "a", 150.0 + turn, 50))
        one.note(Loan(30, "", 0.0, 50))
    assert len((tmp_path / "pool-web.loans").read_text().splitlines()) < 2 * 5 + 70
    assert [loan[0] for loan in known(tmp_path)][:4] == [10, 11, 12, 13]


def test_a_full_file_system_lends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be noted is not lent; what was noted before is still whole."""
    one = record(tmp_path)
    one.note(Loan(10, "a", 150.0, 50))
    one.note(Loan(11, "a", 150.0, 50))
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:5]))
    with pytest.raises(errors.StateError, match="No space left on device"):
        one.note(Loan(12, "a", 150.0, 50))
    monkeypatch.undo()
    assert 12 not in one.loans.by_address
    assert [loan[0] for loan in known(tmp_path)] == [10, 11]
    one.note(Loan(13, "a", 150.0, 50))
    assert [loan[0] for loan in known(tmp_path)] == [10, 11, 13]


def test_a_record_without_an_end(tmp_path: Path) -> None:
    """A sparse file takes no room where it is, and all of it where it is read."""
    record(tmp_path).note(Loan(10, "a", 150.0, 50))
    os.truncate(tmp_path / "pool-web.loans", 1 << 40)
    with pytest.raises(errors.StateError, match=r"pool-web\.loans: File too large$"):
        record(tmp_path)


def test_nothing_else_is_opened(tmp_path: Path) -> None:
    """A link in the place of the file, as the owner of the directory could put it."""
    target = tmp_path / "target"
    target.write_text("secret\n")
    (tmp_path / "pool-web.loans").symlink_to(target)
    with pytest.raises(errors.StateError, match=r"pool-web\.loans: Too many levels"):
        record(tmp_path)
    assert target.read_text() == "secret\n"
