"""What a bundle gives to its network device, whatever the other end sends."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from superpackets import made

from netalias.links.bundle.slices import Slicer
from netalias.tunnels import frames
from netalias.tunnels.tun import VNET_HDR, Tun


@pytest.fixture
def slicer() -> Iterator[tuple[Slicer, int]]:
    """One whose device is a pipe, and the other end of that."""
    reader, writer = os.pipe2(os.O_NONBLOCK)
    yield Slicer(Tun(writer, "pipe", False), 1400), reader
    os.close(reader)
    os.close(writer)


def written(reader: int) -> bytes:
    """What came out of the pipe."""
    try:
        return os.read(reader, 1 << 20)
    except BlockingIOError:
        return b""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=80), max_size=12))
def test_any_octets(slicer: tuple[Slicer, int], packets: list[bytes]) -> None:
    """Empty ones too: counted and dropped, or taken for packets of IP; never a traceback."""
    one, reader = slicer
    one.write(list(packets))
    written(reader)


def test_packets_and_slices_between_nonsense(slicer: tuple[Slicer, int]) -> None:
    """Slices in a row are one superpacket, packets of IP go as they are, the rest is counted."""
    one, reader = slicer
    _, packet = made(4, "tcp", bytes(range(250)) * 8, 1000)
    view = memoryview(bytearray(frames.PACKET))
    view[: len(packet)] = packet
    layout = frames.Layouts(view).get(frames.TCP, 20, 40, 1000)
    train = layout.train(7, len(packet))
    slices = [train[at : at + layout.stride] for at in range(0, len(train), layout.stride)]
    assert len(slices) == 2
    one.write(slices)
    assert written(reader)[VNET_HDR.size :] == packet
    one.write([b""])
    assert (written(reader), one.dropped) == (b"", 0)
    one.write([b"\x83" * 30, *slices])
    assert written(reader)[VNET_HDR.size :] == packet
    assert one.dropped == 1
