"""A relay's data plane takes from its tunnel what comes from its prefixes, and drops the rest."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest
from support import Namespace
from tunnelled import INNER, INNER6, End, cable, transfer, wait_for


def test_the_peer_speaks_for_its_prefixes_only(veth: Namespace) -> None:
    """Of the relayed address TCP gets through; what has another source is counted, and dropped."""
    assert veth.peer is not None
    cable(veth, veth.peer)
    with ExitStack() as stack:
        ends = [
            End(veth, 0, words=("sources", f"{INNER[1]},2001:db8::/64")),
            End(veth.peer, 1),
        ]
        for one in ends:
            stack.callback(one.close)
            one.start()
        assert transfer(veth.peer, veth, INNER[0], b"of the prefix")
        assert ends[0].counted("dropped_source") == 0
        with veth.peer:
            stranger = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        with veth:
            target = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        stranger.bind((INNER6[1], 0))
        target.bind((INNER6[0], 0))
        target.setblocking(False)
        for _ in range(3):
            stranger.sendto(b"x", target.getsockname())
        wait_for(ends[0], "dropped_source", 3)
        with pytest.raises(BlockingIOError):
            target.recv(10)
