"""Superpackets and real packets: split() makes what scapy would have sent, join() undoes it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.errors import PacketError
from netalias.packets import ip
from netalias.tunnels import tun
from netalias.tunnels.merged import regroup
from netalias.tunnels.segments import join, split

inet = pytest.importorskip("scapy.layers.inet")
IPv6 = pytest.importorskip("scapy.layers.inet6").IPv6
IP, TCP, UDP = inet.IP, inet.TCP, inet.UDP

DATA = random.Random(3).randbytes(5000)
OPTIONS = [("NOP", None), ("NOP", None), ("Timestamp", (7, 9))]
V4 = IP(src="192.0.2.1", dst="198.51.100.2", tos=2, id=65534, flags="DF", ttl=61)
V6 = IPv6(src="2001:db8::1", dst="2001:db8::2", tc=2, fl=77, hlim=61)
SIZE = 1448


def superpacket(
    network: Any, transport: Any, data: bytes, size: int, kind: int
) -> tuple[bytes, bytes]:
    """As the kernel hands it over: the field of the checksum has the sum of the pseudo header."""
    whole = bytearray(bytes(network / transport / data))
    start = 20 if whole[0] >> 4 == 4 else 40
    at, protocol = (16, 6) if isinstance(transport, TCP) else (6, 17)
    addresses = whole[12:20] if start == 20 else whole[8:40]
    half = len(addresses) // 2
    pseudo = ip.pseudo_sum(addresses[:half], addresses[half:], protocol, len(whole) - start)
    whole[start + at : start + at + 2] = pseudo.to_bytes(2, "big")
    data_at = len(whole) - len(data)
    return tun.VNET_HDR.pack(tun.NEEDS_CSUM, kind, data_at, size, start, at), bytes(whole)


def expected_tcp(network: Any, flags: str, data: bytes, size: int) -> list[bytes]:
    """The packets as scapy builds them."""
    made = []
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    for number, piece in enumerate(pieces):
        now = flags
        if number:
            now = now.replace("C", "")
        if number < len(pieces) - 1:
            now = now.replace("P", "").replace("F", "")
        network = network.copy()
        if isinstance(network, IP):
            network.id = (V4.id + number) & 0xFFFF
        made.append(bytes(network / tcp(now, number * size) / piece))
    return made


def tcp(flags: str, offset: int, window: int = 300) -> Any:
    """A header whose sequence number is about to begin again from 0."""
    return TCP(
        sport=1000, dport=80, seq=(0xFFFFFF00 + offset) & 0xFFFFFFFF, ack=5, flags=flags,
        window=window, options=OPTIONS,
    )  # fmt: skip


@pytest.mark.parametrize("network", [V4, V6])
@pytest.mark.parametrize("flags", ["A", "PA", "FPA", "CA"])
@pytest.mark.parametrize("length", [1449, 2896, 5000])
def test_tcp_is_split_as_scapy_would_have_sent_it(network: Any, flags: str, length: int) -> None:
    """Lengths, identifications that begin again, sequence numbers, flags, checksums."""
    kind = tun.GSO_TCPV4 if network is V4 else tun.GSO_TCPV6
    vnet, packet = superpacket(network, tcp(flags, 0), DATA[:length], SIZE, kind)
    assert split(vnet, packet) == expected_tcp(network, flags, DATA[:length], SIZE)
    assert split(vnet, memoryview(bytearray(packet))) == split(vnet, packet)


@pytest.mark.parametrize("network", [V4, V6])
@pytest.mark.parametrize("length", [1401, 5000])
def test_udp_is_split_as_scapy_would_have_sent_it(network: Any, length: int) -> None:
    """Each datagram with its own length and checksum."""
    udp = UDP(sport=1000, dport=53)
    vnet, packet = superpacket(network, udp, DATA[:length], 1400, tun.GSO_UDP_L4)
    expected = []
    for number, at in enumerate(range(0, length, 1400)):
        network = network.copy()
        if isinstance(network, IP):
            network.id = (V4.id + number) & 0xFFFF
        expected.append(bytes(network / udp / DATA[at : min(at + 1400, length)]))
    assert split(vnet, packet) == expected


@pytest.mark.parametrize("network", [V4, V6])
@pytest.mark.parametrize("transport", [tcp("PA", 0), UDP(sport=1000, dport=53)])
@pytest.mark.parametrize("data", [b"", b"x", b"words"])
def test_a_checksum_is_completed(network: Any, transport: Any, data: bytes) -> None:
    """A packet that is no superpacket; one whose sum is there already stays as it is."""
    vnet, packet = superpacket(network, transport, data, 0, tun.GSO_NONE)
    expected = bytes(network / transport / data)
    assert split(vnet, packet) == [expected]
    assert split(tun.PLAIN, packet) == [packet]


def test_the_checksum_0_of_udp_is_written_as_its_other_self() -> None:
    """0 would say that there is none (RFC 768)."""
    udp = UDP(sport=1000, dport=53)
    # The checksum of a word of zeros, in its place, makes the whole sum 65535.
    data = bytes(V4 / udp / b"\0\0")[26:28]
    packet = V4 / udp / data
    assert bytes(packet)[26:28] == b"\xff\xff"
    vnet, partial = superpacket(V4, udp, data, 0, tun.GSO_NONE)
    assert split(vnet, partial) == [bytes(packet)]
    vnet, partial = superpacket(V4, udp, data * 2, 2, tun.GSO_UDP_L4)
    assert [one[26:28] for one in split(vnet, partial)] == [b"\xff\xff"] * 2


@given(
    st.builds(
        tun.VNET_HDR.pack,
        st.integers(0, 3), st.sampled_from([0, 1, 3, 4, 5, 0x81, 0x84]), st.integers(0, 99),
        st.integers(0, 99), st.integers(0, 99), st.integers(0, 99),
    ),
    st.binary(max_size=150),
)  # fmt: skip
def test_any_bytes_are_split_or_refused(vnet: bytes, packet: bytes) -> None:
    """Nothing but PacketError."""
    for one in (packet, b"\x45" + packet, b"\x60" + packet):
        try:
            split(vnet, one)
        except PacketError:
            continue


def written(buffers: list[bytes]) -> tuple[bytes, bytes]:
    """The header of virtio and the packet of one writev(2)."""
    whole = b"".join(buffers)
    return whole[: tun.VNET_HDR.size], whole[tun.VNET_HDR.size :]


@pytest.mark.parametrize("network", [V4, V6])
@pytest.mark.parametrize("flags", ["A", "PA"])
@pytest.mark.parametrize("length", [1449, 2896, 5000])
def test_packets_that_were_split_are_joined_again(network: Any, flags: str, length: int) -> None:
    """The very superpacket, but for the identification of IPv4, which means nothing with DF."""
    kind = tun.GSO_TCPV4 if network is V4 else tun.GSO_TCPV6
    network = network.copy()
    if isinstance(network, IP):
        network.id = 0
    vnet, packet = superpacket(network, tcp(flags, 0), DATA[:length], SIZE, kind)
    writes = join(split(vnet, packet))
    assert [written(one) for one in writes] == [(vnet, packet)]


TCP_FIELDS = {one.name for one in TCP().fields_desc}


def changed(packet: bytes, **fields: object) -> bytes:
    """A packet with other fields and right checksums."""
    made = IP(packet)
    for name, value in fields.items():
        setattr(made[TCP] if name in TCP_FIELDS else made, name, value)
    del made.chksum
    del made[TCP].chksum
    return bytes(made)


FIRST, SECOND, THIRD = expected_tcp(V4, "A", DATA[: 3 * SIZE], SIZE)


@pytest.mark.parametrize(
    "second",
    [
        changed(SECOND, window=301),
        changed(SECOND, ack=6),
        changed(SECOND, flags="FA"),
        changed(SECOND, flags="EA"),
        changed(SECOND, urgptr=1),
        changed(SECOND, ttl=60),
        changed(SECOND, tos=3),
        changed(SECOND, options=[("NOP", None), ("NOP", None), ("Timestamp", (8, 9))]),
        changed(SECOND, sport=1001),
        changed(SECOND, dst="198.51.100.3"),
        changed(SECOND, seq=4),
        changed(SECOND, proto=6, flags="SA"),
        SECOND[:-1] + bytes([SECOND[-1] ^ 1]),
        SECOND + b"trailing",
        SECOND[:100],
        THIRD,
    ],
)
def test_what_is_not_sure_to_mean_the_same_is_not_joined(second: bytes) -> None:
    """Each packet is handed over as it came, a damaged one too: the kernel counts it."""
    assert [written(one) for one in join([FIRST, second])] == [
        (tun.PLAIN, FIRST),
        (tun.PLAIN, second),
    ]


def test_without_df_the_identification_would_be_lost() -> None:
    """RFC 6864: it means something then."""
    packets = [bytes(IP(changed(one))) for one in (FIRST, SECOND)]
    free = []
    for one in packets:
        made = IP(one)
        made.flags = 0
        del made.chksum
        free.append(bytes(made))
    assert len(join(free)) == 2


def test_a_damaged_head_is_not_joined() -> None:
    """Its checksum would be made anew."""
    damaged = FIRST[:8] + bytes([FIRST[8] ^ 1]) + FIRST[9:]
    others = SECOND[:8] + bytes([SECOND[8] ^ 1]) + SECOND[9:]
    assert len(join([damaged, others])) == 2


def test_a_push_or_a_short_packet_ends_a_superpacket() -> None:
    """What follows begins the next one."""
    packets = [FIRST, changed(SECOND, flags="PA"), THIRD]
    assert [len(one) for one in join(packets)] == [3, 2]
    short = expected_tcp(V4, "A", DATA[:100], 100)[0]
    following = changed(SECOND, seq=(0xFFFFFF00 + 100) & 0xFFFFFFFF)
    assert [len(one) for one in join([short, following])] == [2, 2]


def test_flows_that_alternate_are_joined_each() -> None:
    """In the order of their first packets; a packet that belongs to none is a fence."""
    others = [changed(one, sport=1001) for one in (FIRST, SECOND, THIRD)]
    ours = [FIRST, SECOND, THIRD]
    mixed = [one for pair in zip(ours, others, strict=True) for one in pair]
    assert [len(one) for one in join(mixed)] == [4, 4]
    fence = changed(SECOND, flags="FA")
    assert [len(one) for one in join([FIRST, fence, SECOND, THIRD])] == [2, 2, 3]


def test_no_superpacket_is_longer_than_ip_may_be() -> None:
    """65535 bytes."""
    data = bytes(SIZE * 60)
    writes = [written(one)[1] for one in join(expected_tcp(V4, "A", data, SIZE))]
    assert len(writes) == 2
    assert len(writes[0]) == 40 + 12 + 45 * SIZE <= 65535


@given(st.lists(st.binary(max_size=80)), st.lists(st.sampled_from([FIRST, SECOND, THIRD])))
def test_any_packets_are_handed_over(garbage: list[bytes], packets: list[bytes]) -> None:
    """Every byte of payload comes through."""
    mixed = [*garbage, *packets, *(b"\x45" + one for one in garbage)]
    assert sum(len(written(one)[1]) for one in join(mixed)) <= sum(map(len, mixed))
    assert sum(len(one) - 1 for one in join(mixed)) == len(mixed)


@pytest.mark.parametrize("network", [V4, V6])
@pytest.mark.parametrize("flags", ["A", "PA"])
@pytest.mark.parametrize("length", [SIZE + 1, 2 * SIZE, 5000])
@pytest.mark.parametrize("size", [SIZE, SIZE - 1])
def test_a_superpacket_for_this_host_has_the_checksum_of_its_packets(
    network: Any, flags: str, length: int, size: int
) -> None:
    """The kernel verifies it. With segments of an odd length the words of every other payload are
    split, so these are verified here."""
    packets = [bytearray(one) for one in expected_tcp(network, flags, DATA[:length], size)]
    local = {bytes(packets[0][16:20] if network is V4 else packets[0][24:40])}
    whole = network.copy()
    if isinstance(whole, IP):
        whole.id = 0
    for damaged in (False, True):
        if damaged:
            packets[-1][-1] ^= 1
        writes = [written(one) for one in join([memoryview(one) for one in packets], local)]
        expected = bytes(whole / tcp(flags, 0) / DATA[:length])
        if size % 2 == 0:
            ((vnet, packet),) = writes
            assert vnet[:2] == bytes([0, tun.GSO_TCPV4 if network is V4 else tun.GSO_TCPV6])
            assert packet[:-1] == expected[:-1]
            assert (packet == expected) is not damaged
        else:
            assert len(writes) == (len(packets) if damaged else 1)
            assert writes[0][0][0] == (0 if damaged else tun.NEEDS_CSUM)


@pytest.mark.parametrize("network", [V4, V6])
def test_what_the_kernel_joined_is_a_superpacket_again(network: Any) -> None:
    """Among whole packets, in its order; as one packet if that fits into the path."""
    start = 20 if network is V4 else 40
    kind = tun.GSO_TCPV4 if network is V4 else tun.GSO_TCPV6
    before = expected_tcp(network, "A", DATA[:100], 100)[0]
    _, packet = superpacket(network, tcp("A", 100), DATA, SIZE, kind)
    _, small = superpacket(network, tcp("PA", 100 + len(DATA)), DATA[:200], 100, kind)
    packets = [memoryview(bytearray(one)) for one in (before, packet, small, before)]
    room = SIZE + start + 32
    assert [written(one) for one in regroup(packets, (), room)] == [
        (tun.PLAIN, before),
        (tun.VNET_HDR.pack(tun.NEEDS_CSUM, kind, start + 32, SIZE, start, 16), packet),
        (tun.VNET_HDR.pack(tun.NEEDS_CSUM, tun.GSO_NONE, 0, 0, start, 16), small),
        (tun.PLAIN, before),
    ]


def test_a_checksum_that_happens_to_be_that_of_the_pseudo_header_is_whole() -> None:
    """Data whose sum with the rest of the header is 65535, so that it adds nothing."""
    words = bytes(V4 / tcp("A", 0) / b"\0\0")
    pseudo = ip.pseudo_sum(words[12:16], words[16:20], 6, len(words) - 20)
    rest = ip.fold(ip.ones_sum(words[20:36] + words[38:]))
    data = ip.fold(2 * (0xFFFF - pseudo) + 0xFFFF - rest)
    packet = bytes(V4 / tcp("A", 0) / data.to_bytes(2, "big"))
    assert int.from_bytes(packet[36:38], "big") == pseudo
    assert [written(one) for one in regroup([memoryview(packet)], (), 1480)] == [
        (tun.PLAIN, packet)
    ]


@given(st.lists(st.binary(max_size=80)), st.lists(st.sampled_from([FIRST, SECOND, THIRD])))
def test_any_packets_are_regrouped(garbage: list[bytes], packets: list[bytes]) -> None:
    """Every packet comes through."""
    mixed = [
        *garbage,
        *packets,
        *(b"\x45" + one for one in garbage),
        *(b"\x60" + one for one in garbage),
    ]
    views = [memoryview(bytearray(one)) for one in mixed]
    assert sum(len(one) - 1 for one in regroup(views, (), 1480)) == len(mixed)
