"""The cost of a superpacket for a relay, as the number of calls that Python makes for it.

Counted with sys.setprofile, as the difference between one superpacket and three that come at once:
so the turn of the loop does not count. The counts do not depend on time or on the kernel.
"""

from __future__ import annotations

import sys
from types import FrameType

from superpackets import Packet, made
from test_tunnel_any_bytes import Stage

from netalias.tunnels.carriage import FULL

SIZE, SEGMENTS = 1400, 43
OUT, IN = 18, 14
"""Calls at most for one superpacket, of Python and of C."""


class Calls:
    """The calls while it is entered."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Calls:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, arg: object) -> None:
        self.count += event in ("call", "c_call")


def superpacket(fill: int) -> Packet:
    """One of a flow of TCP, as long as a device gives them."""
    packet = made(4, "tcp", bytes([fill]) * (SIZE * SEGMENTS), SIZE)
    assert len(packet[1]) >= FULL
    return packet


def out(stage: Stage, count: int) -> int:
    """Calls for so many superpackets that the device has."""
    for number in range(count):
        stage.device._ends[1].send(b"".join(superpacket(number)))
    with Calls() as calls:
        stage.relay._device_ready(1)
    assert len(stage.wire.sent) == count
    return calls.count


def come(stage: Stage, trains: list[bytes]) -> int:
    """Calls for trains that have come; each becomes the superpacket that it was."""
    stage.wire.coming += [(train, len(train), ("192.0.2.1", 7777)) for train in trains]
    with Calls() as calls:
        stage.relay._carriage_ready(1)
    expected = [b"".join(superpacket(number)) for number in range(len(trains))]
    assert list(stage.device.written()) == expected
    return calls.count


def test_a_superpacket_takes_few_calls() -> None:
    """Both ways, of a flow whose superpackets have one shape."""
    sender, receiver = Stage("agreed"), Stage("agreed")
    for count in (1, 1, 3):
        sender.wire.sent.clear()
        calls = out(sender, count)
        if count == 1:
            alone, train = calls, list(sender.wire.sent)
    per_out = (calls - alone) / 2
    come(receiver, train)
    first = come(receiver, train)
    per_in = (come(receiver, sender.wire.sent) - first) / 2
    assert (per_out <= OUT, per_in <= IN) == (True, True), (per_out, per_in)
