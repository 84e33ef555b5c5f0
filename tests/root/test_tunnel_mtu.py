"""Every MTU that a device may have, from the least of IPv6 to the most of IP, through a tunnel over
UDP: what is sent arrives whole, over a cable that takes 1500 bytes and over one that takes all."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support import Namespace, until
from tunnelled import INNER, INNER6, End, PlainPeer, cable, transfer

from netalias.tunnels import frames

DATA = random.Random(1280).randbytes(1 << 18)
OVERHEAD = 28
"""Bytes of IP and UDP outside."""
NARROW = 1500 - OVERHEAD
"""Bytes of a packet that a cable of 1500 takes; with a head of ours, ROOM less."""
MTUS = (1280, 1281, NARROW - frames.ROOM, NARROW, NARROW + 1, 9000, 65534, 65535)
HEADERS = {INNER: 28, INNER6: 48}
"""Bytes of IP and UDP inside."""
DISCOVER = {INNER: (socket.IPPROTO_IP, 10), INNER6: (socket.IPPROTO_IPV6, 23)}
"""IP_MTU_DISCOVER and IPV6_MTU_DISCOVER of linux/in.h and in6.h; 0 lets the kernel fragment."""
MOST = 65507
"""Bytes of a datagram of IPv4 inside, and about those that one outside carries."""


@pytest.fixture(params=[1500, 65535], ids=["cable-1500", "cable-65535"])
def pair(veth: Namespace, request: pytest.FixtureRequest) -> tuple[Namespace, Namespace]:
    """Two namespaces on one cable of that MTU."""
    assert veth.peer is not None
    cable(veth, veth.peer)
    veth.ip(f"link set eth9 mtu {request.param}")
    veth.peer.ip(f"link set p9 mtu {request.param}")
    return veth, veth.peer


@pytest.fixture(params=["offload", "plain"])
def ends(
    pair: tuple[Namespace, Namespace], request: pytest.FixtureRequest
) -> Iterator[tuple[End, End]]:
    """A tunnel of two ends that take superpackets, or to a peer that takes whole packets alone."""
    with ExitStack() as stack:
        made = End(pair[0], 0), End(pair[1], 1)
        for one in made:
            stack.callback(one.close)
        made[0].start()
        if request.param == "plain":
            peer = PlainPeer(made[1])
            stack.callback(peer.close)
        else:
            made[1].start()
            for one in made:
                one.wait()
        yield made


@pytest.mark.parametrize("inner", [INNER, INNER6], ids=["inet", "inet6"])
def test_bytes_of_a_connection(ends: tuple[End, End], inner: tuple[str, str]) -> None:
    """Both ways, at every MTU: what does not fit the path is told to TCP, or never made."""
    here, there = (one.namespace for one in ends)
    for mtu in MTUS:
        for one in (here, there):
            one.ip(f"link set vif0 mtu {mtu}")
        assert transfer(here, there, inner[1], DATA), mtu
        assert transfer(there, here, inner[0], DATA), mtu


@pytest.mark.parametrize("inner", [INNER, INNER6], ids=["inet", "inet6"])
def test_datagrams_about_the_mtu(ends: tuple[End, End], inner: tuple[str, str]) -> None:
    """A byte less than the device takes, as much, and one more, which is sent in fragments."""
    family = socket.AF_INET6 if inner is INNER6 else socket.AF_INET
    with ends[1].namespace:
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.bind((inner[1], 0))
    with ends[0].namespace:
        client = socket.socket(family, socket.SOCK_DGRAM)
    with server, client:
        server.settimeout(0.2)
        client.setsockopt(*DISCOVER[inner], 0)
        client.connect(server.getsockname())
        for mtu in MTUS:
            for one in ends:
                one.namespace.ip(f"link set vif0 mtu {mtu}")
            for more in (-1, 0, 1):
                size = min(mtu - HEADERS[inner] + more, MOST - 48)
                assert arrives(client, server, DATA[:size]), (mtu, size)


def arrives(client: socket.socket, server: socket.socket, data: bytes) -> bool:
    """Whether a datagram comes whole. The first one may be lost, and tell the path MTU by that."""

    def came() -> bool:
        client.send(data)
        try:
            return server.recv(65535) == data
        except TimeoutError:
            return False

    return bool(until(came))
