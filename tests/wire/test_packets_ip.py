"""IPv4, IPv6 and ICMP, with scapy as the judge of lengths and checksums."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.errors import PacketError
from netalias.packets import ip

inet = pytest.importorskip("scapy.layers.inet")
inet6 = pytest.importorskip("scapy.layers.inet6")
ICMP, IP, TCP, UDP = inet.ICMP, inet.IP, inet.TCP, inet.UDP
IPv6, ICMPv6PacketTooBig = inet6.IPv6, inet6.ICMPv6PacketTooBig
Destination, Fragment, HopByHop = (
    getattr(inet6, f"IPv6ExtHdr{name}") for name in ("DestOpt", "Fragment", "HopByHop")
)
A4, B4 = "192.0.2.1", "198.51.100.2"
A6, B6 = "2001:db8::1", "2001:db8::2"


def rebuilt(packet: bytes) -> bytes:
    """The packet as scapy builds it anew, with its own lengths and checksums."""
    version = packet[0] >> 4
    parsed = IP(packet) if version == 4 else IPv6(packet)
    layer: Any = parsed
    while layer and layer.name != "Raw":
        for field in ("chksum", "cksum"):
            if field in layer.fields and not type(layer).__name__.endswith("error"):
                del layer.fields[field]
        if type(layer).__name__ in ("IPerror", "IPerror6"):
            break
        layer = layer.payload
    return bytes(parsed)


@given(st.binary(max_size=1600))
def test_a_checksum_is_that_of_scapy(data: bytes) -> None:
    """Of any length, odd ones too."""
    assert ip.checksum(data) == inet.checksum(data)


@pytest.mark.parametrize("length", [0, 1, 2, 255, 256, 257, 258, 1448, 1535, 1536, 1537, 65535])
@pytest.mark.parametrize("octet", [0x00, 0x01, 0xFE, 0xFF])
def test_equal_octets_have_the_checksum_of_scapy(length: int, octet: int) -> None:
    """Sums that are 0 or 65535, and lengths at which the way of summing changes."""
    data = bytes([octet]) * length
    assert ip.checksum(data) == inet.checksum(data)


@given(st.binary(min_size=2, max_size=80), st.integers(0, 38), st.integers(0, 0xFFFF))
def test_an_amended_checksum_is_that_of_the_changed_data(data: bytes, word: int, new: int) -> None:
    """RFC 1624; all but the two texts of zero are compared, which only a sum of zeros has."""
    at = word * 2 % (len(data) & ~1)
    old = int.from_bytes(data[at : at + 2], "big")
    changed = data[:at] + new.to_bytes(2, "big") + data[at + 2 :]
    amended = ip.amend(ip.checksum(data), old, new)
    assert amended % 0xFFFF == ip.checksum(changed) % 0xFFFF


@pytest.mark.parametrize("df", [False, True])
@pytest.mark.parametrize("layer", [TCP(), UDP() / b"words", ICMP()])
def test_the_head_of_ipv4(layer: Any, df: bool) -> None:
    """Every field, with and without options."""
    for options in ([], [inet.IPOption_RR(pointer=4, routers=[A4])]):
        packet = bytes(
            IP(src=A4, dst=B4, tos=0xB9, ttl=3, flags="DF" if df else "", options=options) / layer
        )
        head = ip.parse(packet + b"trailing")
        assert (head.version, head.tos, head.df, head.ttl) == (4, 0xB9, df, 3)
        assert (head.source, head.destination) == (packet[12:16], packet[16:20])
        assert (head.start, head.end) == (IP(packet).ihl * 4, len(packet))
        assert head.protocol == IP(packet).proto
        assert not head.fragment


def test_the_head_of_ipv6() -> None:
    """The payload is found behind extension headers; routers never fragment it."""
    extensions = HopByHop() / Destination(options=[])
    packet = bytes(IPv6(src=A6, dst=B6, tc=0xB9, hlim=3) / extensions / UDP() / b"words")
    head = ip.parse(packet)
    assert (head.version, head.tos, head.df, head.ttl) == (6, 0xB9, True, 3)
    assert (head.protocol, packet[head.start :]) == (17, bytes(UDP() / b"words")[:6] + packet[-7:])
    assert head.end == len(packet)


def test_fragments_are_told() -> None:
    """The first one has an offset of 0; behind a later one there is no header of a protocol."""
    for flags, offset, is_fragment in ((0, 0, False), ("MF", 0, True), (0, 185, True)):
        head = ip.parse(bytes(IP(src=A4, dst=B4, flags=flags, frag=offset) / UDP()))
        assert (head.fragment, head.offset) == (is_fragment, offset * 8)
    for more, offset in ((1, 0), (0, 185)):
        extension = Fragment(m=more, offset=offset, nh=60)
        head = ip.parse(bytes(IPv6(src=A6, dst=B6) / extension / Destination(nh=17) / UDP()))
        assert (head.fragment, head.offset) == (True, offset * 8)
        assert head.protocol == (60 if offset else 17)


@given(st.binary(max_size=120))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    """Nothing but PacketError, and lengths within the bytes."""
    for packet in (data, b"\x45" + data, b"\x60" + data, b"\x60\0\0\0\0\x20\0" + data):
        try:
            head = ip.parse(packet)
        except PacketError:
            continue
        assert 20 <= head.start <= head.end <= len(packet)


BIG4 = IP(src=A4, dst=B4, flags="DF") / UDP(dport=5) / bytes(1400)
BIG6 = IPv6(src=A6, dst=B6) / UDP(dport=5) / bytes(1400)


def test_too_big_of_ipv4() -> None:
    """RFC 1191: type 3, code 4, the MTU, the packet as far as 576 bytes take it; from the
    destination, since a router has no address that the host would believe."""
    error = ip.too_big(bytes(BIG4), 1280)
    assert rebuilt(error) == error
    told = IP(error)
    assert (told.src, told.dst, len(error)) == (B4, A4, 576)
    assert (told[ICMP].type, told[ICMP].code, told[ICMP].nexthopmtu) == (3, 4, 1280)
    assert error[28:] == bytes(BIG4)[:548]


def test_too_big_of_ipv6() -> None:
    """RFC 4443: as much of the packet as 1280 bytes take, and never an MTU below that."""
    error = ip.too_big(bytes(BIG6), 1000)
    assert rebuilt(error) == error
    told = IPv6(error)
    assert (told.src, told.dst, len(error)) == (B6, A6, 1280)
    assert told[ICMPv6PacketTooBig].mtu == 1280
    assert error[48:] == bytes(BIG6)[:1232]
    assert IPv6(ip.too_big(bytes(BIG6), 1400))[ICMPv6PacketTooBig].mtu == 1400


@pytest.mark.parametrize(("packet", "kind"), [(BIG4, (3, 1)), (BIG6, (1, 3))])
def test_unreachable(packet: Any, kind: tuple[int, int]) -> None:
    """Host unreachable, address unreachable."""
    error = ip.unreachable(bytes(packet))
    assert rebuilt(error) == error
    start = 20 if error[0] >> 4 == 4 else 40
    assert (error[start], error[start + 1]) == kind


@pytest.mark.parametrize(
    "packet",
    [
        IP(src=A4, dst=B4, frag=185) / bytes(100),
        IP(src=A4, dst="224.0.0.1") / UDP(),
        IP(src=A4, dst="255.255.255.255") / UDP(),
        IP(src="0.0.0.0", dst=B4) / UDP(),
        IP(src=A4, dst=B4) / ICMP(type=3, code=1) / bytes(28),
        IP(src=A4, dst=B4, proto=1),
        IPv6(src=A6, dst="ff02::1") / UDP(),
        IPv6(src="::", dst=B6) / UDP(),
        IPv6(src=A6, dst=B6) / ICMPv6PacketTooBig() / bytes(48),
        IPv6(src=A6, dst=B6, nh=58),
    ],
)
def test_no_error_answers_these(packet: Any) -> None:
    """RFC 1122 3.2.2 and RFC 4443 2.4 e."""
    with pytest.raises(PacketError):
        ip.too_big(bytes(packet), 1000)
    with pytest.raises(PacketError):
        ip.unreachable(bytes(packet))


def test_an_error_answers_a_query_of_icmp() -> None:
    """A ping that is too big is told."""
    assert ip.too_big(bytes(IP(src=A4, dst=B4) / ICMP() / bytes(1400)), 1000)


@pytest.mark.parametrize("packet", [BIG4, BIG6])
def test_an_error_answers_a_packet_that_is_cut_off(packet: Any) -> None:
    """As others quote it; a whole one has to be there to be parsed."""
    quoted = bytes(packet)[:100]
    with pytest.raises(PacketError):
        ip.parse(quoted)
    for error in (ip.too_big(quoted, 1280), ip.unreachable(quoted)):
        assert rebuilt(error) == error
        assert error.endswith(quoted)
