"""Tunnels over protocol 94 and IP in IP, and the duties of RFC 2003: real devices and sockets."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from support import PATIENCE, SLOW, Namespace, until
from tunnelled import INNER, INNER6, OUTER, OUTER6, End, cable, transfer, wait_for

from netalias.packets import ip
from netalias.tunnels.carriage import adopt_carriage, open_carriage

DATA = random.Random(94).randbytes(1 << 18)
CARRIAGES = ("ipip94", "ipip")


@pytest.fixture
def pair(veth: Namespace) -> tuple[Namespace, Namespace]:
    """Two namespaces with addresses on one cable."""
    assert veth.peer is not None
    cable(veth, veth.peer)
    return veth, veth.peer


@pytest.mark.parametrize("outer", [OUTER, OUTER6])
@pytest.mark.parametrize("carriage", CARRIAGES)
def test_both_families_are_carried_over_both(
    pair: tuple[Namespace, Namespace], carriage: str, outer: tuple[str, str]
) -> None:
    """TCP each, inside a cable that has 1500 bytes, through devices that have more."""
    here, there = pair
    with ExitStack() as stack:
        ends = [
            End(one, number, carriage, 1536, outer=(outer[number], outer[1 - number]))
            for number, one in enumerate(pair)
        ]
        for one in ends:
            stack.callback(one.close)
            one.start()
        for address in (INNER[1], INNER6[1]):
            assert transfer(here, there, address, DATA)
        # The counters are written after the packets, which may have arrived by then.
        until(lambda: ends[0].counted("sent_bytes") > 2 * len(DATA))
        until(lambda: ends[1].counted("received_bytes") > 2 * len(DATA))
        # No packet of TCP was too big: its MSS was lowered.
        assert ends[0].counted("mss_clamped")
        assert not ends[0].counted("told_too_big")


@pytest.fixture
def one_end(pair: tuple[Namespace, Namespace], request: pytest.FixtureRequest) -> Iterator[End]:
    """An end in the first namespace whose peer is a program of the tests."""
    end = End(pair[0], 0, request.param, 1536)
    try:
        end.start()
        yield end
    finally:
        end.close()


def raw(namespace: Namespace, protocol: int) -> socket.socket:
    """The program of the tests: a raw socket at the other end of the cable."""
    with namespace:
        made = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    made.settimeout(PATIENCE * SLOW)
    made.bind((OUTER[1], 0))
    made.connect((OUTER[0], 0))
    return made


def udp(namespace: Namespace, *options: tuple[int, int, int]) -> socket.socket:
    """A socket that sends through the device."""
    with namespace:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(PATIENCE * SLOW)
    for option in options:
        made.setsockopt(*option)
    made.bind((INNER[0], 5000))
    made.connect((INNER[1], 5001))
    return made


IP_TOS, IP_MTU_DISCOVER, IP_RECVERR, IP_MTU = 1, 10, 11, 14
DF, NO_DF = (socket.IPPROTO_IP, IP_MTU_DISCOVER, 2), (socket.IPPROTO_IP, IP_MTU_DISCOVER, 0)
EF_ECT = 0xBA
"""Expedited forwarding, able to be marked for congestion."""


def next_udp(wire: socket.socket) -> tuple[ip.Head, bytes]:
    """The head of the next outer packet with a datagram inside, and the inner packet."""
    while True:
        packet = wire.recv(65535)
        outer = ip.parse(packet)
        inner = packet[outer.start :]
        if ip.parse(inner).protocol == ip.IPPROTO_UDP:
            return outer, inner


@pytest.mark.parametrize(
    ("one_end", "protocol"), [("ipip94", 94), ("ipip", 4)], indirect=["one_end"]
)
def test_a_program_with_a_raw_socket_is_a_peer(
    one_end: End, pair: tuple[Namespace, Namespace], protocol: int
) -> None:
    """C-7: no header but that of IP stands before the packet. TOS, ECN and DF are copied, and the
    kernel fragments the outer packet where the cable takes no such packet without DF."""
    with raw(pair[1], protocol) as wire:
        tos = (socket.IPPROTO_IP, IP_TOS, EF_ECT)
        for option, length in ((DF, 100), (NO_DF, 100), (NO_DF, 1508)):
            with udp(pair[0], option, tos) as sender:
                sender.send(bytes(length))
                outer, inner = next_udp(wire)
                head = ip.parse(inner)
                assert (outer.protocol, outer.tos, outer.df) == (protocol, EF_ECT, option is DF)
                assert (head.tos, head.df, len(inner)) == (EF_ECT, option is DF, length + 28)
                assert ip.checksum(inner[:20]) == 0
                answer = bytes([0x13, 0x89, 0x13, 0x88, 0, 13, 0, 0]) + b"words"
                addresses = (socket.inet_aton(one) for one in reversed(INNER))
                wire.send(ip.ipv4(*addresses, ip.IPPROTO_UDP, answer))
                assert sender.recv(100) == b"words"


@pytest.mark.parametrize("one_end", [*CARRIAGES, "udp"], indirect=True)
def test_a_packet_that_is_too_big_is_told_to_its_sender(
    one_end: End, pair: tuple[Namespace, Namespace]
) -> None:
    """With DF it cannot be carried, and the sender hears the MTU of the path: both families."""
    with udp(pair[0], DF) as sender:
        sender.send(bytes(1480))
        wait_for(one_end, "told_too_big", 1)
        with pytest.raises(OSError, match="Message too long"):
            sender.send(bytes(1480))
        room = 1500 - one_end.carriage.overhead
        assert sender.getsockopt(socket.IPPROTO_IP, IP_MTU) == room
    with pair[0]:
        sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with sender:
        sender.setsockopt(socket.IPPROTO_IPV6, 23, 2)
        sender.connect((INNER6[1], 5001))
        sender.send(bytes(1450))
        wait_for(one_end, "told_too_big", 2)
        with pytest.raises(OSError, match="Message too long"):
            sender.send(bytes(1450))


@pytest.mark.parametrize(
    ("one_end", "protocol"), [("ipip94", 94), ("ipip", 4)], indirect=["one_end"]
)
def test_what_has_no_business_here_is_dropped_and_counted(
    one_end: End, pair: tuple[Namespace, Namespace], protocol: int
) -> None:
    """C-7: strangers are not heard at all; of the peer: no packet of IP, our own outer address."""
    here, there = (socket.inet_aton(one) for one in INNER)
    own = socket.inet_aton(OUTER[0])
    pair[1].ip("addr add 10.9.0.3/24 dev p9")
    with raw(pair[1], protocol) as wire, pair[1]:
        stranger = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
        with stranger:
            stranger.bind(("10.9.0.3", 0))
            stranger.sendto(ip.ipv4(there, here, 17, bytes(20)), (OUTER[0], 0))
        wire.send(b"no packet of IP")
        wire.send(b"")
        wire.send(ip.ipv4(own, here, 17, bytes(20)))
        wire.send(ip.ipv4(there, here, 17, bytes(20), ttl=0))
        wire.send(ip.ipv4(there, here, 17, bytes(20)))
        wait_for(one_end, "received_packets", 1)
    counted = {name: n for name, n in one_end.count.by_name().items() if name.startswith("drop")}
    expected = {"dropped_malformed": 2, "dropped_source": 1, "dropped_expired": 1}
    assert {name: n for name, n in counted.items() if n} == expected


def test_a_passive_end_learns_its_peer_once(pair: tuple[Namespace, Namespace]) -> None:
    """The first packet pins its sender; packets of others that came with it are not heard."""
    here, there = pair
    pair[1].ip("addr add 10.9.0.3/24 dev p9")
    with ExitStack() as stack:
        end = End(here, 0, "ipip94", passive=True)
        stack.callback(end.close)
        addresses = [socket.inet_aton(one) for one in reversed(INNER)]
        wires = [stack.enter_context(raw(there, 94))]
        with there:
            wires.append(stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_RAW, 94)))
        wires[1].bind(("10.9.0.3", 0))
        wires[1].connect((OUTER[0], 0))
        for wire in wires:
            wire.send(ip.ipv4(*addresses, 17, bytes(20)))
        end.start()
        wait_for(end, "received_packets", 1)
        wait_for(end, "dropped_stranger", 1)
        wires[1].send(ip.ipv4(*addresses, 17, bytes(20)))
        wires[0].send(ip.ipv4(*addresses, 17, bytes(20)))
        wait_for(end, "received_packets", 2)
        assert end.counted("dropped_stranger") == 1


def test_a_protocol_that_the_peer_does_not_understand_is_told_by_name(
    pair: tuple[Namespace, Namespace],
) -> None:
    """And what to do; the sender of the packet hears that the way ends there."""
    with pair[0]:
        carriage = open_carriage("ipip94", OUTER[1], OUTER[0])
    with closing(carriage), pair[0]:
        addresses = [socket.inet_aton(one) for one in INNER]
        packet = ip.ipv4(*addresses, 17, bytes(20))
        assert carriage.send([packet]) == 1
        refused: list[tuple[bytes, int]] = []
        carriage.refused = lambda packet, code: refused.append((bytes(packet), code))
        told = until(carriage.failures)
        assert told == [f"{OUTER[1]} does not understand protocol 94: try carriage udp"]
        assert refused == [(packet, errno.ENOPROTOOPT)]
        assert carriage.send([packet]) == 1
        assert len(refused) == 1


def test_a_tunnel_module_of_the_kernel_at_the_far_end_is_no_refusal(
    pair: tuple[Namespace, Namespace],
) -> None:
    """It says "port unreachable" of what is not for a device of its own, though a raw socket has
    the packet."""
    with pair[0]:
        carriage = open_carriage("ipip", OUTER[1], OUTER[0])
    with closing(carriage), raw(pair[1], 4) as wire, pair[1]:
        packet = ip.ipv4(*(socket.inet_aton(one) for one in INNER), 17, bytes(20))
        refused: list[int] = []
        carriage.refused = lambda packet, code: refused.append(code)
        assert carriage.send([packet]) == 1
        quoted = wire.recv(100)
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp:
            for code in (3, 1):
                message = bytes([3, code]) + bytes(6) + quoted
                checksum = ip.checksum(message).to_bytes(2, "big")
                icmp.sendto(message[:2] + checksum + message[4:], (OUTER[0], 0))
        assert until(carriage.failures) == [f"no way to {OUTER[1]}: the host cannot be reached"]
        assert refused == [errno.EHOSTUNREACH]


@pytest.mark.parametrize("one_end", CARRIAGES, indirect=True)
def test_a_sender_hears_that_nobody_is_there(
    one_end: End, pair: tuple[Namespace, Namespace]
) -> None:
    """To it the far end is a host that cannot be reached (RFC 2003, 4.1)."""
    with udp(pair[0], (socket.IPPROTO_IP, IP_RECVERR, 1)) as sender:
        sender.send(b"words")
        with pytest.raises(OSError, match="No route to host"):
            sender.recv(100)
    wait_for(one_end, "told_unreachable", 1)


def test_a_sender_hears_of_a_narrow_path_behind_the_first_link(
    pair: tuple[Namespace, Namespace],
) -> None:
    """A router tells the end of the tunnel, and quotes what it could not hand on."""
    here, router = pair
    router.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    router.ip("link add narrow type veth peer name wide")
    router.ip("link set narrow mtu 1300 up")
    router.ip("link set wide up")
    router.ip("route add 10.7.0.0/24 dev narrow")
    here.ip(f"route add 10.7.0.0/24 via {OUTER[1]}")
    end = End(here, 0, "ipip94", 1480, outer=(OUTER[0], "10.7.0.2"))
    try:
        end.start()
        with udp(here, DF) as sender:
            sender.send(bytes(1400))
            wait_for(end, "told_too_big", 1)
            until(lambda: sender.getsockopt(socket.IPPROTO_IP, IP_MTU) == 1280)
    finally:
        end.close()


def test_an_end_in_another_namespace_than_its_process(pair: tuple[Namespace, Namespace]) -> None:
    """The socket of protocol 41 is opened beside that of protocol 4, not where the process is."""
    with pair[0]:
        first = open_carriage("ipip", OUTER[1], OUTER[0])
    second = adopt_carriage("ipip", os.dup(first.fileno()))
    packet = ip.ipv6(bytes(16), bytes(16), 59, b"")
    with closing(first), closing(second), raw(pair[1], 41) as wire:
        assert second.send([packet]) == 1
        assert wire.recv(100)[20:] == packet


def test_any_bytes_from_the_network_are_dropped(pair: tuple[Namespace, Namespace]) -> None:
    """Random packets, damaged ones, and after them a good one: nothing has ended."""
    dice = random.Random(2003)
    addresses = [socket.inet_aton(one) for one in reversed(INNER)]
    good = ip.ipv4(*addresses, 17, bytes(20))
    with ExitStack() as stack:
        end = End(pair[0], 0, "ipip94")
        stack.callback(end.close)
        end.start()
        wire = stack.enter_context(raw(pair[1], 94))
        for _ in range(300):
            wire.send(dice.randbytes(dice.randrange(80)))
            damaged = bytearray(good)
            damaged[dice.randrange(len(good))] = dice.randrange(256)
            wire.send(damaged[: dice.randrange(1, len(good) + 1)])
        before = end.counted("received_packets")
        wire.send(good)
        wait_for(end, "received_packets", before + 1)
    assert end.pid == 0


@pytest.mark.parametrize("carriage", ["ipip94", "udp"])
def test_packets_that_have_waited_for_the_data_plane_get_their_checksums(
    pair: tuple[Namespace, Namespace], carriage: str
) -> None:
    """A device hands over superpackets from its birth, a carriage may take none."""
    with ExitStack() as stack:
        end = End(pair[0], 0, carriage)
        stack.callback(end.close)
        sender = stack.enter_context(udp(pair[0]))
        sender.send(b"words")
        with pair[1]:
            wire = stack.enter_context(open_wire(carriage))
        end.start()
        while True:
            packet = wire.recv(65535)
            packet = packet[20:] if carriage == "ipip94" else packet
            if packet[0] == 0x45 and packet[-5:] == b"words":
                break
        pseudo = ip.pseudo_sum(packet[12:16], packet[16:20], ip.IPPROTO_UDP, 13)
        assert ip.fold(ip.ones_sum(packet[20:]) + pseudo) == 0xFFFF


def open_wire(carriage: str) -> socket.socket:
    """A socket that gets the datagrams of a carriage."""
    if carriage == "udp":
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    else:
        made = socket.socket(socket.AF_INET, socket.SOCK_RAW, 94)
    made.settimeout(PATIENCE * SLOW)
    made.bind((OUTER[1], 7777))
    return made


SIOCETHTOOL, ETHTOOL_STSO, ETHTOOL_SGRO = 0x8946, 0x1F, 0x2C


def set_feature(namespace: Namespace, device: str, command: int, value: int) -> None:
    """Switch an offload of a device (linux/ethtool.h)."""
    wanted = array.array("I", (command, value))
    with namespace, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(
            sock, SIOCETHTOOL, struct.pack("16sP16x", device.encode(), wanted.buffer_info()[0])
        )


def joined_by_the_card(stack: ExitStack, here: Namespace, there: Namespace, folder: Path) -> None:
    """Have p9 join packets (GRO), as every real card does. Those that are held back for a moment
    are sure to be."""
    set_feature(here, "eth9", ETHTOOL_STSO, 0)
    set_feature(there, "p9", ETHTOOL_SGRO, 1)
    mounted = there.run(["mount", "-t", "sysfs", "sysfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip(mounted.stderr)
    stack.callback(there.run, ["umount", str(folder)])
    for name, value in (("napi_defer_hard_irqs", "1"), ("gro_flush_timeout", "5000000")):
        (folder / "class" / "net" / "p9" / name).write_text(value)


@pytest.mark.parametrize("carriage", CARRIAGES)
def test_a_card_may_join_the_packets_inside(
    pair: tuple[Namespace, Namespace], carriage: str, tmp_path: Path
) -> None:
    """GRO looks into protocols 4 and 41, and a raw socket gets the result."""
    here, there = pair
    with ExitStack() as stack:
        joined_by_the_card(stack, here, there, tmp_path)
        ends = [End(one, number, carriage, 1480) for number, one in enumerate(pair)]
        for one in ends:
            stack.callback(one.close)
            one.start()
        for address in (INNER[1], INNER6[1]):
            assert transfer(here, there, address, DATA)
        lines = there.run(["cat", "/proc/thread-self/net/snmp"]).stdout.splitlines()
        names, numbers = (line.split() for line in lines if line.startswith("Tcp:"))
        assert dict(zip(names, numbers, strict=True))["InCsumErrors"] == "0"
        is_joined = ends[1].counted("received_packets") < ends[0].counted("sent_packets") / 2
        assert is_joined is (carriage == "ipip")
