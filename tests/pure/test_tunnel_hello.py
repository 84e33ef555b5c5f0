"""Two ends find out what the other is able to do, whatever is lost, late or restarted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netalias.tunnels import hello
from netalias.tunnels.hello import MARKS, TRAINS, UDP_TRAINS, Negotiation

BOTH = TRAINS | UDP_TRAINS


def settle(one: Negotiation, other: Negotiation, now: float) -> None:
    """Say hello both ways, with everything that is answered."""
    for here, there in ((one, other), (other, one)):
        answer = there.receive(here.tick(now), now)
        assert answer
        assert here.receive(answer, now) == b""


def test_both_agree_on_what_both_can() -> None:
    """After one HELLO and its answer."""
    new, old = Negotiation(1, BOTH), Negotiation(2, TRAINS)
    settle(new, old, 0)
    assert new.agreed == old.agreed == TRAINS


def test_a_peer_that_never_answers_is_asked_ever_more_rarely() -> None:
    """And nothing is ever agreed."""
    one, now, asked = Negotiation(1, BOTH), 0.0, 0
    while now < 3600:
        now += one.due(now)
        assert one.tick(now)
        asked += 1
    assert not one.agreed
    assert asked < 80


def test_a_restarted_peer_is_noticed_by_its_hello() -> None:
    """It may be able to do less; and it is told at once what this end can."""
    one, other = Negotiation(1, BOTH), Negotiation(2, BOTH)
    settle(one, other, 0)
    reborn = Negotiation(3, TRAINS)
    answer = one.receive(reborn.tick(1), 1)
    assert answer
    assert (one.agreed, one.peer) == (TRAINS, 3)
    assert reborn.receive(answer, 1) == b""
    assert reborn.agreed == TRAINS
    assert one.due(1) == 0


def test_a_restart_is_noticed_by_the_whole_packets_it_sends() -> None:
    """One reminder a second."""
    one, other = Negotiation(1, BOTH), Negotiation(2, BOTH)
    settle(one, other, 0)
    assert one.forgotten(5)
    assert not one.forgotten(5.5)
    assert one.forgotten(6.5)


def test_an_answer_to_a_former_self_counts_nothing() -> None:
    """Its echo names another instance."""
    one, other = Negotiation(1, BOTH), Negotiation(2, BOTH)
    late = other.receive(one.tick(0), 0)
    assert late
    reborn = Negotiation(3, BOTH)
    assert reborn.receive(late, 1) == b""
    assert not reborn.agreed


def test_without_answers_nothing_is_agreed_any_more() -> None:
    """A peer that was replaced by another program gets whole packets again."""
    one, other = Negotiation(1, BOTH), Negotiation(2, BOTH)
    settle(one, other, 0)
    now = 0.0
    while now <= hello.PATIENCE:
        now += one.due(now)
        one.tick(now)
    assert not one.agreed


def test_answers_keep_it_agreed() -> None:
    """For as long as they come."""
    one, other, now = Negotiation(1, BOTH), Negotiation(2, BOTH), 0.0
    settle(one, other, now)
    while now < 600:
        now += one.due(now)
        answer = other.receive(one.tick(now), now)
        assert answer
        one.receive(answer, now)
        assert one.agreed == BOTH


def test_a_bye_of_the_peer_ends_it_and_one_of_a_stranger_does_not() -> None:
    """The instance must be that which was agreed with."""
    one, other = Negotiation(1, BOTH), Negotiation(2, BOTH)
    settle(one, other, 0)
    assert one.receive(Negotiation(9, BOTH).bye(), 1) == b""
    assert one.agreed
    assert one.receive(other.bye(), 1) == b""
    assert not one.agreed


def test_one_end_alone_may_hand_marks_on() -> None:
    """The other is told of it, and it is nothing that both have to have. It counts for as long as
    this peer says so."""
    one, other = Negotiation(1, BOTH), Negotiation(2, BOTH)
    settle(one, other, 0)
    assert (one.told, other.told) == (BOTH, BOTH)
    one.abilities |= MARKS
    settle(one, other, 1)
    assert (one.told, other.told) == (BOTH, BOTH | MARKS)
    other.abilities |= MARKS
    settle(one, other, 2)
    assert one.agreed == other.agreed == BOTH
    other.receive(Negotiation(3, BOTH).tick(3), 3)
    assert other.told == BOTH
    settle(one, other, 4)
    other.receive(one.bye(), 5)
    assert other.told == 0
    settle(one, other, 6)
    other.tick(7 + hello.PATIENCE)
    assert other.told == 0


def test_its_own_messages_are_not_the_peer() -> None:
    """A datagram that was sent back."""
    one = Negotiation(1, BOTH)
    assert one.receive(one.tick(0), 0) is None
    assert not one.peer


@given(st.binary(max_size=40))
def test_any_bytes(data: bytes) -> None:
    """Malformed ones are told as such, and nothing is raised."""
    one = Negotiation(1, BOTH)
    for kind in hello.KINDS:
        whole = bytes([kind]) + data
        if len(whole) != hello.MESSAGE.size:
            assert one.receive(whole, 0) is None
        else:
            one.receive(whole, 0)
    assert one.receive(data, 0) in (None, b"") or data[0] in hello.KINDS
