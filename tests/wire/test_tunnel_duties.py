"""The duties of a tunnel's end, without a socket: filters, answers, MSS, marks of congestion."""

from __future__ import annotations

from errno import EHOSTUNREACH, EMSGSIZE, ENOBUFS, ENOPROTOOPT
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.packets import ip
from netalias.tunnels import counters
from netalias.tunnels.carriage import Carriage
from netalias.tunnels.congestion import CE, ECT_0, ECT_1, NOT_ECT, survives
from netalias.tunnels.duties import ERRORS_A_SECOND, Duties, clamp, network
from netalias.tunnels.errqueue import AGAIN, Told

inet = pytest.importorskip("scapy.layers.inet")
inet6 = pytest.importorskip("scapy.layers.inet6")
IP, TCP, UDP, ICMP, IPv6 = inet.IP, inet.TCP, inet.UDP, inet.ICMP, inet6.IPv6

LOCAL, PEER = "192.0.2.1", "203.0.113.9"
LOCAL6, PEER6 = "2001:db8::1", "2001:db8::9"
PATH = 1480


class Played(Carriage):
    """A carriage without a socket."""

    peer = (PEER, 0)
    local = LOCAL

    def room(self) -> int:
        """The path that is played."""
        return PATH


class End:
    """Duties, with the counters and answers that they made, and a clock that stands still."""

    def __init__(self, mtu: int = 65535, sources: tuple[str, ...] = ()) -> None:
        self.carriage = Played()
        self.values = [0] * len(counters.NAMES)
        self.answers: list[bytes] = []
        self.now = 100.0
        self.duties = Duties(
            self.carriage,
            memoryview(bytearray(8 * len(counters.NAMES))).cast("Q"),
            self.answers.append,
            mtu=mtu,
            sources=[network(one) for one in sources],
            clock=lambda: self.now,
        )

    def out(self, packet: Any) -> int:
        """Verdict about a packet of the device."""
        return self.duties.outgoing(memoryview(bytearray(bytes(packet))), 0, False)

    def come(self, packet: Any) -> int:
        """Verdict about a packet of the peer."""
        return self.duties.incoming(memoryview(bytearray(bytes(packet))), 0, False, (PEER, 0))

    def counted(self, counter: int) -> int:
        """A counter of the duties."""
        return self.duties._values[counter]


def test_a_tunnel_does_not_carry_itself() -> None:
    """Packets of its own ends, whichever way they got to the device (RFC 2003, 4.2)."""
    end = End()
    assert end.out(IP(src="198.51.100.7", dst="8.8.8.8") / UDP()) == 0
    assert end.out(IP(src=LOCAL, dst="8.8.8.8") / UDP()) == counters.LOOP
    assert end.out(IP(src="198.51.100.7", dst=PEER) / UDP()) == counters.LOOP
    assert end.out(IP(src=PEER, dst="8.8.8.8") / UDP()) == counters.LOOP
    assert end.out(IPv6(src=LOCAL6, dst=PEER6) / UDP()) == 0


def test_a_peer_that_is_learned_later_is_known_then() -> None:
    """Of IPv6 too, and one of IPv4 that a socket of both families writes as one of IPv6."""
    end = End()
    end.carriage.peer, end.carriage.local = None, ""
    assert end.out(IP(src=LOCAL, dst=PEER) / UDP()) == 0
    end.carriage.peer, end.carriage.local = (f"::ffff:{PEER}", 7), f"::ffff:{LOCAL}"
    assert end.out(IP(src=LOCAL, dst="8.8.8.8") / UDP()) == counters.LOOP
    end.carriage.peer, end.carriage.local = (f"{PEER6}%eth0", 7), LOCAL6
    assert end.out(IPv6(src="2001:db8:7::1", dst=PEER6) / UDP()) == counters.LOOP
    assert end.out(IP(src=LOCAL, dst="8.8.8.8") / UDP()) == 0


def test_a_source_that_the_peer_has_no_right_to_is_dropped() -> None:
    """Our own outer address always; all others where networks are named."""
    end = End()
    assert end.come(IP(src="8.8.8.8", dst="198.51.100.7") / UDP()) == 0
    assert end.come(IP(src=LOCAL, dst="198.51.100.7") / UDP()) == counters.SOURCE
    end = End(sources=("198.51.100.0/24", "2001:db8:7::/64"))
    assert end.come(IP(src="198.51.100.7", dst="8.8.8.8") / UDP()) == 0
    assert end.come(IP(src="198.51.101.7", dst="8.8.8.8") / UDP()) == counters.SOURCE
    assert end.come(IPv6(src="2001:db8:7::7", dst="2001:db8::8") / UDP()) == 0
    assert end.come(IPv6(src="2001:db8:8::7", dst="2001:db8::8") / UDP()) == counters.SOURCE


def test_superpackets_of_a_flow_are_asked_as_others_are() -> None:
    """One that passed says nothing of other addresses, of another peer, or of a life that ends."""
    end = End(sources=("198.51.100.0/24",))

    def out(packet: Any) -> int:
        return end.duties.outgoing(memoryview(bytearray(bytes(packet))), 1400, True)

    def come(packet: Any) -> int:
        view = memoryview(bytearray(bytes(packet)))
        return end.duties.incoming(view, 1400, True, (PEER, 0))

    own, other = IP(src="198.51.100.7", dst="8.8.8.8") / TCP(), IP(src=LOCAL, dst="8.8.8.8") / TCP()
    for _ in range(2):
        assert (out(own), out(other)) == (0, counters.LOOP)
        assert (come(own), come(other)) == (0, counters.SOURCE)
    assert come(IP(src="198.51.100.7", dst="8.8.8.8", ttl=0) / TCP()) == counters.EXPIRED
    assert (out(own), come(own)) == (0, 0)
    end.carriage.peer, end.carriage.local = ("8.8.8.8", 7), "198.51.100.7"
    assert (out(own), come(own)) == (counters.LOOP, counters.SOURCE)
    for length in range(20):
        assert come(bytes(own)[:length]) == counters.MALFORMED


def test_a_packet_without_a_life_left_is_dropped() -> None:
    """RFC 2003, 3.1; one that has just one left may be for this host."""
    end = End()
    assert end.come(IP(src="8.8.8.8", dst="198.51.100.7", ttl=0) / UDP()) == counters.EXPIRED
    assert end.come(IP(src="8.8.8.8", dst="198.51.100.7", ttl=1) / UDP()) == 0
    assert end.come(IPv6(src=PEER6, dst=LOCAL6, hlim=0) / UDP()) == counters.EXPIRED


@given(st.binary(max_size=80))
def test_any_bytes_get_a_verdict(data: bytes) -> None:
    """In both directions, and as the subject of an error; nothing is raised."""
    end = End(sources=("198.51.100.0/24",))
    for packet in (data, b"\x45" + data, b"\x45" + bytes(8) + b"\6" + data, b"\x60" + data):
        for verdict in (end.out(packet), end.come(packet)):
            assert 0 <= verdict < len(counters.NAMES)
        end.duties.refused(packet, EMSGSIZE)
        if len(packet) > 12:
            survives(memoryview(bytearray(packet)), CE)


BIG = IP(src="198.51.100.7", dst="8.8.8.8", flags="DF") / UDP() / bytes(1500)
BIG6 = IPv6(src="2001:db8:7::7", dst="2001:db8::8") / UDP() / bytes(1500)


def test_senders_are_told() -> None:
    """Of the path's MTU, and of a far end that is not there; of nothing else."""
    end = End()
    end.duties.refused(bytes(BIG), EMSGSIZE)
    assert IP(end.answers.pop())[ICMP].nexthopmtu == PATH
    end.duties.refused(bytes(BIG6), EMSGSIZE)
    assert IPv6(end.answers.pop())[inet6.ICMPv6PacketTooBig].mtu == PATH
    assert end.counted(counters.TOLD_TOO_BIG) == 2
    for errno in (EHOSTUNREACH, ENOPROTOOPT):
        end.duties.refused(bytes(BIG), errno)
        assert (IP(end.answers.pop())[ICMP].type, end.answers) == (3, [])
    assert end.counted(counters.TOLD_UNREACHABLE) == 2
    end.duties.refused(bytes(BIG), ENOBUFS)
    assert not end.answers


def test_errors_are_limited() -> None:
    """RFC 4443, 2.4 f: so many at once, and so many a second."""
    end = End()
    for _ in range(2 * ERRORS_A_SECOND):
        end.duties.refused(bytes(BIG), EMSGSIZE)
    assert len(end.answers) == end.counted(counters.TOLD_TOO_BIG) == ERRORS_A_SECOND
    end.now += 0.1
    for _ in range(ERRORS_A_SECOND):
        end.duties.refused(bytes(BIG), EMSGSIZE)
    assert len(end.answers) - ERRORS_A_SECOND in (ERRORS_A_SECOND // 10, ERRORS_A_SECOND // 10 - 1)


NETWORKS = [IP(src="198.51.100.7", dst="8.8.8.8"), IPv6(src="2001:db8:7::7", dst="2001:db8::8")]
BEFORE = [[], [("NOP", None)], [("WScale", 7)], [("NOP", None), ("SAckOK", b"")]]


def syn(network: Any, options: list[Any], mss: int, flags: str = "S") -> tuple[bytearray, int]:
    """A packet, and the offset of its header of TCP."""
    packet = network / TCP(sport=7, dport=80, flags=flags, options=[*options, ("MSS", mss)])
    whole = bytearray(bytes(packet))
    return whole, len(whole) - len(bytes(packet[TCP]))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("options", BEFORE)
@pytest.mark.parametrize("flags", ["S", "SA"])
def test_the_mss_of_a_connection_is_lowered(network: Any, options: list[Any], flags: str) -> None:
    """At whatever offset it stands: what scapy writes with that MSS, checksum included."""
    for end, room in ((End(), PATH), (End(mtu=1300), 1300)):
        packet, start = syn(network, options, 9000, flags)
        fit, _ = syn(network, options, room - start - 20, flags)
        for work in (end.duties.outgoing, end.duties.incoming):
            view = bytearray(packet)
            source = [(PEER, 0)][: work == end.duties.incoming]
            assert work(memoryview(view), 0, False, *source) == 0
            assert view == fit
        assert end.counted(counters.CLAMPED) == 2


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("options", BEFORE)
def test_a_checksum_that_the_device_has_to_complete_stays(network: Any, options: list[Any]) -> None:
    """It is the sum of the pseudo header, whatever the options are."""
    packet, start = syn(network, options, 9000)
    addresses = packet[12:20] if start == 20 else packet[8:40]
    half = len(addresses) // 2
    pseudo = ip.pseudo_sum(addresses[:half], addresses[half:], 6, len(packet) - start)
    packet[start + 16 : start + 18] = pseudo.to_bytes(2, "big")
    assert clamp(memoryview(packet), start, 1000, True)
    assert packet[start + 16 : start + 18] == pseudo.to_bytes(2, "big")
    layer = IP if start == 20 else IPv6
    assert dict(layer(bytes(packet))[TCP].options)["MSS"] == 1000


@pytest.mark.parametrize("network", NETWORKS)
def test_other_packets_stay_as_they_are(network: Any) -> None:
    """No larger MSS, none at all, no beginning of a connection, a fragment."""
    for packet in (
        syn(network, [], 1000)[0],
        syn(network, [], 9000, "A")[0],
        bytes(network / TCP(flags="S")),
        bytes(network / TCP(flags="S"))[:-1] + b"\x09",
        bytes(network / UDP() / b"\2\4\xff\xff"),
    ):
        view = bytearray(packet)
        End().out(view)
        assert view == packet


@pytest.mark.parametrize("network", NETWORKS)
def test_a_damaged_packet_stays_one(network: Any) -> None:
    """Its checksum is amended, and not made anew."""
    damaged, start = syn(network, [], 9000)
    damaged[-1] ^= 1
    assert clamp(memoryview(damaged), start, 1000, False)
    packet = (IP if start == 20 else IPv6)(bytes(damaged))
    wrong = packet[TCP].chksum
    del packet[TCP].chksum
    assert (IP if start == 20 else IPv6)(bytes(packet))[TCP].chksum != wrong


def test_an_option_that_goes_over_the_end_is_no_mss() -> None:
    """Lengths of 0 and beyond the header."""
    for options in (b"\5\0\2\4", b"\5\xff\2\4", b"\1\1\1\2", b"\2"):
        tcp = bytearray(20) + options
        tcp[12] = (20 + len(options)) // 4 << 4
        tcp[13] = 2
        packet = memoryview(bytearray(bytes(IP(src="1.1.1.1", dst="2.2.2.2", proto=6) / tcp)))
        assert not clamp(packet, 20, 100, False)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    ("outer", "inner", "left"),
    [
        (NOT_ECT, NOT_ECT, NOT_ECT), (NOT_ECT, ECT_0, ECT_0), (NOT_ECT, CE, CE),
        (ECT_0, NOT_ECT, NOT_ECT), (ECT_0, ECT_0, ECT_0), (ECT_0, ECT_1, ECT_1), (ECT_0, CE, CE),
        (ECT_1, NOT_ECT, NOT_ECT), (ECT_1, ECT_0, ECT_1), (ECT_1, ECT_1, ECT_1), (ECT_1, CE, CE),
        (CE, NOT_ECT, None), (CE, ECT_0, CE), (CE, ECT_1, CE), (CE, CE, CE),
    ],
)  # fmt: skip
def test_marks_of_congestion_are_handed_on(
    network: Any, outer: int, inner: int, left: int | None
) -> None:
    """The table of RFC 6040, 4.2, with what scapy writes."""
    name = "tos" if network.version == 4 else "tc"
    made = [network.copy(), network.copy()]
    setattr(made[0], name, 0xB8 | inner)
    packet = bytearray(bytes(made[0] / UDP()))
    assert survives(memoryview(packet), outer) is (left is not None)
    if left is not None:
        setattr(made[1], name, 0xB8 | left)
        assert packet == bytes(made[1] / UDP())


def test_a_sentence_is_told_once_a_while() -> None:
    """Each has its own time."""
    now = [0.0]
    told = Told(lambda: now[0])
    assert told.fresh(["a", "b"]) == ["a", "b"]
    now[0] = AGAIN - 1
    assert told.fresh(["a", "c"]) == ["c"]
    now[0] = AGAIN
    assert told.fresh(["a", "b", "c"]) == ["a", "b"]
