"""The table of faults (tools/cluster): an outcome is as stated only where everything is."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "cluster"))

import rival
import table
from judge import Double, Gap, Tenure, Verdict
from scene import Outcome

GAP = Gap("10.0.0.20", 1.0, 1.25, "a", "b")
DOUBLE = Double("10.0.0.21", 2.0, 2.5, ("a", "b"))


def outcome(
    frames: Verdict, connections: Verdict | None = None, removed: frozenset[str] = frozenset()
) -> Outcome:
    """Of a fault that is stated to take 0.3 s at most."""
    return Outcome("a fault", frames, connections or Verdict(), 0.3, removed)


def test_as_stated() -> None:
    """A gap that is short enough is none that counts."""
    one = outcome(Verdict(gaps=[GAP], claims=7, storm=3))
    assert one.good
    assert one.longest == (0.25, 0.0, 0.0)
    cells = [
        "a fault", "none", "0.25 s", "-", "0.00 s", "0.00 s", "0.30 s", "-", "7", "3", "as stated",
    ]  # fmt: skip
    assert table.cells(one) == cells
    assert len(cells) == len(table.HEAD)


def test_both_families() -> None:
    """Each has its longest silence, and one of them is late to be taken."""
    six = Gap("fd00::1000", 1.0, 1.2, "a", "b")
    held = [Tenure(one.address, "a", 0.0, 1.0) for one in (GAP, six)]
    one = outcome(Verdict(gaps=[GAP, six], tenures=held), Verdict(gaps=[six._replace(end=1.1)]))
    one.ends = [(0.5, {"a"}), (1.05, {"a"})]
    assert table.cells(one)[2:5] == ["0.25 s", "0.20 s", "0.10 s"]
    assert table.cells(one)[7] == "0.20 s"
    assert one.good
    late = Verdict(gaps=[GAP._replace(end=20.0)])
    one = Outcome("a fault", late, Verdict(), 22.5)
    assert one.good
    one.ends = [(17.9, {"a"})]
    assert not one.good


def test_only_the_rows_that_were_done_are_replaced() -> None:
    """The others stay, in the order of the faults; what is around them does too."""
    titles = ["a fault", "another", "a third", "one that was never done"]
    before = "above\n<!-- test -->\n<!-- end of test -->\nbelow\n"
    first = outcome(Verdict(claims=1))
    third = Outcome("a third", Verdict(claims=3), Verdict(), 0.3)
    both = table.merged(before, "test", titles, [third, first])
    page = table.merged(both, "test", titles, [outcome(Verdict(claims=5))])
    lines = page.splitlines()
    assert [lines[0], lines[-1]] == ["above", "below"]
    assert lines[4:6] == [
        table.row(table.cells(one)) for one in (outcome(Verdict(claims=5)), third)
    ]
    assert len(lines) == 8


@pytest.mark.parametrize(
    "one",
    [
        outcome(Verdict(gaps=[GAP._replace(end=1.31)])),
        outcome(Verdict(), Verdict(gaps=[GAP._replace(end=1.31)])),
        outcome(Verdict(doubles=[DOUBLE])),
        outcome(Verdict(lost=1)),
        outcome(Verdict(silent=["10.0.0.20"])),
        outcome(Verdict(), removed=frozenset({"10.0.0.20"})),
    ],
    ids=["silent for ARP", "for TCP", "two holders", "lost frames", "silent", "not removed"],
)
def test_missed(one: Outcome) -> None:
    """Each of these alone is enough."""
    assert not one.good
    assert table.cells(one)[-1] == "**missed**"


def test_the_stage_is_not_blamed_on_the_holders() -> None:
    """The time for which it stood still itself is allowed for."""
    one = Outcome("a fault", Verdict(gaps=[GAP._replace(end=1.45)]), Verdict(), 0.3, noise=0.2)
    assert one.good
    one.noise = 0.1
    assert not one.good


def test_a_fault_that_never_ends() -> None:
    """Its consequences are not over in time."""
    one = outcome(Verdict())
    one.problem = "the others have all addresses: not after 180 s"
    assert not one.good


def test_removed_addresses_may_be_silent() -> None:
    """And have to be, in the end."""
    frames = Verdict(gaps=[GAP._replace(end=9.0, after="")], silent=["10.0.0.20"])
    assert outcome(frames, removed=frozenset({"10.0.0.20"})).good


def test_doubles_are_counted_by_address() -> None:
    """With the longest."""
    doubles = [DOUBLE, DOUBLE._replace(begin=3.0, end=3.1), DOUBLE._replace(address="10.0.0.22")]
    assert table.cells(outcome(Verdict(doubles=doubles)))[1] == "2 for 0.50 s"


def test_a_table_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text around it and the other table stay as they are."""
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x -->\nold\n<!-- end of x -->\nb\n<!-- y -->\n<!-- end of y -->\n")
    monkeypatch.setattr(table, "PAGE", page)
    table.write("x", ["a fault"], [outcome(Verdict(gaps=[GAP]))])
    lines = page.read_text().splitlines()
    assert lines[:2] == ["a", "<!-- x -->"]
    assert lines[4].startswith("| a fault | none | 0.25 s |")
    assert lines[5:] == ["<!-- end of x -->", "b", "<!-- y -->", "<!-- end of y -->"]


def test_priorities_of_keepalived() -> None:
    """Each host is the first choice of its share; those of a dead one have other second choices."""
    addresses = [f"10.0.0.{number}" for number in range(20, 220)]
    words = [rival.configuration(host, 5, addresses).split() for host in range(5)]
    priorities = [
        [int(text[at + 1]) for at, word in enumerate(text) if word == "priority"] for text in words
    ]
    orders = [sorted(range(5), key=lambda host: -priorities[host][number]) for number in range(200)]
    assert Counter(order[0] for order in orders) == dict.fromkeys(range(5), 40)
    seconds = Counter(order[1] for order in orders if order[0] == 0)
    assert set(seconds) == {1, 2, 3, 4}
