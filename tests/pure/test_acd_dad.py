"""Awaiting the kernel's verdict on IPv6 addresses, with everything around it played."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from netalias import errors, packets
from netalias.kernel.netlink import codec
from netalias.model import IFA_F_DADFAILED, IFA_F_PERMANENT, IFA_F_TENTATIVE, Address
from netalias.packets import dad
from netalias.packets.dad import IFA_F_OPTIMISTIC, DadMonitor
from netalias.packets.probe import InUse

MAC = bytes.fromhex("020000000001")
OTHER = bytes.fromhex("0200000000ff")
ADDRESS = bytes.fromhex("20010db8000000000000000000000010")
NEXT = bytes.fromhex("20010db8000000000000000000000011")
INET6 = 10
GOOD = IFA_F_PERMANENT
TENTATIVE = IFA_F_PERMANENT | IFA_F_TENTATIVE
FAILED = TENTATIVE | IFA_F_DADFAILED
GONE = -1
LOST = -2

Change = tuple[float, int, bytes, int]
"""When, device, address, its flags, or GONE, or LOST: what is announced now is lost."""


class Events:
    """Announcements at given times, and dumps of what there is."""

    closed = False

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.dumps: list[int] = []

    def ask_addresses(self) -> int:
        """The sequence numbers count the dumps."""
        self.environment.dumps += 1
        self.dumps.append(self.environment.dumps)
        return self.environment.dumps

    def read(self) -> Iterator[Any]:
        """What was announced until now, and the answers."""
        environment = self.environment
        while environment.changes and environment.changes[0][0] <= environment.now:
            _, index, address, flags = environment.changes.pop(0)
            if flags == LOST:
                yield None
                continue
            kind = codec.RTM_DELADDR if flags == GONE else codec.RTM_NEWADDR
            if flags == GONE:
                environment.addresses.pop((index, address), None)
            else:
                environment.addresses[index, address] = flags
            yield message(kind, 0, 0, index, address, max(flags, 0))
        for sequence in self.dumps:
            marks = environment.broken.pop(0) if environment.broken else 0
            for (index, address), flags in environment.addresses.items():
                if not marks:
                    yield message(codec.RTM_NEWADDR, marks, sequence, index, address, flags)
            yield codec.NLMSG_DONE, marks, sequence, bytes(4), 0, 4
        self.dumps = []

    def close(self) -> None:
        """Seen by the tests."""
        self.closed = True


def message(
    kind: int, marks: int, sequence: int, index: int, address: bytes, flags: int
) -> tuple[Any, ...]:
    """One address as an event."""
    data = codec.new_address(0, 0, index, Address(index, INET6, address, 128, flags))
    return kind, marks, sequence, data, 16, len(data)


class PacketSocket:
    """Frames at given times."""

    closed = False

    def __init__(self, environment: Environment, index: int) -> None:
        self.environment = environment
        self.index = index

    def receive(self) -> list[bytes]:
        """What has come until now."""
        found = [frame for at, frame in self.environment.frames if at <= self.environment.now]
        self.environment.frames = [
            entry for entry in self.environment.frames if entry[0] > self.environment.now
        ]
        return found

    def close(self) -> None:
        """Seen by the tests."""
        self.closed = True


class Environment:
    """Simulated time and what happens in it."""

    def __init__(self, *changes: Change) -> None:
        self.now = 0.0
        self.changes = list(changes)
        self.addresses: dict[tuple[int, bytes], int] = {}
        self.frames: list[tuple[float, bytes]] = []
        self.dumps = 0
        self.broken: list[int] = []
        self.waits = 0
        self.opened: list[Any] = []
        self.missing: set[int] = set()

    def clock(self) -> float:
        """Simulated."""
        return self.now

    def name(self, index: int) -> str:
        """eth and the index."""
        if index in self.missing:
            raise errors.NoSuchDevice("it has vanished")
        return f"eth{index}"

    def events(self) -> Events:
        """Remembered."""
        self.opened.append(Events(self))
        return self.opened[-1]  # type: ignore[no-any-return]

    def packet_socket(self, index: int) -> PacketSocket:
        """Remembered."""
        if index in self.missing:
            raise errors.NoSuchDevice("it has vanished")
        self.opened.append(PacketSocket(self, index))
        return self.opened[-1]  # type: ignore[no-any-return]

    def wait(self, files: Sequence[Any], seconds: float) -> None:
        """Until the next thing happens; it is called once for each, so nobody polls."""
        self.waits += 1
        if any(getattr(one, "dumps", None) for one in files):
            return
        times = [at for at, *_ in self.changes] + [at for at, _ in self.frames]
        self.now = min([self.now + seconds, *(at for at in times if at > self.now)])

    def leave(self, listeners: Sequence[PacketSocket]) -> None:
        """Nothing to see."""

    def watch(self, *asked: tuple[int, bytes], limit: float = 5.0) -> list[InUse]:
        """A watch on the device 1, and its verdict; everything is closed in the end."""
        try:
            with DadMonitor([1], {MAC}, environment=self) as watch:  # type: ignore[arg-type]
                return watch.wait(asked, limit)
        finally:
            assert all(one.closed for one in self.opened)


def test_an_address_is_good_when_it_is_not_tentative_any_more() -> None:
    """Two announcements, two looks: nothing is asked, nobody polls."""
    environment = Environment((0, 5, ADDRESS, TENTATIVE), (1.5, 5, ADDRESS, GOOD))
    assert environment.watch((5, ADDRESS)) == []
    assert (environment.now, environment.waits, environment.dumps) == (1.5, 1, 0)


@pytest.mark.parametrize("flags", [GOOD, TENTATIVE | IFA_F_OPTIMISTIC, IFA_F_OPTIMISTIC])
def test_what_can_be_used_is_not_waited_for(flags: int) -> None:
    """Without DAD, or optimistic: it is over at once."""
    environment = Environment((0, 5, ADDRESS, flags))
    assert environment.watch((5, ADDRESS)) == []
    assert (environment.now, environment.waits) == (0.0, 0)


def test_a_duplicate_is_named_by_its_advertisement() -> None:
    """The kernel's verdict, and the MAC that was heard before it; others' frames do not count."""
    environment = Environment((0, 5, ADDRESS, TENTATIVE), (0, 5, NEXT, TENTATIVE))
    environment.frames = [
        (0.5, packets.advertisement(MAC, ADDRESS)),
        (0.6, packets.advertisement(bytes(6), bytes(16))),
        (0.6, b"\xff" * 90),
        (0.7, packets.advertisement(OTHER, ADDRESS)),
    ]
    environment.changes += [(0.7, 5, ADDRESS, FAILED), (1.0, 5, NEXT, GOOD)]
    assert environment.watch((5, ADDRESS), (5, NEXT)) == [InUse(ADDRESS, 5, "eth5", OTHER)]


def test_who_only_asks_for_the_address_is_not_its_owner() -> None:
    """A solicitation with a source address wants to talk to it; the owner stays unnamed."""
    from netalias.packets.spec import FRAME

    node = b"\xff\x02" + bytes(9) + b"\x01\xff" + ADDRESS[13:]
    frame = {
        "destination": bytes(6),
        "source": OTHER,
        "type": "IPV6",
        "payload": {
            "source": NEXT,
            "destination": node,
            "message": {"type": "solicitation", "flags": {}, "target": ADDRESS, "options": []},
        },
    }
    environment = Environment((0, 5, ADDRESS, TENTATIVE), (1.0, 5, ADDRESS, FAILED))
    environment.frames = [(0.5, FRAME.build(frame))]
    assert [found.mac for found in environment.watch((5, ADDRESS))] == [b""]
    frame["payload"]["source"] = bytes(16)  # type: ignore[index]
    environment = Environment((0, 5, ADDRESS, TENTATIVE), (1.0, 5, ADDRESS, FAILED))
    environment.frames = [(0.5, FRAME.build(frame))]
    assert [found.mac for found in environment.watch((5, ADDRESS))] == [OTHER]


def test_an_address_that_is_gone_has_failed() -> None:
    """The kernel removes one with a lifetime; its device may be gone with it."""
    environment = Environment((0, 5, ADDRESS, TENTATIVE), (1.0, 5, ADDRESS, GONE))
    environment.missing = {5}
    assert environment.watch((5, ADDRESS)) == [InUse(ADDRESS, 5, "index 5", b"")]


def test_an_address_that_never_was_has_failed() -> None:
    """Nothing was announced: the list is asked for, once."""
    environment = Environment((0, 5, NEXT, GOOD))
    assert [found.address for found in environment.watch((5, ADDRESS), (5, NEXT))] == [ADDRESS]
    assert environment.dumps == 1


def test_what_was_there_before_the_watch_is_asked_for() -> None:
    """Opened too late, it is found by the list."""
    environment = Environment((1.0, 5, ADDRESS, GOOD))
    environment.addresses[5, ADDRESS] = TENTATIVE
    assert environment.watch((5, ADDRESS)) == []
    assert (environment.dumps, environment.now) == (1, 1.0)


def test_lost_announcements_are_read_again() -> None:
    """ENOBUFS: the verdict was among them."""
    environment = Environment((0, 5, ADDRESS, TENTATIVE), (1.0, 0, b"", LOST))
    with DadMonitor([1], environment=environment) as watch:  # type: ignore[arg-type]
        watch._look()
        environment.addresses[5, ADDRESS] = FAILED
        assert [found.address for found in watch.wait([(5, ADDRESS)], 5.0)] == [ADDRESS]
    assert environment.dumps == 1


def test_what_was_lost_before_the_first_look_is_read_once() -> None:
    """A second list is not asked for before the first one has come: that would be EBUSY."""
    environment = Environment((0.0, 5, ADDRESS, LOST))
    environment.addresses[5, ADDRESS] = GOOD
    assert environment.watch((5, ADDRESS)) == []
    assert environment.dumps == 1


def test_a_list_that_changed_while_it_was_read_is_read_again() -> None:
    """NLM_F_DUMP_INTR: what it does not have may be there."""
    environment = Environment()
    environment.addresses[5, ADDRESS] = GOOD
    environment.broken = [codec.NLM_F_DUMP_INTR]
    assert environment.watch((5, ADDRESS)) == []
    assert environment.dumps == 2


def test_no_verdict_in_time_is_an_error() -> None:
    """It names an address, and says how many there are."""
    environment = Environment((0, 5, ADDRESS, TENTATIVE), (0, 5, NEXT, TENTATIVE))
    with pytest.raises(errors.StateError, match=r"2001:db8::10 is still being checked after 3 s"):
        environment.watch((5, ADDRESS), (5, NEXT), limit=3.0)
    assert environment.now == pytest.approx(3.0)


def test_a_main_device_that_is_not_there_leaves_nothing_open() -> None:
    """The watch is not made, and its socket is closed."""
    environment = Environment()
    environment.missing = {1}
    with pytest.raises(errors.NoSuchDevice):
        environment.watch((5, ADDRESS))
    assert len(environment.opened) == 1


def test_numbers_are_those_of_the_header() -> None:
    """linux/if_addr.h."""
    from netalias.kernel.netlink.numbers import IFA_F

    assert IFA_F["IFA_F_OPTIMISTIC"] == dad.IFA_F_OPTIMISTIC
