"""Addresses stand in the order of the kernel, also where its announcements do not tell that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from player import ETH0, Player
from wire_cases import address_message, done_message, link_message

from netalias.kernel import netlink
from netalias.kernel.netlink import codec, spec, subscription
from netalias.kernel.netlink.monitor import Monitor
from netalias.model import AF_INET, AF_INET6, IFA_F_NODAD, IFA_F_TENTATIVE, Address
from netalias.watch.snapshots import snapshot

STRANGER = 1
"""A netlink port ID that is nobody's."""
SIZES = {AF_INET: 4, AF_INET6: 16}


def entry(last: int, flags: int = 0x80, family: int = AF_INET6) -> Address:
    """An address of eth0 that may be a label."""
    size = SIZES[family]
    return Address(2, family, bytes([10, *bytes(size - 2), last]), size * 8, flags, metric=last)


class Played:
    """A kernel with these addresses on eth0, as it lists them; ``turns``, if there are any, are
    lists of one dump after the other, all of them interrupted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *there: Address) -> None:
        self.there = list(there)
        self.turns: list[list[Address]] = []
        self.heard, asked = Player(), Player()
        sockets = iter((self.heard, asked))
        monkeypatch.setattr(netlink, "socket", lambda *_: next(sockets))
        monkeypatch.setattr(subscription, "sleep", lambda seconds: None)
        asked.answer = self._answer
        self.monitor = Monitor(media=False, latest=STRANGER)
        for _ in self.monitor.start():
            pass

    def _answer(self, request: Any) -> Iterator[bytes]:
        if request.type == "RTM_GETLINK":
            yield spec.build(link_message(ETH0, request.sequence))
        elif request.type == "RTM_GETADDR" and request.body.ifa_family == AF_INET6:
            listed = self.turns.pop(0) if self.turns else self.there
            for one in listed:
                message = address_message(one, request.sequence)
                message["flags"] = list(message["flags"]) + ["NLM_F_DUMP_INTR"] * (
                    listed is not self.there
                )
                yield spec.build(message)
        yield spec.build(done_message(0, request.sequence))

    def announce(self, one: Address, *, gone: bool = False) -> None:
        """As the kernel does."""
        data = spec.build(address_message(one, 0))
        kind = codec.RTM_DELADDR if gone else codec.RTM_NEWADDR
        self.heard.deliver(data[:4] + kind.to_bytes(2, "little") + data[6:])

    def known(self) -> list[int]:
        """The last byte of each address that is known, in order."""
        for _ in self.monitor.read():
            pass
        return [one.local[-1] for one in snapshot(self.monitor.state).on(2)]


def test_one_that_is_not_checked_is_announced_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was added first, so it is listed last."""
    kernel = Played(monkeypatch)
    unchecked = entry(1, 0x80 | IFA_F_NODAD)
    kernel.there = [entry(3), entry(2), unchecked]
    for one in (entry(2, IFA_F_TENTATIVE), entry(3, IFA_F_TENTATIVE), unchecked):
        kernel.announce(one)
    assert kernel.known() == [3, 2, 1]


def test_one_that_is_checked_is_announced_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked for."""
    kernel = Played(monkeypatch)
    for last in (1, 2):
        kernel.announce(entry(last, IFA_F_TENTATIVE))
    assert kernel.known() == [2, 1]


def test_of_two_readings_the_later_one_has_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two attempts that were interrupted an address went and came again."""
    kernel = Played(monkeypatch)
    kernel.turns = [[entry(3), entry(2), entry(1)], [entry(1), entry(3), entry(2)]]
    kernel.monitor.lost = True
    assert kernel.known() == [1, 3, 2]


def test_announcements_of_what_a_reading_has_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address went and came again, then another one came, before everything was read: what is
    announced meanwhile moves the first one behind the other."""
    kernel = Played(monkeypatch, entry(1))
    kernel.there = [entry(2), entry(1)]
    drain = kernel.monitor._heard.drain

    def late() -> None:
        drain()
        kernel.announce(entry(1), gone=True)
        kernel.announce(entry(1, IFA_F_TENTATIVE))
        kernel.announce(entry(2, IFA_F_TENTATIVE))

    monkeypatch.setattr(kernel.monitor._heard, "drain", late)
    kernel.monitor.lost = True
    assert kernel.known() == [2, 1]
