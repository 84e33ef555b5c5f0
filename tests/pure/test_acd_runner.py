"""The check with everything around it played: time, devices, frames, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from errno import ENOBUFS
from typing import Any

import pytest

from netalias import errors, packets
from netalias.kernel.netlink import codec
from netalias.model import IFF_LOWER_UP, IFF_NOARP, IFF_RUNNING, IFF_UP
from netalias.packets import probe
from netalias.packets.acd import AGAIN, FAST, RFC
from netalias.packets.pacing import STALL, Attempt

MAC = bytes.fromhex("020000000001")
OTHER = bytes.fromhex("0200000000ff")
ADDRESS = bytes([192, 0, 2, 10])
NEXT = bytes([192, 0, 2, 11])
READY = IFF_UP | IFF_RUNNING | IFF_LOWER_UP


class Socket:
    """What a played socket has in common: whether it was closed."""

    closed = False

    def fileno(self) -> int:
        """None is needed here."""
        return -1

    def close(self) -> None:
        """It is never closed twice."""
        assert not self.closed
        self.closed = True


class Events(Socket):
    """Devices that change at given times: (time, index, flags or None for a deleted one)."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.asked: list[int] = []

    def ask_links(self, indexes: Sequence[int]) -> None:
        """The answer is there at once, as the kernel's is."""
        self.asked += indexes

    def read(self) -> Iterator[Any]:
        """Answers, then what was announced until now; None where it was lost."""
        for index in self.asked:
            flags = self.environment.links.get(index)
            yield self.link(index, flags) if flags is not None else self.missing()
        self.asked = []
        while self.environment.changes and self.environment.changes[0][0] <= self.environment.now:
            _, index, flags = self.environment.changes.pop(0)
            if flags is None:
                self.environment.links.pop(index, None)
            else:
                self.environment.links[index] = flags
            yield None if self.environment.deaf else self.link(index, flags)
        if self.asked:
            yield from self.read()

    def link(self, index: int, flags: int | None) -> tuple[Any, ...]:
        """RTM_NEWLINK or RTM_DELLINK."""
        kind = codec.RTM_DELLINK if flags is None else codec.RTM_NEWLINK
        body = codec.ifinfo(index, flags or 0, family=self.environment.family)
        return kind, 0, 0, body, 0, len(body)

    def missing(self) -> tuple[Any, ...]:
        """NLMSG_ERROR: ENODEV."""
        body = (-19).to_bytes(4, "little", signed=True) + codec.ifinfo(0)
        return codec.NLMSG_ERROR, 0, 1, body, 0, len(body)


class PacketSocket(Socket):
    """Frames that come at given times, and all that was sent."""

    def __init__(self, environment: Environment, index: int) -> None:
        self.environment = environment
        self.index = index
        self.name = environment.name(index)
        self.mac = MAC
        self.ethernet = index not in environment.tunnels
        self.sent: list[bytes] = []

    def push(self, frames: Attempt) -> None:
        """Sending takes the time of ``slow`` for each frame; for ``full`` times none is taken."""

        def send(frame: bytes, flags: int) -> None:
            if self.environment.full:
                self.environment.full -= 1
                raise OSError(ENOBUFS, "No buffer space available")
            self.sent.append(frame)
            self.environment.now += self.environment.slow

        frames.push(self.name, send)

    def receive(self) -> list[bytes]:
        """What has come until now."""
        inbox = self.environment.frames.get(self.index, [])
        found = [frame for at, frame in inbox if at <= self.environment.now]
        self.environment.frames[self.index] = [
            entry for entry in inbox if entry[0] > self.environment.now
        ]
        return found

    def only(self, addresses: Iterable[bytes]) -> None:
        """Other frames do not come any more."""
        self.wanted = set(addresses)

    def lost(self) -> int:
        """As the test has it: so many times."""
        self.environment.overrun -= 1
        return self.environment.overrun >= 0


class Environment:
    """Simulated time, in which nothing happens but what stands in the tables."""

    def __init__(self, **links: int) -> None:
        self.now = 100.0
        self.links = {int(name[3:]): flags for name, flags in links.items()}
        self.changes: list[tuple[float, int, int | None]] = []
        self.frames: dict[int, list[tuple[float, bytes]]] = {}
        self.tunnels: set[int] = set()
        self.listeners: list[PacketSocket] = []
        self.opened: list[Socket] = []
        self.left: list[PacketSocket] = []
        self.family = 0
        self.deaf = False
        self.overrun = 0
        self.slow = 0.0
        self.full = 0
        self.interrupt = 1e9

    def clock(self) -> float:
        """Simulated."""
        return self.now

    def random(self) -> float:
        """Always the middle."""
        return 0.5

    def name(self, index: int) -> str:
        """eth and the index."""
        if index not in self.links:
            raise errors.NoSuchDevice(f"the device of index {index} has vanished")
        return f"eth{index}"

    def events(self) -> Events:
        """Remembered, to see whether it is closed."""
        self.opened.append(Events(self))
        return self.opened[-1]  # type: ignore[return-value]

    def packet_socket(self, index: int) -> PacketSocket:
        """Remembered, too."""
        self.listeners.append(PacketSocket(self, index))
        self.opened.append(self.listeners[-1])
        return self.listeners[-1]

    def wait(self, files: Sequence[Socket], seconds: float) -> None:
        """Until the next thing happens, or the time is over; ^C at the time of ``interrupt``."""
        if any(isinstance(one, Events) and one.asked for one in files):
            return
        times = [at for at, _, _ in self.changes]
        times += [at for inbox in self.frames.values() for at, _ in inbox]
        end = self.now + seconds
        self.now = min([end, *(at for at in times if at > self.now)])
        if self.now >= self.interrupt:
            raise KeyboardInterrupt

    def leave(self, listeners: Sequence[PacketSocket]) -> None:
        """Remembered."""
        self.left = list(listeners)

    def check(self, *asked: tuple[int, bytes], timing: Any = FAST, **more: Any) -> Any:
        """The check; however it ends, every socket is closed."""
        try:
            return probe.check(asked, {MAC}, timing, 5.0, environment=self, **more)  # type: ignore[arg-type]
        finally:
            assert all(one.closed for one in self.opened)


def test_nobody_has_them() -> None:
    """Every address is probed, nobody answers, it takes 200 ms."""
    environment = Environment(eth1=READY, eth2=READY)
    assert environment.check((1, ADDRESS), (1, NEXT), (2, ADDRESS)) == []
    assert [listener.sent for listener in environment.listeners] == [
        [packets.arp_probe(MAC, ADDRESS), packets.arp_probe(MAC, NEXT)],
        [packets.arp_probe(MAC, ADDRESS)],
    ]
    assert environment.now == pytest.approx(100.2, abs=0.001)


def test_a_conflict_names_address_device_and_mac() -> None:
    """The same address on the other device is free."""
    environment = Environment(eth1=READY, eth2=READY)
    environment.frames[2] = [(100.1, packets.arp_reply(OTHER, ADDRESS))]
    (found,) = environment.check((1, ADDRESS), (2, ADDRESS), (2, NEXT))
    assert found == probe.InUse(ADDRESS, 2, "eth2", OTHER)
    assert str(found) == "192.0.2.10 is in use on eth2 by 02:00:00:00:00:ff"


def test_who_was_not_heard_has_no_name() -> None:
    """A conflict that the kernel found by itself."""
    found = probe.InUse(bytes(15) + b"\1", 2, "eth2", b"")
    assert str(found) == "::1 is in use on eth2"


def test_an_answer_in_the_last_instant_is_heard() -> None:
    """What is there when the time is over is read before anything is found to be clear."""
    environment = Environment(eth1=READY)
    environment.frames[1] = [(100.2, packets.arp_reply(OTHER, ADDRESS))]
    assert [found.mac for found in environment.check((1, ADDRESS))] == [OTHER]


def test_a_slow_device_gets_its_time() -> None:
    """Ten seconds for a frame: the 200 ms begin when it is out."""
    environment = Environment(eth1=READY)
    environment.slow = 10.0
    environment.frames[1] = [(110.15, packets.arp_reply(OTHER, ADDRESS))]
    assert [found.mac for found in environment.check((1, ADDRESS))] == [OTHER]


def test_all_devices_are_checked_at_the_same_time() -> None:
    """Thirty devices by the full timing take no longer than one."""
    environment = Environment(**{f"eth{index}": READY for index in range(1, 31)})
    assert environment.check(*((index, ADDRESS) for index in range(1, 31)), timing=RFC) == []
    assert environment.now < 107.1
    assert all(len(listener.sent) == 3 for listener in environment.listeners)


def test_a_carrier_is_waited_for() -> None:
    """Nothing is sent, no listener is opened, before the device has one."""
    environment = Environment(eth1=IFF_UP)
    environment.changes = [(101.0, 1, IFF_UP | IFF_LOWER_UP), (103.0, 1, READY)]
    assert environment.check((1, ADDRESS)) == []
    assert environment.now == pytest.approx(103.2, abs=0.001)


def test_no_carrier_in_time_is_an_error() -> None:
    """It says which device, and nothing was sent."""
    environment = Environment(eth1=READY, eth2=IFF_UP)
    with pytest.raises(errors.StateError, match=r"^eth2 has no carrier$"):
        environment.check((1, ADDRESS), (2, ADDRESS))
    assert environment.now == pytest.approx(105.0)
    assert not environment.listeners


def test_a_carrier_lost_during_the_check_is_an_error() -> None:
    """Silence on a cut cable is no answer."""
    environment = Environment(eth1=READY)
    environment.changes = [(100.1, 1, IFF_UP)]
    with pytest.raises(errors.StateError, match=r"^eth1 lost its carrier while"):
        environment.check((1, ADDRESS))


@pytest.mark.parametrize("at", [99.0, 100.1])
def test_a_device_that_is_down_is_an_error(at: float) -> None:
    """Before and during the check; nobody waits for an administrator."""
    environment = Environment(eth1=READY)
    environment.changes = [(at, 1, 0)]
    with pytest.raises(errors.MainDown, match=r"^eth1 is down$"):
        environment.check((1, ADDRESS))
    assert environment.now < 100.2


@pytest.mark.parametrize("at", [99.0, 100.1])
def test_a_device_that_vanishes_is_an_error(at: float) -> None:
    """Before and during the check."""
    environment = Environment(eth1=READY)
    environment.changes = [(at, 1, None)]
    with pytest.raises(errors.NoSuchDevice, match="index 1 has vanished"):
        environment.check((1, ADDRESS))


def test_a_device_that_never_was_is_an_error() -> None:
    """The kernel refuses the question."""
    with pytest.raises(errors.NoSuchDevice, match="index 7 has vanished"):
        Environment(eth1=READY).check((7, ADDRESS))


def test_a_bridge_tells_of_its_ports_and_is_not_believed() -> None:
    """RTM_NEWLINK and RTM_DELLINK of AF_BRIDGE are about the port of a bridge."""
    environment = Environment(eth1=READY)
    environment.family = 7
    with pytest.raises(errors.StateError, match="no carrier"):  # the state was never told
        environment.check((1, ADDRESS))


def test_lost_announcements_are_asked_for_again() -> None:
    """ENOBUFS: the carrier that came meanwhile is seen."""
    environment = Environment(eth1=IFF_UP)
    environment.deaf = True
    environment.changes = [(102.0, 1, READY)]
    assert environment.check((1, ADDRESS)) == []


def test_where_frames_were_lost_it_asks_again() -> None:
    """The conflict may have been among them."""
    environment = Environment(eth1=READY)
    environment.frames[1] = [(100.1, b""), (100.3, packets.arp_reply(OTHER, ADDRESS))]
    environment.overrun = 1
    (found,) = environment.check((1, ADDRESS), (1, NEXT))
    assert (found.address, found.mac) == (ADDRESS, OTHER)
    assert (
        environment.listeners[0].sent
        == [packets.arp_probe(MAC, ADDRESS), packets.arp_probe(MAC, NEXT)] * 2
    )


def test_a_flood_that_does_not_end_decides_nothing() -> None:
    """It is an error for those that were not heard out; who was heard is in use all the same."""
    environment = Environment(eth1=READY)
    environment.frames[1] = [(100 + number / 10, b"") for number in range(100)]
    environment.frames[1].append((100.1, packets.arp_reply(OTHER, NEXT)))
    environment.overrun = 1000
    asked = [(1, ADDRESS), (1, NEXT)]
    found, undecided = probe.verdicts(asked, {MAC}, FAST, 5.0, environment=environment)  # type: ignore[arg-type]
    assert ([one.address for one in found], undecided) == ([NEXT], [(1, ADDRESS)])
    assert environment.listeners[0].sent.count(packets.arp_probe(MAC, ADDRESS)) == 1 + AGAIN
    assert environment.now < 102.0
    environment.frames[1] = [(environment.now + number / 10, b"") for number in range(100)]
    with pytest.raises(errors.StateError, match=r"^eth1 is flooded: frames were lost while"):
        environment.check((1, ADDRESS))


def test_only_what_is_asked_for_is_let_in() -> None:
    """Where frames are lost, what is known to be in use is kept out too."""
    environment = Environment(eth1=READY)
    environment.check((1, ADDRESS), (1, NEXT))
    assert environment.listeners[0].wanted == {ADDRESS, NEXT}
    environment.frames[1] = [(environment.now + 0.1, packets.arp_reply(OTHER, NEXT))]
    environment.overrun = 1
    environment.check((1, ADDRESS), (1, NEXT))
    assert environment.listeners[1].wanted == {ADDRESS}


def test_hostile_frames_disturb_nothing() -> None:
    """Whatever cannot be read is passed over, and the answer behind it is found."""
    environment = Environment(eth1=READY)
    good = packets.arp_reply(OTHER, ADDRESS)
    junk = [good[:size] for size in range(len(good))] + [b"\xff" * 60, bytes(1500)]
    environment.frames[1] = [(100.1, frame) for frame in [*junk, good, *junk]]
    assert [found.mac for found in environment.check((1, ADDRESS))] == [OTHER]


def test_where_no_arp_is_spoken_nobody_conflicts() -> None:
    """A dummy has IFF_NOARP, whatever its state; a tunnel is no Ethernet: nothing is sent."""
    environment = Environment(eth1=IFF_NOARP, eth2=READY)
    environment.tunnels = {2}
    assert environment.check((1, ADDRESS), (2, ADDRESS)) == []
    assert environment.now == 100.0
    assert [listener.sent for listener in environment.listeners] == [[]]


def test_an_interruption_leaves_nothing_open() -> None:
    """^C in the middle closes every socket, and is passed on."""
    environment = Environment(eth1=READY, eth2=READY)
    environment.interrupt = 100.1
    with pytest.raises(KeyboardInterrupt):
        environment.check((1, ADDRESS), (2, ADDRESS))
    assert len(environment.opened) == 3


def test_closing_is_left_to_a_child_where_wished() -> None:
    """All listeners at once."""
    environment = Environment(eth1=READY, eth2=READY)
    environment.check((1, ADDRESS), (2, ADDRESS), aside=True)
    assert environment.left == environment.listeners
    assert len(environment.left) == 2


def test_a_device_that_takes_no_frame_for_a_while() -> None:
    """Nothing waits in the call that sends; the probe goes out when the device takes it."""
    environment = Environment(eth2=READY)
    environment.full = 3
    assert environment.check((2, ADDRESS)) == []
    assert environment.listeners[0].sent == [packets.arp_probe(MAC, ADDRESS)]


def test_a_device_that_takes_no_frame_at_all() -> None:
    """The check ends, with the reason, and every socket is closed."""
    environment = Environment(eth2=READY)
    environment.full = 1 << 30
    begin = environment.now
    with pytest.raises(errors.StateError, match="eth2 has accepted no frame for 5 s"):
        environment.check((2, ADDRESS))
    assert STALL < environment.now - begin < STALL + 1
