"""Announcements that come faster than they are handled: what is left out, and what is not."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from player import ETH0, LO, Player, is_dump
from shortened import quarter
from wire_cases import address_message, done_message, link_message

from netalias.kernel import netlink
from netalias.kernel.netlink import codec, spec
from netalias.kernel.netlink.monitor import READERS, TURN, Monitor
from netalias.kernel.netlink.subscription import CHUNKED, Subscription, superseded
from netalias.model import AF_INET, AF_INET6, IFA_F_SECONDARY, IFA_F_TENTATIVE, Address
from netalias.model.events import ADDRESS, State, apply

MANY = 200
OWN = 77
"""The netlink port ID of our own changes."""


def entry(last: int, family: int = AF_INET, prefixlen: int = 32, index: int = 2) -> Address:
    """One of the addresses that come and go."""
    size = 4 if family == AF_INET else 16
    return Address(index, family, bytes(size - 1) + bytes([last]), prefixlen, 0x80, 0)


def address(one: Address, *, gone: bool = False) -> bytes:
    """Its announcement."""
    kind = codec.RTM_DELADDR if gone else codec.RTM_NEWADDR
    data = spec.build(address_message(one, 0))
    return data[:4] + kind.to_bytes(2, "little") + data[6:]


def link(*, up: bool = True) -> bytes:
    """The announcement of a change of eth0."""
    message = link_message(ETH0, 0)
    message["body"]["ifi_flags"] ^= 0 if up else 1
    return spec.build(message)


def state(found: list[bytes | None]) -> dict[Any, Any]:
    """What is known after these announcements."""
    known = State()
    for data in found:
        for kind, _, _, start, end in netlink.messages(data or b""):
            word = READERS[kind](data or b"", start, end)
            assert word is not None
            apply(known, *word)
    return known.parts


def test_what_has_come_to_nothing_is_left_out() -> None:
    """Of an address that came and went, and of changes in between; everything else stays."""
    first, second = entry(1), entry(2)
    found: list[bytes | None] = [
        address(first),
        address(second),
        link(),
        address(first, gone=True),
        None,
        address(first),
        address(first),
        address(first),
        link(up=False),
    ]
    assert list(superseded(found, OWN)) == [*found[1:6], *found[7:]]


def order(found: list[bytes | None]) -> dict[int, list[Any]]:
    """The addresses that are known after these announcements, as they stand on each device."""
    parts = sorted(state(found).items())
    return {index: [key for key in part if key[0] == ADDRESS] for index, part in parts}


def test_an_address_that_comes_again_is_the_newest() -> None:
    """It stands behind those that came before it came again, whatever is said of it later."""
    first, second = entry(1, AF_INET6, 128), entry(2, AF_INET6, 128)
    found: list[bytes | None] = [
        address(first),
        address(second),
        address(first, gone=True),
        address(first),
    ]
    known: list[bytes | None] = list(found[:2])
    assert order([*known, *superseded(found[2:], OWN)]) == order(found)
    assert order(list(superseded(found, OWN))) == order(found)


def test_checks_that_end_in_another_order() -> None:
    """Two addresses are added, and the check of the second one ends first: the place of each is
    that at which it was announced as tentative."""
    tentative = [entry(last, AF_INET6, 128) for last in (1, 2)]
    for one in tentative:
        one.flags |= IFA_F_TENTATIVE
    checked = [entry(last, AF_INET6, 128) for last in (2, 1)]
    found: list[bytes | None] = [address(one) for one in (*tentative, *checked)]
    assert order(list(superseded(found, OWN))) == order(found)
    assert state(list(superseded(found, OWN))) == state(found)


def test_a_promoted_address_keeps_its_new_place() -> None:
    """What is said of it afterwards does not move it."""
    second, promoted, other = entry(1, prefixlen=24), entry(1, prefixlen=24), entry(9)
    second.flags |= IFA_F_SECONDARY
    found: list[bytes | None] = [
        address(one) for one in (second, entry(8), promoted, other, promoted)
    ]
    assert order(list(superseded(found, OWN))) == order(found)
    assert [key[3][-1] for key in order(found)[2]] == [8, 1, 9]


@pytest.mark.parametrize(
    "other",
    [
        entry(2),
        entry(1, prefixlen=24),
        entry(1, index=3),
        entry(1, AF_INET6, 128),
    ],
)
def test_another_address_is_another_one(other: Address) -> None:
    """By any of what the kernel tells them apart by."""
    found: list[bytes | None] = [address(entry(1)), address(other)]
    assert list(superseded(found, OWN)) == found


def test_a_change_of_our_own_that_is_undone_at_once() -> None:
    """Both are told: else we would wait for ever for what has gone already."""
    came = address(entry(1))
    came = came[:12] + OWN.to_bytes(4, "little") + came[16:]
    found: list[bytes | None] = [came, address(entry(1)), address(entry(1), gone=True)]
    assert list(superseded(found, OWN)) == [came, found[2]]


def test_a_datagram_of_several_messages_is_left_alone() -> None:
    """The kernel sends none, but the second message would be lost with the first."""
    both = address(entry(1)) + address(entry(2))
    found: list[bytes | None] = [both, address(entry(1)), address(entry(1), gone=True)]
    assert list(superseded(found, OWN)) == [both, found[2]]


@pytest.mark.parametrize("seed", quarter(range(20)))
def test_the_end_is_the_same(seed: int) -> None:
    """Of any mixture, in which the same address is announced in several ways."""
    random = Random(seed)
    entries = [
        entry(last, family, index=index)
        for last in range(3)
        for family in (AF_INET, AF_INET6)
        for index in (2, 3)
    ]
    labelled = [
        Address(one.index, one.family, one.local, one.prefixlen, one.flags, 0, label="eth0:7")
        for one in entries
        if one.family == AF_INET
    ]
    found: list[bytes | None] = [
        address(random.choice(entries + labelled), gone=random.random() < 0.5)
        if random.random() < 0.9
        else link(up=random.random() < 0.5)
        for _ in range(MANY)
    ]
    left = list(superseded(found, OWN))
    assert len(left) < len(found)
    assert state(left) == state(found)
    found = [address(random.choice(entries), gone=random.random() < 0.5) for _ in range(MANY)]
    assert order(list(superseded(found, OWN))) == order(found)


@pytest.fixture
def subscription(player: Player) -> Subscription:
    return Subscription()


@pytest.mark.long
def test_no_more_than_is_asked_for(player: Player, subscription: Subscription) -> None:
    """In chunks, and the rest waits in the socket."""
    player.queue = deque((address(entry(1), gone=bool(i % 2)), 0) for i in range(3 * CHUNKED))
    assert len(list(subscription.latest(2 * CHUNKED, OWN))) == 2
    assert len(player.queue) == CHUNKED


class Flooded(Player):
    """A kernel that has lost announcements again whenever all that was there is read."""

    flood = True

    def recvfrom_into(self, *words: Any) -> Any:
        try:
            return super().recvfrom_into(*words)
        except BlockingIOError:
            self.overrun = self.flood
            raise


@pytest.fixture
def there() -> list[Any]:
    """The devices that a dump tells."""
    return [LO]


def monitored(
    monkeypatch: pytest.MonkeyPatch, heard: Player, there: list[Any]
) -> tuple[Monitor, Player]:
    """A monitor that hears one socket, and the other one, by which it reads everything."""
    asked = Player()
    sockets: Iterator[Player] = iter((heard, asked))
    monkeypatch.setattr(netlink, "socket", lambda *_: next(sockets))
    monkeypatch.setattr(Player, "getsockopt", lambda *_: b"", raising=False)

    def answer(request: Any) -> Iterator[bytes]:
        if request.type == "RTM_GETLINK" and is_dump(request):
            for device in there:
                yield spec.build(link_message(device, request.sequence))
        yield spec.build(done_message(0, request.sequence))

    asked.answer = answer
    return Monitor(media=False, latest=OWN), asked


def test_a_reading_ends_in_a_flood(monkeypatch: pytest.MonkeyPatch, there: list[Any]) -> None:
    """The changes known by then are told; the next reading reads everything again, until the flood
    is over."""
    heard = Flooded()
    monitor, _ = monitored(monkeypatch, heard, there)
    heard.overrun = True
    assert [event.what for event in monitor.read(MANY)] == ["arrival"]
    assert monitor.lost
    there.append(ETH0)
    assert [event.key[1] for event in monitor.read(MANY)] == [ETH0.index]
    assert monitor.lost
    heard.flood = heard.overrun = False
    assert list(monitor.read(MANY)) == []
    assert not monitor.lost


def test_a_reading_ends_where_announcements_do_not(
    monkeypatch: pytest.MonkeyPatch, there: list[Any]
) -> None:
    """As many as can be told in a short time are added to it, and the rest comes after it."""
    heard = Player()
    there.append(ETH0)
    monitor, asked = monitored(monkeypatch, heard, there)
    answer = asked.answer

    def flooding(request: Any) -> Iterator[bytes]:
        if not heard.queue:
            heard.queue.extend((address(entry(i % 9)), 0) for i in range(TURN))
            heard.queue.append((link(up=False), 0))
        yield from answer(request)

    asked.answer = flooding
    heard.overrun = True
    found = [event.what for event in monitor.read(MANY)]
    assert found == ["arrival", "arrival", *[ADDRESS] * 9]
    assert not monitor.lost
    assert monitor.behind
    assert [event.what for event in monitor.read()] == ["flag"]
    assert not monitor.behind
