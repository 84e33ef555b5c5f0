"""Tickles and connections as bytes: scapy judges the packets, the layouts are written here."""

from __future__ import annotations

import struct
from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.errors import WireError
from netalias.kernel.netlink import connections as sockets
from netalias.model import AF_INET, AF_INET6
from netalias.model.connections import Connection
from netalias.nat import connections as tracking
from netalias.packets.tickle import tickle

inet = pytest.importorskip("scapy.layers.inet")
inet6 = pytest.importorskip("scapy.layers.inet6")

ENDS = {
    AF_INET: ("10.0.0.1", "192.0.2.9"),
    AF_INET6: ("2001:db8::1", "2001:db8:ff::2"),
}
FAMILIES = pytest.mark.parametrize("family", [AF_INET, AF_INET6], ids=["inet", "inet6"])


def connection(family: int) -> Connection:
    own, peer = (ip_address(text).packed for text in ENDS[family])
    return Connection(own, 80, peer, 4711)


@FAMILIES
def test_a_tickle(family: int):
    """An empty ACK of our end, with the numbers 0 and the right checksum."""
    packet = tickle(connection(family))
    layer = inet.IP if family == AF_INET else inet6.IPv6
    parsed = layer(packet)
    assert (parsed.src, parsed.dst) == ENDS[family]
    segment = parsed[inet.TCP]
    assert (segment.sport, segment.dport, segment.flags, segment.seq, segment.ack) == (
        80, 4711, "A", 0, 0,
    )  # fmt: skip
    assert not segment.payload
    del segment.chksum
    assert bytes(layer(bytes(parsed))) == packet


def attribute(kind: int, payload: bytes) -> bytes:
    """struct nlattr and its payload, aligned."""
    head = struct.pack("=HH", 4 + len(payload), kind)
    return head + payload + bytes(-len(payload) % 4)


def entry(family: int, protocol: int = 6, state: int = 3) -> bytes:
    """A message of conntrack, behind its header (linux/netfilter/nfnetlink_conntrack.h)."""
    own, peer = (ip_address(text).packed for text in ENDS[family])
    first = 1 if family == AF_INET else 3
    addresses = attribute(first, peer) + attribute(first + 1, own)
    layer = attribute(1, bytes([protocol])) + attribute(2, b"\x12\x67") + attribute(3, b"\0\x50")
    opened = attribute(0x8001, addresses) + attribute(0x8002, layer)
    info = attribute(0x8001, attribute(1, bytes([state])))
    return bytes([family, 0, 0, 0]) + attribute(0x8001, opened) + attribute(0x8004, info)


@FAMILIES
def test_a_tracked_connection(family: int):
    """The one who opened it is the peer; what is not TCP, or not established, is none."""
    data = entry(family)
    assert tracking.read(data, 0, len(data), family) == connection(family)
    for other in (entry(family, protocol=17), entry(family, state=7)):
        assert tracking.read(other, 0, len(other), family) is None


@FAMILIES
def test_a_tracked_connection_that_is_cut(family: int):
    """A part of an entry is an error or no connection, never another one."""
    data = entry(family)
    for end in range(4, len(data), 4):
        try:
            found = tracking.read(data[:end], 0, end, family)
        except WireError:
            continue
        assert found in (None, connection(family))


def socket_of(family: int, own: bytes, peer: bytes) -> bytes:
    """struct inet_diag_msg (linux/inet_diag.h)."""
    head = struct.pack("=BBBB", family, 1, 0, 0) + struct.pack("!HH", 80, 4711)
    return head + own.ljust(16, b"\0") + peer.ljust(16, b"\0") + bytes(4 + 8 + 5 * 4)


@FAMILIES
def test_a_socket(family: int):
    """The local end first; an IPv4 connection of an IPv6 socket is one of IPv4."""
    wanted = connection(family)
    data = socket_of(family, wanted.address, wanted.peer)
    assert sockets.read(b"...." + data, 4, 4 + len(data)) == wanted
    if family == AF_INET:
        mapped = [bytes(10) + b"\xff\xff" + one for one in (wanted.address, wanted.peer)]
        data = socket_of(AF_INET6, *mapped)
        assert sockets.read(data, 0, len(data)) == wanted


@pytest.mark.parametrize(
    "read", [sockets.read, lambda *where: tracking.read(*where, AF_INET)], ids=["socket", "entry"]
)
@given(data=st.binary(max_size=120))
def test_any_bytes(read: Callable[[bytes, int, int], object], data: bytes):
    """Nothing but a WireError."""
    try:
        read(data, 0, len(data))
    except WireError:
        pass
