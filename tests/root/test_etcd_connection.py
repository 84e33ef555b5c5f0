"""A connection to a member that expects TLS, or none: what is said of one that ends without a word.

A real etcd does that in both cases (cmux finds no protocol, and closes).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from select import poll
from socket import SO_LINGER, SOL_SOCKET, create_server, socket
from struct import pack

import pytest
from support import Namespace

from netalias.cluster.etcd.connection import Connection, Lost

WAIT = 10_000
"""Milliseconds at most, for one event."""
HTTP = "the connection ended before an answer (the URL says http, and the member may speak https)"
HTTPS = "the connection ended before TLS began (the URL says https, and the member may speak http)"


@pytest.fixture(autouse=True)
def inside(netns: Namespace) -> Iterator[None]:
    """A namespace whose loopback device is up."""
    netns.ip("link set lo up")
    with netns:
        yield


def lost(tls: ssl.SSLContext | None, serve: Callable[[socket], object]) -> str:
    """The words for the end of a connection on which a request was sent, and *serve* answered."""
    with create_server(("127.0.0.1", 0)) as server:
        made = Connection("127.0.0.1", server.getsockname()[1], tls, "127.0.0.1")
        made.send(b"POST / HTTP/1.1\r\n\r\n")
        turn(made)
        peer, _ = server.accept()
        with peer:
            assert peer.recv(4096)
            serve(peer)
    try:
        for _ in range(10):
            turn(made)
    except Lost as error:
        return str(error)
    finally:
        made.close()
    raise AssertionError("not ended")


def turn(made: Connection) -> None:
    """Go on with a connection once. Raises Lost."""
    state = poll()
    state.register(made.fileno(), made.wanted())
    state.poll(WAIT)
    made.ready()


def reset(peer: socket) -> None:
    """End a connection by a reset: there is something that was not read."""
    peer.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))


@pytest.mark.parametrize("serve", [lambda peer: None, reset])
def test_a_member_that_never_says_anything(serve: Callable[[socket], object]) -> None:
    """The word of the URL is named that may be the wrong one."""
    assert lost(None, serve) == HTTP
    assert lost(ssl.create_default_context(), serve) == HTTPS


def test_a_member_that_has_said_something_has_ended() -> None:
    """Its URL is right."""
    assert lost(None, lambda peer: peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")) == ""


def test_a_server_that_says_that_it_speaks_no_tls() -> None:
    """As HTTP servers do that are no etcd."""
    said = lost(
        ssl.create_default_context(),
        lambda peer: peer.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n"),
    )
    assert said == "TLS: wrong version number (the URL says https, and the member speaks http)"
