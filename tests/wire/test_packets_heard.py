"""Frames as they come in: what is good is read as the specification reads it, nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from construct import ConstructError  # type: ignore[import-untyped]
from hypothesis import example, given
from hypothesis import strategies as st

from netalias import packets
from netalias.errors import PacketError
from netalias.packets.parse import Message, parse
from netalias.packets.spec import FRAME

MAC = bytes.fromhex("02000a0b0c0d")
OTHER = bytes.fromhex("02000a0b0cff")
IPV4 = bytes([192, 0, 2, 10])
IPV6 = bytes.fromhex("20010db8000000000000000000000010")
ALL_NODES = b"\xff\x02" + bytes(13) + b"\x01"
NODE = b"\xff\x02" + bytes(9) + b"\x01\xff" + IPV6[13:]
OPERATIONS = {"request": 1, "reply": 2, "solicitation": 135, "advertisement": 136}


def neighbour(kind: str, source: bytes, destination: bytes = ALL_NODES, **more: Any) -> bytes:
    """A solicitation or an advertisement from MAC, built by the specification."""
    message = {"type": kind, "flags": {}, "target": IPV6, "options": [], **more}
    payload = {"source": source, "destination": destination, "message": message}
    frame: bytes = FRAME.build(
        {"destination": bytes(6), "source": MAC, "type": "IPV6", "payload": payload}
    )
    return frame


def option(kind: int, mac: bytes = OTHER) -> dict[str, Any]:
    """A link-layer address option, or another of the same size."""
    return {"type": kind, "value": mac}


GOOD = {
    "probe": (packets.arp_probe(MAC, IPV4), Message(1, MAC, bytes(4), IPV4)),
    "request": (packets.arp_request(MAC, IPV4), Message(1, MAC, IPV4, IPV4)),
    "reply": (packets.arp_reply(MAC, IPV4), Message(2, MAC, IPV4, IPV4)),
    "padded": (packets.arp_reply(MAC, IPV4) + b"\x55" * 18, Message(2, MAC, IPV4, IPV4)),
    "advertisement": (packets.advertisement(MAC, IPV6), Message(136, MAC, IPV6, IPV6)),
    "padded advertisement": (
        packets.advertisement(MAC, IPV6) + b"\x55",
        Message(136, MAC, IPV6, IPV6),
    ),
    "without an option": (neighbour("advertisement", IPV6), Message(136, MAC, IPV6, IPV6)),
    "solicited": (
        neighbour("advertisement", IPV6, IPV6, flags={"solicited": True}, options=[option(2)]),
        Message(136, OTHER, IPV6, IPV6),
    ),
    "solicitation": (
        neighbour("solicitation", IPV6, NODE, options=[option(1)]),
        Message(135, OTHER, IPV6, IPV6),
    ),
    "probe of IPv6": (
        neighbour("solicitation", bytes(16), NODE),
        Message(135, MAC, bytes(16), IPV6),
    ),
    "probe with a nonce": (
        neighbour("solicitation", bytes(16), NODE, options=[option(14)]),
        Message(135, MAC, bytes(16), IPV6),
    ),
    "of two the first": (
        neighbour("advertisement", IPV6, options=[option(2), option(2, MAC)]),
        Message(136, OTHER, IPV6, IPV6),
    ),
    "priority tag": (
        packets.arp_reply(MAC, IPV4)[:12] + b"\x81\x00\xe0\x00" + packets.arp_reply(MAC, IPV4)[12:],
        Message(2, MAC, IPV4, IPV4),
    ),
}  # fmt: skip


def changed(frame: bytes, at: int, new: bytes) -> bytes:
    """*frame* with other bytes at an offset."""
    return frame[:at] + new + frame[at + len(new) :]


ARP = packets.arp_request(MAC, IPV4)
NA = packets.advertisement(MAC, IPV6)

BAD = {
    "nothing": (b"", "0 bytes where a header of Ethernet has 14"),
    "no payload": (ARP[:14], "0 bytes where ARP has 28"),
    "a byte short": (ARP[:-1], "27 bytes where ARP has 28"),
    "IPv4": (changed(ARP, 12, b"\x08\x00"), "neither ARP nor IPv6: Ethernet type 0x0800"),
    "another medium": (changed(ARP, 14, b"\x00\x06"), "other protocols than IPv4 over Ethernet"),
    "another family": (changed(ARP, 16, b"\x86\xdd"), "other protocols than IPv4 over Ethernet"),
    "a longer MAC": (changed(ARP, 18, b"\x08"), "other protocols than IPv4 over Ethernet"),
    "a shorter address": (changed(ARP, 19, b"\x00"), "other protocols than IPv4 over Ethernet"),
    "RARP": (changed(ARP, 20, b"\x00\x03"), "ARP operation 3"),
    "a VLAN": (ARP[:12] + b"\x81\x00\x00\x07" + ARP[12:], "tagged for VLAN 7"),
    "half a tag": (ARP[:12] + b"\x81\x00\x00\x00", "16 bytes where a tagged header has 18"),
    "two tags": (ARP[:12] + b"\x81\x00\x00\x00" * 2 + ARP[12:], "Ethernet type 0x8100"),
    "IPv6 short": (NA[:77], "63 bytes where neighbour discovery has 64"),
    "IPv6 too long": (NA[:-1], "a payload of 32 in 31 bytes"),
    "version": (changed(NA, 14, b"\x40"), "IP version 4"),
    "UDP": (changed(NA, 20, b"\x11"), "next header 17"),
    "a fragment": (changed(NA, 20, b"\x2c"), "next header 44"),
    "forwarded": (changed(NA, 21, b"\xfe"), "hop limit 254: it came through a router"),
    "echo": (changed(NA, 54, b"\x80"), "ICMPv6 type 128, code 0"),
    "code": (changed(NA, 55, b"\x01"), "ICMPv6 type 136, code 1"),
    "checksum": (changed(NA, 56, b"\x00\x00"), "wrong checksum"),
    "another address": (changed(NA, 77, b"\x11"), "wrong checksum"),
    "a payload below 24": (changed(NA, 18, b"\x00\x17"), "a payload of 23 in 32 bytes"),
    "solicited by nobody": (
        neighbour("advertisement", IPV6, flags={"solicited": True}),
        "a solicited advertisement to a multicast address",
    ),
    "probe with a MAC": (
        neighbour("solicitation", bytes(16), NODE, options=[option(1)]),
        "a probe with a link-layer address",
    ),
    "probe to all": (
        neighbour("solicitation", bytes(16)),
        "a probe that is not for a solicited-node address",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_is_good_is_read(name: str) -> None:
    """Operation, MAC, sender and target; padding, other options and a priority do not matter."""
    frame, expected = GOOD[name]
    assert parse(frame) == expected
    agreed(frame)


@pytest.mark.parametrize("name", BAD)
def test_what_is_bad_is_refused_with_its_reason(name: str) -> None:
    """Short, of another family, forwarded, with a wrong checksum, against the RFCs."""
    frame, reason = BAD[name]
    with pytest.raises(PacketError) as caught:
        parse(frame)
    assert reason in str(caught.value)
    agreed(frame)


def with_options(data: bytes) -> bytes:
    """A right advertisement whose options are *data*."""
    frame = NA[:78] + data
    frame = changed(frame, 18, (24 + len(data)).to_bytes(2, "big"))
    blank = changed(frame, 56, b"\x00\x00")
    from netalias.packets.spec import checksum, pseudo_header

    head = pseudo_header(blank[22:38], blank[38:54], 24 + len(data))
    return changed(blank, 56, checksum(head + blank[54:]).to_bytes(2, "big"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x02", "an option of one byte"),
        (b"\x02\x00" + MAC, "an option claims 0 of 8 bytes"),
        (b"\x02\x02" + MAC, "an option claims 16 of 8 bytes"),
        (b"\x02\x02" + MAC + bytes(8), "a link-layer address of 14 bytes"),
        (b"\x0e\x01" + MAC + b"\x02\x00", "an option claims 0 of 2 bytes"),
    ],
)
def test_options_that_lie_about_their_length_are_refused(data: bytes, reason: str) -> None:
    """Zero, over the end, not that of a MAC: with a right checksum, so nothing else saves us."""
    with pytest.raises(PacketError) as caught:
        parse(with_options(data))
    assert reason in str(caught.value)
    agreed(with_options(data))


def specified(frame: bytes) -> Message | None:
    """What the specification reads; None where it refuses."""
    try:
        found = FRAME.parse(frame)
    except ConstructError:
        return None
    if found.tag and found.tag.control.vlan:
        return None
    payload = found.payload
    if str(found.type) == "ARP":
        operation = OPERATIONS[str(payload.operation)]
        return Message(operation, payload.sender_mac, payload.sender, payload.target)
    message = payload.message
    operation = OPERATIONS[str(message.type)]
    macs = [one.value for one in message.options if int(one.type) == operation - 134]
    return Message(operation, macs[0] if macs else found.source, payload.source, message.target)


def agreed(frame: bytes) -> None:
    """The reader and the specification say the same; nothing but PacketError is ever raised."""
    try:
        read: Message | None = parse(frame)
    except PacketError:
        read = None
    assert read == specified(frame)


@given(st.binary(max_size=120))
@example(b"\x00" * 12 + b"\x81\x00")
def test_any_bytes_raise_nothing_but_the_error(data: bytes) -> None:
    """Random bytes, alone and behind a header that promises something."""
    agreed(data)
    for kind in (b"\x08\x06", b"\x86\xdd", b"\x81\x00\x00\x00\x08\x06"):
        agreed(bytes(12) + kind + data)


@given(
    st.sampled_from(sorted(GOOD)),
    st.lists(st.tuples(st.integers(0, 120), st.integers(1, 255)), max_size=3),
)
def test_a_changed_frame_is_read_as_the_specification_reads_it(
    name: str, changes: list[tuple[int, int]]
) -> None:
    """Up to three bytes of a good frame differ."""
    frame = bytearray(GOOD[name][0])
    for at, bits in changes:
        frame[at % len(frame)] ^= bits
    agreed(bytes(frame))


@given(st.binary(max_size=40))
def test_any_options_are_read_as_the_specification_reads_them(data: bytes) -> None:
    """Behind a right header and with a right checksum."""
    agreed(with_options(data))


@pytest.mark.parametrize("name", GOOD)
def test_a_frame_cut_at_each_byte(name: str) -> None:
    """Whatever is missing, it is the error, or what is left is whole."""
    frame = GOOD[name][0]
    for size in range(len(frame)):
        agreed(frame[:size])
