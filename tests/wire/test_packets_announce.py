"""Announcing with a played sender and clock: what leaves by which device, how fast, what fails."""

from __future__ import annotations

from collections.abc import Iterable
from errno import EAGAIN, EIO, ENETDOWN, ENOBUFS, ENODEV, ENXIO, EPERM

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import errors, packets
from netalias.packets import announce, pacing
from netalias.packets.announce import NEAR, Announcement

MAC = bytes.fromhex("020000000001")
IPV6 = bytes.fromhex("20010db8000000000000000000000010")


class Environment(announce.Environment):
    """Simulated time; what is sent is kept with its time and device."""

    def __init__(self, refusing: Iterable[str] = ()) -> None:
        self.now = 0.0
        self.sent: list[tuple[float, str, bytes]] = []
        self.closed = 0
        self.left: list[int] = []
        self.refusing = refusing

    def clock(self) -> float:  # type: ignore[override]
        """Simulated."""
        return self.now

    def sleep(self, seconds: float) -> None:  # type: ignore[override]
        """The only way in which time goes by."""
        self.now += seconds

    def name(self, index: int) -> str:  # type: ignore[override]
        """eth and the index."""
        return f"eth{index}"

    def leave(self, file: int) -> None:  # type: ignore[override]
        """Kept."""
        self.left.append(file)

    def sender(self) -> Environment:  # type: ignore[override]
        """It is its own."""
        return self

    def fileno(self) -> int:
        """Any."""
        return 7

    def close(self) -> None:
        """Counted."""
        self.closed += 1

    def send(self, device: str, packed: Iterable[bytes]) -> None:
        """Kept, or refused."""
        if device in self.refusing:
            raise errors.MainDown(f"{device} is down")
        self.sent += [(self.now, device, frame) for frame in packed]


def items(count: int, main: int = 1) -> list[Announcement]:
    """So many aliases above one main device, each with a device and a MAC of its own."""
    return [
        Announcement(
            main * 10_000 + number,
            main,
            b"\x02\0" + number.to_bytes(4, "big"),
            b"\x0a\0" + number.to_bytes(2, "big"),
        )
        for number in range(count)
    ]


def test_few_leave_by_their_own_devices() -> None:
    """Up to NEAR of a main device, so that their siblings hear them too."""
    environment = Environment()
    few = items(NEAR)
    assert announce.announce(few, environment=environment) == []
    assert [(device, frame) for _, device, frame in environment.sent] == [
        (f"eth{item.index}", frame)
        for item in few
        for frame in (
            packets.arp_request(item.mac, item.address),
            packets.arp_reply(item.mac, item.address),
        )
    ]
    assert environment.closed == 1


def test_many_leave_by_the_main_device_with_their_own_macs() -> None:
    """The devices are counted for each main device by itself."""
    environment = Environment()
    many, few = items(NEAR + 1), items(2, main=2)
    announce.announce([*many, *few], environment=environment)
    assert {device for _, device, _ in environment.sent} == {"eth1", "eth20000", "eth20001"}
    assert {frame[6:12] for _, device, frame in environment.sent if device == "eth1"} == {
        item.mac for item in many
    }


def test_ipv6_is_advertised() -> None:
    """One frame, and no ARP."""
    environment = Environment()
    announce.announce([Announcement(3, 1, MAC, IPV6)], environment=environment)
    assert environment.sent == [(0.0, "eth3", packets.advertisement(MAC, IPV6))]


@given(count=st.integers(1, 700), rate=st.floats(100, 10_000))
def test_the_rate_is_kept(count: int, rate: float) -> None:
    """In no stretch of time more than BURST and what the rate allows; and none is slower."""
    environment = Environment()
    announce.announce(items(count), rate, environment=environment)
    assert len(environment.sent) == 2 * count
    times = [at for at, _, _ in environment.sent]
    for first in range(0, len(times), 97):
        for last in range(first, len(times), 89):
            allowed = pacing.BURST + (times[last] - times[first]) * rate
            assert last - first + 1 <= allowed + 1e-6
    assert environment.now <= max(0.0, 2 * count - pacing.BURST) / rate + pacing.CLUMP / rate + 1e-6


def test_no_rate_is_no_limit() -> None:
    """Nobody waits."""
    environment = Environment()
    announce.announce(items(4000), 0, environment=environment)
    assert (len(environment.sent), environment.now) == (8000, 0.0)


class Changes:
    """Addresses that are somewhere else after a time of the environment."""

    def __init__(self, environment: Environment, gone: dict[bytes, float]) -> None:
        self.environment = environment
        self.gone = gone
        self.now = -1.0

    def read(self) -> None:
        """Up to now."""
        self.now = self.environment.now

    def moved(self, address: bytes, index: int) -> bool:
        """The one with these last bytes is on the device with that number."""
        assert index == 10_000 + int.from_bytes(address[2:], "big")
        return self.gone.get(address, self.now + 1) <= self.now


def test_what_has_moved_is_not_announced_any_more() -> None:
    """It may be another host's, or have another MAC, by the time at which the rate lets it out."""
    environment = Environment()
    told = items(NEAR * 4)
    changes = Changes(environment, {told[-1].address: 3.0, told[-2].address: 1e9})
    announce.announce(told, 10.0, environment=environment, changes=changes)
    assert environment.now > 3.0
    frames = {frame for _, _, frame in environment.sent}
    wished = {one for item in told[:-1] for one in packets.announcements(item.mac, item.address)}
    assert frames == wished


def test_a_device_that_refuses_does_not_keep_the_others() -> None:
    """Its error is given once."""
    environment = Environment(refusing=["eth10001"])
    (error,) = announce.announce(items(3), environment=environment)
    assert str(error) == "eth10001 is down"
    assert {device for _, device, _ in environment.sent} == {"eth10000", "eth10002"}
    assert environment.closed == 1


def test_the_socket_is_left_to_a_child_where_wished() -> None:
    """Before it is closed here."""
    environment = Environment()
    announce.announce(items(1), environment=environment, aside=True)
    assert (environment.left, environment.closed) == ([7], 1)


class Stuck:
    """A send that is refused some times before it works."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.sent: list[bytes] = []

    def __call__(self, frame: bytes, flags: int) -> None:
        """One code each time."""
        if self.codes:
            raise OSError(self.codes.pop(0), "")
        self.sent.append(frame)


@pytest.fixture
def writable() -> int:
    """A descriptor that can always be written to."""
    with open("/dev/null", "wb", buffering=0) as file:
        yield file.fileno()  # type: ignore[misc]


def test_a_full_queue_loses_nothing(writable: int) -> None:
    """EAGAIN and ENOBUFS: the same frame again, in order."""
    send = Stuck(EAGAIN, ENOBUFS, ENOBUFS)
    pacing.push("eth1", writable, send, [b"one", b"two"])
    assert send.sent == [b"one", b"two"]


def test_a_device_that_takes_nothing_is_given_up(
    writable: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its name, after STALL seconds."""
    monkeypatch.setattr(pacing, "STALL", 0.0)
    with pytest.raises(errors.StateError, match=r"^eth1 has accepted no frame for 0 s$"):
        pacing.push("eth1", writable, Stuck(*[ENOBUFS] * 1000), [b"one"])


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (ENETDOWN, errors.MainDown, "eth1 is down"),
        (ENXIO, errors.NoSuchDevice, "eth1 has vanished"),
        (ENODEV, errors.NoSuchDevice, "eth1 has vanished"),
        (EPERM, errors.NotPermitted, "frames over eth1: Operation not permitted"),
        (EIO, errors.KernelError, "frames over eth1: Input/output error"),
    ],
)
def test_every_refusal_names_the_device(
    writable: int, code: int, kind: type[errors.NetaliasError], text: str
) -> None:
    """Down, vanished, not permitted, and whatever else the kernel may say."""
    with pytest.raises(kind) as caught:
        pacing.push("eth1", writable, Stuck(code), [b"one"])
    assert (type(caught.value), str(caught.value)) == (kind, text)
    with pytest.raises(kind):  # the same in the middle of waiting
        pacing.push("eth1", writable, Stuck(EAGAIN, code), [b"one"])


def test_permission_is_that_for_raw_frames() -> None:
    """The hint names CAP_NET_RAW, which is not the capability of the rest."""
    assert "CAP_NET_RAW" in packets.refused("eth1", OSError(EPERM, "")).hint
