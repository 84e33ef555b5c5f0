"""Words of a file that are changed, while all else of it stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.desired import declarations, rewrite
from netalias.families import lazy


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("eth0:0 10.0.0.1 kind label", "eth0:0 10.0.0.1 kind macvlan"),
        ("eth0:0\t10.0.0.1   kind  label  # kind label", None),
        ("  eth0:0-9 10.0.0.1-10/24 mtu 1400 kind auto metric 3", None),
        ("eth0:0 10.0.0.1", "eth0:0 10.0.0.1 kind macvlan"),
        ("eth0:0 10.0.0.1\r", "eth0:0 10.0.0.1 kind macvlan\r"),
        ("eth0:0 10.0.0.1 # web", "eth0:0 10.0.0.1 kind macvlan # web"),
        ("eth0:0 10.0.0.1                  # web", "eth0:0 10.0.0.1 kind macvlan     # web"),
        ("eth0:0 10.0.0.1      # web", "eth0:0 10.0.0.1 kind macvlan # web"),
        ("eth0:0 10.0.0.1 #web", "eth0:0 10.0.0.1 kind macvlan #web"),
        ("defaults mtu 1400 kind label", "defaults mtu 1400 kind macvlan"),
    ],
)
def test_a_kind(line: str, after: str | None) -> None:
    """In place of the one that is there, or behind the last word; a comment keeps its column."""
    if after is None:
        index = line.index("kind")
        old = line[index:].split()[1]
        after = line[:index] + line[index:].replace(old, "macvlan", 1)
    assert rewrite.with_kind(line, "macvlan") == after


TEXT = """\
# Aliases of the shop
eth0:0      10.0.0.1           # no kind at all
defaults    kind label mtu 1400   # all of these

eth0:1-9    10.0.1.1-9/32      # a range
eth1:0      10.0.2.1           kind ipvlan
eth0:20     10.0.3.1
defaults    metric 5
eth0:30     10.0.4.1
"""


def changed(lines: dict[int, str]) -> dict[int, str]:
    """The lines of TEXT that differ afterwards, by number."""
    after = rewrite.with_kinds(TEXT, lines).split("\n")
    pairs = zip(TEXT.split("\n"), after, strict=True)
    return {number: new for number, (old, new) in enumerate(pairs, 1) if old != new}


def test_a_line_of_defaults_is_changed_where_all_below_agree() -> None:
    """A line with a kind of its own does not matter; one that stays does."""
    assert changed({5: "macvlan", 7: "macvlan"}) == {
        3: "defaults    kind macvlan mtu 1400   # all of these"
    }
    assert changed({5: "macvlan"}) == {5: "eth0:1-9    10.0.1.1-9/32 kind macvlan # a range"}
    assert changed({5: "macvlan", 7: "ipvlan"}) == {
        5: "eth0:1-9    10.0.1.1-9/32 kind macvlan # a range",
        7: "eth0:20     10.0.3.1 kind ipvlan",
    }


def test_lines_without_a_kind_anywhere() -> None:
    """Before all defaults, and below defaults without a kind."""
    assert changed({2: "macvlan", 9: "label", 6: "label"}) == {
        2: "eth0:0      10.0.0.1 kind macvlan # no kind at all",
        6: "eth1:0      10.0.2.1           kind label",
        9: "eth0:30     10.0.4.1 kind label",
    }


def test_nothing_to_change() -> None:
    """The same text, to the letter."""
    assert rewrite.with_kinds(TEXT, {}) == TEXT
    assert rewrite.with_kinds("", {}) == ""
    assert rewrite.with_kinds("# no newline", {}) == "# no newline"


WORDS = ("", "kind label", "kind macvlan", "metric 3 kind label", "announce off", "kind ipvlan # x")
LINES = st.lists(
    st.tuples(st.sampled_from(["alias", "defaults", "comment"]), st.sampled_from(WORDS)),
    max_size=8,
)


@given(LINES, st.sets(st.integers(1, 8)), st.sampled_from(["label", "ipvlan"]))
def test_the_kinds_are_what_was_asked_for(
    rows: list[tuple[str, str]], chosen: set[int], kind: str
) -> None:
    """Read back, those lines have the kind and all others are as they were."""
    heads = {"alias": "eth0:{0} 10.0.0.1{0}", "defaults": "defaults", "comment": "#"}
    text = "".join(
        f"{heads[what].format(number)} {words}\n" for number, (what, words) in enumerate(rows)
    )
    before = declarations.parse([("t", text)], lazy())
    assert before.errors == []
    after = declarations.parse(
        [("t", rewrite.with_kinds(text, dict.fromkeys(chosen, kind)))], lazy()
    )
    assert after.errors == []
    for old, new in zip(before.blocks, after.blocks, strict=True):
        assert old.line == new.line
        assert new.wish.kind == (kind if new.line in chosen else old.wish.kind)
        new.wish.kind = old.wish.kind
        assert all(getattr(old.wish, one) == getattr(new.wish, one) for one in ("metric", "name"))
