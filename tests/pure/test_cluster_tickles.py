"""Connections that hosts of a cluster tell one another: bounded, fair, and any bytes survived."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.cluster.tickles import (
    CONNECTIONS,
    INTERVAL,
    VALUE_MAX,
    Published,
    decode,
    encode,
    key,
)
from netalias.model.connections import Connection

A, B, SIX = b"\x0a\0\0\1", b"\x0a\0\0\2", b"\x20\1\x0d\xb8" + bytes(11) + b"\1"
PEER, PEER_SIX = b"\xc0\0\2\x09", b"\x20\1\x0d\xb8\xff" + bytes(10) + b"\2"
ports = st.integers(1, 65535)
connections = st.one_of(
    st.builds(Connection, st.sampled_from((A, B)), ports, st.binary(min_size=4, max_size=4), ports),
    st.builds(Connection, st.just(SIX), ports, st.binary(min_size=16, max_size=16), ports),
)


@given(st.lists(connections, max_size=30))
def test_there_and_back(known: list[Connection]):
    """A taker finds the connections of the addresses that it takes, and of no others."""
    value = encode(known)
    assert set(decode(value, {A, B, SIX})) == set(known)
    assert set(decode(value, {B})) == {one for one in known if one.address == B}


def test_the_form_of_the_value():
    """Texts that people can read, too; equal sets give equal bytes."""
    known = [Connection(SIX, 443, PEER_SIX, 5), Connection(A, 80, PEER, 4711)]
    value = encode(known)
    assert json.loads(value) == {
        "connections": {
            "10.0.0.1:80": ["192.0.2.9:4711"],
            "[2001:db8::1]:443": ["[2001:db8:ff00::2]:5"],
        },
        "more": 0,
    }
    assert encode([*reversed(known), known[0]]) == value
    assert key("/netalias", "alpha") == "/netalias/v1-connections/alpha"


@pytest.mark.parametrize(("own", "peer"), [(A, PEER), (SIX, PEER_SIX)])
def test_no_more_than_fit(own: bytes, peer: bytes):
    """One busy port leaves room for the connections of the others, and what is left out is
    counted."""
    busy = [
        Connection(own, 80, peer[:-2] + number.to_bytes(2, "big"), 10_000 + number % 50_000)
        for number in range(3 * CONNECTIONS)
    ]
    rare = [Connection(own, 22, peer, number) for number in range(1, 11)]
    value = encode(busy + rare)
    assert len(value) <= VALUE_MAX
    found = decode(value, {own})
    assert Counter(one.port for one in found) == {80: CONNECTIONS - 10, 22: 10}
    assert json.loads(value)["more"] == 2 * CONNECTIONS + 10


@given(st.binary(max_size=200))
def test_any_bytes(value: bytes):
    """Whatever somebody has written into the store."""
    assert decode(value, {A}) == []


@pytest.mark.parametrize(
    "fields",
    [
        [],
        {"connections": []},
        {"connections": {"10.0.0.1:80": {}}},
        {
            "connections": {
                "10.0.0.1:80": [7, None, "x", "[::1]:5", "192.0.2.9:0", "192.0.2.9:70000"]
            }
        },
        {"connections": {"10.0.0.1:": ["192.0.2.9:5"], "10.0.0.1:\u0661": ["192.0.2.9:5"]}},
        {"connections": {"[10.0.0.1]:80": ["192.0.2.9:5"], ":80": ["192.0.2.9:5"]}},
        {"connections": {"10.0.0.1\u0000:80": ["192.0.2.9:5"]}},
    ],
)
def test_what_is_no_connection(fields: object):
    """JSON of another form is left out, piece by piece."""
    assert decode(json.dumps(fields).encode(), {A}) == []


def test_a_value_that_is_too_long():
    """It is not read, and one with too many connections only in part."""
    many = [f"192.0.2.{one % 256}:{one + 1}" for one in range(4 * CONNECTIONS)]
    value = json.dumps({"connections": {"10.0.0.1:80": many}}).encode()
    assert len(decode(value, {A})) == CONNECTIONS
    assert decode(value + b" " * VALUE_MAX, {A}) == []
    assert decode(b"[" * VALUE_MAX, {A}) == []


def test_put_only_if_changed():
    """Collected after INTERVAL seconds, put if it differs; again after a failure."""
    published, known = Published(), [Connection(A, 80, PEER, 5)]
    assert published.due(100.0) == 0
    value = published.collected(100.0, known)
    assert value == encode(known)
    assert published.due(101.0) == INTERVAL - 1
    assert published.collected(110.0, known) == b""
    published.failed()
    assert published.collected(120.0, known) == value
    assert published.collected(130.0, []) == encode([])
