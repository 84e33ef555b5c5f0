"""Dumps that are interrupted by every change of others (NLM_F_DUMP_INTR), over a played kernel."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EINTR
from typing import Any

import pytest
from player import ETH0, HOME, LO, Player, acknowledge, is_dump
from wire_cases import address_message, done_message, link_message

from netalias import errors
from netalias.kernel import netlink
from netalias.kernel.netlink import codec, interrupted, spec
from netalias.kernel.netlink.interrupted import INCOMPLETE, PAUSES, merged
from netalias.kernel.netlink.subscription import Subscription
from netalias.model import AF_INET, Address, Device

ETH1 = Device(3, "eth1", 0x1043, 1, mac=b"\x02\0\0\0\0\2")
TRIES = 1 + len(PAUSES)
INTERRUPTED = ["NLM_F_MULTI", "NLM_F_DUMP_INTR"]


def entry(index: int, last: int) -> Address:
    """The address 10.0.0.*last* on a device."""
    return Address(index, AF_INET, bytes((10, 0, 0, last)), 32, 0x80, 0)


FIRST, SECOND, THIRD = (entry(2, last) for last in (1, 2, 3))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between the attempts, in which no time passes."""
    found: list[float] = []
    monkeypatch.setattr(interrupted, "sleep", found.append)
    monkeypatch.setattr("netalias.kernel.netlink.subscription.sleep", found.append)
    return found


@pytest.fixture
def kernel(player: Player, pauses: list[float]) -> netlink.Netlink:
    return netlink.Netlink()


class Moving:
    """Dumps of addresses that are all interrupted but those of one device; each has what stands in
    ``dumps`` for it, and ``alone`` is on each device."""

    def __init__(self, player: Player, *dumps: list[Address]) -> None:
        self.player = player
        self.dumps = [*dumps]
        self.alone: dict[int, list[Address]] = {}
        self.strict = True
        self.asked: list[int] = []
        player.answer = self.answer

    def answer(self, request: Any) -> Iterator[bytes]:
        """That of the kernel, one datagram a message."""
        if request.type != "RTM_GETADDR":
            yield from acknowledge(request)
            return
        index, done = request.body.ifa_index, done_message(0, request.sequence)
        self.asked.append(index)
        if index and self.strict:
            found = self.alone[index]
        else:
            found = self.dumps.pop(0) if len(self.dumps) > 1 else self.dumps[0]
            done["flags"] = INTERRUPTED
        for part in (*(address_message(one, request.sequence) for one in found), done):
            yield spec.build(part)


def test_it_is_no_error(player: Player, kernel: netlink.Netlink, pauses: list[float]) -> None:
    """What was read is given back after some attempts, and that it moved is noted."""
    Moving(player, [HOME])
    assert kernel.snapshot().addresses == {1: [HOME]}
    assert kernel.inconsistent
    assert player.count("RTM_GETADDR") == TRIES
    assert pauses == list(PAUSES) == sorted(PAUSES)
    assert pauses[0] > 0


def test_a_dump_that_settles_is_the_only_one_that_counts(
    player: Player, kernel: netlink.Netlink
) -> None:
    """What the interrupted ones had is forgotten."""

    def answer(request: Any) -> Iterator[bytes]:
        if request.type == "RTM_GETLINK" and is_dump(request):
            done = done_message(0, request.sequence)
            last = player.count("RTM_GETLINK") == TRIES
            if not last:
                done["flags"] = INTERRUPTED
            yield spec.build(link_message(LO if last else ETH0, request.sequence), done)
        else:
            yield from acknowledge(request)

    player.answer = answer
    assert [device.name for device in kernel.snapshot().devices.values()] == ["lo"]
    assert not kernel.inconsistent


def test_what_one_dump_passes_over_is_in_the_other(player: Player, kernel: netlink.Netlink) -> None:
    """At its place, since the kernel's order tells primary addresses from secondary ones."""
    moving = Moving(player, [HOME], [HOME, FIRST, SECOND, THIRD], [HOME, FIRST, THIRD])
    moving.strict = False
    assert kernel.snapshot().addresses == {1: [HOME], 2: [FIRST, SECOND, THIRD]}


def test_what_is_in_no_recent_dump_is_gone(player: Player, kernel: netlink.Netlink) -> None:
    """Only the last two count."""
    Moving(player, [HOME, FIRST], [HOME], [HOME])
    assert kernel.snapshot().addresses == {1: [HOME]}


def test_a_device_that_differs_is_read_by_itself(player: Player, kernel: netlink.Netlink) -> None:
    """What has gone between two dumps is not there; the others are not asked for again."""
    moving = Moving(player, [HOME], [FIRST, HOME, entry(7, 9)], [SECOND, HOME, entry(7, 9)])
    moving.alone[2] = [SECOND]
    assert kernel.snapshot().addresses == {2: [SECOND], 1: [HOME], 7: [entry(7, 9)]}
    assert moving.asked == [0] * TRIES + [2]


def test_a_device_of_several_datagrams_may_be_passed_over_too(
    player: Player, kernel: netlink.Netlink
) -> None:
    """So what the dumps of all devices had stays."""
    moving = Moving(player, [HOME], [FIRST, SECOND], [FIRST])
    moving.alone[2] = [FIRST, THIRD]
    assert kernel.snapshot().addresses == {2: [FIRST, SECOND, THIRD]}


def test_many_devices_that_differ_are_not_read_one_by_one(
    player: Player, kernel: netlink.Netlink
) -> None:
    """It would never end."""
    here = [entry(index, 1) for index in range(2, 30)]
    moving = Moving(player, [HOME], [HOME, *here], [HOME])
    assert sum(map(len, kernel.snapshot().addresses.values())) == 29
    assert moving.asked == [0] * TRIES


def test_devices_are_put_together_by_their_index(player: Player, kernel: netlink.Netlink) -> None:
    """The later dump says what each is like."""
    renamed = Device(2, "wan", 0x1043, 1, mac=ETH0.mac)
    dumps = [[LO], [LO, ETH0, ETH1], [LO, renamed]]

    def answer(request: Any) -> Iterator[bytes]:
        if request.type == "RTM_GETLINK" and is_dump(request):
            done = done_message(0, request.sequence)
            done["flags"] = INTERRUPTED
            found = [link_message(one, request.sequence) for one in dumps.pop(0)]
            yield spec.build(*found, done)
        else:
            yield from acknowledge(request)

    player.answer = answer
    assert [one.name for one in kernel.snapshot().devices.values()] == ["lo", "wan", "eth1"]
    assert kernel.inconsistent


def test_a_dump_of_which_parts_are_lost_each_time(player: Player, kernel: netlink.Netlink) -> None:
    """That is an error still: nobody knows what is missing."""

    def answer(request: Any) -> Iterator[bytes]:
        yield spec.build(link_message(LO, request.sequence))  # without an end

    player.answer = answer
    with pytest.raises(errors.KernelError) as caught:
        kernel.snapshot()
    assert caught.value.errno == EINTR
    assert player.count("RTM_GETLINK") == len(player.requests) == INCOMPLETE


def test_nothing_is_decoded_before_the_dump_is_taken_in(
    player: Player, kernel: netlink.Netlink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of a dump, in which any change interrupts it, is the kernel's alone."""
    waiting: list[int] = []
    real, walk = codec.read_link, netlink.messages
    monkeypatch.setattr(
        codec, "read_link", lambda *body: (waiting.append(len(player.queue)), real(*body))[1]
    )
    monkeypatch.setattr(
        netlink, "messages", lambda data: (waiting.append(len(player.queue)), walk(data))[1]
    )

    def answer(request: Any) -> Iterator[bytes]:
        if request.type == "RTM_GETLINK" and is_dump(request):
            for device in (LO, ETH0, ETH1):
                yield spec.build(link_message(device, request.sequence))
            yield spec.build(done_message(0, request.sequence))
        else:
            yield from acknowledge(request)

    player.answer = answer
    assert len(kernel.snapshot().devices) == 3
    assert waiting
    assert not any(waiting)


@pytest.mark.parametrize(
    ("before", "last", "both"),
    [
        ("abc", "abc", "abc"),
        ("abc", "ac", "abc"),
        ("bc", "abc", "abc"),
        ("xa", "a", "xa"),
        ("ax", "ay", "axy"),
        ("", "ab", "ab"),
        ("ab", "", "ab"),
        ("aab", "abb", "ab"),
        ("xyab", "ba", "xyba"),
    ],
)
def test_two_dumps_as_one(before: str, last: str, both: str) -> None:
    """Everything once, in the order of the later one."""
    assert "".join(merged(before, last)) == both


def test_objects_of_any_sort(player: Player, kernel: netlink.Netlink) -> None:
    """Routes come as lists, names with their indexes: equal ones are the same."""
    assert merged([["a"], []], [[], ["b"]]) == [["a"], [], ["b"]]
    assert merged([("eth0", 2), ("eth1", 3)], [("eth0", 2)]) == [("eth0", 2), ("eth1", 3)]

    def answer(request: Any) -> Iterator[bytes]:
        done = done_message(0, request.sequence)
        done["flags"] = INTERRUPTED
        yield spec.build(done)

    player.answer = answer
    found = kernel.routing().read()
    assert (found.rules, found.ways) == ([], [])


def test_a_monitor_gets_both_dumps(player: Player, pauses: list[float]) -> None:
    """The later one last, so that its word counts."""
    moving = Moving(player, [FIRST], [SECOND], [THIRD])
    subscription = Subscription()
    found = subscription.dump(codec.RTM_GETADDR, codec.IFADDR.pack(0, 0, 0, 0, 0))
    told = [
        [codec.read_address(*body) for kind, _, _, *body in one if kind == codec.RTM_NEWADDR]
        for one in found
    ]
    assert told == [[FIRST], [SECOND]]
    assert moving.asked == [0, 0]
    assert pauses == [PAUSES[0]]
