"""The datagrams of a bundle against their specification in construct, and any octets at all."""

from __future__ import annotations

from bundled import LIMIT, Pair
from hypothesis import given
from hypothesis import strategies as st

from netalias.links.bundle import Bundle, wire
from netalias.links.bundle.member import Member
from netalias.links.bundle.spec import DATAGRAM

numbers = st.integers(0, wire.MODULUS - 1)
octets = st.integers(0, 255)


@given(st.sampled_from([0, wire.BEGIN, wire.END, wire.WHOLE]), st.integers(0, 0xFFFF), numbers)
def test_a_fragment_is_as_it_is_specified(flags: int, session: int, sequence: int) -> None:
    """B and E of RFC 1990, and a first octet that begins no IP packet."""
    header = wire.pack_header(wire.FRAGMENT | flags, session, sequence)
    read = DATAGRAM.parse(header + b"packet")
    assert str(read.first.kind) == "fragment"
    assert (read.first.begin, read.first.end) == (bool(flags & wire.BEGIN), bool(flags & wire.END))
    assert (read.body.session, read.body.sequence) == (session, sequence)
    assert read.body.payload == b"packet"
    assert header[0] >> 4 not in (4, 6)
    assert len(header) == wire.HEADER


FIELDS = ("instance", "peer", "next", "stamp", "echo", "held", "last", "frames", "octets",
          "arrived")  # fmt: skip


@given(st.lists(numbers, min_size=len(FIELDS), max_size=len(FIELDS)), octets, octets, octets)
def test_a_beat_is_as_it_is_specified(
    values: list[int], version: int, interval: int, flags: int
) -> None:
    """Built by one, read by the other, both ways."""
    given_ = dict(zip(FIELDS, values, strict=True))
    beat = wire.Beat(version=version, interval=interval, flags=flags, **given_)
    packed = beat.pack()
    read = DATAGRAM.parse(packed)
    assert str(read.first.kind) == "beat"
    assert {name: read.body[name] for name in FIELDS} == given_
    assert (read.body.version, read.body.interval) == (version, interval)
    assert read.body.flags.hears == bool(flags & wire.HEARS)
    assert DATAGRAM.build(read) == packed
    again = wire.unpack_beat(packed + b"of a later version")
    assert again is not None
    assert again.pack() == packed
    assert packed[0] >> 4 not in (4, 6)


def test_a_short_beat_is_none() -> None:
    """Cut anywhere."""
    packed = wire.Beat(instance=1).pack()
    assert all(wire.unpack_beat(packed[:size]) is None for size in range(len(packed)))


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=80)), max_size=40), st.data())
def test_any_octets_are_counted_and_dropped(
    datagrams: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    """Random ones, and true ones with octets changed: no traceback, nothing is kept for ever."""
    pair = Pair((1e6, 0.01, 100_000), (1e6, 0.01, 100_000))
    pair.simulation.run(0.2, pair.up)
    bundle, now = pair.b.bundle, pair.simulation.now
    true = [wire.Beat(instance=0xA0001, peer=0xB0002, next=5).pack(),
            wire.pack_header(wire.FRAGMENT | wire.WHOLE, 1, 3) + b"packet"]  # fmt: skip
    for index, datagram in datagrams:
        changed = bytearray(data.draw(st.sampled_from([datagram, *true])))
        if changed:
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(octets)
        bundle.receive(index, bytes(changed), now)
        now += 0.01
        bundle.tick(now)
    for _ in range(300):
        now += 0.01
        bundle.tick(now)
    assert bundle.received.held == {}
    assert bundle.foreign + bundle.looped <= len(datagrams)


def test_what_is_not_ours_is_counted() -> None:
    """Empty, of IP, short, of another session, of another version, our own."""
    bundle = Bundle(7, [Member("one", LIMIT)])
    ip = b"\x45" + bytes(40)
    for datagram in (b"", ip, b"\xb0", b"\xb1" * 10):
        bundle.receive(0, datagram, 0.0)
    bundle.receive(0, wire.pack_header(wire.FRAGMENT | wire.WHOLE, 9, 0) + ip, 0.0)
    bundle.receive(0, wire.Beat(instance=8, version=2).pack(), 0.0)
    assert bundle.foreign == 6
    assert bundle.version == 2
    bundle.receive(0, wire.Beat(instance=7).pack(), 0.0)
    assert bundle.looped == 1
    assert not bundle.members[0].alive
    assert bundle.packets == []
