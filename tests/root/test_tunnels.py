"""A tunnel between two namespaces: real devices, real datagrams, a process at each end."""

from __future__ import annotations

import os
import random
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing
from errno import EMSGSIZE
from select import POLLIN

import pytest
from support import PATIENCE, SLOW, Namespace
from tunnelled import (
    INNER,
    INNER6,
    OUTER,
    OUTER6,
    End,
    Middle,
    PlainPeer,
    cable,
    transfer,
    wait_for,
)

from netalias import errors
from netalias.packets import ip
from netalias.tunnels import counters, frames, hello, plane, tun
from netalias.tunnels.carriage import open_carriage
from netalias.tunnels.hello import UDP_TRAINS
from netalias.tunnels.relay import Relay
from netalias.tunnels.udp import ROOM, SOL_UDP, UDP_SEGMENT, Udp

DATA = random.Random(16).randbytes(1 << 20)


@pytest.fixture
def pair(veth: Namespace) -> tuple[Namespace, Namespace]:
    """Two namespaces with addresses on one cable."""
    assert veth.peer is not None
    cable(veth, veth.peer)
    return veth, veth.peer


@pytest.fixture
def ends(pair: tuple[Namespace, Namespace]) -> Iterator[tuple[End, End]]:
    """A tunnel over UDP that is up, both peers pinned."""
    with ExitStack() as stack:
        made = [End(one, number) for number, one in enumerate(pair)]
        for one in made:
            stack.callback(one.close)
            one.start()
        for one in made:
            one.wait()
        yield made[0], made[1]


@pytest.mark.parametrize("address", [INNER[1], INNER6[1]])
def test_bytes_arrive_as_they_were_sent(ends: tuple[End, End], address: str) -> None:
    """One TCP flow each way, of both families."""
    here, there = (one.namespace for one in ends)
    assert transfer(here, there, address, DATA)
    # What was sent is counted afterwards.
    wait_for(ends[0], "sent_bytes", len(DATA))
    wait_for(ends[1], "received_bytes", len(DATA))
    wait_for(ends[0], "sent_trains", len(DATA) // 2 >> 16)
    wait_for(ends[1], "received_trains", len(DATA) // 2 >> 16)


@pytest.mark.parametrize("address", [INNER[1], INNER6[1]])
def test_datagrams_inside_keep_their_bounds(ends: tuple[End, End], address: str) -> None:
    """Superpackets of UDP, which newer kernels make and take."""
    sizes = [1300] * 40 + [7]
    sent = [random.Random(number).randbytes(size) for number, size in enumerate(sizes)]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ends[1].namespace:
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.bind((address, 0))
    with ends[0].namespace:
        client = socket.socket(family, socket.SOCK_DGRAM)
    with server, client:
        server.settimeout(PATIENCE * SLOW)
        client.setsockopt(SOL_UDP, UDP_SEGMENT, 1300)
        client.connect(server.getsockname())
        client.send(b"".join(sent))
        assert [server.recv(2000) for _ in sent] == sent
    if ends[0].counted("agreed") & UDP_TRAINS:
        wait_for(ends[0], "sent_trains", 1)
        assert ends[0].counted("dropped_unsent") == 0


@pytest.mark.parametrize("address", [INNER[1], INNER6[1]])
def test_a_packet_that_just_fits_the_path_arrives(ends: tuple[End, End], address: str) -> None:
    """The device has a larger MTU. Without room for a head of ours its checksum is computed."""
    family, header = (socket.AF_INET6, 48) if ":" in address else (socket.AF_INET, 28)
    for one in ends:
        one.namespace.ip("link set vif0 mtu 1536")
    with ends[1].namespace:
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.bind((address, 0))
    with ends[0].namespace:
        client = socket.socket(family, socket.SOCK_DGRAM)
    with server, client:
        server.settimeout(PATIENCE * SLOW)
        client.connect(server.getsockname())
        for size in (1500 - 28 - header, 1500 - 28 - 8 - header):
            client.send(DATA[:size])
            assert server.recv(2000) == DATA[:size]


def test_what_the_network_harms_tcp_mends(pair: tuple[Namespace, Namespace]) -> None:
    """Datagrams are lost, doubled and come in another order: every byte arrives as it was."""
    here, there = pair
    with ExitStack() as stack:
        middle = Middle(there, random.Random(3), odds=0.01)
        stack.callback(middle.close)
        ends = End(here, 0), End(there, 1, outer=(Middle.THERE, Middle.HERE))
        for one in ends:
            stack.callback(one.close)
            one.start()
        for one in ends:
            one.wait()
        assert transfer(here, there, INNER[1], DATA)
        assert middle.harmed > 5


@pytest.mark.parametrize("way", [0, 1])
def test_a_peer_that_is_not_netalias_gets_whole_packets(
    pair: tuple[Namespace, Namespace], way: int
) -> None:
    """And what it sends is taken."""
    with ExitStack() as stack:
        ends = End(pair[0], 0), End(pair[1], 1)
        for one in ends:
            stack.callback(one.close)
        plain = PlainPeer(ends[1])
        stack.callback(plain.close)
        ends[0].start()
        assert transfer(pair[way], pair[1 - way], INNER[1 - way], DATA)
        assert not ends[0].counted("agreed")
        # Superpackets were cut into packets with checksums of their own.
        assert way or ends[0].counted("sent_trains")


def test_a_peer_that_became_another_program_gets_whole_packets(
    pair: tuple[Namespace, Namespace],
) -> None:
    """A BYE ends what was agreed; a HELLO of a new instance agrees again."""
    with ExitStack() as stack:
        ends = End(pair[0], 0), End(pair[1], 1)
        for one in ends:
            stack.callback(one.close)
            one.start()
        for one in ends:
            one.wait()
        assert ends[1].stop() == 0
        plain = PlainPeer(ends[1])
        stack.callback(plain.close)
        ends[0].wait(agreed=False)
        assert transfer(*pair, INNER[1], DATA)


def test_a_passive_end_learns_its_peer_once(pair: tuple[Namespace, Namespace]) -> None:
    """The first datagram pins its sender; what others send is not heard any more."""
    here, there = pair
    with ExitStack() as stack:
        ends = End(here, 0), End(there, 1, passive=True)
        for one in ends:
            stack.callback(one.close)
            one.start()
        assert transfer(here, there, INNER[1], DATA)
        before = ends[1].counted("received_packets")
        with here:
            stranger = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        stranger.settimeout(PATIENCE * SLOW)
        stranger.connect((OUTER[1], 7777))
        stranger.send(b"\x45" + bytes(40))
        with pytest.raises(ConnectionRefusedError):
            stranger.recv(10)
        assert ends[1].counted("received_packets") == before


def test_a_program_may_connect_before_the_peer_is_known(netns: Namespace) -> None:
    """The size of what its peer may send is lowered to what every path takes."""
    count = counters.Counters.create()
    with ExitStack() as stack:
        with netns:
            device = stack.enter_context(closing(tun.create("vif0")))
            carriage = stack.enter_context(closing(open_carriage("udp:7777")))
        made = plane.relay(device, "udp:7777", os.dup(carriage.fileno()), count, {"mtu": "1400"})
        assert isinstance(made, Relay)
        stack.enter_context(closing(made.carriage))
        syn = struct.pack("!HHIIBBHHHBBH", 1, 80, 0, 0, 6 << 4, 2, 999, 0, 0, 2, 4, 1460)
        packet = memoryview(bytearray(ip.ipv4(*map(socket.inet_aton, INNER), 6, syn)))
        assert [one(packet, 0, False) for one in made.outgoing] == [0]
        assert struct.unpack("!H", packet[-2:]) == (ROOM - 40,)


def test_a_device_that_is_deleted_while_it_is_read(netns: Namespace) -> None:
    """It is told in one sentence, as where poll(2) tells of it."""
    with ExitStack() as stack:
        with netns:
            device = stack.enter_context(closing(tun.create("vif0")))
            carriage = stack.enter_context(closing(open_carriage("udp:7777")))
        made = Relay(device, carriage)
        netns.ip("link del vif0")
        with pytest.raises(errors.StateError, match="vif0: the device is gone"):
            device.read()
        with pytest.raises(errors.StateError, match="vif0: the device is gone"):
            made._device_ready(POLLIN)


def test_a_device_that_is_down_takes_no_answer(netns: Namespace) -> None:
    """Packets that have waited in it are read all the same, and some of them are answered."""
    count = counters.Counters.create()
    with ExitStack() as stack:
        with netns:
            device = stack.enter_context(closing(tun.create("vif0")))
            carriage = stack.enter_context(closing(open_carriage("udp:7777")))
        made = plane.relay(device, "udp:7777", os.dup(carriage.fileno()), count, {"mtu": "1400"})
        assert isinstance(made, Relay)
        stack.enter_context(closing(made.carriage))
        inner = ip.ipv4(*map(socket.inet_aton, INNER), 17, bytes(1400))
        assert made.carriage.refused is not None
        made.carriage.refused(inner, EMSGSIZE)
    assert count.by_name()["dropped_refused"] == 1


@pytest.mark.parametrize("word", ["udp:7777", "ipip94", "ipip"])
def test_a_made_up_source_is_not_learned(netns: Namespace, word: str) -> None:
    """No way leads back to it: it is counted, and the peer may still come."""
    netns.raise_lo()
    inner = ip.ipv4(*map(socket.inet_aton, INNER), 17, bytes(20))
    wire = struct.pack("!4H", 7777, 7777, 8 + len(inner), 0) + inner if ":" in word else inner
    protocol = {"udp": 17, "ipip94": 94, "ipip": 4}[word.partition(":")[0]]
    dropped: list[int] = []
    with netns, ExitStack() as stack:
        kind = socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW
        raw = stack.enter_context(socket.socket(*kind))
        carriage = stack.enter_context(closing(open_carriage(word, "", "127.0.0.1")))
        carriage.dropped = dropped.append
        for source in ("198.51.100.9", "127.0.0.2"):
            ends = map(socket.inet_aton, (source, "127.0.0.1"))
            raw.sendto(ip.ipv4(*ends, protocol, wire), ("127.0.0.1", 0))
        found = [bytes(packet) for packet, _ in carriage.receive()]
        peer = carriage.peer
    assert (found, dropped) == ([inner], [counters.STRANGER])
    assert peer is not None
    assert peer[0] == "127.0.0.2"


@pytest.mark.parametrize("trains", [False, True], ids=["whole", "trains"])
@pytest.mark.parametrize("known", [False, True], ids=["passive", "known"])
def test_what_came_before_the_peer_was_known(netns: Namespace, known: bool, trains: bool) -> None:
    """Until a socket is connected the kernel queues what anybody sends."""
    netns.raise_lo()
    packets = [ip.ipv4(*map(socket.inet_aton, INNER), 17, bytes([n])) for n in range(4)]
    dropped: list[int] = []
    kind = socket.AF_INET, socket.SOCK_DGRAM
    with netns, ExitStack() as stack:
        ours, peer, stranger = (stack.enter_context(socket.socket(*kind)) for _ in range(3))
        ours.bind(("127.0.0.1", 7777))
        peer.bind(("127.0.0.1", 7778))
        for sender, packet in zip((peer, stranger, peer), packets, strict=False):
            sender.sendto(packet, ours.getsockname())
        if known:
            ours.connect(peer.getsockname())
        carriage = stack.enter_context(closing(Udp.adopt(os.dup(ours.fileno()), "7777")))
        carriage.dropped = dropped.append
        found: list[bytes] = []
        for _ in range(5):
            if trains:
                got = carriage.receive_train()
                found += [bytes(got[0][: got[1]])] if got else []
            else:
                found += [bytes(packet) for packet, _ in carriage.receive()]
        assert (found, dropped) == ([packets[0], packets[2]], [counters.STRANGER])
        assert carriage.peer == peer.getsockname()
        peer.sendto(packets[3], ours.getsockname())
        assert [bytes(packet) for packet, _ in carriage.receive()] == [packets[3]]


def test_what_no_tunnel_sends_is_not_learned(netns: Namespace) -> None:
    """Whoever looks for open ports does not become the peer."""
    netns.raise_lo()
    inner = ip.ipv4(*map(socket.inet_aton, INNER), 17, bytes(20))
    dropped: list[int] = []
    with netns, ExitStack() as stack:
        carriage = stack.enter_context(closing(open_carriage("udp:7777")))
        carriage.dropped = dropped.append
        kind = socket.AF_INET, socket.SOCK_DGRAM
        stranger, peer = (stack.enter_context(socket.socket(*kind)) for _ in range(2))
        for data in (b"", b"OPTIONS sip:nm SIP/2.0", b"\x91", bytes(100)):
            stranger.sendto(data, ("127.0.0.1", 7777))
        peer.sendto(inner, ("127.0.0.1", 7777))
        found = [bytes(packet) for packet, _ in carriage.receive()]
        assert (found, dropped) == ([inner], [counters.MALFORMED] * 4)
        assert carriage.peer is not None
        assert carriage.peer[1] == peer.getsockname()[1]


@pytest.mark.parametrize("passive", [False, True], ids=["pinned", "passive"])
def test_ipv6_outside(pair: tuple[Namespace, Namespace], passive: bool) -> None:
    """Both families inside; a passive end waits for both families outside."""
    with ExitStack() as stack:
        ends = End(pair[0], 0, outer=OUTER6), End(pair[1], 1, outer=OUTER6[::-1], passive=passive)
        for one in ends:
            stack.callback(one.close)
            one.start()
        for one in ends:
            one.wait()
        assert transfer(*pair, INNER[1], DATA)
        assert transfer(*pair, INNER6[1], DATA)
        wait_for(ends[0], "sent_trains", 1)
        assert ends[0].counted("dropped_unsent") == 0


def test_a_killed_data_plane_loses_neither_device_nor_port(ends: tuple[End, End]) -> None:
    """The next one goes on with the same descriptors, and counts on."""
    here, there = (one.namespace for one in ends)
    assert transfer(here, there, INNER[1], DATA)
    before = ends[0].counted("sent_packets")
    assert ends[0].stop(signal.SIGKILL) == signal.SIGKILL
    ends[0].start()
    assert transfer(here, there, INNER[1], DATA)
    assert transfer(there, here, INNER[0], DATA)
    assert ends[0].counted("sent_packets") > before
    ends[0].wait()


def test_sigterm_ends_it_in_order(ends: tuple[End, End]) -> None:
    """Exit status 0."""
    here, there = (one.namespace for one in ends)
    assert transfer(here, there, INNER[1], b"up")
    assert os.waitstatus_to_exitcode(ends[0].stop()) == 0


def test_any_bytes_are_counted_and_dropped(ends: tuple[End, End]) -> None:
    """What is no packet is no packet; the tunnel goes on."""
    here, there = ends
    assert transfer(here.namespace, there.namespace, INNER[1], b"up")
    dice = random.Random(1)
    firsts = [None, *frames.SLICES, frames.UNSUMMED, *hello.KINDS]
    sent = []
    for _ in range(300):
        data, first = dice.randbytes(dice.randrange(1, 1400)), dice.choice(firsts)
        sent.append(data if first is None else bytes([first]) + data[1:])
    before = there.counted("received_bytes")
    here.carriage.send(sent)
    wait_for(there, "dropped_malformed", 100)  # the kernel joins some of them
    assert there.counted("received_bytes") < before + 1000  # the end of that connection
    assert transfer(here.namespace, there.namespace, INNER[1], DATA)


def test_an_empty_datagram_is_counted_and_dropped(pair: tuple[Namespace, Namespace]) -> None:
    """From a peer that has agreed to nothing yet: the process of the other end goes on."""
    here, there = pair
    with ExitStack() as stack:
        ends = End(here, 0), End(there, 1)
        for one in ends:
            stack.callback(one.close)
        ends[1].start()
        with here:
            ends[0].carriage.send([b""])
        wait_for(ends[1], "dropped_malformed", 1)
        ends[0].start()
        assert transfer(here, there, INNER[1], b"up")


@pytest.mark.parametrize("version", [0, 1])
def test_datagrams_are_not_capable_of_ecn(pair: tuple[Namespace, Namespace], version: int) -> None:
    """The class of a packet is that of its datagram, and the mark is not: what a router writes
    there would be lost, and the sender would never slow down (RFC 6040, 4.1)."""
    here, there = pair
    address, level, option, told = (
        (OUTER[1], socket.IPPROTO_IP, 13, socket.IP_TOS),
        (OUTER6[1], socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, socket.IPV6_TCLASS),
    )[version]
    family = socket.AF_INET6 if version else socket.AF_INET
    with there:
        far = socket.socket(family, socket.SOCK_DGRAM)
    with here:
        carriage = open_carriage("udp:7777", address)
    with far, closing(carriage):
        far.setsockopt(level, option, 1)
        far.bind((address, 7777))
        far.settimeout(PATIENCE * SLOW)
        for mark in range(4):
            assert carriage.send((b"packet",), tos=0xB8 | mark) == 1
            _, control, _, _ = far.recvmsg(100, 100)
            assert [(kind, data[0]) for _, kind, data in control] == [(told, 0xB8)]
