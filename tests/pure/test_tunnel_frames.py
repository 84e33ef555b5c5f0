"""Slices of superpackets: every datagram that arrives becomes the packets that it stands for.

The judge is superpackets.cut(), which cuts a superpacket into packets as the kernel does.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from superpackets import Packet, cut, made, sums_are_right

from netalias.plan.tunnels import SUPERPACKET
from netalias.tunnels import frames
from netalias.tunnels.frames import Layouts
from netalias.tunnels.joiner import Joiner
from netalias.tunnels.tun import PLAIN, VNET_HDR

OPTIONS = b"\1\1\x08\x0a" + bytes(8)
SHAPES = st.tuples(
    st.sampled_from([4, 6]),
    st.sampled_from(["tcp", "udp"]),
    st.integers(1, 5000),
    st.integers(300, 1400),
    st.sampled_from([0x10, 0x18, 0x19, 0x98]),
    st.sampled_from([b"", OPTIONS]),
)


def sliced(packet: Packet, layouts: Layouts, number: int = 7) -> list[bytes]:
    """The datagrams of a superpacket."""
    _, gso, header, size, start, _ = VNET_HDR.unpack(packet[0])
    layout = layouts.get(frames.KINDS[gso], start, header, size)
    layouts.packet[: len(packet[1])] = packet[1]
    train = layout.train(number, len(packet[1]))
    return [train[one : one + layout.stride] for one in range(0, len(train), layout.stride)]


def layouts() -> Layouts:
    """Over a buffer of their own."""
    return Layouts(memoryview(bytearray(frames.PACKET)))


def joined(joiner: Joiner, datagrams: list[bytes]) -> list[Packet]:
    """What the joiner writes for datagrams that came together."""
    buffer = bytearray(1 << 17)
    train = b"".join(datagrams)
    buffer[: len(train)] = train
    return [as_packet(write) for write in joiner.join(memoryview(buffer), len(train))]


def as_packet(write: list[bytes | memoryview]) -> Packet:
    """Header and packet of a write."""
    return bytes(write[0]), b"".join(map(bytes, write[1:]))


def batches(datagrams: list[bytes], limit: int) -> list[list[bytes]]:
    """So many at once."""
    return [datagrams[one : one + limit] for one in range(0, len(datagrams), limit)]


@given(SHAPES)
def test_a_whole_train_is_the_superpacket_that_was_sent(
    shape: tuple[int, str, int, int, int, bytes],
) -> None:
    """Byte by byte, and with the header of virtio that it had."""
    version, kind, length, size, flags, options = shape
    payload = bytes(range(256)) * ((length + size) // 256 + 1)
    packet = made(version, kind, payload, size, flags, options)
    assert joined(Joiner(), sliced(packet, layouts())) == [packet]


@given(SHAPES, st.integers(0, 64))
def test_a_train_may_be_joined_in_parts(
    shape: tuple[int, str, int, int, int, bytes], count: int
) -> None:
    """As where its datagrams have different marks of congestion: the parts are the same packets."""
    version, kind, length, size, flags, options = shape
    packet = made(version, kind, bytes(length + size), size, flags, options)
    datagrams, joiner = sliced(packet, layouts()), Joiner()
    view, train = memoryview(bytearray(1 << 17)), b"".join(datagrams)
    view[: len(train)] = train
    middle = sum(map(len, datagrams[:count]))
    writes = joiner.join(view, middle) + joiner.join(view, len(train), begin=middle)
    assert [one for write in writes for one in cut(as_packet(write))] == cut(packet)
    assert joiner.malformed == 0


@given(SHAPES, st.integers(0, 75), st.integers(0, 60), st.none() | st.integers(0, 255))
def test_a_train_like_the_one_before_is_joined_without_another_look(
    shape: tuple[int, str, int, int, int, bytes], slot: int, place: int, value: int | None
) -> None:
    """And only where a joiner that looks finds the same: one byte of it may be another."""
    version, kind, length, size, flags, options = shape
    made_by, joiner = layouts(), Joiner()
    view, trains = memoryview(bytearray(1 << 17)), []
    for number, fill in ((65535, b"a"), (0, b"b")):
        packet = made(version, kind, fill * (length + size), size, flags, options)
        trains.append(bytearray().join(sliced(packet, made_by, number)))
    stride = len(sliced(packet, made_by)[0])
    view[: len(trains[0])] = trains[0]
    joiner.join(view, len(trains[0]))
    if value is not None:
        trains[1][min(slot * stride + place, len(trains[1]) - 1)] = value
    train = bytes(trains[1])
    view[: len(train)] = train
    write = joiner.again(view, len(train), [])
    if value is None:
        assert write is not None
    if write is not None:
        assert [as_packet(write)] == joined(Joiner(), [train])
    assert joiner.again(view, len(train), [stride - 1]) is None
    assert joiner.again(view, len(train) - 1, []) is None


@given(SHAPES, st.randoms(use_true_random=False), st.integers(1, 64))
def test_what_arrives_is_delivered_and_nothing_else(
    shape: tuple[int, str, int, int, int, bytes], dice: object, limit: int
) -> None:
    """Two trains, with loss, duplicates and in another order: each datagram is one packet."""
    version, kind, length, size, flags, options = shape
    made_by, joiner = layouts(), Joiner()
    flow: list[tuple[bytes, bytes]] = []
    for number in (65535, 0):
        payload = dice.randbytes(length + size + 1)  # type: ignore[attr-defined]
        packet = made(version, kind, payload, size, flags, options)
        flow += zip(sliced(packet, made_by, number), cut(packet), strict=True)
    came = [one for one in flow if dice.random() < 0.8]  # type: ignore[attr-defined]
    came += dice.sample(came, len(came) // 5)  # type: ignore[attr-defined]
    for _ in range(dice.randrange(4)):  # type: ignore[attr-defined]
        at = dice.randrange(len(came) + 1)  # type: ignore[attr-defined]
        came = came[at:] + came[:at]
    got: list[bytes] = []
    for batch in batches([one for one, _ in came], limit):
        for write in joined(joiner, batch):
            got += cut(write)
    assert Counter(got) == Counter(packet for _, packet in came)
    assert all(map(sums_are_right, got))
    assert joiner.malformed == 0


@given(st.binary(min_size=1, max_size=4000), st.lists(st.integers(1, 4000)))
def test_any_bytes_are_dropped_and_counted(data: bytes, ends: list[int]) -> None:
    """Every datagram is written or counted, and nothing is raised."""
    buffer = bytearray(1 << 17)
    for kind in (None, *frames.SLICES, frames.UNSUMMED):
        buffer[: len(data)] = data if kind is None else bytes([kind]) + data[1:]
        joiner = Joiner()
        writes = joiner.join(memoryview(buffer), len(data), sorted(ends))
        assert joiner.malformed + len(writes) + len(joiner.messages) >= 1
        for write in writes:
            assert len(write[0]) == VNET_HDR.size
            assert write[1][0] >> 4 in (4, 6)


def test_what_is_malformed_harms_no_other_datagram() -> None:
    """They were received one by one, so that it is known where the next begins."""
    packet = made(4, "tcp", bytes(5000), 1000)
    datagrams = sliced(packet, layouts())
    joiner, buffer = Joiner(), bytearray(1 << 17)
    both = [b"\x81nonsense of some length", *datagrams, b"\x99", *datagrams]
    whole = b"".join(both)
    buffer[: len(whole)] = whole
    ends = [sum(map(len, both[: one + 1])) for one in range(len(both))]
    writes = joiner.join(memoryview(buffer), len(whole), ends)
    assert [as_packet(write) for write in writes] == [packet, packet]
    assert joiner.malformed == 2


@given(SHAPES, st.integers(0, 75), st.integers(0, 255))
def test_a_damaged_slice_harms_itself_alone(
    shape: tuple[int, str, int, int, int, bytes], place: int, value: int
) -> None:
    """One byte of one head is another: nothing is raised, and the slices before it arrive."""
    version, kind, length, size, flags, options = shape
    packet = made(version, kind, bytes(length + 2 * size), size, flags, options)
    datagrams = sliced(packet, layouts())
    hurt = len(datagrams) // 2
    damaged = bytearray(datagrams[hurt])
    damaged[place % len(damaged)] = value
    whole = cut(packet)
    got = []
    for batch in batches([*datagrams[:hurt], bytes(damaged), *datagrams[hurt + 1 :]], 64):
        for write in joined(Joiner(), batch):
            got += cut(write) if 4 <= write[1][0] >> 4 <= 6 else []
    before = Counter(whole[:hurt])
    assert before - Counter(got) == Counter()


def test_trains_are_told_apart_by_their_number() -> None:
    """The end of one and the beginning of the next are lost: what is left fits by its indexes, and
    is of two superpackets."""
    made_by = layouts()
    packets = [made(4, "tcp", bytes([one]) * 5000, 1000) for one in (1, 2)]
    first, second = (sliced(one, made_by, number) for number, one in enumerate(packets))
    got = joined(Joiner(), first[:2] + second[2:])
    assert [one for write in got for one in cut(write)] == cut(packets[0])[:2] + cut(packets[1])[2:]


def test_whole_packets_are_written_as_they_are() -> None:
    """Those of a peer that is not netalias."""
    plain = cut(made(4, "udp", bytes(100), 200))[0]
    assert joined(Joiner(), [plain, plain]) == [(PLAIN, plain)] * 2


def test_a_packet_without_its_checksum_gets_it_from_the_kernel() -> None:
    """Offset and place of the checksum travel in the head."""
    vnet, packet = made(6, "tcp", b"x", 200)
    head = frames.unsummed(40, 16)
    [(header, same)] = joined(Joiner(), [head + packet])
    assert same == packet
    assert cut((header, same)) == cut((vnet, packet))


@pytest.mark.parametrize("path", [1280, 1400, 1492, 1500])
@pytest.mark.parametrize("outer", [28, 48])
def test_the_largest_superpacket_is_one_train(path: int, outer: int) -> None:
    """Over usual paths; and a larger one would not be."""
    most = frames.gso_max_size(path - outer - frames.ROOM)
    assert 0.96 * most < SUPERPACKET <= most
    header = frames.TIMESTAMPED
    layout = layouts().get(frames.TCP, 40, header, path - outer - frames.ROOM - header)
    assert layout.at_once >= -(-(SUPERPACKET - header) // layout.size)


@pytest.mark.parametrize("first", [frames.TCP, frames.UDP, frames.UNSUMMED])
def test_a_datagram_of_ours_never_looks_like_a_packet(first: int) -> None:
    """The first four bits tell."""
    assert first >> 4 not in (4, 6)


def test_no_datagram_takes_others_for_its_own() -> None:
    """One that claims more than it has is malformed, and harms none of those behind it."""
    packet = bytearray(b"\x45\0\0\x20" + bytes(28))
    for claims in (b"\x45\0\0\x60" + bytes(28), b"\x60\0\0\0\0\x60" + bytes(34)):
        view = memoryview(bytearray(claims + bytes(packet) * 2))
        ends = [len(claims), len(claims) + 32, len(claims) + 64]
        joiner = Joiner()
        writes = joiner.join(view, ends[-1], ends)
        assert [bytes(parts[1]) for parts in writes] == [packet, packet]
        assert joiner.malformed == 1
    slice_head = bytes((frames.SLICES[0], 0, 40, 60, 0, 40, 0, 1)) + b"\x60\0\0\0\0\x50" + bytes(34)
    view = memoryview(bytearray(slice_head + bytes(packet) * 4))
    joiner = Joiner()
    ends = [len(slice_head) + 32 * number for number in range(5)]
    writes = joiner.join(view, ends[-1], ends)
    assert [bytes(parts[1]) for parts in writes] == [packet] * 4
    assert joiner.malformed == 1
