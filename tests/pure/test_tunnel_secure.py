"""Two ends of a keyed tunnel, with the network between them in the hands of somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netalias.tunnels import secure
from netalias.tunnels.keys import OVERHEAD
from netalias.tunnels.secure import (
    INITIATION_SIZE,
    KEEPALIVE,
    PERSIST,
    RECENT,
    REJECT_AFTER,
    REKEY_AFTER,
    REKEY_LATE,
    RESPONSE_SIZE,
    RETRY,
    SILENCE,
    UNCONFIRMED,
    Secure,
)
from netalias.tunnels.sessions import SEALED

KEY = bytes(range(32))
LEFT, RIGHT, OTHER = ("192.0.2.1", 7777), ("192.0.2.2", 7777), ("192.0.2.3", 999)
DATA = b"a frame of the tunnel"


class Net:
    """Two ends, and the time. Datagrams wait in ``flight`` until they are delivered, each with the
    addresses of its sender and its receiver."""

    def __init__(self, left_to: object = RIGHT, right_to: object = None) -> None:
        self.now = 1000.0
        self.address = {"left": LEFT, "right": RIGHT}
        self.ends = {
            "left": Secure(KEY, left_to, self.now),
            "right": Secure(KEY, right_to, self.now),
        }
        self.flight: list[tuple[bytes, object, object]] = []
        self.got: dict[str, list[bytes]] = {"left": [], "right": []}

    def start_anew(self, name: str, to: object) -> None:
        """An end is killed and started."""
        self.ends[name] = Secure(KEY, to, self.now)

    def tick(self, seconds: float = 0.0) -> None:
        """Let time go by, and both ends do what is due."""
        self.now += seconds
        for name, end in self.ends.items():
            end.tick(self.now)
            self._take(name)

    def deliver(self, datagram: bytes, source: object, target: object) -> None:
        """One datagram arrives, wherever it comes from."""
        for name, end in self.ends.items():
            if self.address[name] == target:
                self.got[name] += end.open(datagram, len(datagram), source, self.now)
                end.tick(self.now)
                self._take(name)

    def settle(self) -> None:
        """Deliver everything, in order, until nothing is under way."""
        while self.flight:
            self.deliver(*self.flight.pop(0))

    def say(self, name: str, data: bytes = DATA) -> bool:
        """An end sends a frame; whether it had keys to."""
        end = self.ends[name]
        sealed = end.seal(memoryview(data), len(data), self.now)
        if sealed is not None:
            self.flight.append((sealed, self.address[name], end.peer))
        self._take(name)
        return sealed is not None

    def _take(self, name: str) -> None:
        end = self.ends[name]
        self.flight += [(one, self.address[name], to) for one, to in end.outbox]
        end.outbox.clear()

    def works(self) -> bool:
        """Whether a frame comes through each way now."""
        for name, other in (("left", "right"), ("right", "left")):
            self.got[other].clear()
            if not self.say(name):
                return False
            self.settle()
            if self.got[other] != [DATA]:
                return False
        return True


@pytest.fixture
def net() -> Net:
    """A tunnel that has been set up, of an end that knows the other one and one that does not."""
    made = Net()
    made.tick()
    made.settle()
    return made


def test_one_round_trip_and_both_ends_can_send(net: Net) -> None:
    """The end that waits learns where the other one is."""
    assert net.works()
    assert net.ends["right"].peer == LEFT
    assert all(end.established for end in net.ends.values())
    assert not any(any(end.drops.values()) for end in net.ends.values())


def test_nothing_is_sent_before_there_are_keys() -> None:
    """Frames are dropped and counted; nothing leaves unsealed."""
    net = Net()
    assert not net.say("left")
    assert not net.say("right")
    assert [end.drops["early"] for end in net.ends.values()] == [1, 1]
    assert net.flight == []


def test_both_ends_may_begin_at_once() -> None:
    """Two handshakes that cross each other are two sessions, and both are good."""
    net = Net(RIGHT, LEFT)
    net.tick()
    assert [one[0][:1] for one in net.flight] == [secure.INITIATION] * 2
    net.settle()
    assert net.works()
    for _ in range(8):
        net.tick(REKEY_AFTER / 4)
        net.settle()
        assert net.works()


def test_an_end_with_another_key_gets_no_word() -> None:
    """It is neither answered nor heard."""
    net = Net()
    net.ends["right"] = Secure(bytes(32), None, net.now)
    net.tick()
    net.settle()
    assert net.flight == []
    assert net.ends["right"].drops["forged"] == 1
    assert not net.works()


def test_an_initiation_is_repeated_ever_more_seldom_until_it_is_answered() -> None:
    """Nobody is there: the pauses double up to five seconds."""
    net = Net()
    times = []
    while net.now < 1040:
        net.tick()
        times += [net.now] * len(net.flight)
        net.flight.clear()
        net.now += max(net.ends["left"].due(net.now), 0.001)
    pauses = [round(after - before, 2) for before, after in pairwise(times)]
    assert pauses[:6] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0], abs=0.01)
    assert max(pauses) <= RETRY[1] + 0.01


def test_keys_are_replaced_every_two_minutes_without_a_gap(net: Net) -> None:
    """By the end that began; datagrams that were sealed with the keys before are still good."""
    for _ in range(3):
        before = net.ends["left"]._current
        net.say("right")
        late = net.flight.pop()
        net.say("left")
        net.settle()
        net.tick(REKEY_AFTER)
        assert net.works()
        assert net.ends["left"]._current is not before
        net.got["left"].clear()
        net.deliver(*late)
        assert net.got["left"] == [DATA]


def test_the_end_that_answered_replaces_keys_when_the_other_one_does_not(net: Net) -> None:
    """The initiator of the session is cut off from its peer's address, so it cannot begin."""
    net.ends["left"].peer = None
    net.tick(REKEY_LATE)
    assert net.flight[0][0][:1] == secure.INITIATION
    net.settle()
    assert net.works()


def test_keys_have_an_end_even_when_nobody_answers(net: Net) -> None:
    """After three minutes nothing is sealed with them, and nothing opened."""
    net.say("left")
    late = net.flight.pop()
    net.now += REJECT_AFTER
    assert not net.say("left")
    net.deliver(*late)
    assert net.got["right"] == []
    assert net.ends["right"].drops["unknown"] == 1
    net.flight.clear()
    net.tick(RETRY[1])
    net.settle()
    assert net.works()


def test_keys_are_replaced_when_many_numbers_are_used(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the numbers end."""
    monkeypatch.setattr(secure, "REKEY_NUMBERS", 50)
    before = net.ends["left"]._current
    for _ in range(60):
        net.say("left")
        net.settle()
        net.tick(0.01)
    net.settle()
    assert net.ends["left"]._current is not before
    assert net.works()


@pytest.mark.parametrize("name", ["left", "right"])
def test_an_end_that_is_started_anew_is_back_after_a_round_trip(net: Net, name: str) -> None:
    """The one that knows the other begins. The one that had learned its peer begins with whoever
    sends it sealed datagrams that it cannot open."""
    net.start_anew(name, RIGHT if name == "left" else None)
    other = "right" if name == "left" else "left"
    net.tick()
    net.say(other, bytes(200))
    net.settle()
    net.tick(RETRY[0])
    net.settle()
    assert net.works()


def test_a_stranger_is_asked_nothing_while_there_is_a_peer(net: Net) -> None:
    """Sealed datagrams of a session that is not there bring nothing about then."""
    datagram = SEALED + bytes(200)
    net.deliver(datagram, OTHER, RIGHT)
    net.tick(1)
    assert all(target != OTHER for _, _, target in net.flight)
    assert net.ends["right"].drops["unknown"] == 1


def test_nobody_can_make_more_of_a_datagram_by_sending_it_here() -> None:
    """What may be sent to a stranger is shorter than what he sent, and five times a second at
    most."""
    assert RESPONSE_SIZE <= INITIATION_SIZE
    net = Net()
    net.deliver(SEALED + bytes(INITIATION_SIZE - 2), OTHER, RIGHT)
    assert net.flight == []
    sent = []
    for _ in range(100):
        net.deliver(SEALED + bytes(INITIATION_SIZE - 1), OTHER, RIGHT)
        sent += net.flight
        net.flight.clear()
        net.now += 0.01
    assert 1 <= len(sent) <= 6
    assert {len(one) for one, _, _ in sent} == {INITIATION_SIZE}


def test_the_peer_may_change_its_address(net: Net) -> None:
    """The first datagram from there that is authentic and new tells it."""
    net.address["left"] = OTHER
    net.say("left")
    net.settle()
    assert net.ends["right"].peer == OTHER
    assert net.works()


def test_a_datagram_that_was_recorded_changes_no_address(net: Net) -> None:
    """Nor does one that was kept back and is older than others that have come."""
    net.say("left")
    recorded = net.flight[-1][0]
    net.settle()
    net.say("left")
    kept, _, _ = net.flight.pop()
    net.say("left")
    net.settle()
    net.got["right"].clear()
    net.deliver(recorded, OTHER, RIGHT)
    assert net.got["right"] == []
    net.deliver(kept, OTHER, RIGHT)
    assert net.got["right"] == [DATA]
    assert net.ends["right"].peer == LEFT


def test_a_recorded_initiation_is_answered_once_and_changes_nothing(net: Net) -> None:
    """Neither the keys in use nor the address; and without the key nobody makes use of the
    answer."""
    again = Net()
    again.tick()
    initiation = again.flight[0][0]
    for _ in range(5):
        net.deliver(initiation, OTHER, RIGHT)
    answers = [one for one, _, target in net.flight if target == OTHER]
    assert len(answers) == 1
    net.flight.clear()
    assert net.ends["right"].peer == LEFT
    assert net.works()


def test_an_end_does_not_talk_to_itself() -> None:
    """Its own initiation, sent back to it, is not answered."""
    net = Net(RIGHT, LEFT)
    net.tick()
    mine = net.flight.pop(0)[0]
    net.flight.clear()
    net.deliver(mine, RIGHT, LEFT)
    assert net.flight == []
    assert net.ends["left"].drops["replayed"] == 1


def test_many_recorded_initiations_take_no_more_memory_and_leave_the_tunnel_alone(
    net: Net,
) -> None:
    """What is kept of them is bounded."""
    right = net.ends["right"]
    for _ in range(RECENT + 5):
        other = Net()
        other.tick()
        net.deliver(other.flight[0][0], OTHER, RIGHT)
    net.flight.clear()
    assert len(right._unconfirmed) == UNCONFIRMED
    assert len(right._recent) == RECENT
    assert net.works()
    net.tick(REJECT_AFTER)
    assert right._unconfirmed == {}


def test_what_is_received_is_confirmed_and_silence_begins_a_handshake(net: Net) -> None:
    """A stream that goes one way only is confirmed every ten seconds; when the confirmations do not
    come, the session is taken for lost."""
    for _ in range(int(SILENCE) + 5):
        net.say("left")
        net.settle()
        net.tick(1)
        assert all(one[:1] == SEALED for one, _, _ in net.flight)
        net.settle()
    began = False
    for _ in range(int(SILENCE) + 2):
        net.say("left")
        net.tick(1)
        began = began or any(one[:1] == secure.INITIATION for one, _, _ in net.flight)
        net.flight.clear()
    assert began
    assert KEEPALIVE < SILENCE


def test_an_idle_tunnel_keeps_its_place_in_address_translators(net: Net) -> None:
    """Both ends say nothing, sealed, every twenty seconds, and it is no frame for anybody."""
    heard = 0
    for _ in range(100):
        net.tick(1)
        heard += len(net.flight)
        assert all(len(one) == OVERHEAD for one, _, _ in net.flight)
        net.settle()
    assert 2 * 100 / PERSIST - 4 <= heard <= 2 * 100 / PERSIST + 4
    assert net.got == {"left": [], "right": []}


@given(
    st.lists(st.tuples(st.sampled_from("lrtdfxcan"), st.integers(0, 7)), min_size=20, max_size=120),
    st.booleans(),
)
@example([("n", 0)] * 30, True)
@settings(max_examples=30, deadline=None)
def test_whatever_the_network_does_it_forges_nothing_and_the_tunnel_comes_back(
    steps: list[tuple[str, int]], both: bool
) -> None:
    """Datagrams are lost, held back, doubled, changed and sent from elsewhere; ends are started
    anew. Every frame that is handed out was sent by the other end, once; and when the network
    behaves again, the tunnel works."""
    net = Net(RIGHT, LEFT if both else None)
    sent: dict[str, set[bytes]] = {"left": set(), "right": set()}
    number = 0
    for what, size in steps:
        which = size % len(net.flight) if net.flight else 0
        if what in "lr":
            name = "left" if what == "l" else "right"
            number += 1
            frame = number.to_bytes(8, "big") * (size + 1)
            sent[name].add(frame)
            net.say(name, frame)
        elif what == "t":
            net.tick((0.0, 0.1, 0.3, 1.0, 5.0, 30.0, 60.0, 130.0)[size])
        elif what == "n":
            name = ("left", "right")[size % 2]
            net.start_anew(name, RIGHT if name == "left" else LEFT if both else None)
        elif net.flight:
            misbehave(net, what, which, size)
    for name, other in (("left", "right"), ("right", "left")):
        assert len(net.got[name]) == len(set(net.got[name]))
        assert set(net.got[name]) <= sent[other]
    assert recovers(net)


def misbehave(net: Net, what: str, which: int, size: int) -> None:
    """Do something with a datagram that is under way: ``d`` deliver it, ``f`` change it and deliver
    it, ``x`` lose it, ``c`` deliver it and keep it, ``a`` deliver it from another address."""
    datagram, source, target = net.flight.pop(which)
    if what == "c":
        net.flight.append((datagram, source, target))
    if what == "f":
        changed = bytearray(datagram)
        changed[size * 13 % len(changed)] ^= 1 + size
        datagram = bytes(changed)
    if what != "x":
        net.deliver(datagram, OTHER if what == "a" else source, target)


def recovers(net: Net) -> bool:
    """Whether the tunnel works before a minute and a half has gone by: the silence is noticed, and
    the pauses between two initiations have not grown longer than that."""
    return any(net.works() for _ in settled(net))


def settled(net: Net) -> Iterator[None]:
    """Deliver all that is under way, second by second. Both ends have traffic for each other."""
    for _ in range(90):
        net.settle()
        yield
        net.say("left", bytes(100))
        net.say("right", bytes(100))
        net.tick(1)
