"""Marks of congestion (ECN) pass a tunnel over UDP both ways, as RFC 6040 has it."""

from __future__ import annotations

import random
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from sys import byteorder

import pytest
from support import PATIENCE, SLOW, Namespace, until
from test_tunnel_keyed import keyed, written
from test_tunnels_raw import joined_by_the_card
from tunnelled import INNER, INNER6, OUTER, OUTER6, End, cable, transfer

from netalias.tunnels import udp
from netalias.tunnels.carriage import Carriage, open_carriage
from netalias.tunnels.congestion import CE, ECT_0, ECT_1, NOT_ECT
from netalias.tunnels.roaming import open_roaming
from netalias.tunnels.udp import KEEPS_MARKS

pytestmark = pytest.mark.skipif(
    udp._linux() < KEEPS_MARKS, reason="this kernel puts datagrams with different marks together"
)

DATA = random.Random(40).randbytes(1 << 20)
CLASS = 0xB8
SIZE = 900
CONGESTED = """
table inet marking {
    chain out {
        type filter hook output priority 0
        udp dport 7777 ip ecn != not-ect ip ecn set ce
        udp dport 7777 ip6 ecn != not-ect ip6 ecn set ce
    }
}
"""
"""A router that is congested: it marks every datagram of the tunnel that is capable of it."""


@pytest.fixture
def pair(veth: Namespace) -> tuple[Namespace, Namespace]:
    """Two namespaces with addresses on one cable."""
    assert veth.peer is not None
    cable(veth, veth.peer)
    return veth, veth.peer


def up(stack: ExitStack, *made: End) -> tuple[End, End]:
    """A tunnel of these ends, which have agreed."""
    for one in made:
        stack.callback(one.close)
        one.start()
    for one in made:
        one.wait()
    return made[0], made[1]


@pytest.fixture(params=["ipv4", "ipv6", "key"])
def ends(
    request: pytest.FixtureRequest, pair: tuple[Namespace, Namespace], tmp_path: Path
) -> Iterator[tuple[End, End]]:
    """A tunnel that is up: over IPv4, over IPv6, and with a key."""
    with ExitStack() as stack:
        if request.param == "key":
            pytest.importorskip("cryptography")
            key = written(tmp_path / "vif0.key", bytes(range(32)))
            yield up(stack, *(keyed(one, number, key) for number, one in enumerate(pair)))
        else:
            outer = OUTER if request.param == "ipv4" else OUTER6
            sides = zip(pair, (outer, outer[::-1]), strict=True)
            yield up(stack, *(End(one, number, outer=side)
                              for number, (one, side) in enumerate(sides)))  # fmt: skip


def marking(sock: socket.socket, mark: int) -> None:
    """Send with this mark from now on."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, CLASS | mark)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, CLASS | mark)


def told(sock: socket.socket) -> int:
    """The mark of the next datagram."""
    _, control, _, _ = sock.recvmsg(2000, 100)
    ((_, _, data),) = control
    return int.from_bytes(data, byteorder) & CE


def taken(carriage: Carriage, count: int) -> tuple[list[tuple[int, int]], int]:
    """Marks of *count* bytes that come: how many in a row have which; and how often was read."""
    found: list[int] = []
    reads = 0

    def all_there() -> bool:
        nonlocal reads
        while got := carriage.receive_train():
            reads += len(carriage.ends) or 1
            assert carriage.marks[-1][0] == got[1]
            begin = 0
            for end, mark in carriage.marks:
                found.extend([mark] * (end - begin))
                begin = end
        return len(found) >= count

    until(all_there)
    return [(mark, len([*same])) for mark, same in groupby(found)], reads


@pytest.mark.parametrize("kind", ["connected", "roaming"])
@pytest.mark.parametrize("outer", [OUTER, OUTER6], ids=["ipv4", "ipv6"])
def test_every_datagram_has_its_mark(
    pair: tuple[Namespace, Namespace], tmp_path: Path, outer: tuple[str, str], kind: str
) -> None:
    """However many come together: the kernel puts only those of one mark together. A socket of
    both families tells those of IPv4, too."""
    here, there = pair
    sent = [ECT_0] * 9 + [CE] + [ECT_0] * 9 + [ECT_1, ECT_1, NOT_ECT, CE]
    family = socket.AF_INET6 if ":" in outer[0] else socket.AF_INET
    with ExitStack() as stack:
        joined_by_the_card(stack, here, there, tmp_path)
        with there:
            carriage: Carriage = (
                open_carriage("udp:7777", outer[0], outer[1])
                if kind == "connected"
                else open_roaming("udp:7777")
            )
        stack.callback(carriage.close)
        assert carriage.tell_marks()
        assert carriage.receive_train() is None
        with here:
            far = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        far.bind((outer[0], 7777))
        far.connect((outer[1], 7777))
        for mark in sent:
            marking(far, mark)
            far.send(bytes(SIZE))
        runs = [(mark, SIZE * len([*same])) for mark, same in groupby(sent)]
        found, reads = taken(carriage, SIZE * len(sent))
        assert found == runs
        assert reads < len(sent) / 2


@pytest.mark.parametrize("inner", [INNER, INNER6], ids=["ipv4-inside", "ipv6-inside"])
def test_what_a_router_marks_is_marked_inside(
    ends: tuple[End, End], inner: tuple[str, str]
) -> None:
    """Once the other end has told that it hands marks on, which the first packet that is capable
    has it do, a datagram that is capable comes out with the mark, one that is not as it was. So it
    is with a connection of TCP: its sender is told, and all its bytes arrive."""
    here, there = (one.namespace for one in ends)
    done = here.run(["nft", "-f", "-"], check=False, input=CONGESTED)
    if done.returncode:
        pytest.skip(f"nft: {done.stderr}")
    is_ipv6 = ":" in inner[0]
    family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
    with ExitStack() as stack:
        with there:
            sink = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        with here:
            source = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        if is_ipv6:
            sink.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        else:
            sink.setsockopt(socket.IPPROTO_IP, udp.IP_RECVTOS, 1)
        sink.bind((inner[1], 9))
        sink.settimeout(PATIENCE * SLOW)
        source.sendto(b"x", (inner[1], 9))
        assert told(sink) == NOT_ECT
        marking(source, ECT_0)

        def is_marked() -> bool:
            source.sendto(b"x", (inner[1], 9))
            return told(sink) == CE

        until(is_marked)
        for mark, comes in ((NOT_ECT, NOT_ECT), (ECT_0, CE), (ECT_1, CE), (CE, CE)):
            marking(source, mark)
            source.sendto(b"x", (inner[1], 9))
            assert told(sink) == comes, mark
    for namespace in (here, there):
        namespace.run(["sysctl", "-qw", "net.ipv4.tcp_ecn=1"])
    before = noted(here)
    assert transfer(here, there, inner[1], DATA)
    assert noted(here) > before
    assert ends[1].counted("dropped_congested") == 0


def noted(namespace: Namespace) -> int:
    """Segments of TCP of which the peer has told that they came with the mark of congestion."""
    lines = namespace.run(["cat", "/proc/thread-self/net/netstat"]).stdout.splitlines()
    names, numbers = (line.split() for line in lines if line.startswith("TcpExt:"))
    return int(dict(zip(names, numbers, strict=True))["TCPDeliveredCE"])


def test_a_mark_where_none_can_be(pair: tuple[Namespace, Namespace]) -> None:
    """A datagram that says congestion, with a packet inside that cannot: it is dropped, as a router
    would have dropped that."""
    with ExitStack() as stack:
        here, there = up(stack, *(End(one, number) for number, one in enumerate(pair)))
        here.stop(signal.SIGKILL)  # its socket is this process's alone now
        here.carriage.send_marks(True)
        packet = bytes.fromhex("45000020000040004011") + bytes(2)
        packet += socket.inet_aton(INNER[0]) + socket.inet_aton(INNER[1]) + bytes(12)
        capable = packet[:1] + bytes([ECT_0]) + packet[2:]

        def is_dropped() -> bool:
            assert here.carriage.send((capable, packet), tos=CE) == 2
            return there.counted("dropped_congested") > 0

        until(is_dropped)
