"""Network arithmetic: a table, and the module ipaddress of the standard library as an oracle."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.model.prefix import broadcast, contains, network

TABLE = (
    ("192.0.2.77", 24, "192.0.2.0", "192.0.2.255"),
    ("192.0.2.77", 26, "192.0.2.64", "192.0.2.127"),
    ("192.0.2.77", 30, "192.0.2.76", "192.0.2.79"),
    ("192.0.2.77", 31, "192.0.2.76", None),
    ("192.0.2.77", 32, "192.0.2.77", None),
    ("192.0.2.77", 0, "0.0.0.0", "255.255.255.255"),
    ("2001:db8::77", 64, "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"),
    ("2001:db8::77", 127, "2001:db8::76", None),
    ("2001:db8::77", 128, "2001:db8::77", None),
    ("2001:db8::77", 0, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
)
"""Address, prefix length, first and last address of the network."""

ADDRESSES = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))


def packed(text: str) -> bytes:
    """The address as bytes in network order."""
    return ip_address(text).packed


def oracle(address: bytes, prefixlen: int) -> IPv4Network | IPv6Network:
    """The network as the standard library has it."""
    return ip_network((address, prefixlen), strict=False)


@pytest.mark.parametrize(("address", "prefixlen", "first", "last"), TABLE)
def test_first_and_last_address(address: str, prefixlen: int, first: str, last: str | None) -> None:
    """The host bits are cleared, or set; a network of one or two has no broadcast address."""
    assert network(packed(address), prefixlen) == packed(first)
    assert broadcast(packed(address), prefixlen) == (packed(last) if last else b"")


@pytest.mark.parametrize(
    ("place", "prefixlen", "address", "inside"),
    [
        ("10.0.0.0", 24, "10.0.0.255", True),
        ("10.0.0.7", 24, "10.0.0.255", True),
        ("10.0.0.0", 24, "10.0.1.0", False),
        ("10.0.0.0", 32, "10.0.0.1", False),
        ("0.0.0.0", 0, "255.255.255.255", True),
        ("2001:db8::", 32, "2001:db8:ffff::1", True),
        ("2001:db8::", 32, "2001:db9::1", False),
        ("::", 0, "10.0.0.1", False),
        ("0.0.0.0", 0, "::", False),
    ],
)
def test_a_network_contains_its_addresses(
    place: str, prefixlen: int, address: str, inside: bool
) -> None:
    """Any address of the network stands for it; no family contains another."""
    assert contains(packed(place), prefixlen, packed(address)) is inside


@given(address=ADDRESSES, other=ADDRESSES, data=st.data())
def test_the_standard_library_agrees(address: bytes, other: bytes, data: st.DataObject) -> None:
    """Network, broadcast and membership are those of ipaddress, for any length."""
    prefixlen = data.draw(st.integers(0, len(address) * 8))
    expected = oracle(address, prefixlen)
    assert network(address, prefixlen) == expected.network_address.packed
    last = expected.broadcast_address.packed if expected.num_addresses > 2 else b""
    assert broadcast(address, prefixlen) == last
    assert contains(address, prefixlen, other) == (ip_address(other) in expected)
    assert contains(network(address, prefixlen), prefixlen, address)
