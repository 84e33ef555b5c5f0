"""Two ends of a bundle over simulated links: one flow over all of them, and links that die.

Rates are octets a second: FAST is 5 Mbit/s. A flow carries packets of 1400 octets in datagrams of
1435 with their headers, so 0.975 of the rate is all that there is.
"""

from __future__ import annotations

import pytest
from bundled import LIMIT, Flow, Pair

from netalias.links.bundle import BUSY, IDLE, Bundle
from netalias.links.bundle.member import QUIET, Member
from netalias.links.bundle.reorder import OCTETS

FAST = 625_000.0
SHORT = 0.005
QUEUE = 40_000
ONE = (FAST, SHORT, QUEUE)


def running(*links: tuple[float, float, int], window: int = 400, seed: int = 1) -> Flow:
    """A flow over links that are up."""
    pair = Pair(*links, seed=seed)
    pair.simulation.run(1.0, pair.up)
    assert pair.up()
    return Flow(pair, window)


def settled(*links: tuple[float, float, int], window: int = 400) -> Flow:
    """The same, after the rates have been measured."""
    flow = running(*links, window=window)
    flow.rate(1.0)
    return flow


def test_one_flow_has_the_rate_of_both_links() -> None:
    """In order, without a loss, and memory is used for the difference of the delays only."""
    flow = settled(ONE, ONE)
    assert flow.rate(2.0) >= 0.95 * 2 * FAST
    assert (flow.disorder, flow.retransmitted, flow.timeouts) == (0, 0, 0)
    assert flow.pair.b.most_held < 100_000
    assert [one.lost for one in flow.pair.a.bundle.members] == [0, 0]


def test_five_to_one() -> None:
    """Each carries as much as it can."""
    flow = settled((5 * FAST, SHORT, 5 * QUEUE), ONE, window=800)
    fast, slow = flow.pair.a.bundle.members
    before = fast.sent_octets, slow.sent_octets
    assert flow.rate(1.0) >= 0.95 * 6 * FAST
    assert (flow.disorder, flow.retransmitted) == (0, 0)
    assert 4.5 <= (fast.rate or 0) / (slow.rate or 1) <= 5.5
    shares = fast.sent_octets - before[0], slow.sent_octets - before[1]
    assert 4.5 <= shares[0] / shares[1] <= 5.5


def test_unequal_delays() -> None:
    """What comes early waits for what comes late."""
    flow = settled((2 * FAST, SHORT, 2 * QUEUE), (FAST, 0.04, QUEUE), window=800)
    assert flow.rate(2.0) >= 0.93 * 3 * FAST
    assert (flow.disorder, flow.retransmitted) == (0, 0)


def test_a_light_load_takes_the_shorter_way() -> None:
    """The slow link is not used while the fast one has room."""
    flow = settled((FAST, SHORT, QUEUE), (FAST / 10, 0.2, QUEUE), window=4)
    short, long = flow.pair.a.bundle.members
    before = short.sent, long.sent
    flow.rate(1.0)
    assert long.sent == before[1]
    assert short.sent > before[0] + 200


@pytest.mark.parametrize("share", [0.001, 0.01])
def test_losses(share: float) -> None:
    """A lost fragment holds nobody up for longer than RFC 1990 demands; the flow sees its own
    losses and nothing else."""
    flow = running(ONE, ONE)
    for wire in flow.pair.both(0) + flow.pair.both(1):
        wire.loss = share
    flow.rate(3.0)
    received = flow.pair.b.bundle.received
    assert received.lost > 0
    assert received.late == 0
    assert flow.disorder == 0
    dropped = sum(wire.dropped for wire in flow.pair.a.wires)
    told = sum(one.lost for one in flow.pair.a.bundle.members)
    assert 0.6 * dropped - 5 <= told <= dropped
    assert flow.acked * Flow.SIZE >= 3.0 * FAST * (0.5 if share > 0.005 else 1.2)


def test_order_that_is_changed_on_a_link() -> None:
    """Jitter of 3 ms: some are late at first, then all are waited for."""
    flow = running(ONE, ONE)
    for wire in flow.pair.a.wires:
        wire.jitter = 0.003
    flow.rate(1.0)
    received = flow.pair.b.bundle.received
    early = received.late
    assert early > 0
    assert flow.rate(2.0) >= 0.9 * 2 * FAST
    assert received.late <= early + 2
    assert flow.disorder == 0


def test_duplicates() -> None:
    """Each packet is delivered once, and a link with duplicates is no faster for it."""
    flow = running(ONE, ONE)
    for wire in flow.pair.both(0) + flow.pair.both(1):
        wire.duplicate = 0.2
    flow.rate(2.0)
    received = flow.pair.b.bundle.received
    assert received.duplicate > 100
    assert len(set(flow.pair.b.packets)) == len(flow.pair.b.packets)
    assert flow.retransmitted == 0
    assert [one.lost for one in flow.pair.a.bundle.members] == [0, 0]


@pytest.mark.parametrize("dead", [0, 1])
def test_a_link_dies_and_comes_back(dead: int) -> None:
    """Nobody is told: both ends notice within a second, the other link has all of its own rate
    then, and half a minute of outage would be the same as this one. Back, it has its share."""
    flow = settled(ONE, ONE)
    pair, start = flow.pair, flow.pair.simulation.now
    pair.kill(dead)
    flow.rate(1.0)
    for end in (pair.a, pair.b):
        when, index, words = end.bundle.events[-1]
        assert (index, words) == (dead, "dead")
        assert when - start < 1.0
    flow.rate(0.5)
    assert flow.rate(1.0) >= 0.9 * FAST
    pair.kill(dead, False)
    flow.rate(1.0)
    assert pair.a.bundle.events[-1][1:] == (dead, "up")
    assert flow.rate(1.5) >= 0.9 * 2 * FAST
    assert pair.b.most_held <= OCTETS
    assert pair.b.bundle.received.held == {} or pair.up()


def test_both_links_in_turn() -> None:
    """The flow goes on without either, as long as there is one, and all of it arrives."""
    flow = running(ONE, ONE)
    for dead in (0, 1, 0):
        flow.rate(0.5)
        flow.pair.kill(dead)
        before = flow.acked
        flow.rate(1.5)
        assert flow.acked > before
        flow.pair.kill(dead, False)
    before = flow.acked
    flow.rate(1.0)
    assert flow.acked > before
    assert flow.disorder == 0


def test_an_idle_link_is_noticed_too() -> None:
    """Without any packet, by beats that are fewer then."""
    pair = Pair(ONE, ONE)
    pair.simulation.run(5.0)
    sent = pair.a.wires[0].carried
    pair.simulation.run(10.0)
    assert (pair.a.wires[0].carried - sent) / 44 <= 10 / IDLE + 1
    start = pair.simulation.now
    pair.kill(0)
    pair.simulation.run(1.0)
    for end in (pair.a, pair.b):
        assert end.bundle.events[-1][1:] == (0, "dead")
        assert end.bundle.events[-1][0] - start < 1.0


def test_one_direction_is_not_enough() -> None:
    """A link that brings nothing to the other end is given nothing, though it brings us beats."""
    flow = settled(ONE, ONE)
    flow.pair.a.wires[1].dead = True
    flow.rate(1.0)
    assert not flow.pair.a.bundle.members[1].up
    assert flow.pair.a.bundle.members[1].alive
    assert not flow.pair.b.bundle.members[1].alive
    assert flow.rate(1.0) >= 0.9 * FAST


def test_a_device_that_fails_is_dead_at_once() -> None:
    """Its share moves without waiting for beats, and it returns when it is open again."""
    flow = settled(ONE, ONE)
    now = flow.pair.simulation.now
    for end in (flow.pair.a, flow.pair.b):
        end.bundle.closed(1, now)
        end.flush()
        assert end.bundle.events[-1] == (now, 1, "closed")
    assert flow.rate(1.0) >= 0.85 * FAST
    for end in (flow.pair.a, flow.pair.b):
        end.bundle.opened(1, flow.pair.simulation.now)
        end.flush()
    flow.rate(1.0)
    assert flow.pair.up()


@pytest.mark.parametrize("end", ["a", "b"])
def test_an_end_that_is_restarted(end: str) -> None:
    """It begins a session of its own; late datagrams of the former one are dropped."""
    flow = running(ONE, ONE)
    flow.rate(0.5)
    old = flow.pair.b.bundle.peer
    getattr(flow.pair, end).restart(0xC0FFEE)
    getattr(flow.pair, end).flush()
    flow.rate(1.5)
    assert flow.pair.up()
    assert flow.pair.b.bundle.peer == (0xC0FFEE if end == "a" else old)
    assert flow.rate(1.0) >= 0.8 * 2 * FAST


def test_a_late_beat_does_not_bring_a_former_session_back() -> None:
    """Else both sessions would end each other."""
    pair = Pair(ONE)
    pair.simulation.run(0.5)
    late = []
    pair.b.wires[0].receive = late.append
    pair.simulation.run(0.3)
    pair.b.restart(0xC0FFEE)
    pair.b.wires[0].receive = lambda datagram: pair.a.receive(0, datagram)
    pair.b.flush()
    pair.simulation.run(0.5)
    assert pair.a.bundle.peer == 0xC0FFEE
    for datagram in late:
        pair.a.receive(0, datagram)
    assert pair.a.bundle.peer == 0xC0FFEE
    assert pair.a.bundle.foreign == len(late)


def test_a_shallow_queue() -> None:
    """A link with room for 13 ms: its queue is filled no further than it fits."""
    flow = settled((FAST, SHORT, 8000), (FAST, SHORT, 8000))
    flow.rate(2.0)
    before = sum(wire.dropped for wire in flow.pair.a.wires)
    sent = sum(one.sent for one in flow.pair.a.bundle.members)
    flow.rate(2.0)
    share = (sum(wire.dropped for wire in flow.pair.a.wires) - before) / (
        sum(one.sent for one in flow.pair.a.bundle.members) - sent
    )
    assert share < 0.04


def test_a_rate_that_changes_is_followed() -> None:
    """Down to a fifth, and up again."""
    flow = settled(ONE, ONE)
    wire = flow.pair.a.wires[1]
    wire.rate = FAST / 5
    flow.rate(2.5)
    assert flow.rate(1.0) >= 0.9 * 1.2 * FAST
    wire.rate = FAST
    flow.rate(2.0)
    assert flow.rate(1.0) >= 0.9 * 2 * FAST


@pytest.mark.long
def test_a_link_that_was_slow_is_tried_again() -> None:
    """Its share of a flow that fills no link is never large enough to measure it."""
    fast = 20 * FAST
    flow = settled((fast, 0.0003, 20 * QUEUE), (fast, 0.0003, 20 * QUEUE), window=50)
    slow = flow.pair.a.bundle.members[0]
    slow.rate = 20_000.0
    flow.rate(1.0)
    assert flow.rate(0.2) >= 0.9 * 2 * fast


@pytest.mark.long
def test_a_long_flow_keeps_its_queues_short() -> None:
    """The shortest round-trip time is measured anew: the queue does not creep into it."""
    flow = settled(ONE, ONE)
    for _ in range(2):
        assert flow.rate(5.5) >= 0.93 * 2 * FAST
    for one in flow.pair.a.bundle.members:
        assert (one.rtt_min or 1) <= 0.02


def test_packets_larger_than_a_link_takes_are_cut() -> None:
    """RFC 1990's fragments: 9000 octets over links of 1472."""
    pair = Pair(ONE, ONE)
    pair.simulation.run(0.5, pair.up)
    packets = [bytes([number]) * 9000 for number in range(1, 30)]
    queue = list(packets)
    pair.a.more = lambda: queue.pop(0) if queue else None
    pair.a.flush()
    pair.simulation.run(1.0)
    assert pair.b.packets == packets
    assert all(one.sent for one in pair.a.bundle.members)


def test_a_slow_link_is_not_blocked_by_one_packet() -> None:
    """2 kB/s: a packet is cut where another link can take the rest, and alone it is not."""
    slow = (2000.0, 0.01, 20_000)
    bundles = []
    for links in ((slow, slow), (slow,)):
        pair = Pair(*links)
        pair.simulation.run(0.5, pair.up)
        flow = Flow(pair, window=6)
        flow.rate(30.0)
        assert flow.disorder == 0
        bundles.append(pair.b)
        assert len(pair.b.packets) > 20
    two, one = bundles
    assert sum(member.received for member in two.bundle.members) > 1.5 * len(two.packets)
    assert one.bundle.members[0].received == len(one.packets)


def test_nothing_is_taken_while_no_link_is_up() -> None:
    """Packets stay in the queue of the TUN, and no more than one is held here."""
    pair = Pair(ONE)
    pair.kill(0)
    asked = []
    pair.a.more = lambda: asked.append(1) or bytes(100)  # type: ignore[func-returns-value]
    pair.a.flush()
    pair.simulation.run(3.0)
    assert asked == []
    assert not pair.a.bundle.hungry


def test_what_both_ends_say_of_time() -> None:
    """A link is dead after some missed beats, more of them than one."""
    assert 2 * BUSY < QUIET < 1.0
    assert 2 * IDLE < 3.5 * IDLE < 1.0


def test_a_link_must_hold_a_fragment() -> None:
    """Said at once."""
    with pytest.raises(ValueError, match="hold no fragment"):
        Member("tiny", 7)
    assert Bundle(1, [Member("one", LIMIT)]).members[0].name == "one"
