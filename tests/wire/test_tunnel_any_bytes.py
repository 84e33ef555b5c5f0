"""Any bytes from the network into a whole relay: counted, dropped, and never an exception.

The device is a socket that keeps what is written, the carriage hands out what a test gives it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netalias.tunnels import counters, frames, hello, tun
from netalias.tunnels.carriage import Carriage
from netalias.tunnels.counters import Counters
from netalias.tunnels.duties import Duties
from netalias.tunnels.keyed import Keyed
from netalias.tunnels.relay import Relay
from netalias.tunnels.secure import INITIATION, RESPONSE, Secure
from netalias.tunnels.sessions import SEALED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.tunnels.carriage import Datagrams, Packets, Source

PEER, HERE, OTHER = ("192.0.2.1", 7777), ("192.0.2.2", 7777), ("192.0.2.3", 1)
KEY = bytes(range(32))
BYTE = st.integers(0, 255)
U16 = st.integers(0, 0xFFFF) | st.sampled_from([0, 1, 20, 40, 1400, 0xFFFF])

ADDRESSES = st.sampled_from([bytes(8), bytes([10, 8, 0, 1, 10, 8, 0, 2]), b"\xff" * 8])
IPV4 = st.builds(
    lambda first, length, flags, ttl, protocol, addresses, rest: (
        bytes([first, 0]) + length.to_bytes(2, "big") + bytes(2) + flags.to_bytes(2, "big")
        + bytes([ttl, protocol, 0, 0]) + addresses + rest
    ),
    st.sampled_from([0x45, 0x46, 0x4F, 0x40]), U16, U16, st.sampled_from([0, 1, 64]),
    st.sampled_from([1, 4, 6, 17]) | BYTE, ADDRESSES, st.binary(max_size=80),
)  # fmt: skip
IPV6 = st.builds(
    lambda length, following, hops, rest: (
        b"\x60\0\0\0" + length.to_bytes(2, "big") + bytes([following, hops]) + rest
    ),
    U16, st.sampled_from([0, 6, 17, 43, 44, 58, 60]) | BYTE, st.sampled_from([0, 64]),
    st.binary(max_size=90),
)  # fmt: skip
PACKET = IPV4 | IPV6 | st.binary(max_size=60)
SLICE = st.builds(
    lambda kind, index, start, header, size, number, packet: (
        frames.HEAD.pack(kind, index, start, header, size, number) + packet
    ),
    st.sampled_from([*frames.SLICES, frames.UNSUMMED]),
    st.integers(0, 3) | BYTE, st.sampled_from([20, 40, 16]) | BYTE,
    st.sampled_from([40, 28, 60, 20]) | BYTE, U16, st.integers(0, 1), PACKET,
)  # fmt: skip
MESSAGE = st.builds(
    lambda kind, version, abilities, instance, echo, room: hello.MESSAGE.pack(
        kind, version, abilities, instance, echo, room, 65535
    ),
    st.sampled_from(hello.KINDS), st.sampled_from([1, 0, 2]), U16,
    st.integers(0, 3), st.integers(0, 3), U16,
)  # fmt: skip
CONTROL = st.builds(
    lambda kind, rest: kind + rest,
    st.sampled_from([INITIATION, RESPONSE, SEALED]),
    st.binary(min_size=56, max_size=56) | st.binary(max_size=100),
)
DATAGRAM = st.binary(max_size=120) | PACKET | SLICE | MESSAGE | CONTROL
TRAINS = st.lists(st.tuples(st.lists(DATAGRAM, max_size=5), st.integers(0, 200)), max_size=6)


class Wire(Carriage):
    """A carriage that hands out *trains*: bytes, and the size that the kernel would tell."""

    trains = True
    peer: Source | None = PEER
    local = HERE[0]

    def __init__(self) -> None:
        self.coming: list[tuple[bytes, int, Source]] = []
        self.sent: list[bytes] = []
        self._view = memoryview(bytearray(65536))
        self._ends = socket.socketpair()

    def fileno(self) -> int:
        """Nothing is waited for."""
        return self._ends[0].fileno()

    def connect(self, peer: Source) -> None:
        """Send there."""
        self.peer = peer

    def room(self) -> int:
        """That of a usual path."""
        return 1472

    def send_train(self, train: Datagrams, size: int, tos: int = 0, df: bool | int = False) -> bool:
        """Keep it."""
        self.sent.append(bytes(train))
        return True

    def receive_train(self) -> tuple[memoryview, int, int, Source] | None:
        """The next one."""
        if not self.coming:
            return None
        train, size, source = self.coming.pop(0)
        self._view[: len(train)] = train
        return self._view, len(train), size, source

    def send(self, packets: Packets, tos: int = 0, df: bool = False) -> int:
        """Keep them."""
        self.sent += map(bytes, packets)
        return len(packets)

    def receive(self) -> list[tuple[memoryview, Source]]:
        """The datagrams of the next train."""
        got = self.receive_train()
        if got is None:
            return []
        view, length, size, source = got
        starts = range(0, length, size or length or 1) if length else [0]
        return [(view[one : min(one + (size or length), length)], source) for one in starts]

    def failures(self) -> list[str]:
        """None."""
        return []

    def close(self) -> None:
        """Nothing more is needed."""
        for one in self._ends:
            one.close()


class Device(tun.Tun):
    """A device whose packets are kept in a socket."""

    def __init__(self) -> None:
        self._ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for one in self._ends:
            one.setblocking(False)
        super().__init__(self._ends[0].fileno(), "vif0", False)

    def set_offload(self, wanted: object) -> int:
        """Whatever is asked for."""
        return tun.TCP

    def written(self) -> Iterator[bytes]:
        """What was written since the last look."""
        try:
            while True:
                yield self._ends[1].recv(1 << 17)
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Both ends."""
        for one in self._ends:
            one.close()


class Stage:
    """A relay with its duties: ``plain`` with a peer that is not known, ``agreed`` with one that
    takes trains, ``keyed``."""

    def __init__(self, kind: str) -> None:
        keyed = kind == "keyed"
        self.device, self.wire, self.count = Device(), Wire(), Counters.create()
        self.far = Secure(KEY, HERE, 0.0)
        self.now = 0.0
        carriage: Carriage = self.wire
        if keyed:
            self.keyed = carriage = Keyed(self.wire, KEY, None, self.count.values)
        self.relay = Relay(self.device, carriage, self.count)
        Duties(carriage, self.count.values, self.device.write, mtu=1400).attach(self.relay)
        if keyed:
            self._agree()
        if kind == "agreed":
            self.give(hello.MESSAGE.pack(hello.HELLO, 1, 3, 0xABCDEF, 0, 1472, 65535), 24)
            assert self.relay._agreed

    def _agree(self) -> None:
        """The handshake that the far end begins."""
        self.far.tick(0.0)
        for _ in range(3):
            self.wire.coming += [(data, len(data), PEER) for data, _ in self.far.outbox]
            self.far.outbox.clear()
            self.relay._carriage_ready(1)
            for data in self.wire.sent:
                self.far.open(data, len(data), HERE, 0.0)
            self.wire.sent.clear()
        assert self.keyed.peer == PEER

    def give(self, train: bytes, size: int, source: Source = PEER) -> list[bytes]:
        """Let a train come; the packets that were written to the device."""
        self.wire.coming.append((train, size, source))
        self.relay._carriage_ready(1)
        return list(self.device.written())

    def sealed(self, frames: bytes, size: int) -> tuple[bytes, int]:
        """A train of the far end, which holds the key."""
        train = self.far.seal(memoryview(frames), size, 0.0)
        assert train is not None
        return train, size + 29

    def noticed(self) -> int:
        """The sum of all counters but that of abilities."""
        values = list(self.count.values)
        values[counters.AGREED] = 0
        return sum(values)

    def close(self) -> None:
        """Everything."""
        for one in (self.device, self.wire, self.count):
            one.close()


@pytest.fixture(scope="module", params=["plain", "agreed", "keyed"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """One relay for all examples: what an example has left behind is met by the next one."""
    made = Stage(request.param)
    yield made
    made.close()


@pytest.fixture(scope="module")
def holder() -> Iterator[Stage]:
    """A relay whose peer has the key; no time passes, or the keys would be too old one day."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netalias.tunnels.keyed.monotonic", lambda: 1000.0)
        made = Stage("keyed")
        yield made
        made.close()


def is_packet(written: bytes) -> bool:
    """Whether it is a header of virtio before something that begins like IP."""
    return len(written) > tun.VNET_HDR.size and written[tun.VNET_HDR.size] >> 4 in (4, 6)


@given(trains=TRAINS)
@example(trains=[([b"\x81"], 0), ([b"\xe3"], 1), ([b"", b""], 7)])
@settings(deadline=None, max_examples=80)
def test_any_bytes_are_counted_and_nothing_but_packets_reaches_the_device(
    stage: Stage, trains: list[tuple[list[bytes], int]]
) -> None:
    """With a key nothing at all does."""
    for datagrams, size in trains:
        train = b"".join(datagrams)
        before = stage.noticed()
        sent = len(stage.wire.sent)
        written = stage.give(train, max(1, size) if hasattr(stage, "keyed") else size, OTHER)
        assert all(map(is_packet, written))
        if hasattr(stage, "keyed"):
            assert written == []
            assert stage.keyed.peer == PEER
        if stage.wire.sent[sent:] == []:
            assert stage.noticed() > before or is_message(train)
        stage.wire.sent.clear()


def is_message(train: bytes) -> bool:
    """Whether a train begins with a message between two ends, which need not be answered."""
    return train[:1] in (b"\x91", b"\x92", b"\x93")


@given(datagrams=st.lists(DATAGRAM.filter(bool), min_size=1, max_size=5))
@settings(deadline=None, max_examples=50)
def test_any_bytes_of_a_holder_of_the_key_are_no_more_than_those_of_a_peer_without_one(
    holder: Stage, datagrams: list[bytes]
) -> None:
    """He may be malicious, or of another version."""
    for datagram in datagrams:
        written = holder.give(*holder.sealed(datagram, len(datagram)))
        assert all(map(is_packet, written))
    written = holder.give(*holder.sealed(b"".join(datagrams), max(map(len, datagrams))))
    assert all(map(is_packet, written))
    assert holder.keyed.peer == PEER


@given(place=st.integers(0, 60), change=st.integers(1, 255))
@settings(deadline=None, max_examples=50)
def test_a_changed_datagram_never_reaches_the_device(
    holder: Stage, place: int, change: int
) -> None:
    """Whichever byte it is; and the true one is still good."""
    packet = b"\x45\0\0\x1c" + bytes(4) + b"\x40\x11\0\0" + bytes([10, 8, 0, 1, 10, 8, 0, 2] * 2)
    train, length = holder.sealed(packet, len(packet))
    changed = bytearray(train)
    changed[place % len(train)] ^= change
    assert holder.give(bytes(changed), length) == []
    assert holder.give(train, length)[0][tun.VNET_HDR.size :] == packet
    assert holder.give(train, length) == []
