"""Answers for networks: the frames, what is dropped, and the filter in the kernel's own machine."""

from __future__ import annotations

from socket import AF_INET6, inet_pton

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

from netalias.packets.respond import MOST, Networks, Served, answer, program

MAC = bytes.fromhex("020000000001")
OTHER = bytes.fromhex("020000000002")
ASKS = "02:00:00:00:00:99"
ROUTER = "2001:db8:1::2"
GROUP = "ff02::1:ff00:5"


def packed(text: str) -> bytes:
    """An IPv6 address."""
    return inet_pton(AF_INET6, text)


SERVED = [
    Served(2, packed("2001:db8:9::"), 64, MAC),
    Served(2, packed("2001:db8:9:0:7::"), 80, OTHER),
    Served(2, bytes((10, 9, 0, 0)), 16, MAC),
]
NETWORKS = Networks(SERVED)


def solicitation(
    target: str = "2001:db8:9::5", source: str = ROUTER, *, link: str = ASKS, **fields: int
) -> bytes:
    """A neighbour solicitation."""
    asked = Ether(src=ASKS, dst="33:33:ff:00:00:05") / IPv6(src=source, dst=GROUP, **fields)
    asked = asked / ICMPv6ND_NS(tgt=target)
    return bytes(asked / ICMPv6NDOptSrcLLAddr(lladdr=link) if link else asked)


def request(target: str, source: str = "10.0.0.2", operation: int = 1) -> bytes:
    """An ARP message."""
    arp = ARP(op=operation, hwsrc=ASKS, psrc=source, pdst=target)
    return bytes(Ether(src=ASKS, dst="ff:ff:ff:ff:ff:ff") / arp)


def sound(frame: bytes) -> Ether:
    """The frame, whose checksum is that which scapy works out."""
    found = Ether(frame)
    told = found[ICMPv6ND_NA].cksum
    del found[ICMPv6ND_NA].cksum
    assert Ether(bytes(found))[ICMPv6ND_NA].cksum == told
    return Ether(frame)


@pytest.mark.parametrize("target", ["2001:db8:9::5", "2001:db8:9::", "2001:db8:9:0:ffff::1"])
def test_a_solicitation_is_answered(target: str) -> None:
    """To the one who asks, solicited, from the address itself, and with its MAC."""
    found = sound(answer(solicitation(target), NETWORKS, ()))
    assert (found.dst, found.src, found[IPv6].hlim) == (ASKS, "02:00:00:00:00:01", 255)
    assert (found[IPv6].src, found[IPv6].dst) == (target, ROUTER)
    said = found[ICMPv6ND_NA]
    assert (said.R, said.S, said.O, said.tgt) == (0, 1, 1, target)
    assert said.payload.lladdr == "02:00:00:00:00:01"


def test_one_without_a_link_layer_address_is_answered_where_it_came_from() -> None:
    """As a unicast probe may be (RFC 4861, 4.3)."""
    assert Ether(answer(solicitation(link=""), NETWORKS, ())).dst == ASKS


def test_a_probe_for_a_duplicate_is_answered_to_all() -> None:
    """Its sender has no address yet (RFC 4861, 7.2.4)."""
    found = sound(answer(solicitation(source="::", link=""), NETWORKS, ()))
    assert (found.dst, found[IPv6].dst, found[ICMPv6ND_NA].S) == ("33:33:00:00:00:01", "ff02::1", 0)


def test_the_longest_network_has_its_mac() -> None:
    """As a route would."""
    assert Ether(answer(solicitation("2001:db8:9:0:7::1"), NETWORKS, ())).src == "02:00:00:00:00:02"


@pytest.mark.parametrize(
    "frame",
    [
        solicitation("2001:db8:8::5"),
        solicitation(hlim=254),
        solicitation(source="::"),
        solicitation()[:-1] + b"\x98",
        solicitation()[:70],
        solicitation(link="01:00:00:00:00:01"),
        request("10.8.0.1"),
        request("10.9.1.2", "10.9.1.2"),
        b"",
        solicitation()[:14],
    ],
)
def test_what_is_not_for_us_or_wrong_is_not_answered(frame: bytes) -> None:
    """Another network, a hop on the way, a broken checksum, a cut frame, an announcement."""
    assert answer(frame, NETWORKS, ()) == b""


def test_addresses_that_are_answered_for_otherwise() -> None:
    """An alias with a device of its own answers for itself."""
    others = {packed("2001:db8:9::5"), bytes((10, 9, 1, 2))}
    assert answer(solicitation(), NETWORKS, others) == b""
    assert answer(request("10.9.1.2"), NETWORKS, others) == b""


@pytest.mark.parametrize("source", ["10.0.0.2", "0.0.0.0"])
def test_an_arp_request_is_answered(source: str) -> None:
    """A probe (RFC 5227) too."""
    found = Ether(answer(request("10.9.1.2", source), NETWORKS, ()))
    assert (found.dst, found.src) == (ASKS, "02:00:00:00:00:01")
    said = found[ARP]
    assert (said.op, said.hwsrc, said.psrc) == (2, "02:00:00:00:00:01", "10.9.1.2")
    assert (said.hwdst, said.pdst) == (ASKS, source)


FRAMES = {
    "in the network": (solicitation(), True),
    "in the smaller network": (solicitation("2001:db8:9:0:7::1"), True),
    "in IPv4": (request("10.9.255.1"), True),
    "outside": (solicitation("2001:db8:8::5"), False),
    "outside in IPv4": (request("10.10.0.1"), False),
    "a reply": (request("10.9.0.1", operation=2), False),
    "an advertisement": (bytes(Ether() / IPv6(src=ROUTER, dst=GROUP) / ICMPv6ND_NA()), False),
    "something else": (bytes(Ether(type=0x0800)) + bytes(60), False),
}


def passes(code: bytes, frame: bytes) -> bool:
    """Whether a program of classic BPF takes an untagged incoming frame; raises for a jump or a
    load outside."""
    from struct import iter_unpack

    steps, place, value = list(iter_unpack("=HBBI", code)), 0, 0
    while True:
        operation, yes, no, operand = steps[place]
        place += 1
        if operation in (0x20, 0x28, 0x30):
            size = {0x20: 4, 0x28: 2, 0x30: 1}[operation]
            if operand >= 0xFFFFF000:
                value = 0
            elif operand + size > len(frame):
                return False
            else:
                value = int.from_bytes(frame[operand : operand + size], "big")
        elif operation == 0x54:
            value &= operand
        elif operation == 0x15:
            place += yes if value == operand else no
        elif operation == 0x05:
            place += operand
        elif operation == 0x06:
            return bool(operand)
        else:
            raise AssertionError(hex(operation))


@pytest.mark.parametrize("name", FRAMES)
def test_the_filter_takes_requests_for_the_networks_only(name: str) -> None:
    """Nothing else wakes the watcher; with more networks than it can test, all requests do."""
    frame, wanted = FRAMES[name]
    assert passes(program(SERVED), frame) is wanted
    many = [Served(2, b"\x0b" + n.to_bytes(2, "big") + b"\0", 24, MAC) for n in range(MOST)]
    crowd = program([*SERVED, *many])
    assert len(crowd) // 8 < 4096
    if wanted:
        assert passes(crowd, frame)
    assert len(program(many)) // 8 < 4096
    assert not passes(program(many), frame)


def test_an_address_among_thousands_of_networks() -> None:
    """The longest of those that contain it has the word; an address of another family, or outside
    of all, has none."""
    many = [Served(2, bytes((10, n >> 8, n & 255, 0)), 24, MAC) for n in range(4096)]
    found = Networks([*many, Served(2, bytes((10, 0, 7, 128)), 25, OTHER)])
    assert found.mac(bytes((10, 0, 7, 1))) == MAC
    assert found.mac(bytes((10, 0, 7, 200))) == OTHER
    assert found.mac(bytes((11, 0, 7, 200))) == b""
    assert found.mac(bytes((10, 0, 7, 1)) + bytes(12)) == b""
    assert Networks([]).mac(bytes(4)) == b""
    assert Networks([Served(2, bytes(4), 0, MAC)]).mac(bytes((192, 0, 2, 1))) == MAC
