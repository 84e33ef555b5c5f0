"""The format of fingerprints: which readings are recognised, and that nothing else is."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from netalias import kernel, recognition
from netalias.kernel.netlink import GET_LOCAL_ROUTES, codec, numbered, routes
from netalias.model import AF_INET, AF_INET6
from netalias.recognition import ADDRESSES, LINKS, LOCAL_ROUTES, ROUTES, ROUTES6

if TYPE_CHECKING:
    from netalias.recognition import Run

RUNS: list[Run] = [(3, 12, ((4, 8),)), (5, 1, ()), (2, 8, ((0, 2), (6, 8)))]
SIZE = sum(count * length for count, length, _ in RUNS)
KEPT = [
    *(12 * message + byte for message in range(3) for byte in (0, 1, 2, 3, 8, 9, 10, 11)),
    *range(36, 41),
    *(41 + 8 * message + byte for message in range(2) for byte in (2, 3, 4, 5)),
]
"""Offsets of the bytes that are in no hole of RUNS."""

readings = st.binary(min_size=SIZE, max_size=SIZE)


def made(data: bytes, *, routed: bool = False) -> bytes:
    """The fingerprint of a reading."""
    return recognition.fingerprint(b"salt", RUNS, 7, [data], routed=routed)


def lasting(data: bytes) -> bytes:
    """The bytes in no hole, one by one."""
    return bytes(data[at] for at in KEPT)


def test_the_requests_are_those_of_the_codec() -> None:
    """What is asked without the codec is what is decoded otherwise."""
    assert (
        codec.get_links(LINKS),
        codec.get_addresses(ADDRESSES, 0),
        numbered(GET_LOCAL_ROUTES, LOCAL_ROUTES),
    ) == recognition.REQUESTS
    assert (
        routes.get_connected(ROUTES, AF_INET),
        routes.get_connected(ROUTES6, AF_INET6),
    ) == recognition.ROUTE_REQUESTS


def test_the_sysctls_are_those_of_plans() -> None:
    """The salt covers every sysctl of all devices that a plan depends on."""
    assert recognition.COMMON == kernel.COMMON


@given(readings, readings)
def test_equal_where_all_that_lasts_is_equal(one: bytes, other: bytes) -> None:
    """And only there."""
    assert recognition.matches(made(one), 7, [other]) == (lasting(one) == lasting(other))


@given(readings, st.integers(0, SIZE - 1), st.integers(1, 255))
def test_one_byte_that_changes(data: bytes, place: int, change: int) -> None:
    """It is seen wherever it is in no hole."""
    other = bytearray(data)
    other[place] ^= change
    assert recognition.matches(made(data), 7, [other]) == (place not in KEPT)


def test_datagrams_may_end_behind_any_message() -> None:
    """The kernel fills larger buffers once it knows that they are read."""
    data = bytes(range(SIZE))
    for cuts in ((12, 24), (36,), (12, 38, 49), (24, 36, 37, 41)):
        edges = [0, *cuts, SIZE]
        parts = [data[low:high] for low, high in pairwise(edges)]
        assert recognition.matches(made(data), 7, parts)
    assert not recognition.matches(made(data), 7, [data[:6], data[6:]])


def test_more_or_less_is_something_else() -> None:
    """A reading that ends early, goes on, or is empty."""
    data = bytes(SIZE)
    for other in ([], [data[:-8]], [data, bytes(8)], [data[:36]]):
        assert not recognition.matches(made(data), 7, other)


def test_what_is_beside_the_dumps_counts() -> None:
    """The namespace, and whether there were routes."""
    data = bytes(SIZE)
    assert not recognition.matches(made(data), 8, [data])
    assert made(data, routed=True)[0:1] == recognition.ROUTED
    assert not recognition.matches(recognition.UNROUTED + made(data, routed=True)[1:], 7, [data])


def test_a_salt_is_known_without_a_reading() -> None:
    """Other files, other options: nobody asks the kernel."""
    found = made(bytes(SIZE))
    assert recognition.has_salt(found, b"salt")
    assert not recognition.has_salt(found, b"pepper")
    assert not recognition.recognised(found, b"pepper")


def test_runs_that_do_not_fit_have_no_fingerprint() -> None:
    """It would recognise nothing."""
    assert recognition.fingerprint(b"salt", RUNS, 7, [bytes(SIZE - 1)], routed=False) == b""


@given(st.binary(max_size=200))
def test_any_bytes_are_no_fingerprint(before: bytes) -> None:
    """What was cut short or is of another version is refused without an error."""
    data = bytes(SIZE)
    assert not recognition.matches(before, 7, [data])
    assert not recognition.matches(made(data)[: recognition.HEAD] + before, 7, [data])
    assert not recognition.matches(made(data) + before[:1] + b"x", 7, [data])


@given(st.lists(st.integers(0, 1 << 32 - 1), max_size=12))
def test_any_runs_are_no_fingerprint(numbers: list[int]) -> None:
    """Neither one of huge numbers nor holes outside of their messages."""
    head = made(bytes(SIZE))[: recognition.HEAD] + struct.pack(f"={len(numbers)}I", *numbers)
    assert not recognition.matches(head + bytes(recognition.DIGEST_SIZE), 7, [bytes(SIZE)])
