"""The inner sources that a relay takes from its tunnel: those of its prefixes, however many."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from test_tunnel_duties import End

from netalias.tunnels import counters

TEXT = ("198.51.100.7", "10.0.0.0/30", "2001:db8::/64", "2001:db8:1::7")
FINE = ["198.51.100.7", "10.0.0.0", "10.0.0.3", "2001:db8::", "2001:db8::ffff:0:0:1",
        "2001:db8:1::7"]  # fmt: skip
WRONG = ["198.51.100.8", "10.0.0.4", "9.255.255.255", "0.0.0.0", "2001:db8:0:1::",
         "2001:db8:1::8", "::", "::198.51.100.7", "::ffff:198.51.100.7"]  # fmt: skip


def verdict(end: End, source: str) -> int:
    """What becomes of a packet from there: 0, or a counter."""
    packed = ip_address(source).packed
    if len(packed) == 4:
        packet = b"\x45\0\0\x14\0\0\0\0\x40\x11\0\0" + packed + bytes(4)
    else:
        packet = b"\x60\0\0\0\0\0\x11\x40" + packed + bytes(16)
    return end.duties.incoming(memoryview(bytearray(packet)), 0, False, ("203.0.113.9", 0))


def test_prefixes_of_both_families() -> None:
    """Nobody speaks through a relay in the name of others."""
    end = End(sources=TEXT)
    assert {one: verdict(end, one) for one in FINE} == dict.fromkeys(FINE, 0)
    assert {one: verdict(end, one) for one in WRONG} == dict.fromkeys(WRONG, counters.SOURCE)


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1))
def test_as_the_library_has_it(number: int, length: int, source: int) -> None:
    """The ipaddress of Python is the judge of membership."""
    network = ip_network((number, length), strict=False)
    said = verdict(End(sources=(str(network),)), str(ip_address(source)))
    assert said == (0 if ip_address(source) in network else counters.SOURCE)


def test_many_prefixes_take_no_more_steps() -> None:
    """All of one length are one step: the relay of hundreds of hosts is as quick as that of one."""
    some = tuple(f"10.0.{number >> 8}.{number & 255}" for number in range(1000))
    end = End(sources=some)
    assert [len(found) for found in end.duties._sources.values()] == [1]
    assert verdict(end, "10.0.3.231") == 0
    assert verdict(end, "10.0.3.232") == counters.SOURCE
