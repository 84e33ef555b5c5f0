"""Names: the grammar of ``eth0:0``, primary names, labels."""

from __future__ import annotations

import copy
from errno import ENAMETOOLONG, ENODEV

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import errors
from netalias.model import names
from netalias.model.names import NAME_MAX, SLOT_MAX, AliasName
from netalias.observed.orphans import Nameless

LONG = "enx001122334455"
"""A main device whose name leaves no room for a slot."""

MAINS = st.text(
    st.characters(blacklist_characters=":/\0", blacklist_categories=["Cs", "Z", "Cc"]),
    min_size=1, max_size=NAME_MAX,
).filter(lambda text: len(text.encode()) <= NAME_MAX and text not in (".", ".."))  # fmt: skip
SLOTS = st.integers(0, SLOT_MAX)
NAMES = st.builds(AliasName, MAINS, SLOTS)
ANY_TEXT = st.text() | st.from_regex(r"[a-z0-9:_-]{0,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "main", "slot", "deleting"),
    [
        ("eth0:0", "eth0", 0, False),
        ("eth0:0-", "eth0", 0, True),
        ("eth0:65535", "eth0", 65535, False),
        ("eth0:300-", "eth0", 300, True),
        ("lo:7", "lo", 7, False),
        ("eth0.5:7", "eth0.5", 7, False),
        ("a-b:1-", "a-b", 1, True),
        ("höhe:1", "höhe", 1, False),
        ("a" * 15 + ":1", "a" * 15, 1, False),
        ("\udcff:1", "\udcff", 1, False),
    ],
)
def test_legal(text: str, main: str, slot: int, deleting: bool) -> None:
    """S1, S23, S25: main, slot, and whether it deletes; the limit of 256 slots has gone."""
    assert names.parse(text) == (AliasName(main, slot), deleting)


@pytest.mark.parametrize(
    "text",
    [
        "", ":", "-", ":0", "0", "eth0", "eth0-",  # no main, or no slot
        "eth0:", "eth0:-",
        "eth0:x", "eth0:0x1", "eth0:1a", "eth0: 1", "eth0:1 ", "eth0:+1", "eth0:-5", "eth0:1_0",
        "eth0:\n1", "eth0:1\n", "eth0:1.0", "eth0:1e3",
        "eth0:٣", "eth0:²", "eth0:\uff11",  # digits, but not decimal ones of ASCII
        "eth0:0:1", "eth0:0:1-", "eth0::1",
        "eth0:1--", "eth0:1-x", "eth0:--",
        "eth0:65536", "eth0:65536-", "eth0:4294967295", "eth0:4294967296", "eth0:" + "9" * 100000,
        "a b:0", "a/b:0", "a\0:0", "a\t:0", ".:0", "..:0", " eth0:0",
        "a" * 128 + ":0", "é" * 64 + ":0", "\ud800:0",
    ],
)  # fmt: skip
def test_illegal(text: str) -> None:
    """S5, S6, S7, S8, S17, S18, S19, S26: BadName with ENODEV, a usage error, in one line."""
    with pytest.raises(errors.BadName) as caught:
        names.parse(text)
    assert caught.value.errno == ENODEV
    assert caught.value.status == errors.STATUS_USAGE
    assert str(caught.value)


def test_empty_slot_is_not_zero() -> None:
    """S17: ``eth0:-`` says that the slot is missing; history deleted slot 0."""
    with pytest.raises(errors.BadName, match="slot is missing"):
        names.parse("eth0:-")


def test_alias_of_alias() -> None:
    """S7, S22: the message says that an alias cannot have aliases."""
    with pytest.raises(errors.BadName, match="an alias cannot have aliases"):
        names.parse("eth0:0:1")


@pytest.mark.parametrize("digits", ["0", "00", "000000000000000000000"])
def test_canonical_slot(digits: str) -> None:
    """S16: ``eth0:00`` is ``eth0:0``, and there is no twin."""
    name, deleting = names.parse(f"eth0:{digits}")
    assert (str(name), deleting) == ("eth0:0", False)
    assert name == AliasName("eth0", 0)
    assert hash(name) == hash(AliasName("eth0", 0))


@pytest.mark.parametrize("text", ["eth0:256", "eth0:0256", "eth0:4294967295", "eth0:-1"])
def test_limit(text: str) -> None:
    """S9, S18: over a given limit it is the error of a bad name, and never a negative slot."""
    with pytest.raises(errors.BadName):
        names.parse(text, 255)


def test_last_slot_of_a_limit() -> None:
    """S10: the limit itself is a legal slot."""
    assert names.parse("eth0:255", 255)[0].slot == 255
    assert names.parse("eth0:0", 0)[0].slot == 0


def test_too_long_says_how_long() -> None:
    """S19: the message has the bytes that the name has, and those that it may have."""
    with pytest.raises(errors.BadName, match=r"128 bytes.*127 at most"):
        names.parse("a" * 128 + ":0")
    with pytest.raises(errors.BadName, match=r"16 bytes.*15 at most"):
        names.parse("a" * 16 + ":0", longest=names.NAME_MAX)


def test_alternative_names_are_longer() -> None:
    """A main device is known by them too, of up to 127 bytes."""
    assert names.parse("é" * 63 + ":7") == (AliasName("é" * 63, 7), False)


def test_comparison() -> None:
    """A name is its text, with which it is found among the names of devices; it shows itself."""
    name = AliasName("eth0", 0)
    assert name != AliasName("eth0", 1)
    assert name != AliasName("eth1", 0)
    assert name == "eth0:0"
    assert {"eth0:0": 1}[name] == 1
    assert AliasName("eth0", -1) == "eth0"
    for one in (name, Nameless("eth0")):
        again = copy.copy(one)
        assert (again, again.main, again.slot) == (one, one.main, one.slot)
    assert repr(name) == "AliasName('eth0', 0)"


@given(NAMES, st.booleans())
def test_parse_is_the_inverse_of_str(name: AliasName, deleting: bool) -> None:
    """parse(str(x)) == x, with and without the deleting "-"; split() says the same."""
    assert names.parse(str(name) + "-" * deleting) == (name, deleting)
    assert names.split(str(name)) == name


@given(ANY_TEXT)
def test_any_text(text: str) -> None:
    """Any text is a name or a BadName; what is a name is one in its canonical spelling too."""
    try:
        name, deleting = names.parse(text)
    except errors.BadName:
        return
    assert 0 <= name.slot <= SLOT_MAX
    assert names.parse(str(name) + "-" * deleting) == (name, deleting)


@given(ANY_TEXT | st.text(st.characters()))
def test_split_never_raises(text: str) -> None:
    """split() gives a name that is spelt exactly like the text, or None."""
    name = names.split(text)
    assert name is None or str(name) == text


@pytest.mark.parametrize(
    "text", ["", ":", "eth0", "eth0:", ":0", "eth0:00", "eth0:01", "eth0:65536", "eth0:0-",
             "eth0:999999", "eth0:0:1", "eth0:x", "eth0:٣", "eth0:" + "1" * 100000],
)  # fmt: skip
def test_split_is_strict(text: str) -> None:
    """S16: an altname in another spelling is no name of ours."""
    assert names.split(text) is None


# Primary names ------------------------------------------------------------------------------


def test_plain_primary() -> None:
    """The name that firewalls see: ``eth0_0``."""
    assert names.primary(AliasName("eth0", 0)) == "eth0_0"
    assert names.primary(AliasName("a" * 9, 12345)) == "a" * 9 + "_12345"


def test_abbreviated_primary() -> None:
    """A long main becomes three characters and a digest; the figure is part of the format."""
    assert names.primary(AliasName(LONG, 0)) == "enxuiaior_0"
    assert names.primary(AliasName(LONG, 65535)) == "enxuiaior_65535"
    assert names.primary(AliasName("é" * 7, 0)).startswith("net")


@given(NAMES)
def test_primary_is_a_name_of_the_kernel(name: AliasName) -> None:
    """At most 15 bytes, without a colon, and the same each time."""
    primary = names.primary(name)
    names.check_device(primary)
    assert ":" not in primary
    assert names.primary(AliasName(name.main, name.slot)) == primary


@given(st.lists(NAMES, unique=True, max_size=20), st.lists(SLOTS, unique=True, max_size=5))
def test_primary_is_distinct(found: list[AliasName], slots: list[int]) -> None:
    """Distinct names have distinct primary names, those of long mains with near texts too."""
    near = [AliasName(main, slot) for main in (LONG, LONG[:-1] + "6", LONG[:-1]) for slot in slots]
    found = list({*found, *near})
    assert len({names.primary(name) for name in found}) == len(found)


@given(NAMES)
def test_split_primary_is_the_inverse(name: AliasName) -> None:
    """A primary name that was not abbreviated gives the name back."""
    primary = names.primary(name)
    if primary == f"{name.main}_{name.slot}":
        assert names.split_primary(primary) == name
    else:
        assert names.split_primary(primary) != name


@pytest.mark.parametrize("text", ["", "eth0", "_0", "eth0_", "eth0_x", "eth0_00", "eth0_65536"])
def test_split_primary_of_others(text: str) -> None:
    """What does not look like ours is None."""
    assert names.split_primary(text) is None


# Labels -------------------------------------------------------------------------------------


def test_label() -> None:
    """S21: the label is the name itself, up to 15 bytes."""
    assert names.label(AliasName("lo", 0)) == "lo:0"
    assert names.label(AliasName("a" * 13, 1)) == "a" * 13 + ":1"
    assert names.label(AliasName("é" * 6, 10)) == "é" * 6 + ":10"


@pytest.mark.parametrize("name", [AliasName("a" * 13, 10), AliasName("é" * 7, 0)])
def test_label_is_never_cut(name: AliasName) -> None:
    """S19: one byte too much is ENAMETOOLONG, with a way out."""
    with pytest.raises(errors.LimitError, match=r"16 *$") as caught:
        names.label(name)
    assert caught.value.errno == ENAMETOOLONG
    assert "macvlan" in caught.value.hint


def test_check_device() -> None:
    """What a main device may be called on the command line of a verb."""
    names.check_device("eth0")
    with pytest.raises(errors.BadName, match="is missing"):
        names.check_device("")
    with pytest.raises(errors.BadName, match="whole: 'a b' cannot be"):
        names.check_device("a b", "whole")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("007", 7),
        ("4294967295", 4294967295),
        ("42949672950", -1),
        ("", -1),
        ("-1", -1),
        ("+1", -1),
        (" 1", -1),
        ("1_0", -1),
        ("\N{ARABIC-INDIC DIGIT ONE}", -1),
        ("\N{SUPERSCRIPT TWO}", -1),
    ],
)
def test_numbers(text: str, value: int) -> None:
    """Only ASCII digits are a number, and no more of them than asked for."""
    assert names.number(text) == value
