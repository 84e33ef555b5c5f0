"""Every reader of what the kernel or a peer sends comes to an end, and fails by its own error.

A reader that does not advance is stopped by a count of the lines that it executes, not by a clock.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from wire_cases import few

from netalias.errors import PacketError, WireError
from netalias.kernel import netlink
from netalias.kernel.netlink import (
    codec,
    ethtool,
    fingerprint,
    layouts,
    monitor,
    neighbours,
    routes,
    rules,
)
from netalias.model import AF_INET, AF_INET6, PROTOCOL
from netalias.packets import parse

LINES = 400
"""Lines of code that one byte of input may take, and as many for the call."""


def ended(read: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a reader, None after its own error. Fails where it takes too many lines."""
    size = max(len(one) for one in arguments if isinstance(one, bytes))
    left = LINES * (size + 1)

    def counting(frame: FrameType, what: str, _: object) -> Any:
        nonlocal left
        left -= what == "line"
        assert left > 0, f"{frame.f_code.co_name} does not come to an end"
        return counting

    before = sys.gettrace()
    sys.settrace(counting)
    try:
        found = read(*arguments)
        return list(found) if isinstance(found, Iterator) else found
    except (WireError, PacketError):
        return None
    finally:
        sys.settrace(before)


def twice(make: Callable[[], Any]) -> Callable[[bytes, int, int], Any]:
    """A reader by layouts, which makes one of the second message of a length."""

    def read(data: bytes, start: int, end: int) -> Any:
        reader = make()
        reader(data, start, end)
        reader(data, start, end)
        return reader(data, start, end)

    return read


def media(data: bytes, start: int, end: int) -> Any:
    """The reader of announcements of ethtool, without its socket."""
    found = ethtool.Media.__new__(ethtool.Media)
    found._family = 21
    return found._words((21, 0, 0, data, start, end))


def lasting(data: bytes, start: int, end: int) -> Any:
    """What the digest of a dump leaves out, with this body in it."""
    body = data[start:end]
    fingerprint._lifetimes(body, 8, len(body))
    links = codec.HEADER.pack(16 + len(body), codec.RTM_NEWLINK, 0, 1, 0) + body
    return list(fingerprint.link_runs(links + bytes(-len(links) % 4), {}))


READERS: dict[str, Callable[[bytes, int, int], Any]] = {
    "attributes": codec.attributes,
    "spans": codec.spans,
    "link": codec.read_link,
    "address": codec.read_address,
    "links by layout": twice(layouts.links),
    "addresses by layout": twice(layouts.addresses),
    "digest": lasting,
    "connected": routes.read_connected,
    "rule": rules.read_rule,
    "ways": rules.read_ways,
    "default": rules.read_default,
    "proxy": neighbours.read_proxy,
    "delay": neighbours.read_delay,
    "settings": neighbours.read_settings,
    "route": neighbours.read_route,
    "media": media,
    "acknowledgement": lambda data, start, end: netlink.read_error(data, 0x200, start, end),
    "done": netlink.read_done,
    **{f"announcement {kind}": reader for kind, reader in monitor.READERS.items()},
}

HEADS = (
    codec.ifinfo(7) + codec.attr_text(codec.IFLA_IFNAME, "eth0_0"),
    codec.IFADDR.pack(AF_INET, 24, 0, 0, 7) + codec.attr(codec.IFA_LOCAL, bytes(4)),
    codec.IFADDR.pack(AF_INET6, 64, 0, 0, 7) + codec.attr(codec.IFA_LOCAL, bytes(16)),
    codec.RTMSG.pack(AF_INET, 0, 0, 0, 254, PROTOCOL, 0, 1, 0),
    codec.RTMSG.pack(AF_INET6, 0, 0, 0, 254, 2, 0, 1, 0),
    bytes((2, 1, 0, 0)),
    b"",
)
"""Beginnings of bodies with which readers go on to the attributes."""

lengths = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 0x7FFF, 0xFFFF])
kinds = st.sampled_from([1, 2, 3, 6, 8, 9, 11, 18, 20, 22, 23, 26, 27, 52, 53]) | st.integers(0, 70)
wrong = st.builds(
    lambda length, kind, flags, rest: struct.pack("=HH", length, kind | flags) + rest,
    lengths,
    kinds,
    st.sampled_from([0, codec.NLA_F_NESTED]),
    st.binary(max_size=12),
)
right = st.builds(codec.attr, kinds, st.binary(max_size=24))


def nested(inside: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Attributes that hold what is drawn from *inside*."""
    return st.builds(codec.attr, kinds, st.lists(inside, max_size=3).map(b"".join))


attributes = st.recursive(wrong | right, nested, max_leaves=5)
bodies = st.builds(
    lambda head, parts: head + b"".join(parts),
    st.sampled_from(HEADS),
    st.lists(attributes, max_size=4),
) | st.binary(max_size=120)


@few
@given(body=bodies)
def test_a_body_of_any_lengths(body: bytes) -> None:
    """Attributes, at any depth, that claim nothing or more than there is.

    All readers are given the same bodies, since to draw one takes longer than to read it.
    """
    for name, reader in READERS.items():
        note(name)
        ended(reader, body, 0, len(body))
        shifted = b"\xff\xff" + body + b"\0\0\0\0"
        ended(reader, shifted, 2, 2 + len(body))


CONTAINERS = (
    (codec.IFLA_LINKINFO,),
    (codec.IFLA_LINKINFO, codec.IFLA_INFO_DATA),
    (codec.IFLA_AF_SPEC,),
    (codec.IFLA_AF_SPEC, AF_INET),
    (codec.IFLA_PROP_LIST,),
    (codec.RTA_MULTIPATH,),
    (3,),  # NDTA_PARMS of a neighbour table
    (1,),
)


@pytest.mark.parametrize("name", READERS)
def test_a_wrong_length_inside(name: str) -> None:
    """The same by hand, in every container that is read, also in the last bytes of a message."""
    for path in CONTAINERS:
        for length in (0, 1, 3, 5, 0xFFFF):
            ended_inside(name, path, length)


def ended_inside(name: str, path: tuple[int, ...], length: int) -> None:
    """With this length in this container."""
    for tail in (b"", bytes(8)):
        inside = struct.pack("=HH", length, 1) + tail
        for kind in reversed(path):
            inside = codec.attr(kind, inside)
        for head in HEADS:
            body = head + inside
            ended(READERS[name], body, 0, len(body))


@pytest.mark.parametrize("length", [0, 1, 3, 0xFFFF])
def test_the_readers_of_a_digest_fail(length: int) -> None:
    """They read what nobody decodes in a run that finds all as before: no guess, and no index
    behind the end."""
    bad = struct.pack("=HH", length, codec.IFA_PROTO)
    address = codec.IFADDR.pack(AF_INET, 24, 0, 0, 7) + bad
    with pytest.raises(WireError):
        fingerprint._lifetimes(address, 8, len(address))
    link = codec.message(codec.RTM_NEWLINK, 0, 1, codec.ifinfo(7) + bad)
    with pytest.raises(WireError):
        list(fingerprint.link_runs(link, {}))


def test_a_mark_without_a_value() -> None:
    """An empty IFA_PROTO at the end of a dump is no mark, and no index behind the end."""
    address = codec.IFADDR.pack(AF_INET, 24, 0, 0, 7) + codec.attr(codec.IFA_PROTO, b"")
    assert fingerprint._lifetimes(address, 8, len(address)) == 0


def test_a_next_hop_behind_the_end() -> None:
    """It is refused like one of no length, and not taken for a device."""
    hops = struct.pack("=HBBi", 24, 0, 0, 7)
    body = codec.RTMSG.pack(AF_INET, 0, 0, 0, 254, 2, 0, 1, 0) + codec.attr(9, hops)
    with pytest.raises(WireError):
        monitor.READERS[codec.RTM_NEWROUTE](body, 0, len(body))


options = st.lists(
    st.builds(lambda kind, size, rest: bytes((kind, size)) + rest, st.integers(0, 3),
              st.integers(0, 3) | st.just(255), st.binary(max_size=10)),
    max_size=4,
).map(b"".join)  # fmt: skip


@few
@given(options)
def test_options_of_any_lengths(found: bytes) -> None:
    """Those of neighbour discovery (RFC 4861, 4.6): one of no length would never end."""
    ended(parse._options, b"\0" * 14 + found, 14, 14 + len(found))


@few
@given(st.binary(max_size=120))
def test_frames(frame: bytes) -> None:
    """Whatever came over the wire, also with the head of a message of neighbour discovery."""
    ended(parse.parse, frame)
    head = b"\0" * 12 + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(frame), 58, 255)
    ended(parse.parse, head + bytes(32) + frame)


@few
@given(bodies)
def test_datagrams(data: bytes) -> None:
    """Headers of messages, with lengths of any size."""
    ended(netlink.messages, data)
    ended(netlink.messages, struct.pack("=IHHII", len(data), 16, 0, 1, 0) + data)
