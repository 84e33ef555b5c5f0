"""Translation by a relay of our own; scapy makes the packets, and judges what became of them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netalias.model import AF_INET, AF_INET6
from netalias.nat import Translation
from netalias.nat.flows import IDLE, TCP_CLOSED, TCP_OPEN, TCP_OPENING, Flows
from netalias.nat.userspace import (
    DENIED,
    FULL,
    MALFORMED,
    PASSED,
    WAITING,
    WAITING_MOST,
    Translator,
)

# Nothing is sent: layers are built and taken apart, no more.
inet = pytest.importorskip("scapy.layers.inet")
inet6 = pytest.importorskip("scapy.layers.inet6")
Raw = pytest.importorskip("scapy.packet").Raw
IP, TCP, UDP, ICMP, IPv6 = inet.IP, inet.TCP, inet.UDP, inet.ICMP, inet6.IPv6
Packet = Any

OLD, OLDER, NEW, PEER = "10.0.0.1", "10.0.0.7", "10.0.0.2", "192.0.2.9"
OLD6, NEW6, PEER6 = "2001:db8::1", "2001:db8::2", "2001:db8:9::9"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Stage:
    """A Translator, and packets as scapy has them."""

    def __init__(self, **options: object) -> None:
        self.clock = Clock()
        self.delivered: list[Packet] = []
        self.nat = Translator(
            self.clock, lambda packet: self.delivered.append(read(packet)), **options
        )

    def renegotiate(self, new: str, *old: str) -> None:
        both = [(AF_INET, new, old), (AF_INET6, NEW6, (OLD6,))]
        self.nat.apply(Translation(a, b, c, d) for a, b, c, d in map(packed, both))

    def out(self, packet: Packet, *, said: str = PASSED, partial: bool = False) -> Packet:
        return self._through(self.nat.outgoing, packet, said, partial)

    def back(self, packet: Packet, *, said: str = PASSED) -> Packet:
        return self._through(self.nat.incoming, packet, said, False)

    def _through(self, way, packet, said, partial):
        data = bytearray(bytes(packet))
        assert way(memoryview(data), partial) == said
        if said == PASSED and not partial:
            assert_sums(data)
        return read(data)


def packed(row):
    family, new, old = row
    return "tun0", family, ip_address(new).packed, [ip_address(one).packed for one in old]


def read(data) -> Packet:
    return (IP if data[0] >> 4 == 4 else IPv6)(bytes(data))


def assert_sums(data) -> None:
    """Every checksum is the one that scapy computes."""
    packet = read(data)
    if packet.haslayer(inet6.IPv6ExtHdrFragment):
        return
    again = packet.copy()
    layer = again
    while layer:
        if isinstance(layer, (inet.IPerror, inet6.IPerror6)):
            break  # scapy computes none of a quoted packet
        whole = layer is again or not (IP in packet and (packet.frag or "MF" in packet.flags))
        for name in ("chksum", "cksum"):
            if whole and layer.fields.get(name):
                delattr(layer, name)
        layer = layer.payload
    assert bytes(again) == bytes(data)


@pytest.fixture
def stage() -> Stage:
    found = Stage()
    found.renegotiate(NEW, OLD, OLDER)
    return found


PAYLOADS = {
    "tcp": lambda a, b: TCP(sport=a, dport=b, flags="S", seq=7, options=[("MSS", 1460)]),
    "udp": lambda a, b: UDP(sport=a, dport=b) / Raw(b"odd"),
}


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize(
    ("ip", "old", "new", "peer"), [(IP, OLD, NEW, PEER), (IPv6, OLD6, NEW6, PEER6)]
)
def test_there_and_back(stage, payload, ip, old, new, peer):
    make = PAYLOADS[payload]
    sent = stage.out(ip(src=old, dst=peer) / make(4000, 80))
    assert (sent.src, sent.dst, sent.sport, sent.dport) == (new, peer, 4000, 80)
    answer = stage.back(ip(src=peer, dst=new) / make(80, 4000))
    assert (answer.src, answer.dst, answer.dport) == (peer, old, 4000)
    # once more, by the short way
    assert stage.out(ip(src=old, dst=peer) / make(4000, 80)).src == new
    assert stage.back(ip(src=peer, dst=new) / make(80, 4000)).dst == old


def test_what_no_translation_concerns_is_not_touched(stage):
    for packet in (
        IP(src=NEW, dst=PEER) / UDP(sport=1, dport=2) / b"own",
        IP(src="10.0.0.99", dst=PEER) / UDP(sport=1, dport=2) / b"other",
        IP(src="10.0.0.99", dst=PEER) / TCP(sport=1, dport=2) / bytes(100),
    ):
        assert bytes(stage.out(packet)) == bytes(packet)
    for packet in (
        IP(src=PEER, dst=NEW) / TCP(sport=1, dport=2, flags="S"),
        IP(src=PEER, dst="10.0.0.99") / UDP(sport=1, dport=2),
        IPv6(src=PEER6, dst="2001:db8::77") / UDP(sport=1, dport=2),
    ):
        assert bytes(stage.back(packet)) == bytes(packet)


def test_two_programs_with_one_port_get_two(stage):
    first = stage.out(IP(src=OLD, dst=PEER) / UDP(sport=500, dport=53))
    second = stage.out(IP(src=OLDER, dst=PEER) / UDP(sport=500, dport=53))
    own = stage.out(IP(src=NEW, dst=PEER) / UDP(sport=500, dport=53))
    assert (first.sport, first.src, second.src, own.src) == (500, NEW, NEW, NEW)
    assert len({500, second.sport, own.sport}) == 3
    for sent, old in ((first, OLD), (second, OLDER), (own, NEW)):
        answer = stage.back(IP(src=PEER, dst=NEW) / UDP(sport=53, dport=sent.sport))
        assert (answer.dst, answer.dport) == (old, 500)


def test_a_partial_checksum_stays_one_of_the_pseudo_header(stage):
    """The kernel leaves the sum of the payload to the device: the field has no ports in it."""
    stage.out(IP(src=OLDER, dst=PEER) / TCP(sport=5, dport=80))
    for source, sport in ((OLD, 5), (OLD, 6)):
        plain = IP(src=source, dst=PEER) / TCP(sport=sport, dport=80) / bytes(1400)
        packet = read(bytes(plain))
        packet[TCP].chksum = pseudo(source, PEER, 6, len(packet[TCP]))
        sent = stage.out(packet, partial=True)
        assert sent.src == NEW
        assert sent[TCP].chksum == pseudo(NEW, PEER, 6, len(packet[TCP]))


def pseudo(source: str, destination: str, protocol: int, length: int) -> int:
    data = ip_address(source).packed + ip_address(destination).packed
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, 8, 2))
    total += protocol + length
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_udp_without_a_checksum_has_none_afterwards(stage):
    sent = stage.out(IP(src=OLD, dst=PEER) / UDP(sport=1, dport=2, chksum=0) / bytes(32))
    assert (sent.src, sent[UDP].chksum) == (NEW, 0)


def test_a_sum_of_zero_goes_as_ones(stage):
    """Zero means that there is none (RFC 768)."""
    word = read(bytes(IP(src=NEW, dst=PEER) / UDP(sport=1, dport=2) / bytes(32)))[UDP].chksum
    payload = word.to_bytes(2, "big") + bytes(30)
    assert stage.out(IP(src=OLD, dst=PEER) / UDP(sport=1, dport=2) / payload)[UDP].chksum == 0xFFFF


def test_echo(stage):
    sent = stage.out(IP(src=OLD, dst=PEER) / ICMP(id=9, seq=1) / b"abc")
    assert (sent.src, sent[ICMP].id) == (NEW, 9)
    other = stage.out(IP(src=OLDER, dst=PEER) / ICMP(id=9, seq=1) / b"abc")
    assert other[ICMP].id != 9
    answer = stage.back(IP(src=PEER, dst=NEW) / ICMP(type=0, id=other[ICMP].id, seq=1) / b"abc")
    assert (answer.dst, answer[ICMP].id) == (OLDER, 9)
    assert stage.back(IP(src=PEER, dst=NEW) / ICMP(type=0, id=9, seq=1)).dst == OLD


def test_echo_ipv6(stage):
    sent = stage.out(IPv6(src=OLD6, dst=PEER6) / inet6.ICMPv6EchoRequest(id=9, data=b"abc"))
    assert (sent.src, sent[inet6.ICMPv6EchoRequest].id) == (NEW6, 9)
    answer = stage.back(IPv6(src=PEER6, dst=NEW6) / inet6.ICMPv6EchoReply(id=9, data=b"abc"))
    assert answer.dst == OLD6


def test_a_request_of_the_peer_is_nobodys_answer(stage):
    stage.out(IP(src=OLD, dst=PEER) / ICMP(id=9, seq=1))
    assert stage.back(IP(src=PEER, dst=NEW) / ICMP(type=8, id=9, seq=1)).dst == NEW


def test_a_protocol_without_ports(stage):
    sent = stage.out(IP(src=OLD, dst=PEER, proto=47) / Raw(b"\0\0\x08\0data"))
    assert sent.src == NEW
    assert stage.back(IP(src=PEER, dst=NEW, proto=47) / Raw(b"\0\0\x08\0data")).dst == OLD
    second = IP(src=OLDER, dst=PEER, proto=47) / Raw(b"\0\0\x08\0data")
    stage.out(second, said=FULL)  # nothing tells the answers apart


ERRORS = {
    "port": ICMP(type=3, code=3),
    "too-big": ICMP(type=3, code=4, nexthopmtu=1400),
    "time": ICMP(type=11, code=0),
}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("cut", [28, 60, 1000])
def test_an_error_comes_to_who_has_sent(stage, error, cut):
    stage.out(IP(src=OLDER, dst=PEER) / UDP(sport=500, dport=53) / bytes(100))
    sent = stage.out(IP(src=OLD, dst=PEER) / UDP(sport=500, dport=53) / bytes(100))
    assert sent.sport != 500
    came = stage.back(IP(src="198.51.100.1", dst=NEW) / ERRORS[error] / bytes(sent)[:cut])
    assert (came.src, came.dst) == ("198.51.100.1", OLD)
    quoted = came[inet.IPerror]
    assert (quoted.src, quoted.dst) == (OLD, PEER)
    assert (quoted[inet.UDPerror].sport, quoted[inet.UDPerror].dport) == (500, 53)
    whole = bytes(IP(src=OLD, dst=PEER) / UDP(sport=500, dport=53) / bytes(100))
    assert bytes(quoted) == whole[:cut]


def test_an_error_of_ipv6_comes_to_who_has_sent(stage):
    sent = stage.out(IPv6(src=OLD6, dst=PEER6) / TCP(sport=7, dport=80, flags="S"))
    error = IPv6(src=PEER6, dst=NEW6) / inet6.ICMPv6DestUnreach(code=4) / bytes(sent)
    came = stage.back(error)
    assert (came.dst, came[inet6.IPerror6].src) == (OLD6, OLD6)
    assert bytes(came[inet6.IPerror6]) == bytes(
        IPv6(src=OLD6, dst=PEER6) / TCP(sport=7, dport=80, flags="S")
    )


def test_an_error_that_this_host_sends(stage):
    stage.out(IP(src=OLDER, dst=PEER) / UDP(sport=500, dport=53))
    sent = stage.out(IP(src=OLD, dst=PEER) / UDP(sport=500, dport=53))
    answer = IP(src=PEER, dst=NEW) / UDP(sport=53, dport=sent.sport) / b"late"
    seen = stage.back(answer)
    error = stage.out(IP(src=OLD, dst=PEER) / ICMP(type=3, code=3) / bytes(seen))
    assert (error.src, error[inet.IPerror].dst) == (NEW, NEW)
    assert error[inet.UDPerror].dport == sent.sport


def test_an_error_about_a_stranger_leaves_with_the_new_address(stage):
    quoted = bytes(IP(src=PEER, dst="10.0.0.99") / UDP(sport=1, dport=2))
    sent = stage.out(IP(src=OLD, dst=PEER) / ICMP(type=3, code=3) / quoted)
    assert sent.src == NEW


def fragments(packet, size):
    return inet.fragment(read(bytes(packet)), fragsize=size)


def test_fragments_that_leave(stage):
    whole = IP(src=OLD, dst=PEER, id=77) / UDP(sport=1, dport=2) / (bytes(range(250)) * 12)
    sent = [stage.out(one) for one in fragments(whole, 1000)]
    assert len(sent) > 2
    together = inet.defragment(sent)[0]
    assert together.src == NEW
    assert_sums(bytes(together))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 1, 0, 3), (3, 2, 1, 0)])
def test_fragments_that_come(stage, order):
    stage.out(IP(src=OLD, dst=PEER) / UDP(sport=1, dport=2))
    whole = IP(src=PEER, dst=NEW, id=77) / UDP(sport=2, dport=1) / (bytes(range(250)) * 12)
    some = fragments(whole, 1000)
    first = order.index(0)
    came = []
    for place, number in enumerate(order):
        if place < first:
            stage.back(some[number], said=WAITING)
        else:
            came.append(stage.back(some[number]))
    assert len(came) + len(stage.delivered) == len(some)
    together = inet.defragment(sorted([*stage.delivered, *came], key=lambda one: one.frag))[0]
    assert together.dst == OLD
    assert_sums(bytes(together))


def test_fragments_that_come_ipv6(stage):
    stage.out(IPv6(src=OLD6, dst=PEER6) / UDP(sport=1, dport=2))
    whole = (
        IPv6(src=PEER6, dst=NEW6) / inet6.IPv6ExtHdrFragment(id=5)
        / UDP(sport=2, dport=1) / Raw(bytes(3000))
    )  # fmt: skip
    last, *others = [read(bytes(one)) for one in reversed(inet6.fragment6(whole, 1280))]
    stage.back(last, said=WAITING)
    came = [stage.back(one) for one in reversed(others)]
    together = inet6.defragment6([*came, *stage.delivered])
    assert together.dst == OLD6
    assert_sums(bytes(read(bytes(together))))


def test_fragments_wait_in_bounds(stage):
    some = fragments(IP(src=PEER, dst=NEW) / UDP(sport=2, dport=1) / bytes(1100), 1000)
    first, late = (bytearray(bytes(one)) for one in some)
    for number in range(1000):
        late[4:6] = number.to_bytes(2, "big")
        assert stage.nat.incoming(memoryview(late)) == WAITING
    stage.out(IP(src=OLD, dst=PEER) / UDP(sport=1, dport=2))
    for number in range(1000):
        first[4:6] = number.to_bytes(2, "big")
        assert stage.nat.incoming(memoryview(bytearray(first))) == PASSED
    assert len(stage.delivered) == WAITING_MOST


LIVES = [
    ("udp", [], IDLE),
    ("opening", ["S>"], TCP_OPENING),
    ("open", ["S>", "SA<", "A>"], TCP_OPEN),
    ("closing", ["S>", "SA<", "A>", "FA>"], 90.0),
    ("closed", ["S>", "SA<", "A>", "FA>", "FA<"], TCP_CLOSED),
    ("reset", ["S>", "R<"], TCP_CLOSED),
]


@pytest.mark.parametrize(("name", "segments", "life"), LIVES, ids=[one[0] for one in LIVES])
def test_idle_flows_end(stage, name, segments, life):
    """A-14: the times of libalias."""
    if not segments:
        stage.out(IP(src=OLD, dst=PEER) / UDP(sport=9, dport=80) / bytes(16))
    for text in segments:
        way, flags = text[-1], text[:-1]
        if way == ">":
            stage.out(IP(src=OLD, dst=PEER) / TCP(sport=9, dport=80, flags=flags))
        else:
            stage.back(IP(src=PEER, dst=NEW) / TCP(sport=80, dport=9, flags=flags))
    old = bytes((10, 0, 0, 1))
    stage.clock.now += life - 1
    assert stage.nat.flows() == {old: 1}
    stage.clock.now += 2
    assert stage.nat.flows() == {}


def test_the_next_change_decides_anew(stage):
    """A-14: a change of the address forgets the flows."""
    first = stage.out(IP(src=OLD, dst=PEER) / UDP(sport=9, dport=80) / bytes(16))
    stage.renegotiate("10.0.0.3", OLD, NEW)
    second = stage.out(IP(src=OLD, dst=PEER) / UDP(sport=9, dport=80) / bytes(16))
    assert (first.src, second.src) == (NEW, "10.0.0.3")
    own = stage.out(IP(src=NEW, dst=PEER) / UDP(sport=10, dport=80) / bytes(16))
    assert own.src == "10.0.0.3"
    assert stage.back(IP(src=PEER, dst="10.0.0.3") / UDP(sport=80, dport=9)).dst == OLD


def test_the_return_of_a_former_address_ends_its_translation(stage):
    stage.out(IP(src=OLD, dst=PEER) / UDP(sport=9, dport=80) / bytes(16))
    stage.renegotiate(OLD, NEW)
    assert stage.out(IP(src=OLD, dst=PEER) / UDP(sport=9, dport=80) / bytes(16)).src == OLD


def test_without_a_new_address_nothing_is_translated(stage):
    stage.nat.apply([Translation("tun0", AF_INET, None, [bytes((10, 0, 0, 1))])])
    assert stage.out(IP(src=OLD, dst=PEER) / UDP(sport=9, dport=80) / bytes(16)).src == OLD


def test_who_speaks_to_a_former_address_is_answered_from_it(stage):
    """The network may still route it for a while."""
    assert stage.back(IP(src=PEER, dst=OLD) / TCP(sport=5, dport=22, flags="S")).dst == OLD
    assert stage.out(IP(src=OLD, dst=PEER) / TCP(sport=22, dport=5, flags="SA")).src == OLD
    assert stage.back(IP(src=PEER, dst=OLD) / ICMP(type=8, id=1)).dst == OLD
    assert stage.out(IP(src=OLD, dst=PEER) / ICMP(type=0, id=1)).src == OLD


def test_a_late_answer_begins_nothing(stage):
    """It was on its way while the address changed."""
    assert stage.back(IP(src=PEER, dst=OLD) / UDP(sport=80, dport=9) / bytes(32)).dst == OLD
    assert stage.out(IP(src=OLD, dst=PEER) / UDP(sport=9, dport=80) / bytes(32)).src == NEW


def test_nothing_comes_in_unasked():
    stage = Stage(deny=True)
    stage.renegotiate(NEW, OLD)
    for packet in (
        IP(src=PEER, dst=NEW) / TCP(sport=5, dport=22, flags="S"),
        IP(src=PEER, dst=OLD) / TCP(sport=5, dport=22, flags="S"),
        IP(src=PEER, dst="10.0.0.99") / UDP(sport=5, dport=22),
        IP(src=PEER, dst=NEW) / ICMP(type=8, id=1),
        IP(src=PEER, dst=NEW) / ICMP(type=3, code=3) / bytes(IP(src=NEW, dst=PEER) / UDP()),
    ):
        stage.back(packet, said=DENIED)
    stage.out(IP(src=NEW, dst=PEER) / TCP(sport=22, dport=5, flags="S"))
    stage.back(IP(src=PEER, dst=NEW) / TCP(sport=5, dport=22, flags="SA"))


def test_there_is_an_end_of_flows():
    stage = Stage(limit=10)
    stage.renegotiate(NEW, OLD)
    for port in range(1, 11):
        stage.out(IP(src=OLD, dst=PEER) / UDP(sport=port, dport=80) / bytes(16))
    more = IP(src=OLD, dst=PEER) / UDP(sport=11, dport=80) / bytes(16)
    stage.out(more, said=FULL)
    stage.clock.now += IDLE + 1
    assert stage.out(more).src == NEW


def test_who_connects_leaves_room_for_the_programs_of_this_host():
    """A flood from sources that are made up takes half of the flows, and not for ever."""
    stage = Stage(limit=10)
    stage.renegotiate(NEW, OLD)
    flood = [IP(src=f"203.0.113.{n}", dst=OLD) / TCP(sport=7, dport=22) for n in range(1, 21)]
    for number, one in enumerate(flood):
        stage.back(one, said=PASSED if number < 5 else FULL)
    for port in range(1, 6):
        assert stage.out(IP(src=OLD, dst=PEER) / TCP(sport=port, dport=80)).src == NEW
    stage.out(IP(src=OLD, dst=PEER) / TCP(sport=6, dport=80), said=FULL)
    stage.clock.now += TCP_OPENING + 1
    assert stage.back(flood[-1]).dst == OLD
    assert stage.out(IP(src=OLD, dst=PEER) / TCP(sport=6, dport=80)).src == NEW


def test_no_packet_of_a_flood_costs_a_search():
    """While there is no room, flows that have ended are looked for once a second."""
    flows = Flows(2)
    searched = []

    class Counted(dict):
        def values(self):
            searched.append(1)
            return super().values()

    flows.inside = Counted()
    keys = [b"\x11" + bytes(8) + bytes([0, n]) + b"\0\x50" for n in range(1, 40)]
    for key in keys:
        flows.add(key, bytes(4), 1000.0)
    assert (len(flows.inside), len(searched)) == (2, 1)
    flows.add(keys[-1], bytes(4), 1001.0)
    assert len(searched) == 2


@pytest.mark.parametrize("cut", [0, 1, 19, 20, 24, 27])
def test_a_packet_that_is_cut_off(stage, cut):
    data = bytes(IP(src=OLD, dst=PEER) / UDP(sport=1, dport=2) / bytes(40))[:cut]
    for way in (stage.nat.outgoing, stage.nat.incoming):
        assert way(memoryview(bytearray(data))) == MALFORMED


SEEDS = [
    bytes(one)
    for one in (
        IP(src=OLD, dst=PEER) / UDP(sport=1, dport=2) / bytes(40),
        IP(src=PEER, dst=NEW) / ICMP(type=3, code=3) / bytes(IP(src=NEW, dst=PEER) / UDP(sport=1)),
        IP(src=OLD, dst=PEER) / ICMP(type=3, code=3) / bytes(IP(src=PEER, dst=OLD) / UDP(dport=1)),
        IPv6(src=OLD6, dst=PEER6) / inet6.IPv6ExtHdrFragment(id=1) / UDP() / bytes(30),
        IPv6(src=PEER6, dst=NEW6) / inet6.ICMPv6DestUnreach() / bytes(60),
    )
]
FORMER = [ip_address(one).packed for one in (OLD, OLDER)]


@settings(max_examples=300, deadline=None)
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    length=st.integers(0, 200),
    deny=st.booleans(),
    partial=st.booleans(),
)
def test_any_bytes(seed, changes, length, deny, partial):
    """Any bytes are translated or refused, and none leave with a former address."""
    stage = Stage(deny=deny)
    stage.renegotiate(NEW, OLD, OLDER)
    assert stage.nat.outgoing(memoryview(bytearray(SEEDS[0]))) == PASSED
    packet = bytearray(seed)
    for at, value in changes:
        packet[at % len(packet)] = value
    packet = packet[:length]
    inward, before = bytearray(packet), len(packet)
    said = stage.nat.outgoing(memoryview(packet), partial)
    if said == PASSED and packet[0] >> 4 == 4:
        assert bytes(packet[12:16]) not in FORMER
    stage.nat.incoming(memoryview(inward), partial)
    assert len(packet) == len(inward) == before
