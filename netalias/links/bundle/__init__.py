"""A bundle: packets over several links at once, and in order at the other end. Pure but runner.py.

::

    wire.py     the two datagrams: fragment and beat
    member.py   one link as its sender sees it: health, measured rate, window
    reorder.py  the receiving end: RFC 1990's rules for loss and order
    slices.py   superpackets of the network device as packets of the bundle, and back
    record.py   a bundle in the record of its process
    runner.py   the loop: a network device, and a session for each link

Each packet goes to the link on which it arrives first, by the measured rates and by what is on its
way already: so links are used in proportion to their rates, and fragments arrive nearly in order. A
packet is sent whole where it fits; it is cut (RFC 1990) when it is larger than what a link takes,
or would keep a slow link busy for longer than SLOW while there is another one.

What all links together can take is a bounded number of octets (the windows of the members); beyond
it nothing is taken from the TUN, where packets wait in the queue of the kernel.

The caller hands over whatever happened, with the time, and sends what ``frames`` has then; it reads
the TUN while the bundle is ``hungry``. It reads all that has come before it calls tick(): a link is
judged by what has come, not by what has been read.
"""

from __future__ import annotations

from netalias.links.bundle.reorder import Reorder
from netalias.links.bundle.wire import (
    BEAT,
    BEGIN,
    END,
    FRAGMENT,
    HEADER,
    HEARS,
    MODULUS,
    TICK,
    VERSION,
    WHOLE,
    Beat,
    clock,
    pack_header,
    unpack_beat,
    unpack_header,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterable, Sequence
    from typing import Any

    from netalias.links.bundle.member import Member
    from netalias.links.bundle.wire import Buffer
else:
    from _collections import deque

BUSY = 0.1
IDLE = 0.25
"""Seconds between beats, with fragments on their way and without: a link is dead after 0.6 and
0.875 s of silence."""
CALM = 2.0
"""Seconds without a fragment after which a bundle is idle."""
REPORT = 0.004
"""Seconds after which a fragment that came is reported."""
MARK = 0.02
"""Seconds after which a link that is left out tells that it is: else losses are noticed late."""

SLOW = 0.03
"""Seconds that one fragment may keep a link busy."""
PART = 256
"""Octets of a part at least."""
KEPT = (
    "instance", "peer", "version", "foreign", "looped", "_former", "_offset", "_sequence",
    "_last_data",
)  # fmt: skip
"""The slots with which another process goes on as they are."""
FORMER = 16
"""Sessions of the other end that are remembered, so that a late beat does not bring one back."""


class Bundle:
    """The state of a bundle of *members*, all of which lead to the same other end.

    *instance*: a random number from 1 to 2**32 - 1, another one in each session. ``frames`` has
    what is to be sent: (number of the member, datagram as a list of buffers). ``packets`` has what
    is to be written to the TUN. ``events``: (time, number of the member, words) of what changed.
    Counters: ``foreign`` datagrams (neither of this layout nor of this session), ``looped`` (our
    own beats).
    """

    __slots__ = (
        "_former", "_last_data", "_loaded", "_offset", "_sequence", "_waiting", "events", "foreign",
        "frames", "instance", "looped", "members", "peer", "received", "version",
    )  # fmt: skip

    def __init__(self, instance: int, members: Iterable[Member]) -> None:
        self.instance = instance
        self.members = list(members)
        self.peer = 0
        self.version = 0
        """A version of the other end that is not ours; 0 for none."""
        self.received = Reorder()
        self.frames: list[tuple[int, list[Buffer]]] = []
        self.events: list[tuple[float, int, str]] = []
        self.foreign = self.looped = 0
        self._former: deque[int] = deque(maxlen=FORMER)
        self._waiting: deque[Buffer] = deque()
        self._loaded: float | None = None
        """The time since which there was always something that the best link had no room for."""
        self._offset = 0
        self._sequence = 0
        self._last_data = float("-inf")

    @property
    def packets(self) -> list[Buffer]:
        """Packets that are in order; to be emptied by the caller."""
        return self.received.ready

    @property
    def hungry(self) -> bool:
        """Whether packets from the TUN can be sent now."""
        return not self._waiting and any(one.up and one.room() >= one.limit for one in self.members)

    # Changing hands -----------------------------------------------------------------------------

    def plain(self) -> dict[str, Any]:
        """The state as links.spec.BUNDLE has it, but for what the caller adds. ``frames`` and
        ``packets`` are empty then."""
        kept = {slot.lstrip("_"): getattr(self, slot) for slot in KEPT}
        received, members = self.received.plain(), [one.plain() for one in self.members]
        waiting = [bytes(one) for one in self._waiting]
        return {**kept, "waiting": waiting, "received": received, "members": members}

    def resume(self, plain: Any, places: Sequence[int | None]) -> None:
        """Go on with the state that plain() gave in another process; *places* has the number that
        each of its members has here, None for one that is no more: what was on its way there is
        lost."""
        for slot in KEPT:
            setattr(self, slot, plain[slot.lstrip("_")])
        self._former = deque(plain.former, FORMER)
        self._waiting.extend(plain.waiting)
        self.received.resume(plain.received, places)
        for place, one in zip(places, plain.members, strict=True):
            if place is not None:
                self.members[place].resume(one)

    # What the caller hands over ---------------------------------------------------------------

    def offer(self, packets: Iterable[Buffer], now: float) -> None:
        """Send *packets*, whose buffers stay as they are until ``hungry`` is true again."""
        self._waiting.extend(packets)
        self._send(now)

    def receive(self, index: int, datagram: Buffer, now: float) -> None:
        """Take what has come on member *index*, any octets at all."""
        self._breathe()
        view = memoryview(datagram)
        kind = view[0] if len(view) >= HEADER else 0
        if kind & 0xF3 == FRAGMENT:
            self._take_fragment(index, kind, view, now)
        elif kind == BEAT:
            self._take_beat(index, view, now)
        else:
            self.foreign += 1

    def opened(self, index: int, now: float) -> None:
        """The device of member *index* is open, again or at last."""
        self.members[index].open = True
        self._beat(index, now)

    def closed(self, index: int, now: float) -> None:
        """The device of member *index* has failed: it is dead at once."""
        self.members[index].open = False
        self._judge(index, now)
        self._send(now)

    def tick(self, now: float) -> None:
        """Do whatever is due."""
        self._breathe()
        for index, member in enumerate(self.members):
            self._judge(index, now)
            member.probe(now)
            if member.open and self._beat_due(member, now) <= now:
                self._beat(index, now)
        if self.received.due(now) == 0:
            self.received.expire(now)
        self._send(now)

    def due(self, now: float) -> float:
        """Seconds until tick(), at most BUSY."""
        until = now + BUSY
        for member in self.members:
            if member.open:
                until = min(until, self._beat_due(member, now))
        wait = self.received.due(now)
        return max(0.0, min(until - now, BUSY if wait is None else wait))

    def _breathe(self) -> None:
        """Note whether there is more to send than the links take."""
        if self._loaded is not None and self.hungry:
            self._loaded = None

    # Sending ------------------------------------------------------------------------------------

    def _send(self, now: float) -> None:
        """Hand waiting packets to the links, as far as these have room."""
        waiting = self._waiting
        while waiting:
            packet = waiting[0]
            left = len(packet) - self._offset
            index = self._choose(left, now)
            if index < 0:
                return
            self._last_data = now
            size = self._part(self.members[index], left)
            if self._offset or size < left:
                self._give_part(index, memoryview(packet), size, now)
            else:
                self._give(index, WHOLE, packet, size, now)
                waiting.popleft()

    def _choose(self, octets: int, now: float) -> int:
        """The number of the link on which *octets* arrive first; -1 to wait.

        While the best link is full the best of the others is taken, once packets have waited for as
        long as that would cost more: a burst does not go a long way, a lasting load goes all ways.
        """
        best, roomy = -1, -1
        least = least_roomy = float("inf")
        for index, member in enumerate(self.members):
            if not member.up:
                continue
            cost = member.cost(octets)
            if cost < least:
                best, least = index, cost
            has_room = member.room() >= min(octets, member.limit)
            if has_room and cost < least_roomy:
                roomy, least_roomy = index, cost
        if roomy == best:
            return best
        if self._loaded is None:
            self._loaded = now
        return roomy if now - self._loaded >= least_roomy - least else -1

    def _part(self, member: Member, octets: int) -> int:
        """Octets of the next fragment of a packet of which so many are left."""
        most = member.limit - HEADER
        if member.rate is not None and octets > member.rate * SLOW:
            others = sum(one.up for one in self.members) - 1
            if others:
                most = min(most, max(PART, int(member.rate * SLOW)))
        return min(octets, most)

    def _give_part(self, index: int, packet: memoryview, size: int, now: float) -> None:
        """Send *size* octets of the first packet that waits."""
        begin = self._offset
        end = begin + size
        flags = (0 if begin else BEGIN) | (END if end == len(packet) else 0)
        self._give(index, flags, packet[begin:end], size, now)
        self._offset = end
        if flags & END:
            self._offset = 0
            self._waiting.popleft()

    def _give(self, index: int, flags: int, payload: Buffer, size: int, now: float) -> None:
        """Send one fragment."""
        number = self._sequence
        self._sequence = number + 1
        header = pack_header(FRAGMENT | flags, self.instance & 0xFFFF, number % MODULUS)
        self.frames.append((index, [header, payload]))
        self.members[index].give(number, size, now)

    # Beats --------------------------------------------------------------------------------------

    def _beat_due(self, member: Member, now: float) -> float:
        """The time of the next beat on this link."""
        if member.beaten is None:
            return now
        due = member.beaten + self._interval(now)
        if member.pending is not None:
            due = min(due, member.pending + REPORT)
        if member.up and member.marked < self._sequence:
            due = min(due, max(member.touched, member.beaten) + MARK)
        return due

    def _interval(self, now: float) -> float:
        """Seconds between two beats."""
        return BUSY if now - self._last_data < CALM else IDLE

    def _beat(self, index: int, now: float) -> None:
        """Send a beat on member *index*."""
        member = self.members[index]
        echo, held = member.echo(now)
        frames, octets = member.tally()
        beat = Beat(
            instance=self.instance,
            peer=self.peer,
            interval=round(self._interval(now) / TICK),
            flags=HEARS if member.alive else 0,
            next=self._sequence % MODULUS,
            stamp=clock(now),
            echo=echo,
            held=held,
            last=member.last % MODULUS,
            frames=frames,
            octets=octets,
            arrived=clock(member.arrived),
        )
        member.beaten, member.pending, member.marked = now, None, self._sequence
        self.frames.append((index, [beat.pack()]))

    # Receiving ----------------------------------------------------------------------------------

    def _take_fragment(self, index: int, kind: int, view: memoryview, now: float) -> None:
        """A fragment has come."""
        _, session, sequence = unpack_header(view)
        if not self.peer or session != self.peer & 0xFFFF:
            self.foreign += 1
            return
        member = self.members[index]
        self._last_data = now
        payload = view[HEADER:]
        known = self.received.duplicate
        number = self.received.receive(index, sequence, kind & WHOLE, payload, now)
        if self.received.duplicate == known:
            member.count(number, len(payload), now)
        member.heard = now
        if not member.alive:
            self._judge(index, now)

    def _take_beat(self, index: int, view: memoryview, now: float) -> None:
        """A beat has come."""
        beat = unpack_beat(view)
        if beat is None or not beat.instance:
            self.foreign += 1
        elif beat.version != VERSION:
            self.version = beat.version
            self.foreign += 1
        elif beat.instance == self.instance:
            self.looped += 1
        elif beat.instance in self._former:
            self.foreign += 1
        else:
            self._obey(index, beat, now)

    def _obey(self, index: int, beat: Beat, now: float) -> None:
        """Take a beat of the other end."""
        if beat.instance != self.peer:
            self._meet(beat)
        member = self.members[index]
        knew = member.alive
        member.learn(beat, beat.peer == self.instance, now)
        member.believe(max(one.rate or 0.0 for one in self.members), now)
        self._judge(index, now)
        self.received.mark(index, beat.next, now)
        if not knew or beat.peer != self.instance or not beat.flags & HEARS:
            self._answer(index, now)
        self._send(now)

    def _meet(self, beat: Beat) -> None:
        """The other end has begun a session."""
        if self.peer:
            self._former.append(self.peer)
        self.peer, self.version = beat.instance, 0
        self.received.restart(beat.next)
        for member in self.members:
            member.forget()
            member.last = beat.next - 1
            member.hears = False

    def _answer(self, index: int, now: float) -> None:
        """Tell the other end at once that it is heard; not more often than reports are made."""
        beaten = self.members[index].beaten
        if beaten is None or now - beaten >= REPORT:
            self._beat(index, now)

    def _judge(self, index: int, now: float) -> None:
        """Note whether member *index* is alive and up, and tell of a change."""
        member = self.members[index]
        alive = not member.is_silent(now)
        if member.alive and not alive:
            self.received.leave(index, now)
            member.hears = False
        member.alive = alive
        up = alive and member.hears
        if up == member.up:
            return
        member.up, member.since = up, now
        if up:
            self.events.append((now, index, "up"))
            return
        member.deaths += 1
        member.void()
        self.events.append((now, index, "dead" if member.open else "closed"))
