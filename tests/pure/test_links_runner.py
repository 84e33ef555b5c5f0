"""Between the network device and the link, without either."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from superpackets import cut, made

from netalias.links.protocols import framed
from netalias.links.runner import LinkRunner
from netalias.links.state import LinkState
from netalias.tunnels.tun import PLAIN, TCP, VNET_HDR


class Stage:
    """A runner with a device that has ``reads``, and a session with ``room``."""

    def __init__(self, *reads: bytes, room: int = 1 << 18, tap: bool = False) -> None:
        self.reads = list(reads)
        self.sent: list[bytes] = []
        self.ours, self.its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.its.setblocking(False)
        tun: Any = SimpleNamespace(
            read=lambda: self.reads.pop(0) if self.reads else b"",
            fileno=self.ours.fileno,
            tap=tap,
            offload=0 if tap else TCP,
            name="link0",
        )
        self.state = LinkState("h:1", "tcp")
        self.session: Any = SimpleNamespace(room=room, send=self.sent.extend, state=self.state)
        self.runner = LinkRunner(tun, 1500, lambda: None)
        self.runner._session = self.session

    def written(self) -> list[bytes]:
        """The writes that the device got."""
        found = []
        try:
            while True:
                found.append(self.its.recv(1 << 17))
        except BlockingIOError:
            return found

    def close(self) -> None:
        """Close what the device stands for."""
        self.ours.close()
        self.its.close()


def test_no_more_than_the_link_takes() -> None:
    """The rest stays in the queue of the device, and is not dropped."""
    read = PLAIN + b"\x45" + bytes(1399)
    stage = Stage(*[read] * 200, room=5000)
    stage.runner.pump(stage.session)
    assert len(stage.sent) == 4
    assert len(stage.reads) == 196
    stage.session.room = 0
    stage.runner.pump(stage.session)
    assert len(stage.reads) == 196
    stage.close()


@pytest.mark.parametrize("version", [4, 6])
def test_superpackets_are_cut_and_joined(version: int) -> None:
    """The link carries the packets that the kernel would have sent; behind it they are one."""
    whole = made(version, "tcp", bytes(range(256)) * 80, 1400)
    stage = Stage(b"".join(whole))
    stage.runner.pump(stage.session)
    assert stage.sent == [framed(one, tap=False) for one in cut(whole)]
    stage.runner.deliver(stage.sent)
    (write,) = stage.written()
    assert len(write) == len(b"".join(whole))
    assert write[VNET_HDR.size :][-20480:] == whole[1][-20480:]
    assert stage.state.counters["in_dropped"] == 0
    stage.close()


def test_frames_of_ethernet_stay_whole() -> None:
    """A TAP has no superpackets here."""
    frame = bytes(12) + b"\x08\x00\x45abc"
    stage = Stage(PLAIN + frame, tap=True)
    stage.runner.pump(stage.session)
    stage.runner.deliver(stage.sent)
    assert stage.written() == [PLAIN + frame]
    stage.close()


@given(st.lists(st.binary(max_size=80)), st.booleans(), st.booleans())
def test_anything_from_the_peer(packets: list[bytes], tap: bool, within: bool) -> None:
    """What is no packet of the device is dropped and counted."""
    if within:
        packets = [b"\x00\x21\x45" + one for one in packets]
    stage = Stage(tap=tap)
    stage.runner.deliver(packets)
    written = stage.written()
    assert len(written) + stage.state.counters["in_dropped"] <= len(packets)
    assert tap or not within or written or not packets
    stage.close()


@given(st.lists(st.binary(min_size=10, max_size=90)))
def test_anything_from_the_device(reads: list[bytes]) -> None:
    """A header of virtio that means nothing costs its packet, and no more."""
    good = PLAIN + b"\x45good"
    stage = Stage(*reads, good)
    while stage.reads:
        stage.runner.pump(stage.session)
    assert stage.sent[-1] == framed(good[VNET_HDR.size :], tap=False)
    stage.close()
