"""The datagrams of the tunnels against their specification in construct."""

from __future__ import annotations

from superpackets import made

from netalias.tunnels import frames, hello
from netalias.tunnels.spec import Datagram


def test_a_slice_is_as_it_is_specified() -> None:
    """Each of a train."""
    _, packet = made(4, "tcp", bytes(range(250)) * 10, 1000)
    layouts = frames.Layouts(memoryview(bytearray(frames.PACKET)))
    layouts.packet[: len(packet)] = packet
    layout = layouts.get(frames.TCP, 20, 40, 1000)
    train = layout.train(0xABCD, 2540)
    for index, payload in enumerate((1000, 1000, 500)):
        begin = index * layout.stride
        datagram = train[begin : begin + layout.stride]
        read = Datagram.parse(datagram)
        assert str(read.kind) == "TCP"
        body = read.body
        assert (body.index, body.start, body.end, body.size, body.train) == (
            index, 20, 40, 1000, 0xABCD,
        )  # fmt: skip
        assert body.header == packet[:40]
        assert body.payload == packet[40 + index * 1000 :][:payload]
        assert Datagram.build(read) == datagram


def test_a_packet_without_its_checksum_is_as_it_is_specified() -> None:
    """The place of the checksum."""
    datagram = frames.unsummed(40, 16) + b"\x60packet"
    read = Datagram.parse(datagram)
    assert (str(read.kind), read.body.start, read.body.offset) == ("UNSUMMED", 40, 16)
    assert read.body.packet == b"\x60packet"
    assert Datagram.build(read) == datagram


def test_messages_are_as_they_are_specified() -> None:
    """HELLO, its ANSWER and BYE."""
    one = hello.Negotiation(11, hello.TRAINS | hello.UDP_TRAINS, room=1472)
    other = hello.Negotiation(22, hello.TRAINS)
    answer = other.receive(one.tick(0), 0)
    assert answer
    for message, kind, instance, echo in (
        (hello.Negotiation(11, 3, 1472).tick(0), "HELLO", 11, 0),
        (answer, "ANSWER", 22, 11),
        (one.bye(), "BYE", 11, 0),
    ):
        read = Datagram.parse(message)
        assert (str(read.kind), read.body.instance, read.body.echo) == (kind, instance, echo)
        assert Datagram.build(read) == message
    assert Datagram.parse(one.bye()).body.room == 1472
    assert Datagram.parse(answer).body.abilities.TRAINS
    assert not Datagram.parse(answer).body.abilities.UDP_TRAINS
