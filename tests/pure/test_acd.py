"""Address conflict detection with simulated time and simulated hosts."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import packets
from netalias.packets import acd
from netalias.packets.acd import FAST, RFC, Prober, Timing
from netalias.packets.parse import Message, parse

OURS = bytes.fromhex("020000000001")
ALIAS = bytes.fromhex("0200000000a1")
OTHER = bytes.fromhex("0200000000ff")
ADDRESS = bytes([192, 0, 2, 10])
NEXT = bytes([192, 0, 2, 11])
NOBODY = bytes(4)

timings = st.sampled_from([FAST, RFC])
seeds = st.integers(0, 1 << 32)
parts = st.floats(0, 1, exclude_max=True)


def prober(
    timing: Timing = FAST,
    asked: tuple[bytes, ...] = (ADDRESS,),
    seed: int = 0,
    mac: bytes = OURS,
    now: float = 0.0,
) -> Prober:
    """One that begins now; ALIAS is a MAC of this host too."""
    return Prober(mac, asked, {OURS, ALIAS}, timing, now, random.Random(seed).random)


def run(
    one: Prober, now: float = 0.0, before: Callable[[float], None] | None = None
) -> list[tuple[float, bytes]]:
    """Drive it to its end: what it sent, and when. *before* each call of due."""
    sent = []
    while True:
        if before is not None:
            before(now)
        sent += [(now, frame) for frame in one.due(now)]
        wait = one.next(now)
        if wait is None:
            return sent
        now += wait


def length(timing: Timing, seed: int) -> float:
    """When a single address is clear."""
    times = [0.0]
    run(prober(timing, seed=seed), before=times.append)
    return times[-1]


def test_fast_sends_one_probe_and_listens_for_a_fifth_of_a_second() -> None:
    """FAST: 200 ms, no random wait."""
    one = prober()
    assert one.due(0.0) == [packets.arp_probe(OURS, ADDRESS)]
    assert one.due(0.0) == []
    assert one.next(0.0) == 0.2
    assert one.due(0.199) == []
    assert not one.clear
    assert one.due(0.2) == []
    assert (one.clear, one.conflicts, one.next(0.2)) == ({ADDRESS}, {}, None)


@given(seeds)
def test_the_timing_is_that_of_the_rfc(seed: int) -> None:
    """RFC 5227, 1.1: PROBE_WAIT, three probes PROBE_MIN to PROBE_MAX apart, ANNOUNCE_WAIT."""
    one = prober(RFC, seed=seed)
    ends: list[float] = []
    sent = run(one, before=ends.append)
    assert [frame for _, frame in sent] == [packets.arp_probe(OURS, ADDRESS)] * 3
    first, second, third = (at for at, _ in sent)
    assert 0 <= first <= 1
    assert 1 <= second - first <= 2
    assert 1 <= third - second <= 2
    assert ends[-1] - third == pytest.approx(2)
    assert one.clear == {ADDRESS}


def test_two_hosts_do_not_probe_in_step() -> None:
    """The waits are random: two seeds give two schedules."""
    assert run(prober(RFC, seed=1)) != run(prober(RFC, seed=2))


def test_all_addresses_run_beside_each_other() -> None:
    """Four thousand addresses take no longer than one and their rate, each is probed once."""
    asked = tuple(number.to_bytes(4, "big") for number in range(1, 4001))
    one = prober(asked=asked)
    ends: list[float] = []
    sent = run(one, before=ends.append)
    assert {frame[-4:] for _, frame in sent} == set(asked)
    assert len(sent) == 4000
    assert ends[-1] <= 4000 / FAST.rate + 0.2 + 1e-6
    assert one.clear == set(asked)


def test_probes_are_handed_out_in_batches() -> None:
    """However many are due, the caller sends a few before it looks at its clock again."""
    asked = tuple(number.to_bytes(4, "big") for number in range(1, 200))
    assert len(prober(asked=asked).due(9.0)) == acd.BATCH


def test_the_time_to_listen_begins_when_the_probe_was_sent() -> None:
    """A device that takes a second for a probe does not shorten the time for answers."""
    one = prober()
    assert one.due(0.0)
    assert one.due(1.0) == []  # it took a second to send
    assert one.next(1.0) == pytest.approx(0.2)
    one.due(1.1)
    one.receive(Message(2, OTHER, ADDRESS, NOBODY))
    assert one.conflicts == {ADDRESS: OTHER}


@pytest.mark.parametrize(
    ("heard", "conflict"),
    [
        (Message(2, OTHER, ADDRESS, NOBODY), True),
        (Message(1, OTHER, ADDRESS, NEXT), True),
        (Message(1, OTHER, ADDRESS, ADDRESS), True),
        (Message(1, OTHER, NOBODY, ADDRESS), True),
        (Message(1, OTHER, NEXT, ADDRESS), False),
        (Message(2, OTHER, NOBODY, ADDRESS), False),
        (Message(2, OTHER, NEXT, ADDRESS), False),
        (Message(1, OTHER, NOBODY, NEXT), False),
        (Message(2, OURS, ADDRESS, ADDRESS), False),
        (Message(1, ALIAS, ADDRESS, ADDRESS), False),
        (Message(1, ALIAS, NOBODY, ADDRESS), False),
        (Message(135, OTHER, bytes(16), bytes(16)), False),
        (Message(136, OTHER, ADDRESS * 4, ADDRESS * 4), False),
    ],
    ids=str,
)
def test_what_is_a_conflict(heard: Message, conflict: bool) -> None:
    """RFC 5227, 2.1.1: any ARP whose sender has the address, another host's probe for it.

    Somebody who asks for it with an address of his own only wants to talk to it; and we are not
    in conflict with ourselves.
    """
    one = prober()
    one.due(0.0)
    one.receive(heard)
    assert one.conflicts == ({ADDRESS: heard.mac} if conflict else {})
    run(one)
    assert one.clear == (set() if conflict else {ADDRESS})


@given(timings, seeds, parts, st.sampled_from([1, 2]))
def test_a_conflict_at_any_instant_is_found(
    timing: Timing, seed: int, part: float, operation: int
) -> None:
    """From the beginning, before the first probe, to the end of the last wait."""
    at = part * length(timing, seed)
    one = prober(timing, seed=seed)
    said = []

    def speak(now: float) -> None:
        # A conflict that came at *at* is read when the prober wakes up next.
        if now >= at and not said:
            said.append(now)
            one.receive(Message(operation, OTHER, ADDRESS, ADDRESS))

    run(one, before=speak)
    assert said
    assert (one.conflicts, one.clear) == ({ADDRESS: OTHER}, set())


def test_a_late_word_counts_while_others_are_being_checked() -> None:
    """The address was clear, the run is not over: nothing is made yet."""
    one = prober(asked=(ADDRESS, NEXT))
    for now in (0.0, 0.0001, 0.01, 0.205):
        one.due(now)
    assert (one.clear, one.next(0.205) is None) == ({ADDRESS}, False)
    one.receive(Message(2, OTHER, ADDRESS, NOBODY))
    assert (one.clear, one.conflicts) == (set(), {ADDRESS: OTHER})


def test_the_first_owner_is_named_once_found() -> None:
    """A second one does not take its place, and no more probes are sent for the address."""
    one = prober(RFC)
    one.receive(Message(2, OTHER, ADDRESS, NOBODY))
    one.receive(Message(2, bytes(6), ADDRESS, NOBODY))
    assert run(one) == []
    assert one.conflicts == {ADDRESS: OTHER}


@given(timings, seeds)
def test_our_own_frames_never_conflict(timing: Timing, seed: int) -> None:
    """A reflecting switch sends all back to us, announcements of ours among them."""
    one = prober(timing, seed=seed)
    echo: list[bytes] = [packets.arp_request(ALIAS, ADDRESS), packets.arp_reply(OURS, ADDRESS)]
    now = 0.0
    while True:
        for frame in echo:
            one.receive(parse(frame))
        echo += one.due(now)
        wait = one.next(now)
        if wait is None:
            break
        now += wait
    assert (one.clear, one.conflicts) == ({ADDRESS}, {})


class Host:
    """A host on a simulated wire: it probes, and defends what it has won (RFC 5227, 2.4)."""

    def __init__(self, mac: bytes, timing: Timing, begin: float, seed: int) -> None:
        self.mac = mac
        self.begin = begin
        self.prober = Prober(mac, [ADDRESS], {mac}, timing, begin, random.Random(seed).random)
        self.wake: float | None = begin

    def act(self, now: float) -> list[bytes]:
        """What it sends at the time it wanted to be woken."""
        sent = self.prober.due(now)
        wait = self.prober.next(now)
        self.wake = None if wait is None else now + wait
        return sent

    def hear(self, frame: bytes) -> list[bytes]:
        """What it answers."""
        if self.owner:
            heard = parse(frame)
            return [packets.arp_reply(self.mac, ADDRESS)] if heard.target == ADDRESS else []
        self.prober.receive(parse(frame))
        if self.prober.next(0.0) is None:
            self.wake = None
        return []

    @property
    def owner(self) -> bool:
        """Whether it may use the address: its check is over and found nobody."""
        return self.wake is None and ADDRESS in self.prober.clear


@given(timings, st.floats(0, 12), st.floats(0, 0.09), seeds, seeds)
def test_two_hosts_never_both_win(
    timing: Timing, later: float, delay: float, first: int, second: int
) -> None:
    """Whenever the second one begins, and however long a frame takes below half the wait."""
    hosts = [Host(OURS, timing, 0.0, first), Host(OTHER, timing, later, second)]
    wire: list[tuple[float, Host, bytes]] = []
    now = 0.0
    while True:
        events = [host.wake for host in hosts if host.wake is not None]
        events += [at for at, _, _ in wire]
        if not events:
            break
        now = max(now, min(events))
        arrived = [entry for entry in wire if entry[0] <= now]
        wire = [entry for entry in wire if entry[0] > now]
        said: list[tuple[Host, bytes]] = []
        for _, host, frame in arrived:
            if host.begin <= now:
                said += [(host, answer) for answer in host.hear(frame)]
        for host in hosts:
            if host.wake is not None and host.wake <= now:
                said += [(host, frame) for frame in host.act(now)]
        for sender, frame in said:
            wire += [(now + delay, host, frame) for host in hosts if host is not sender]
    assert not all(host.owner for host in hosts)
    assert all(host.owner or ADDRESS in host.prober.conflicts for host in hosts)


def test_nothing_asked_is_over_at_once() -> None:
    """No address, no time."""
    one = prober(asked=())
    assert (one.next(0.0), one.due(0.0)) == (None, [])


def test_an_address_asked_twice_is_probed_once() -> None:
    """A list may repeat itself."""
    assert len(run(prober(asked=(ADDRESS, ADDRESS)))) == 1
