"""One link of a bundle, as its sender sees it: health, measured rate, and how much it may be given.
Pure.

Health. A link is *alive* while the other end's beats or fragments come on it, and *up* when the
other end says too that it hears this one: only then is it given a share. A beat names the time
until the next one; a link that is silent for PATIENCE such times, and QUIET seconds, is dead.

Rate. The other end tells how many octets it got on this link, and when the last of them came, by
its own clock; two such reports that are SAMPLE seconds apart give a rate. While the link was kept
full it is a measurement, and the largest of the last SAMPLES counts; otherwise it only raises.

Window. So many octets may be on their way: what the link carries in its shortest round-trip time,
in the longest pause between two reports, and in QUEUE seconds more. So a queue is always there, and
always short: the link never runs dry, and a rate that has risen is noticed, since more gets
through. At first, while each sample is a quarter more than the one before, half a round-trip time
more is sent. Where fragments are lost the queue is made shorter, down to QUEUE_LEAST. The shortest
round-trip time is measured anew every PROBE seconds with a window so small that the queue empties.

Times are seconds of any clock.
"""

from __future__ import annotations

from netalias.links.bundle.wire import HEADER, HEARS, MICROSECONDS, MODULUS, NEVER, TICK, unwrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from typing import Any

    from netalias.links.bundle.wire import Beat
else:
    from _collections import deque

PATIENCE = 3.5
QUIET = 0.6

SAMPLE = 0.1
SAMPLE_AT_FIRST = 0.05
SAMPLES = 10
FULL = 0.75
"""Share of the window that is on its way, at each report, in a link that is kept full."""
GROWTH = 2.0
"""A sample raises the rate by this factor at most."""
AT_FIRST = 1.5
"""Round-trip times that a window has room for while the rate is not known yet."""
GREW = 1.25
"""A sample that is less than so many times the rate ends the quick growth of the beginning."""

QUEUE = 0.02
QUEUE_LEAST = 0.005
TOLERATED = 0.005
"""Share of fragments that may be lost before the queue is made shorter: it may not fit there."""
PROBE = 10.0
PAUSE = 0.06
"""The longest pause between reports that counts: on a busy machine an end does not always run."""
FRAMES_AT_FIRST = 10
FRAMES_AT_LEAST = 2
"""Largest datagrams that may be on their way before the rate was measured (RFC 6928 has so many
segments), and after."""
ROUNDED = 0.00001
"""Seconds by which a round-trip time may be wrong, since stamps are whole microseconds."""
HOPE = 50
"""SAMPLEs after which it is believed to be as fast as the fastest one in any case."""
UNKNOWN = 250_000.0
"""Octets a second that a link is thought to carry before anything is measured."""
KEPT = (
    "limit", "open", "alive", "up", "hears", "deaths", "sent", "sent_octets", "lost", "received",
    "received_octets", "marked", "last", "window", "patience", "touched", "arrived", "believed",
    "heard", "since", "beaten", "pending", "rate", "rtt", "rtt_min", "_starting", "_frames",
    "_lost_before", "_queue", "_probed", "_echo", "_received_before",
)  # fmt: skip
"""The slots with which another process goes on as they are; a sample or a probe that is under way
begins anew."""


class Member:
    """A link of a bundle. *name* is for people; *limit*: octets of its largest datagram.

    - ``alive``, ``up``: see above; ``open``: whether its device is; ``deaths``: how often it was
      up and then was not;
    - ``flight``: octets on their way; ``rate``: octets a second, None before it was measured;
      ``believed``: what it may carry; ``rtt``, ``rtt_min``: smoothed and shortest round-trip time,
      None before;
    - ``sent``, ``sent_octets``, ``received``, ``received_octets``: fragments and octets without
      headers, for ever; ``lost``: fragments sent that did not arrive.
    """

    __slots__ = (
        "_away", "_base", "_echo", "_filled", "_frames", "_full", "_judged", "_last_pause",
        "_lost_before", "_pause", "_probe_until", "_probed", "_queue", "_rates",
        "_received_before", "_reported", "_shortest", "_starting", "alive", "arrived", "beaten",
        "believed", "blocked", "deaths", "flight", "heard", "hears", "last", "limit", "lost",
        "marked", "name", "open", "patience", "pending", "rate", "received", "received_octets",
        "rtt", "rtt_min", "sent", "sent_octets", "since", "touched", "up", "window",
    )  # fmt: skip

    def __init__(self, name: str, limit: int) -> None:
        if limit <= HEADER:
            raise ValueError(f"{limit} octets hold no fragment")
        self.name = name
        self.limit = limit
        self.open = True
        self.blocked = False
        """Whether its device takes nothing now."""
        self.alive = self.up = False
        self.heard: float | None = None
        self.since: float | None = None
        self.patience = QUIET
        self.hears = False
        self.deaths = 0
        self.sent = self.sent_octets = self.lost = 0
        self.received = self.received_octets = 0
        self.beaten: float | None = None
        """The time of our last beat on this link."""
        self.touched = 0.0
        """The time of the last fragment that it was given."""
        self.marked = 0
        """The first number of which the other end knows that nothing below it comes here."""
        self.pending: float | None = None
        """The time since which a fragment that came is not reported."""
        self.last = 0
        self.arrived = 0.0
        self._echo: tuple[int, float] | None = None
        self.forget()

    def forget(self) -> None:
        """Begin anew with the other end: nothing is on its way, nothing is measured."""
        self._away: deque[tuple[int, int, float]] = deque()
        self.flight = 0
        self.window = FRAMES_AT_FIRST * self.limit
        self.rate: float | None = None
        self.believed = UNKNOWN
        self._filled: float | None = None
        """The time of the last measurement in a link that was kept full, or of the first beat."""
        self.rtt: float | None = None
        self.rtt_min: float | None = None
        self._rates: deque[float] = deque(maxlen=SAMPLES)
        self._base: tuple[int, int] | None = None
        self._full = self._starting = True
        self._queue = QUEUE
        self._reported: float | None = None
        """The time of the last report, while fragments are on their way."""
        self._pause = self._last_pause = 0.0
        """The longest pause between reports in this sample, and in the one before."""
        self._frames = 0
        self._lost_before = self.lost
        self._judged = 0, self.lost
        self._received_before = self.received, self.received_octets
        self._probed: float | None = None
        self._probe_until: float | None = None
        self._shortest: float | None = None

    # Changing hands -------------------------------------------------------------------------

    def plain(self) -> dict[str, Any]:
        """The state as links.spec.MEMBER has it."""
        kept = {slot.lstrip("_"): getattr(self, slot) for slot in KEPT}
        return {**kept, "name": self.name, "rates": self._rates, "away": self._away}

    def resume(self, plain: Any) -> None:
        """Go on with the state that plain() gave in another process."""
        for slot in KEPT:
            setattr(self, slot, plain[slot.lstrip("_")])
        self._rates.extend(plain.rates)
        self._away.extend(plain.away)
        self.flight = sum(octets for _, octets, _ in self._away)
        self._judged = self._frames, self.lost

    # Receiving ------------------------------------------------------------------------------

    def count(self, number: int, octets: int, now: float) -> None:
        """Count a fragment of *octets* that has come."""
        self.heard = self.arrived = now
        self.received += 1
        self.received_octets += octets
        if number > self.last:
            self.last = number
        if self.pending is None:
            self.pending = now

    def echo(self, now: float) -> tuple[int, int]:
        """``echo`` and ``held`` of the next beat."""
        if self._echo is None:
            return 0, NEVER
        stamp, at = self._echo
        return stamp, min(NEVER - 1, int((now - at) * MICROSECONDS))

    def tally(self) -> tuple[int, int]:
        """``frames`` and ``octets`` of the next beat: those of this session."""
        frames, octets = self._received_before
        return (self.received - frames) % MODULUS, (self.received_octets - octets) % MODULUS

    def is_silent(self, now: float) -> bool:
        """Whether nothing has come for longer than a living link takes."""
        return not self.open or self.heard is None or now - self.heard >= self.patience

    # Sending --------------------------------------------------------------------------------

    def room(self) -> int:
        """Octets that it may be given now, without those of headers."""
        if self.blocked:
            return 0
        window = self.window
        if self._probe_until is not None:
            least = FRAMES_AT_LEAST * self.limit
            window = min(window, max(least, int((self.rate or 0) * (self.rtt_min or 0) / 2)))
        return window - self.flight

    def cost(self, octets: int) -> float:
        """Seconds until *octets* that are sent now have arrived."""
        return (self.flight + octets) / self.believed + (self.rtt_min or 0.0) / 2

    def give(self, number: int, octets: int, now: float) -> None:
        """Note that a fragment of this number was sent on it."""
        self._away.append((number, octets, now))
        self.flight += octets
        self.sent += 1
        self.sent_octets += octets
        self.touched = now

    def void(self) -> int:
        """Count what is on its way as lost: the link is dead. The number of fragments."""
        gone = len(self._away)
        self.lost += gone
        self._frames += gone
        self._away.clear()
        self.flight = 0
        self._base = None
        self._rates.clear()
        self._judged = self._frames, self.lost
        return gone

    # Beats ----------------------------------------------------------------------------------

    def learn(self, beat: Beat, ours: bool, now: float) -> None:
        """Take a beat of this session; *ours*: it speaks of our session, not of a former one."""
        self.heard = now
        self._echo = beat.stamp, now
        self.patience = max(QUIET, PATIENCE * beat.interval * TICK)
        self.hears = ours and bool(beat.flags & HEARS)
        if not ours:
            return
        if beat.held != NEVER:
            age = unwrap(int(now * MICROSECONDS) - beat.echo, 0) / MICROSECONDS
            # A host that was suspended echoes what it heard before, and does not know for how long
            # it has held that. Stamps from before the link came back are none.
            if self.since is None or (self.up and 0 <= age <= now - self.since):
                self._time(age - beat.held / MICROSECONDS, now)
        self._report(beat, now)

    def believe(self, fastest: float, now: float) -> None:
        """Trust it with more, the longer it was not full; *fastest*: the largest ``rate`` of all
        members."""
        if self._filled is None:
            self._filled = now
        rate = self.rate or UNKNOWN
        hoped = rate * GREW ** min(HOPE, (now - self._filled) / SAMPLE)
        self.believed = max(rate, min(fastest, hoped))

    def _report(self, beat: Beat, now: float) -> None:
        """Take what the other end says of the fragments that it got."""
        was_full = self.flight >= FULL * self.window
        acknowledged = 0
        sent = self._away
        if sent and beat.frames:
            last = unwrap(beat.last, sent[-1][0])
            at = None
            while sent and sent[0][0] <= last:
                _, octets, at = sent.popleft()
                self.flight -= octets
                acknowledged += 1
            if at is not None:
                held = (beat.stamp - beat.arrived) % MODULUS / MICROSECONDS
                self._time(now - at - held, now)
        self._frames += acknowledged
        self.lost = self._lost_before + unwrap(self._frames - beat.frames, 0)
        if acknowledged:
            self._full = self._full and was_full and bool(sent)
            if self._reported is not None:
                self._pause = min(PAUSE, max(self._pause, now - self._reported))
            self._reported = now if sent else None
            self._sample(beat, now)

    def _sample(self, beat: Beat, now: float) -> None:
        """Measure the rate between this report and one SAMPLE seconds before."""
        if self._base is None:
            self._base, self._full = (beat.octets, beat.arrived), True
            return
        octets, arrived = self._base
        seconds = (beat.arrived - arrived) % MODULUS / MICROSECONDS
        if seconds < (SAMPLE_AT_FIRST if self._starting else SAMPLE):
            return
        rate = (beat.octets - octets) % MODULUS / seconds
        full, self._full = self._full, True
        self._last_pause, self._pause = self._pause, 0.0
        self._base = beat.octets, beat.arrived
        if full and self._probe_until is None:
            self._rates.append(rate)
            self._filled = now
            best = max(self._rates)
        else:
            best = max(self.rate or UNKNOWN, rate)
            if self.rate is None and best == UNKNOWN:
                return
        if self.rate is not None:
            best = min(best, GROWTH * self.rate)
            if full and best < GREW * self.rate:
                self._starting = False
        self.rate = best
        self._fit(full)
        self._resize()

    def _fit(self, full: bool) -> None:
        """A queue that the link has room for: shorter after losses, slowly longer without."""
        sent, lost = self._frames - self._judged[0], self.lost - self._judged[1]
        if lost > TOLERATED * sent:
            self._queue = max(QUEUE_LEAST, self._queue * 0.8)
        elif full:
            self._queue = min(QUEUE, self._queue * 1.05)
        self._judged = self._frames, self.lost

    def _resize(self) -> None:
        """The window of the rate and the shortest round-trip time."""
        if self.rate is not None:
            away = (self.rtt_min or 0.0) * (AT_FIRST if self._starting else 1.0)
            least = FRAMES_AT_LEAST if self._rates else FRAMES_AT_FIRST
            away += max(self._pause, self._last_pause) + self._queue
            self.window = int(self.rate * away) + least * self.limit

    def _time(self, seconds: float, now: float) -> None:
        """Take a round-trip time. One below 0 is none: the clock of this host has stood still, for
        it was suspended."""
        if seconds < -ROUNDED:
            return
        seconds = max(seconds, ROUNDED)
        self.rtt = seconds if self.rtt is None else self.rtt + (seconds - self.rtt) / 8
        if self._probe_until is not None:
            self._shortest = min(seconds, self._shortest or seconds)
        elif self.rtt_min is None or seconds < self.rtt_min:
            self.rtt_min = seconds
            self._probed = now

    def probe(self, now: float) -> None:
        """Begin or end the measurement of the shortest round-trip time, when it is time."""
        if self._probe_until is not None:
            if now >= self._probe_until:
                if self._shortest is not None:
                    self.rtt_min = self._shortest
                self._probe_until, self._probed = None, now
                self._base = None
                self._resize()
        elif self._probed is not None and now - self._probed >= PROBE:
            self._shortest = None
            self._probe_until = now + QUEUE + 2 * (self.rtt or 0.0)
