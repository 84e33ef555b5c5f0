"""Two ends of a link tell each other their filters, over a wire that may lose anything."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.filters import Filters, bnep, spec
from netalias.filters.exchange import (
    AGAIN,
    BURST,
    MESSAGES,
    PACKET_RATE,
    PACKETS,
    RATE,
    RETRY,
    Exchange,
)

IPV4 = Filters([(0x0800, 0x0800), (0x0806, 0x0806)], [(0xFFFFFFFFFFFF, 0xFFFFFFFFFFFF)])
BOTH = Filters([*IPV4.types, (0x86DD, 0x86DD)], [(1 << 40, (1 << 48) - 1)])


class End:
    """One end, the filters that it was made to apply, and the result that it gives."""

    def __init__(self) -> None:
        self.applied: list[Filters] = []
        self.result = spec.SUCCESS
        self.exchange = Exchange(self._apply)

    def _apply(self, filters: Filters) -> int:
        if self.result == spec.SUCCESS:
            self.applied.append(filters)
        return self.result

    def due(self, now: float) -> list[bytes]:
        """What it sends at this time."""
        return self.exchange.tick(now) if self.exchange.due(now) == 0 else []


def talk(one: End, other: End, now: float) -> int:
    """Both ends until neither has anything to say; the packets that were sent."""
    count = 0
    while True:
        packets = [(other, part) for part in one.due(now)] + [
            (one, part) for part in other.due(now)
        ]
        if not packets:
            return count
        while packets:
            count += 1
            receiver, packet = packets.pop(0)
            sender = one if receiver is other else other
            packets += [(sender, part) for part in receiver.exchange.receive(packet, now)]


def test_both_ends() -> None:
    """D-3: each applies what the other wants; both are answered, and say no more until it is
    confirmed again."""
    ours, its = End(), End()
    ours.exchange.want(IPV4, 0)
    its.exchange.want(BOTH, 0)
    assert talk(ours, its, 0) == 8
    assert (its.exchange.theirs, ours.exchange.theirs) == (IPV4, BOTH)
    assert its.applied[-1] == IPV4
    assert ours.exchange.results == ["success", "success"]
    assert talk(ours, its, 0) == 0
    assert ours.exchange.due(0) == AGAIN


def test_every_change_is_sent() -> None:
    """D-3: what is wanted now, and nothing when it is the same; at last no filter."""
    ours, its = End(), End()
    for filters, sent in ((IPV4, 4), (IPV4, 0), (BOTH, 4), (Filters(), 4)):
        ours.exchange.want(filters, 1)
        assert talk(ours, its, 1) == sent
        assert its.exchange.theirs == filters
    assert ours.exchange.due(1) is None


def test_one_who_wants_nothing_says_nothing() -> None:
    """A link without filters carries no message of them."""
    ours = End()
    ours.exchange.want(Filters(), 0)
    assert ours.exchange.due(0) is None


def test_a_storm_of_changes_waits_for_the_answer() -> None:
    """One message of each kind is under way; behind the answer follows the last wish."""
    ours, its = End(), End()
    ours.exchange.want(IPV4, 0)
    sent = ours.due(0)
    for number in range(1000):
        ours.exchange.want(Filters([(number, number)], IPV4.groups), 0)
        assert ours.due(0) == []
    for packet in sent:
        for answer in its.exchange.receive(packet, 0):
            ours.exchange.receive(answer, 0)
    assert its.exchange.theirs == IPV4
    assert talk(ours, its, 0) == 2
    assert its.exchange.theirs.types == ((999, 999),)


def test_a_peer_that_does_not_answer() -> None:
    """It is asked again after 1, 2, 4 ... seconds, at last once a minute."""
    ours = End()
    ours.exchange.want(Filters([(1, 1)]), 0)
    now, waits = 0.0, []
    for _ in range(9):
        assert len(ours.due(now)) == 1
        wait = ours.exchange.due(now)
        assert wait is not None
        waits.append(wait)
        now += wait
    assert waits == [RETRY, 2, 4, 8, 16, 32, AGAIN, AGAIN, AGAIN]
    assert ours.exchange.results == ["", ""]


@pytest.mark.parametrize("result", [spec.UNSUPPORTED, spec.TOO_MANY])
def test_a_filter_that_cannot_be_applied(result: int) -> None:
    """D-3: the peer is told why, and what was in force stays so; it is not asked again at once."""
    ours, its = End(), End()
    ours.exchange.want(IPV4, 0)
    talk(ours, its, 0)
    its.result = result
    ours.exchange.want(BOTH, 0)
    assert talk(ours, its, 0) == 4
    assert its.exchange.theirs == IPV4
    assert ours.exchange.results == [bnep.RESULTS[result]] * 2
    assert ours.exchange.due(0) == AGAIN


def test_a_peer_that_knows_no_filters() -> None:
    """D-3: "command not understood" is one answer too."""
    ours = End()
    ours.exchange.want(IPV4, 0)
    ours.due(0)
    for command in bnep.SETS:
        assert ours.exchange.receive(bnep.control(spec.NOT_UNDERSTOOD, command), 0) == []
    assert ours.exchange.results == ["unsupported"] * 2


def test_other_commands_are_not_understood() -> None:
    """A request of a connection, and one that nobody knows; answers are never answered."""
    ours = End()
    for command in (1, 2, 7, 200):
        (answer,) = ours.exchange.receive(bnep.control(command, b"\2\1\2"), 0)
        assert answer == bnep.control(spec.NOT_UNDERSTOOD, command)
        assert ours.exchange.receive(answer, 0) == []


def test_a_peer_that_changes_its_mind_all_the_time() -> None:
    """A thousand filters in a second change the device a dozen times; the last one holds in the
    end, since what was not answered is sent again."""
    ours, its = End(), End()
    for number in range(1000):
        packet = bnep.filter_message(spec.SET_TYPES, [(number, number)])
        answers = its.exchange.receive(packet, number / 1000)
        assert answers in ([], [bnep.control(spec.TYPES_RESPONSE, spec.SUCCESS)])
    assert len(its.applied) == BURST + RATE - 1
    ours.exchange.want(Filters([(7, 9)]), 1)
    talk(ours, its, 1)
    talk(ours, its, 1 + RETRY)
    assert its.exchange.theirs.types == ((7, 9),)


def test_a_flood_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a peer sends, a second has so many packets that take work, and one more is heard
    when there is room again."""
    looked: list[bytes] = []
    messages = bnep.messages

    def look(packet: bytes) -> list[tuple[int, int | bytes]]:
        looked.append(packet)
        return messages(packet)

    monkeypatch.setattr(bnep, "messages", look)
    its = End()
    flood = (bnep.control(9, b""), b"garbage", bnep.filter_message(5, [(1 << 40, 1 << 40)] * 256))
    for number in range(3000):
        its.exchange.receive(flood[number % 3], number / 3000)
    assert PACKETS <= len(looked) <= PACKETS + PACKET_RATE
    assert its.exchange.receive(bnep.control(9, b""), 2)


def test_filters_that_another_process_has_told() -> None:
    """The first wish is sent whatever it is, an empty one as well: the peer may have another."""
    its = End()
    for wish in (IPV4, Filters()):
        its.exchange = Exchange(its._apply, BOTH)
        ours = End()
        ours.exchange = Exchange(ours._apply, told=True)
        assert ours.exchange.told
        ours.exchange.want(wish, 0)
        assert talk(ours, its, 0) == 4
        assert its.exchange.theirs == wish
        assert ours.exchange.told == bool(wish)


def test_a_late_response_ends_in_the_truth() -> None:
    """A response to an earlier message seems to answer one that is lost: it is sent again."""
    ours, its = End(), End()
    ours.exchange.want(Filters([(1, 1)]), 0)
    (first,) = ours.due(0)
    (again,) = ours.due(RETRY)
    (answer,) = its.exchange.receive(first, 1)
    (late,) = its.exchange.receive(again, 1)
    ours.exchange.receive(answer, 1)
    ours.exchange.want(Filters([(2, 2)]), 2)
    assert len(ours.due(2)) == 1  # lost
    ours.exchange.receive(late, 2)
    talk(ours, its, 2 + AGAIN)
    assert its.exchange.theirs.types == ((2, 2),)


@given(
    st.lists(st.sampled_from([IPV4, BOTH, Filters(), Filters([(5, 9)])]), max_size=6),
    st.lists(st.sampled_from([IPV4, BOTH, Filters()]), max_size=6),
    st.integers(0, 1 << 30),
)
def test_whatever_is_lost(ours: list[Filters], its: list[Filters], seed: int) -> None:
    """After some time without losses each end has applied what the other wants last."""
    dice = random.Random(seed)
    ends = End(), End()
    wishes = list(ours), list(its)
    now = 0.0
    for step in range(400):
        now += 1
        loses = step < 200
        for number, end in enumerate(ends):
            if wishes[number] and dice.random() < 0.1:
                end.exchange.want(wishes[number].pop(0), now)
            packets = end.due(now)
            while packets:
                arrived = [one for one in packets if not (loses and dice.random() < 0.5)]
                other = ends[1 - number]
                packets = [a for one in arrived for a in other.exchange.receive(one, now)]
                number, end = 1 - number, other
    for end, other in (ends, ends[::-1]):
        last = end.exchange._asked
        wanted = Filters(*(one.wanted for one in last.values()))
        assert other.exchange.theirs == wanted


@given(st.lists(st.binary(max_size=90) | st.binary(max_size=40).map(lambda tail: b"\1\3" + tail)))
def test_any_bytes(packets: list[bytes]) -> None:
    """Nothing is raised, and no packet has more answers than messages that are taken."""
    ours = End()
    for packet in packets:
        assert len(ours.exchange.receive(packet, 0)) <= MESSAGES
