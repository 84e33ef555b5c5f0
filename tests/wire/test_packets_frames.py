"""Frames as they are sent: held to the specification, and to scapy as an independent reading."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import packets
from netalias.packets.spec import FRAME

# Nothing is sent: layers are built and taken apart, no more.
l2 = pytest.importorskip("scapy.layers.l2")
inet6 = pytest.importorskip("scapy.layers.inet6")

MAC = bytes.fromhex("02000a0b0c0d")
IPV4 = bytes([192, 0, 2, 10])
IPV6 = bytes.fromhex("20010db8000000000000000000000010")

macs = st.binary(min_size=6, max_size=6)
ipv4 = st.binary(min_size=4, max_size=4)
ipv6 = st.binary(min_size=16, max_size=16).filter(lambda address: address[0] != 0xFF)

GOLDEN = [
    (
        packets.arp_probe(MAC, IPV4),
        "ffffffffffff 02000a0b0c0d 0806 0001 0800 06 04 0001"
        " 02000a0b0c0d 00000000 000000000000 c000020a",
    ),
    (
        packets.arp_request(MAC, IPV4),
        "ffffffffffff 02000a0b0c0d 0806 0001 0800 06 04 0001"
        " 02000a0b0c0d c000020a 000000000000 c000020a",
    ),
    (
        packets.arp_reply(MAC, IPV4),
        "ffffffffffff 02000a0b0c0d 0806 0001 0800 06 04 0002"
        " 02000a0b0c0d c000020a 02000a0b0c0d c000020a",
    ),
    (
        packets.advertisement(MAC, IPV6),
        "333300000001 02000a0b0c0d 86dd 60000000 0020 3a ff"
        " 20010db8000000000000000000000010 ff020000000000000000000000000001"
        " 88 00 e2f5 20000000 20010db8000000000000000000000010 0201 02000a0b0c0d",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "expected"), GOLDEN, ids=["probe", "request", "reply", "na"])
def test_golden_bytes(frame: bytes, expected: str) -> None:
    """What is on the wire, written down by hand from the RFCs."""
    assert frame == bytes.fromhex(expected)


def arp(operation: str, **fields: bytes) -> dict[str, Any]:
    """An ARP broadcast as the specification has it."""
    return {
        "destination": b"\xff" * 6,
        "source": fields["sender_mac"],
        "type": "ARP",
        "payload": {"operation": operation, **fields},
    }


@given(mac=macs, address=ipv4)
def test_arp_is_what_the_specification_builds(mac: bytes, address: bytes) -> None:
    """Probe, request and reply, byte for byte; and they are read as such."""
    built = {
        packets.arp_probe(mac, address): arp(
            "request", sender_mac=mac, sender=bytes(4), target=address
        ),
        packets.arp_request(mac, address): arp(
            "request", sender_mac=mac, sender=address, target=address
        ),
        packets.arp_reply(mac, address): arp(
            "reply", sender_mac=mac, sender=address, target_mac=mac, target=address
        ),
    }
    for frame, expected in built.items():
        assert frame == FRAME.build(expected)
        assert FRAME.build(FRAME.parse(frame)) == frame


def advertised(mac: bytes, address: bytes) -> dict[str, Any]:
    """An unsolicited advertisement as the specification has it."""
    return {
        "destination": bytes.fromhex("333300000001"),
        "source": mac,
        "type": "IPV6",
        "payload": {
            "source": address,
            "destination": b"\xff\x02" + bytes(13) + b"\x01",
            "message": {
                "type": "advertisement",
                "flags": {"override": True},
                "target": address,
                "options": [{"type": "target_link_layer", "value": mac}],
            },
        },
    }


@given(mac=macs, address=ipv6)
def test_an_advertisement_is_what_the_specification_builds(mac: bytes, address: bytes) -> None:
    """Byte for byte, the checksum included, which the specification sums word by word."""
    frame = packets.advertisement(mac, address)
    assert frame == FRAME.build(advertised(mac, address))
    assert FRAME.build(FRAME.parse(frame)) == frame


def test_a_checksum_of_zero_stays_zero() -> None:
    """ICMPv6 has no special meaning for it, unlike UDP: the sum is found and right."""
    base = bytes.fromhex("20010db80000000000000000")
    address = next(
        address
        for address in (base + number.to_bytes(4, "big") for number in range(1 << 17))
        if packets.advertisement(MAC, address)[56:58] == b"\0\0"
    )
    assert packets.advertisement(MAC, address) == FRAME.build(advertised(MAC, address))


@given(mac=macs, address=ipv4)
def test_scapy_builds_the_same_arp(mac: bytes, address: bytes) -> None:
    """An independent hand writes the same bytes."""
    text, ip = mac.hex(":"), ".".join(map(str, address))
    ether = l2.Ether(dst="ff:ff:ff:ff:ff:ff", src=text)
    probe = ether / l2.ARP(op=1, hwsrc=text, psrc="0.0.0.0", hwdst="00:00:00:00:00:00", pdst=ip)
    request = ether / l2.ARP(op=1, hwsrc=text, psrc=ip, hwdst="00:00:00:00:00:00", pdst=ip)
    reply = ether / l2.ARP(op=2, hwsrc=text, psrc=ip, hwdst=text, pdst=ip)
    assert bytes(probe) == packets.arp_probe(mac, address)
    assert bytes(request) == packets.arp_request(mac, address)
    assert bytes(reply) == packets.arp_reply(mac, address)


@given(mac=macs, address=ipv6)
def test_scapy_reads_an_advertisement_and_builds_the_same(mac: bytes, address: bytes) -> None:
    """Its fields by their names, and its checksum computed anew."""
    frame = packets.advertisement(mac, address)
    read = l2.Ether(frame)
    advertisement = read[inet6.ICMPv6ND_NA]
    assert (advertisement.R, advertisement.S, advertisement.O) == (0, 0, 1)
    assert read[inet6.ICMPv6NDOptDstLLAddr].lladdr == mac.hex(":")
    assert read[inet6.IPv6].hlim == 255
    del read[inet6.IPv6].plen
    del advertisement.cksum
    assert bytes(read) == frame


@given(mac=macs, addresses=st.lists(ipv4, max_size=20))
def test_thousands_are_like_one(mac: bytes, addresses: list[bytes]) -> None:
    """The bulk builder makes the same frames, in order."""
    assert packets.arp_probes(mac, addresses) == [
        packets.arp_probe(mac, address) for address in addresses
    ]


def test_an_address_is_announced_in_every_form_of_its_family() -> None:
    """IPv4 as request and as reply, IPv6 as an advertisement."""
    assert packets.announcements(MAC, IPV4) == (
        packets.arp_request(MAC, IPV4),
        packets.arp_reply(MAC, IPV4),
    )
    assert packets.announcements(MAC, IPV6) == (packets.advertisement(MAC, IPV6),)
