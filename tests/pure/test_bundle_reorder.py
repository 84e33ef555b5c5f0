"""The receiving end of a bundle: RFC 1990's rule for losses, and packets in their order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.links.bundle import reorder
from netalias.links.bundle.reorder import HOLD, SLACK, Reorder
from netalias.links.bundle.wire import BEGIN, END, MODULUS, WHOLE, unwrap


def packet(number: int) -> bytes:
    """What fragment *number* carries."""
    return b"packet %d" % number


def taken(window: Reorder) -> list[bytes]:
    """What is ready, which is taken away."""
    ready, window.ready = [bytes(one) for one in window.ready], []
    return ready


def window(*links: int, first: int = 0) -> Reorder:
    """One that knows of these links, before the first fragment."""
    made = Reorder()
    made.restart(first)
    for link in links:
        made.mark(link, first, 0.0)
    return made


def come(one: Reorder, link: int, *numbers: int, now: float = 0.0) -> None:
    """Whole packets of these numbers come on *link*."""
    for number in numbers:
        one.receive(link, number % MODULUS, WHOLE, packet(number), now)


def test_two_links_are_put_in_order() -> None:
    """A fragment waits for those before it, which come on the other link."""
    one = window(0, 1)
    come(one, 0, 0, 2, 4)
    assert taken(one) == [packet(0)]
    come(one, 1, 1)
    assert taken(one) == [packet(1), packet(2)]
    come(one, 1, 3)
    assert taken(one) == [packet(3), packet(4)]
    assert (one.lost, one.late, one.duplicate) == (0, 0, 0)


def test_a_fragment_is_lost_when_all_links_have_passed_it() -> None:
    """RFC 1990, section 4: the least of what each link has delivered decides, at once."""
    one = window(0, 1, 2)
    come(one, 0, 0, 2)
    come(one, 1, 3)
    assert taken(one) == [packet(0)]
    one.mark(2, 2, 0.0)
    assert taken(one) == [packet(2), packet(3)]
    assert one.lost == 1


def test_a_link_that_says_nothing_is_waited_for() -> None:
    """It may have the one that is missing; but not for ever."""
    one = window(0, 1)
    come(one, 0, 1, 2, 3, now=1.0)
    assert taken(one) == []
    assert one.due(1.0) == pytest.approx(HOLD)
    one.expire(1.0 + HOLD)
    assert taken(one) == [packet(1), packet(2), packet(3)]


def test_many_gaps_are_waited_for_once() -> None:
    """What was missing as long as the first is given up with it."""
    one = window(0, 1)
    for number in range(1, 100, 2):
        come(one, 0, number, now=1.0)
    one.expire(1.0 + HOLD)
    assert taken(one) == [packet(number) for number in range(1, 100, 2)]
    assert one.lost == 50


def test_a_dead_link_is_not_waited_for() -> None:
    """Its fragments are lost when it leaves."""
    one = window(0, 1)
    come(one, 0, 1, 3, 5)
    one.leave(1, 0.4)
    assert taken(one) == [packet(1), packet(3), packet(5)]
    assert one.lost == 3


def test_a_link_that_returns_counts_from_its_mark_on() -> None:
    """What the others bring meanwhile waits for it again."""
    one = window(0, 1)
    one.leave(1, 0.0)
    come(one, 0, 0, 1)
    one.mark(1, 2, 0.5)
    come(one, 0, 3)
    assert taken(one) == [packet(0), packet(1)]
    come(one, 1, 2)
    assert taken(one) == [packet(2), packet(3)]


def test_a_duplicate_is_dropped() -> None:
    """Delivered already, or waiting already."""
    one = window(0, 1)
    come(one, 0, 0, 0, 2, 2)
    come(one, 1, 1, 2, 1)
    assert taken(one) == [packet(0), packet(1), packet(2)]
    assert one.duplicate == 4
    assert one.octets == 0


def test_a_late_one_teaches_to_wait() -> None:
    """A link that changes the order: the first late one is dropped, the next one is in time."""
    one = window(0)
    come(one, 0, 1, now=1.0)
    come(one, 0, 0, now=1.004)
    assert (one.lost, one.late) == (1, 1)
    assert 0.004 <= one.slack <= SLACK
    taken(one)
    come(one, 0, 3, now=1.1)
    assert taken(one) == []
    come(one, 0, 2, now=1.104)
    assert taken(one) == [packet(2), packet(3)]
    come(one, 0, 5, now=1.2)
    assert one.due(1.2) == pytest.approx(one.slack)
    one.expire(1.2 + one.slack)
    assert taken(one) == [packet(5)]


def test_slack_runs_for_all_gaps_at_once() -> None:
    """A lossy link that changes the order is not slowed down gap by gap."""
    one = window(0)
    come(one, 0, 1, now=1.0)
    come(one, 0, 0, now=1.004)
    taken(one)
    for number in range(3, 40, 2):
        come(one, 0, number, now=1.1 + number / 10_000)
    assert taken(one) == []
    one.expire(1.104 + one.slack)
    assert taken(one) == [packet(number) for number in range(3, 40, 2)]


def test_slack_ends_when_the_order_is_kept() -> None:
    """After a minute without a late fragment nothing is waited for that is lost."""
    one = window(0)
    come(one, 0, 1, now=1.0)
    come(one, 0, 0, now=1.004)
    taken(one)
    come(one, 0, 3, now=1.004 + reorder.CALM + 1)
    assert taken(one) == [packet(3)]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it the oldest gap is given up, and order is kept."""
    monkeypatch.setattr(reorder, "FRAMES", 50)
    one = window(0, 1)
    come(one, 0, *range(1, 200, 2))
    assert len(one.held) <= 50
    monkeypatch.setattr(reorder, "FRAMES", 10_000)
    monkeypatch.setattr(reorder, "OCTETS", 1000)
    come(one, 0, *range(201, 1001, 2))
    assert one.octets <= 1000
    assert one.overflowed > 0
    one.leave(1, 0.0)
    assert taken(one) == [packet(number) for number in range(1, 1001, 2)]


def test_a_packet_in_parts() -> None:
    """Parts over two links are one packet."""
    one = window(0, 1)
    one.receive(1, 1, 0, b"bb", 0.0)
    one.receive(0, 0, BEGIN, b"aa", 0.0)
    one.receive(0, 2, END, b"cc", 0.0)
    assert taken(one) == [b"aabbcc"]


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_packet_without_one_of_its_parts_is_dropped(missing: int) -> None:
    """The whole, and nothing else."""
    one = window(0)
    flags = [BEGIN, 0, END]
    for number in range(3):
        if number != missing:
            one.receive(0, number, flags[number], b"part", 0.0)
    come(one, 0, 3, 4)
    assert taken(one) == [packet(3), packet(4)]
    assert one.octets == 0
    assert one.parts == []


def test_a_packet_in_endless_parts_is_no_packet() -> None:
    """No more is kept than the largest packet has."""
    one = window(0)
    one.receive(0, 0, BEGIN, bytes(1000), 0.0)
    for number in range(1, 100):
        one.receive(0, number, 0, bytes(1000), 0.0)
        assert sum(map(len, one.parts)) <= reorder.LARGEST
    one.receive(0, 100, END, b"end", 0.0)
    come(one, 0, 101)
    assert taken(one) == [packet(101)]


def test_numbers_go_round() -> None:
    """2**32 fragments are not the end."""
    first = MODULUS - 3
    one = window(0, 1, first=first)
    come(one, 0, first, first + 2, first + 4)
    come(one, 1, first + 1, first + 3)
    assert taken(one) == [packet(first + number) for number in range(5)]


@given(st.integers(0, 1 << 40), st.integers(-(1 << 31), (1 << 31) - 1))
def test_unwrap(near: int, away: int) -> None:
    """The nearest number of those that are equal modulo 2**32."""
    assert unwrap((near + away) % MODULUS, near) == near + away


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["come", "lost", "twice", "mark"])),
        max_size=150,
    ),
    st.randoms(use_true_random=False),
)
def test_whatever_happens_packets_come_once_and_in_order(
    fates: list[tuple[int, str]], random: object
) -> None:
    """Three links that keep their own order, in any interleaving, with losses and duplicates:
    everything that came is delivered, in order, once; nothing stays."""
    queues: list[list[tuple[str, int]]] = [[], [], []]
    for number, (link, fate) in enumerate(fates):
        if fate != "lost":
            queues[link] += [(fate, number)] * (2 if fate == "twice" else 1)
    one = window(0, 1, 2)
    out: list[bytes] = []
    while any(queues):
        link = random.choice([at for at in range(3) if queues[at]])  # type: ignore[attr-defined]
        fate, number = queues[link].pop(0)
        if fate == "mark":
            one.mark(link, number, 0.0)
        else:
            come(one, link, number)
        out += taken(one)
    for link in range(3):
        one.mark(link, len(fates), 0.0)
    out += taken(one)
    came = [number for number, (_, fate) in enumerate(fates) if fate in ("come", "twice")]
    assert out == [packet(number) for number in came]
    assert (one.held, one.octets) == ({}, 0)
    assert one.lost == len(fates) - len(came)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, MODULUS - 1) | st.integers(0, 40),
            st.sampled_from([0, BEGIN, END, WHOLE]), st.binary(max_size=30),
            st.floats(0, 2),
        ),
        max_size=60,
    )
)  # fmt: skip
def test_any_fragments_at_all(
    fragments: list[tuple[int, int, int, bytes, float]],
) -> None:
    """No traceback, bounded memory, and time brings an end to all waiting."""
    one = window(0, 1, 2)
    now = 0.0
    for link, sequence, flags, payload, later in fragments:
        now += later
        one.receive(link, sequence, flags, payload, now)
        one.expire(now)
    assert len(one.given_up) <= reorder.REMEMBERED
    while (wait := one.due(now)) is not None:
        now += wait + 0.001
        one.expire(now)
    assert one.held == {}


def test_empty_parts_take_room_as_well() -> None:
    """A peer that never ends a packet fills no memory."""
    one = window(0)
    one.receive(0, 0, BEGIN, b"", 0.0)
    for sequence in range(1, reorder.LARGEST):
        one.receive(0, sequence, 0, b"", 0.0)
    assert len(one.parts) == reorder.LARGEST
    one.receive(0, reorder.LARGEST, 0, b"", 0.0)
    assert (one.parts, one.incomplete) == ([], 1)
    one.receive(0, reorder.LARGEST + 1, BEGIN, b"a", 0.0)
    one.receive(0, reorder.LARGEST + 2, END, b"b", 0.0)
    assert one.ready == [b"ab"]
