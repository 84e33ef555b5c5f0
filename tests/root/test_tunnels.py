"""A tunnel between two namespaces: real devices, real datagrams, a process at each end."""

from __future__ import annotations

import os
import random
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support import PATIENCE, SLOW, Namespace
from tunnelled import INNER, INNER6, OUTER, End, cable, transfer, wait_for

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
        yield made[0], made[1]


@pytest.mark.parametrize("address", [INNER[1], INNER6[1]])
def test_bytes_arrive_as_they_were_sent(ends: tuple[End, End], address: str) -> None:
    """One TCP flow each way, of both families."""
    here, there = (one.namespace for one in ends)
    assert transfer(here, there, address, DATA)
    assert ends[0].counted("sent_bytes") > len(DATA)
    assert ends[1].counted("received_bytes") > len(DATA)


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


def test_a_killed_data_plane_loses_neither_device_nor_port(ends: tuple[End, End]) -> None:
    """The next one goes on with the same descriptors, and counts on."""
    here, there = (one.namespace for one in ends)
    assert transfer(here, there, INNER[1], DATA)
    before = ends[0].counted("sent_packets")
    assert ends[0].stop(signal.SIGKILL) == signal.SIGKILL
    ends[0].start()
    assert transfer(here, there, INNER[1], DATA)
    assert ends[0].counted("sent_packets") > before


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
    sent = [dice.randbytes(dice.randrange(1, 1400)) for _ in range(200)]
    here.carriage.send(sent)
    wait_for(there, "dropped_malformed", sum(one[0] >> 4 not in (4, 6) for one in sent))
    assert transfer(here.namespace, there.namespace, INNER[1], DATA)
