"""Sockets that are bound to an address are ended, and no others."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support import Namespace, until

from netalias.kernel.netlink.sockdestroy import destroy
from netalias.model import AF_INET, AF_INET6

OURS, OTHER, SIX = "10.9.0.1", "10.9.0.2", "2001:db8:9::1"


@pytest.fixture
def host(netns: Namespace) -> Iterator[Namespace]:
    """A namespace with three addresses on lo, in which the test runs."""
    netns.raise_lo()
    for address in (OURS, OTHER):
        netns.ip(f"addr add {address}/32 dev lo")
    netns.ip(f"addr add {SIX}/128 dev lo nodad")
    with netns:
        yield netns


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    """Closes the sockets of a test."""
    with ExitStack() as stack:
        yield stack


def made(stack: ExitStack, family: int, kind: int, address: str, port: int = 0) -> socket.socket:
    """A socket that is bound there."""
    one = stack.enter_context(socket.socket(family, kind))
    one.bind((address, port))
    return one


def failure(one: socket.socket) -> int:
    """SO_ERROR."""
    return one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def connected(stack: ExitStack, client: str, server: str) -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection of TCP over IPv4."""
    listener = made(stack, socket.AF_INET, socket.SOCK_STREAM, server)
    listener.listen()
    one = made(stack, socket.AF_INET, socket.SOCK_STREAM, client)
    one.connect(listener.getsockname())
    other, _ = listener.accept()
    return one, stack.enter_context(other)


def test_a_connection_ends_at_once(host: Namespace, sockets: ExitStack) -> None:
    """Its program sees ECONNABORTED, the peer a reset."""
    mine, peer = connected(sockets, OURS, OTHER)
    assert destroy(AF_INET, socket.inet_aton(OURS)) == 1
    assert failure(mine) == errno.ECONNABORTED
    with pytest.raises(ConnectionResetError):
        peer.recv(1)
    assert destroy(AF_INET, socket.inet_aton(OURS)) == 0


def test_sockets_of_other_addresses_live(host: Namespace, sockets: ExitStack) -> None:
    """Also those of no address, whose clients may have any."""
    wild = made(sockets, socket.AF_INET, socket.SOCK_DGRAM, "0.0.0.0")
    six = made(sockets, socket.AF_INET6, socket.SOCK_DGRAM, SIX)
    other = made(sockets, socket.AF_INET, socket.SOCK_DGRAM, OTHER)
    for one in (wild, other, six):
        one.connect((SIX if one is six else OTHER, 9))
    assert destroy(AF_INET, socket.inet_aton(OURS)) == 0
    assert not any(map(failure, (wild, other, six)))
    assert destroy(AF_INET6, socket.inet_pton(socket.AF_INET6, SIX)) == 1
    assert failure(six) == errno.ECONNABORTED


def test_a_udp_socket_is_disconnected_and_lives(host: Namespace, sockets: ExitStack) -> None:
    """It keeps its address, and a port that it has asked for; one of the kernel's choice goes."""
    for port, kept in ((4009, 4009), (0, 0)):
        one = made(sockets, socket.AF_INET, socket.SOCK_DGRAM, OURS, port)
        one.connect((OTHER, 9))
        assert destroy(AF_INET, socket.inet_aton(OURS)) == 1
        assert failure(one) == errno.ECONNABORTED
        assert one.getsockname() == (OURS, kept)
        with pytest.raises(OSError, match="Destination address required"):
            one.send(b"x")
        one.close()


def test_a_socket_of_ipv6_with_an_address_of_ipv4(host: Namespace, sockets: ExitStack) -> None:
    """It is found by that address."""
    one = sockets.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    one.bind((f"::ffff:{OURS}", 0))
    one.connect((f"::ffff:{OTHER}", 9))
    assert destroy(AF_INET, socket.inet_aton(OURS)) == 1
    assert failure(one) == errno.ECONNABORTED


def test_a_blocked_accept_returns(host: Namespace, sockets: ExitStack) -> None:
    """With EINVAL."""
    listener = made(sockets, socket.AF_INET, socket.SOCK_STREAM, OURS)
    listener.listen()
    seen: list[int] = []

    def accept() -> None:
        try:
            listener.accept()
        except OSError as error:
            seen.append(error.errno or 0)

    thread = threading.Thread(target=accept)
    thread.start()
    until(lambda: "inet_csk_accept" in wchan(thread) or not wchan(thread))
    assert destroy(AF_INET, socket.inet_aton(OURS)) == 1
    thread.join(30)
    assert seen == [errno.EINVAL]


def wchan(thread: threading.Thread) -> str:
    """Where in the kernel a thread waits; empty where the kernel does not tell."""
    with open(f"/proc/self/task/{thread.native_id}/wchan", encoding="ascii") as file:
        return file.read().strip("0")
