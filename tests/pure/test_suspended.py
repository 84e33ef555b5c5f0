"""A host is suspended: its CLOCK_MONOTONIC stands still while that of the other end, and
CLOCK_BOOTTIME, run on. Links, bundles and tunnels go by the first, and are back soon after.

Nothing leaves a host that is suspended, and what is sent to it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, product

import pytest
from bundled import Flow, Pair, Simulation
from linked import End, pair, served
from shortened import later

from netalias.links import protocols
from netalias.links.session import LONGEST
from netalias.tunnels import hello, secure
from netalias.tunnels.secure import Secure

IP = protocols.framed(b"\x45" + bytes(20), tap=False)
FOR = pytest.mark.parametrize("asleep", [5.0, 600.0, 3000.0, 4500.0])
"""Seconds; stamps of a bundle wrap after 4295."""
AGAIN = LONGEST + 2.0
"""Seconds after which a single link is open again: the longest pause of the end that was awake, or
ten of silence for the other."""
STEP = 0.25


@FOR
@pytest.mark.parametrize("which", [0, 1])
def test_a_link(asleep: float, which: int) -> None:
    """The end that was awake has given it up, or asks again; the one that slept finds out by its
    own ten seconds of silence, or is asked to begin anew. Packets pass both ways then."""
    ends = End("host:1"), End("host:2")
    for number, end in enumerate(ends, 1):
        end.session._magic = count(1000 * number).__next__
    one, _ = pair(*ends)
    clocks = [0.0, 0.0]
    served(ends, 0.0)
    assert all(end.session.open for end in ends)

    def run(seconds: float, awake: tuple[int, ...]) -> None:
        for _ in range(int(seconds / STEP)):
            for index in awake:
                clocks[index] += STEP
            for index in awake * 4:
                ends[index].serve(clocks[index])

    run(7.0, (0, 1))
    one.wire.cut = True
    run(min(asleep, 120.0), (1 - which,))
    clocks[1 - which] += max(0.0, asleep - 120.0)
    for way in one.wire.to:
        way.clear()
    one.wire.cut = False
    run(AGAIN, (0, 1))
    for end, other in (ends, ends[::-1]):
        assert end.session.open
        other.delivered.clear()
        assert end.session.send([IP]) == 1
        other.serve(clocks[ends.index(other)])
        assert other.delivered == [IP]


class Sleeper(Simulation):
    """The time of one host: it stands still during a suspend, and nothing is done then."""

    def __init__(self, world: Simulation) -> None:
        self._world = world
        self._slept = self._least = 0.0
        self._since: float | None = None
        self._later: list[tuple[float, Callable[[], object]]] = []

    @property  # type: ignore[override]
    def now(self) -> float:
        """The time of this host."""
        if self._since is not None:
            return self._since
        return max(self._world.now - self._slept, self._least)

    def at(self, when: float, call: Callable[[], object]) -> None:
        """*call* at a time of this host."""

        def due() -> None:
            if self._since is not None:
                self._later.append((when, call))
            elif self._world.now < when + self._slept:
                self.at(when, call)
            else:
                self._least = when  # whatever was rounded
                call()

        self._world.at(when + self._slept, due)

    def sleep(self, seconds: float) -> None:
        """Suspend the host for so long."""
        self._since = self.now
        self._world.run(seconds)
        self._slept += seconds
        self._since = None
        later, self._later = self._later, []
        for when, call in later:
            self.at(when, call)


@pytest.mark.parametrize(
    ("asleep", "which"),
    [
        (4500.0, "a"),
        *later([(4500.0, "b"), *product((5.0, 600.0, 3000.0), "ab")]),
    ],
)
def test_a_bundle(asleep: float, which: str) -> None:
    """It is up again within a second, whichever end slept, and what was measured is as it was: no
    end takes the sleep for the time that a packet needed, or for less than none. One flow has the
    rate of both links as soon as TCP lets it."""
    made = Pair((625_000.0, 0.04, 40_000), (625_000.0, 0.04, 40_000))
    slept = getattr(made, which)
    slept.simulation, slept._next = Sleeper(made.simulation), float("inf")
    slept.flush()
    made.simulation.run(1.0, made.up)
    flow = Flow(made, window=800)
    flow.rate(3.0)
    for index in (0, 1):
        made.kill(index)
    slept.simulation.sleep(asleep)
    for index in (0, 1):
        made.kill(index, dead=False)
    slept.flush()
    made.simulation.run(1.0)
    assert made.up()
    for _ in range(10):
        made.simulation.run(0.5)
        for end in (made.a, made.b):
            for member in end.bundle.members:
                assert 0.08 <= (member.rtt_min or 0) <= (member.rtt or 0) + 0.04 < 0.2
    assert flow.rate(2.0) >= 0.7 * 2 * 625_000


@FOR
def test_a_tunnel_without_a_key(asleep: float) -> None:
    """After a sleep the two agree again by the next HELLO, within ten seconds; the first whole
    packet of the other end asks for it at once."""
    one, other = hello.Negotiation(1, 3), hello.Negotiation(2, 3)
    now = 100.0
    answer = other.receive(one.tick(now), now)
    assert answer
    one.receive(answer, now)
    other.tick(now + asleep)  # nobody hears it
    awake, woken = now + asleep, now
    assert bool(other.agreed) == (asleep <= hello.PATIENCE)
    reminder = one.forgotten(woken)
    assert one.due(woken) <= hello.ALIVE
    for message in (reminder, one.tick(woken + one.due(woken))):
        answer = other.receive(message, awake)
        assert answer
        one.receive(answer, woken)
        assert one.agreed == other.agreed == 3


@FOR
@pytest.mark.parametrize("which", [0, 1])
def test_a_tunnel_with_a_key(asleep: float, which: int) -> None:
    """The sessions of the end that was awake have grown old: what is sealed under them is not
    answered, so new keys are there after SILENCE and two tries, while packets are sent."""
    places = "left", "right"
    clocks = [1000.0, 1000.0]
    ends = Secure(bytes(32), "right", clocks[0]), Secure(bytes(32), None, clocks[1])

    def serve(awake: tuple[int, ...]) -> list[bytes]:
        """Each end that is awake does what is due, and hears the other; what came out."""
        got = []
        for _ in range(4):
            for index in awake:
                ends[index].tick(clocks[index])
                sent, _ = [*ends[index].outbox], ends[index].outbox.clear()
                for datagram, _ in sent if len(awake) > 1 else ():
                    other = 1 - index
                    got += ends[other].open(datagram, len(datagram), places[index], clocks[other])
        return got

    def say(index: int) -> bool:
        """Whether a frame of this end comes out at the other."""
        sealed = ends[index].seal(memoryview(b"frame"), 5, clocks[index])
        if sealed is None:
            return False
        other = 1 - index
        return ends[other].open(sealed, len(sealed), places[index], clocks[other]) == [b"frame"]

    serve((0, 1))
    assert say(0)
    assert say(1)
    awake = 1 - which
    for _ in range(int(min(asleep, 300.0))):
        clocks[awake] += 1.0
        serve((awake,))
    clocks[awake] += max(0.0, asleep - 300.0)
    waited = 0.0
    while not (say(0) and say(1)):
        clocks[0] += 1.0
        clocks[1] += 1.0
        waited += 1.0
        assert waited <= secure.SILENCE + 2 * secure.RETRY[1]
        serve((0, 1))
