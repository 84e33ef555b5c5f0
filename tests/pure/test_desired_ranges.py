"""Ranges of slots and of addresses: their values, or BadName, BadAddress."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import errors
from netalias.desired import ranges
from netalias.families.inet import Inet
from netalias.families.inet6 import Inet6

TYPES = {4: Inet(), 6: Inet6()}
V4 = st.integers(1 << 24, (224 << 24) - 1).map(IPv4Address)
V6 = st.integers(1 << 120, (0xFF << 120) - 1).map(IPv6Address)


def addresses(word: str, count: int = 1) -> tuple[list[str], int | None]:
    """The texts of the addresses."""
    alias_type = TYPES[6 if ":" in word else 4]
    found, length = ranges.addresses(word, alias_type, count)
    return [alias_type.format(packed) for packed in found], length


def hosts(word: str) -> list[str]:
    alias_type = TYPES[6 if ":" in word else 4]
    return [alias_type.format(packed) for packed in ranges.hosts(word, alias_type)]


@pytest.mark.parametrize(
    ("text", "main", "expected"),
    [
        ("eth0:0", "eth0", range(0, 1)),
        ("eth0:65535", "eth0", range(65535, 65536)),
        ("eth0:007", "eth0", range(7, 8)),
        ("eth0:1-50", "eth0", range(1, 51)),
        ("eth0:5-5", "eth0", range(5, 6)),
        ("eth0:0-65535", "eth0", range(65536)),
        ("a-b:1-2", "a-b", range(1, 3)),
        ("br-0:1", "br-0", range(1, 2)),
    ],
)
def test_slots(text: str, main: str, expected: range) -> None:
    """One slot, or the first and the last; a dash in the name of the main means nothing."""
    assert ranges.slots(text) == (main, expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("eth0:1-", "does not delete"),
        ("eth0:", "the slot is missing"),
        ("eth0:-", "the slot is missing"),
        ("eth0:-5", "the slot is missing"),
        ("eth0:5-1", "ends before it begins"),
        ("eth0:1-2-3", "decimal number"),
        ("eth0:1-x", "decimal number"),
        ("eth0:x-2", "decimal number"),
        ("eth0:1-65536", "over the limit of 65535"),
        ("eth0:0:1-2", "an alias cannot have aliases"),
        (":1-2", "name of the main device is missing"),
        ("a/b:1-2", "cannot be the name of a device"),
        ("eth0", "not an alias name"),
        ("eth0:٣-٤", "decimal number"),
    ],
)
def test_bad_slots(text: str, words: str) -> None:
    """Each mistake has its sentence, and the whole word stands in front."""
    with pytest.raises(errors.BadName, match=words) as caught:
        ranges.slots(text)
    assert str(caught.value).startswith(f"{text}: ")


@pytest.mark.parametrize(
    ("word", "first", "last", "count", "length"),
    [
        ("10.0.0.1-50/32", "10.0.0.1", "10.0.0.50", 50, 32),
        ("10.0.0.1-50", "10.0.0.1", "10.0.0.50", 50, None),
        ("10.0.0.7-7/8", "10.0.0.7", "10.0.0.7", 1, 8),
        ("10.0.0.5-23/24", "10.0.0.5", "10.0.0.23", 19, 24),
        ("10.0.0.250-10.0.1.5", "10.0.0.250", "10.0.1.5", 12, None),
        ("2001:db8::1-ff/64", "2001:db8::1", "2001:db8::ff", 255, 64),
        ("2001:db8::fffe-2001:db8::1:1", "2001:db8::fffe", "2001:db8::1:1", 4, None),
        ("2001:db8:1-f::1/64", "2001:db8:1::1", "2001:db8:f::1", 15, 64),
        ("2001:db8:9-a:1::", "2001:db8:9:1::", "2001:db8:a:1::", 2, None),
        ("2001-2003::1", "2001::1", "2003::1", 3, None),
        ("2001:db8:7-7::1", "2001:db8:7::1", "2001:db8:7::1", 1, None),
        ("::ffff:1.2.3.4-9", "::ffff:1.2.3.4", "::ffff:1.2.3.9", 6, None),
        ("1.2.3.4/32,1.2.3.9/32", "1.2.3.4", "1.2.3.9", 2, 32),
        ("1.2.3.4-6,1.2.3.9/24", "1.2.3.4", "1.2.3.9", 4, 24),
        ("2001:db8::1-2,2001:db8:1::1", "2001:db8::1", "2001:db8:1::1", 3, None),
    ],
)
def test_addresses(word: str, first: str, last: str, count: int, length: int | None) -> None:
    """Every form of a range, and lists of them."""
    found, said = addresses(word)
    assert (found[0], found[-1], len(found), said) == (first, last, count, length)


def test_a_group_counts_alone() -> None:
    """The group with the range counts up; the groups after it stay."""
    assert addresses("2001:db8:9-b::5")[0] == [
        "2001:db8:9::5", "2001:db8:a::5", "2001:db8:b::5",
    ]  # fmt: skip


def test_a_list_keeps_its_order() -> None:
    """Slots pair up with addresses as they are written."""
    assert addresses("1.2.3.9,1.2.3.4-6")[0] == ["1.2.3.9", "1.2.3.4", "1.2.3.5", "1.2.3.6"]


def test_counting() -> None:
    """``+`` counts as far as there are slots, over the border of a number or a group."""
    assert addresses("10.0.0.255/32+", 3) == (["10.0.0.255", "10.0.1.0", "10.0.1.1"], 32)
    assert addresses("2001:db8::ffff+", 2) == (["2001:db8::ffff", "2001:db8::1:0"], None)
    assert addresses("10.0.0.1+", 1) == (["10.0.0.1"], None)


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("10.0.0.50-1", "ends before it begins"),
        ("10.0.0.1-256", "not an IPv4 address"),
        ("10.0.0.1-", "the range has no end"),
        ("-10.0.0.1", "the range has no beginning"),
        ("10.0.0.1-2-3", "not an IPv4 address"),
        ("10.0.0-3.5", "not an IPv4 address"),
        ("10.0.0.1-2::5", "not an IPv6 address"),
        ("-5::1", "the range has no beginning"),
        ("1:2:3:4:5:6:7-:8", "not a range of IPv6"),
        ("10.0.0.1,", "an address is missing"),
        (",", "an address is missing"),
        ("10.0.0.1-5/33", "from 0 to 32"),
        ("10.0.0.1-5/", "from 0 to 32"),
        ("10.0.0.1/24,10.0.0.2/25", "one prefix length"),
        ("223.255.255.250-224.0.0.5", "multicast"),
        ("10.0.0.1-11.0.0.1", "more than 65536"),
        ("0.0.0.0-5", "zero cannot be"),
        ("1.2.3.4,0.0.0.0", "zero cannot be"),
        ("0.0.0.0+", "zero cannot be"),
        ("255.255.255.255+", "past the last address"),
        ("10.0.0.1++", "not an IPv4 address"),
        ("10.0.0.1-5+", "not an IPv4 address"),
        ("10.0.0.1,10.0.0.2+", "not an IPv4 address"),
        ("10.0.0.0-10.0.255.255,11.0.0.1", "more than 65536"),
        ("2001:db8::5-1", "ends before it begins"),
        ("2001:db8::1-g", "not an IPv6 address"),
        ("2001:db8::1-+f", "not an IPv6 address"),
        ("2001:db8::1-0x2", "not an IPv6 address"),
        ("2001:db8:1-12345::1", "not an IPv6 address"),
        ("2001:db8:f-1::1", "ends before it begins"),
        ("2001:db8:-1::1", "not a range of IPv6"),
        ("fe00-ff01::1", "multicast"),
        ("2001:db8::1-2001:db9::1", "more than 65536"),
        ("::1,::", "unspecified"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff+", "multicast"),
    ],
)  # fmt: skip
def test_bad_addresses(word: str, words: str) -> None:
    """A word that is no range is a BadAddress; no range is expanded before its size is checked."""
    with pytest.raises(errors.BadAddress, match=words):
        addresses(word, 2)


@pytest.mark.parametrize("word", ["223.255.255.255+", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff+"])
def test_counting_ends_before_multicast(word: str) -> None:
    """Not only the first address is checked."""
    assert len(addresses(word, 1)[0]) == 1
    with pytest.raises(errors.BadAddress, match="multicast"):
        addresses(word, 2)


@pytest.mark.parametrize(
    ("word", "first", "last", "count"),
    [
        ("10.1.0.0/24", "10.1.0.1", "10.1.0.254", 254),
        ("10.1.0.4/30", "10.1.0.5", "10.1.0.6", 2),
        ("10.1.0.4/31", "10.1.0.4", "10.1.0.5", 2),
        ("10.1.0.4/32", "10.1.0.4", "10.1.0.4", 1),
        ("10.1.0.0/16", "10.1.0.1", "10.1.255.254", 65534),
        ("2001:db8::/120", "2001:db8::1", "2001:db8::ff", 255),
        ("2001:db8::/127", "2001:db8::", "2001:db8::1", 2),
        ("2001:db8::7/128", "2001:db8::7", "2001:db8::7", 1),
    ],
)
def test_hosts(word: str, first: str, last: str, count: int) -> None:
    """The hosts of a network are those that ipaddress has."""
    found = hosts(word)
    assert (found[0], found[-1], len(found)) == (first, last, count)
    assert found == [str(one) for one in ip_network(word).hosts()]


@pytest.mark.parametrize(
    ("word", "words", "hint"),
    [
        ("10.1.0.0", "a prefix length is needed", ""),
        ("10.1.0.5/24", "not the address of a network", "the network is 10.1.0.0/24"),
        ("2001:db8::1/64", "not the address of a network", "the network is 2001:db8::/64"),
        ("10.0.0.0/8", "more than 65536", ""),
        ("2001:db8::/64", "more than 65536", ""),
        ("224.0.0.0/24", "multicast", ""),
        ("10.1.0.0-5/24", "not an IPv4 address", ""),
    ],
)
def test_bad_network(word: str, words: str, hint: str) -> None:
    """A network has a length, its own address, and no more hosts than there are slots."""
    with pytest.raises(errors.BadAddress, match=words) as caught:
        hosts(word)
    assert caught.value.hint == hint


@given(V4 | V6, st.integers(1, 300))
def test_forms_agree(first: IPv4Address | IPv6Address, count: int) -> None:
    """First and last, counting, and a list of all stand for the same addresses."""
    last = ip_address(int(first) + count - 1) if first.version == 4 else first + count - 1
    if last.is_multicast:
        return
    every = [str(first + step) for step in range(count)]
    assert addresses(f"{first}-{last}/17", count) == (every, 17)
    assert addresses(f"{first}/17+", count) == (every, 17)
    assert addresses(",".join(every) + "/17", count) == (every, 17)


@given(st.from_regex(r"[0-9a-f:.,+/-]{1,30}", fullmatch=True) | st.text(max_size=12))
def test_any_word(word: str) -> None:
    """Any word is addresses that an alias can have, or a BadAddress."""
    for alias_type in TYPES.values():
        for work in (
            lambda one: ranges.addresses(word, one, 3)[0],
            lambda one: ranges.hosts(word, one),
        ):
            try:
                found = work(alias_type)
            except errors.BadAddress:
                continue
            assert 0 < len(found) <= ranges.LIMIT
            for packed in found:
                assert alias_type.parse(alias_type.format(packed)) == (packed, None)
