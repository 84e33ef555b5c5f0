"""Sealed datagrams of one session: numbers, the window, trains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.tunnels.keys import OVERHEAD
from netalias.tunnels.sessions import (
    HEADER,
    NUMBER_MAX,
    WINDOW,
    WORD,
    WORDS,
    Session,
    Window,
)

KEYS = bytes(range(32)), bytes(range(32, 64))
NEAR = st.integers(-3 * WORD, 3 * WORD)
STEPS = st.lists(
    NEAR | st.builds(lambda near, side: side * WINDOW + near, NEAR, st.sampled_from((-1, 1))),
    max_size=60,
)
"""Numbers, each as a distance from the highest one before it."""


def ends() -> tuple[Session, Session]:
    """The sessions of two ends."""
    return (
        Session(KEYS, b"left", b"rite", 0.0, initiator=True),
        Session(KEYS, b"rite", b"left", 0.0, initiator=False),
    )


def frames(number: int, size: int = 100) -> list[bytes]:
    """So many frames; the last one is shorter."""
    return [bytes([one]) * (size if one < number - 1 else size // 2) for one in range(number)]


def cut(train: bytes, size: int = 100) -> list[bytes]:
    """The datagrams of a train."""
    return [train[at : at + size + OVERHEAD] for at in range(0, len(train), size + OVERHEAD)]


@given(STEPS, st.integers(1, 3 * WORD))
def test_the_window_accepts_every_number_once_and_none_that_is_too_old(
    steps: list[int], run: int
) -> None:
    """The ring of words equals a set of all numbers that were accepted."""
    window, seen = Window(), set[int]()
    top = -1
    for step in [0, *steps]:
        number = max(top + step, 0)
        assert window.fresh(number) == (number not in seen and number > top - WINDOW)
        if window.fresh(number):
            last = number + run if number > top else number
            window.accept(number, last)
            seen.update(range(number, last + 1))
            top = max(top, last)
        assert window.top == top
        for near in range(max(0, top - WINDOW - 2), top, 61):
            assert window.fresh(near) == (near not in seen and near > top - WINDOW)


def test_the_window_keeps_out_what_is_a_whole_ring_away() -> None:
    """A number that stands at the same place of the ring is another number."""
    window = Window()
    window.accept(5, 5)
    around = 5 + WORD * WORDS
    assert window.fresh(around)
    window.accept(around, around)
    assert not window.fresh(5)
    assert window.fresh(around - 1)


def test_a_train_is_a_train_when_it_is_sealed() -> None:
    """Each frame is a datagram of its own, all are longer by the same number of bytes."""
    here, there = ends()
    sent = frames(45)
    sealed = here.seal(memoryview(b"".join(sent)), 100)
    assert [len(one) for one in cut(sealed)] == [len(one) + OVERHEAD for one in sent]
    assert there.open(sealed, 100 + OVERHEAD).frames == sent


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)), st.integers(1, 12))
def test_a_datagram_does_not_need_the_others(order: list[int], lost: set[int], many: int) -> None:
    """In any order, with any of them lost, in trains of any length: those that come are opened, and
    none is opened twice."""
    here, there = ends()
    sent = [bytes([one]) * 100 for one in range(12)]
    datagrams = cut(here.seal(memoryview(b"".join(sent)), 100))
    coming = [one for one in order if one not in lost]
    for at in range(0, len(coming), many):
        some = coming[at : at + many]
        train = b"".join(datagrams[one] for one in some)
        assert there.open(train, 100 + OVERHEAD).frames == [sent[one] for one in some]
        again = there.open(train, 100 + OVERHEAD)
        assert again.frames == []
        assert again.replayed == len(some)


@given(st.integers(0, 4), st.integers(HEADER - 8, 99), st.integers(1, 255))
def test_a_changed_datagram_is_forged_and_the_others_of_its_train_are_not(
    which: int, place: int, change: int
) -> None:
    """A changed number is a wrong nonce, and moves no window: the true datagram is opened later."""
    here, there = ends()
    sent = [bytes([one]) * 100 for one in range(5)]
    train = here.seal(memoryview(b"".join(sent)), 100)
    changed = bytearray(train)
    changed[which * (100 + OVERHEAD) + place] ^= change
    opened = there.open(bytes(changed), 100 + OVERHEAD)
    assert opened.frames == sent[:which] + sent[which + 1 :]
    assert opened.forged + opened.replayed == 1
    assert there.open(cut(train)[which], 100 + OVERHEAD).frames == [sent[which]]


def test_what_an_end_sends_cannot_be_sent_back_to_it() -> None:
    """The two directions have different keys."""
    here, _ = ends()
    sealed = here.seal(memoryview(b"frame"), 100)
    assert here.open(sealed, 100).forged == 1


def test_numbers_are_never_used_twice() -> None:
    """At their end the session seals nothing any more, not even a part of a train."""
    here, there = ends()
    here.number = NUMBER_MAX - 2
    sealed = here.seal(memoryview(bytes(2)), 1)
    assert there.open(sealed, 1 + OVERHEAD).frames == [b"\0", b"\0"]
    with pytest.raises(OverflowError):
        here.seal(memoryview(b"\0"), 1)
