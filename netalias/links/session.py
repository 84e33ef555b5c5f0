"""A link from the words for its devices to a peer that answers, and again whenever it is lost.

The devices are tried in their order until one opens; after the last one there is a pause, which
grows. What was open and is lost is opened again from the first device on. A Session is a Pollable
of system.loop, and knows neither the network device nor what the packets are.
"""

from __future__ import annotations

import os
from select import POLLOUT

from netalias import errors
from netalias.links import carrier, lcp, phases
from netalias.links.carrier import Carrier
from netalias.links.devices import UDP, parse
from netalias.links.levels import DEBUG, PHASE, PHYSICAL, SYNC, Log
from netalias.links.opening import opened
from netalias.links.protocols import LCP, named, protocol
from netalias.system.backoff import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.links.carrier import Wish
    from netalias.links.link import Link
    from netalias.links.opening import Opening
    from netalias.links.state import LinkState

LONGEST = 15.0
"""The longest pause in seconds."""
DIALLING = 10.0
"""Seconds for a call to be answered."""
MRU = 65535


def number() -> int:
    """A random number of 32 bits, never 0."""
    return int.from_bytes(os.urandom(4), "big") or 1


class Terms:
    """The terms on which a link is made: ``content`` is one of lcp.CONTENTS, ``mru`` the longest
    packet that is taken, ``cd`` what is asked for of the carrier, None for what is usual, ``sync``
    whether one frame a datagram was asked for."""

    __slots__ = ("cd", "content", "mru", "sync")

    def __init__(
        self, content: int = lcp.TUN, mru: int = MRU, cd: Wish | None = None, *, sync: bool = False
    ) -> None:
        self.content = content
        self.mru = mru
        self.cd = cd
        self.sync = sync


class Session:
    """One link over the first of the devices *words* that opens.

    *deliver* gets the packets of an open link with their protocol fields; *changed* is called
    when the link opens, is lost, or has another phase. ``link`` and ``state`` are those of the
    device that is open, or was. *log* gets the lines; *make* opens a device.
    """

    def __init__(
        self,
        words: Sequence[str],
        terms: Terms,
        log: Log,
        deliver: Callable[[list[bytes]], object],
        changed: Callable[[], object] = lambda: None,
        *,
        make: Callable[[str, Callable[[bytes], bool]], Opening] = opened,
        magic: Callable[[], int] = number,
    ) -> None:
        self.words = list(words)
        self.terms = terms
        self.log = log
        self.phase = phases.CLOSED
        self.link: Link | None = None
        self.state: LinkState | None = None
        self.was_open = False
        """Whether it was ever open."""
        self._deliver = deliver
        self._changed = changed
        self._make = make
        self._magic = magic
        self._opening: Opening | None = None
        self._carrier: Carrier | None = None
        self._control: lcp.Control | None = None
        self._word = self.words[0]
        """The word of the device that is, or was, tried last."""
        self._next = 0
        """The index of the device that is tried next."""
        self._begin: float | None = float("-inf")
        """The time of the next try, or when the present one has lasted too long; None for never."""
        self._backoff = Backoff()
        self._told: dict[str, str] = {}
        """Device: the last warning about it, which is not given again."""

    @property
    def open(self) -> bool:
        """Whether packets pass."""
        return self.phase == phases.OPEN

    @property
    def over(self) -> bool:
        """Whether no device is left: one that was inherited cannot be opened again."""
        return not self.words

    @property
    def word(self) -> str:
        """The word of the device that is open, or will be tried next."""
        if self.phase == phases.CLOSED and self.words:
            return self.words[self._next]
        return self._word

    @property
    def carrier(self) -> str:
        """The carrier: ``on``, ``off``, or ``-`` where nobody looks at one."""
        if self._carrier is None or self._carrier.level is None:
            return "-"
        return "on" if self._carrier.level else "off"

    @property
    def mru(self) -> int:
        """The longest packet that both ends take, with its protocol field."""
        return self._control.mru if self._control is not None else self.terms.mru

    @property
    def room(self) -> int:
        """Bytes that are taken now; what is sent with one call may exceed them."""
        return self.link.room if self.open and self.link is not None else 0

    @property
    def full(self) -> bool:
        """Whether nothing more should be sent now."""
        return self.link is not None and self.link.full

    def send(self, packets: list[bytes], *, urgent: bool = False) -> int:
        """Send packets with their protocol fields; the number that was taken. *urgent*: a full
        queue takes them all the same."""
        if not self.open or self.link is None:
            return 0
        if self.log.levels & {SYNC, DEBUG}:
            for packet in packets:
                self.log.note(DEBUG, f"push {named(protocol(packet))} -> {self.link.state.kind}")
                self.log.dump(SYNC, "write", packet)
        return self.link.send(packets, urgent=urgent)

    def wanted(self, now: float) -> dict[int, int]:
        """The device that is being opened, or is open."""
        one = self.link or self._opening
        return {one.fileno(): one.events()} if one is not None else {}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Go on opening, or write and read."""
        if self.link is None:
            self._step(now)
            return
        if events & POLLOUT:
            self.link.flush()
        if events & ~POLLOUT:
            self._receive(self.link, now)
        self._check(now)

    def due(self, now: float) -> float | None:
        """Seconds until a try, a look at the carrier, or a message."""
        if self.phase in (phases.CLOSED, phases.DIAL):
            return None if self._begin is None else max(0.0, self._begin - now)
        if self.link is not None and self.link.ended:
            return 0.0
        parts = [one for one in (self._carrier, self._control) if one is not None]
        times = [wait for one in parts if (wait := one.due(now)) is not None]
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self.phase in (phases.CLOSED, phases.DIAL):
            if self._begin is not None and now >= self._begin:
                (self._try if self.phase == phases.CLOSED else self._give_up)(now)
            return
        if self._carrier is not None and self._carrier.due(now) == 0:
            self._look(now)
        if self._control is not None:
            self._answer(self._control.tick(now), now)
        self._check(now)

    def close(self, now: float) -> None:
        """End the link, and tell the peer."""
        if self._control is not None and self.link is not None and self._control.opened:
            self.link.send([self._control.terminate()], urgent=True)
        if self.phase != phases.CLOSED:
            self._drop("", now)
        self._begin = None

    def pack(self, now: float) -> LinkState | None:
        """The state of the open link, for another process; None unless it is open."""
        if self.link is None or self._control is None or not self.open:
            return None
        state = self.link.pack()
        state.timers = {"lcp": self._control.due(now)}
        due = self._carrier.due(now) if self._carrier is not None else None
        if due is not None:
            state.timers["carrier"] = due
        return state

    def release(self, pid: int) -> None:
        """Another process goes on with the link: forget it, and do nothing any more. It may wait at
        the port at which this one has waited."""
        if self._opening is not None:
            self._opening.close()
            self._opening = None
        if self.link is not None:
            self.link.release()
            self.link = None
        self.log.note(PHASE, f"process {pid} goes on")
        self._carrier = self._control = self._begin = None
        self.phase = phases.CLOSED

    def adopt(self, link: Link, now: float) -> None:
        """Go on with the link of another process, which was open."""
        state = link.state
        self.link, self.state, self.phase, self._word = link, state, phases.OPEN, state.word
        self._traced(link)
        self._carrier = Carrier(carrier.parse(state.cd) or carrier.OFF, now)
        self._carrier.checked = now + state.timers.get("carrier", 0.0)
        self._control = lcp.Control(state.magic, self.terms.content, self.terms.mru, now)
        self._control.resume(state.heard, state.mru, now)
        self._changed()

    def _try(self, now: float) -> None:
        """Open the next device."""
        self._to(phases.OPENING)
        self._word = self.words[self._next]
        try:
            self._opening = self._make(self._word, lcp.greets)
        except errors.NetaliasError as error:
            self._failed(error, now)
            return
        self._to(phases.DIAL)
        self._begin = None if self._opening.device.passive else now + DIALLING
        self._stepped(now)

    def _give_up(self, now: float) -> None:
        """Nobody has answered the call."""
        self._drop(f"{self._word}: no answer within {DIALLING:.0f} s", now)

    def _step(self, now: float) -> None:
        assert self._opening is not None
        try:
            self._opening.step()
        except errors.NetaliasError as error:
            self._to(phases.HANGUP)
            self._failed(error, now)
            return
        self._stepped(now)

    def _stepped(self, now: float) -> None:
        """Begin with the device if it is open."""
        assert self._opening is not None
        link = self._opening.link
        if link is None:
            return
        self._opening = None
        self.link, self.state = link, link.state
        self._traced(link)
        link.state.counters["opened"] += 1
        self._terms_of(link.state)
        wish, warning = carrier.granted(link.state.kind, self.terms.cd)
        self._warn(warning)
        link.state.cd = str(wish)
        self._carrier = Carrier(wish, now, asked=self.terms.cd is not None)
        self._to(phases.CARRIER)
        self._look(now)

    def _terms_of(self, state: LinkState) -> None:
        """Say which terms the device does not grant."""
        if self.terms.sync and state.framed:
            self._warn(f"{state.kind} carries a stream: async framing is used")

    def _look(self, now: float) -> None:
        """Look at the carrier, and go on if it is there."""
        assert self._carrier is not None
        assert self.link is not None
        if self._carrier.state in (carrier.WAITING, carrier.ON):
            said = self._carrier.look(now, self.link.carrier())
            if self._carrier.state in (carrier.LOST, carrier.MISSING):
                self._drop(said, now)
                return
            (self._warn if self._carrier.state == carrier.UNCHECKED else self._debug)(said)
        if self._carrier.good and self.phase == phases.CARRIER:
            self._to(phases.LOGIN)
            self._to(phases.READY)
            self._talk(now)

    def _talk(self, now: float) -> None:
        """Begin to talk with the peer; one that waits for it lets it begin."""
        assert self.link is not None
        state = self.link.state
        if self.phase != phases.READY or (state.passive and state.kind == UDP and not state.peer):
            return
        state.magic = self._magic()
        self._control = lcp.Control(state.magic, self.terms.content, self.terms.mru, now)
        self._to(phases.LCP)
        self._answer(self._control.tick(now), now)

    def _receive(self, link: Link, now: float) -> None:
        packets = link.receive()
        if packets and self.phase == phases.READY:
            self._talk(now)
        control, data = self._control, []
        if control is None:
            link.state.counters["in_dropped"] += len(packets)
            return
        for packet in packets:
            number = protocol(packet)
            self.log.dump(SYNC, "read", packet)
            if number == LCP:
                self._answer(control.receive(packet, now), now)
            elif self.open:
                data.append(packet)
            else:
                link.state.counters["in_dropped"] += 1
        if data:
            control.heard = now
            if DEBUG in self.log.levels:
                for packet in data:
                    self._debug(f"pull {link.state.kind} -> {named(protocol(packet))}")
            self._deliver(data)

    def _answer(self, packets: list[bytes], now: float) -> None:
        """Send messages of the control, and follow what it has come to."""
        control, link = self._control, self.link
        if control is None or link is None:
            return
        if packets:
            for packet in packets:
                self.log.dump(SYNC, "write", packet)
                self._debug(f"LCP: {lcp.parse(packet)} sent")
            link.send(packets, urgent=True)
        for text in control.news:
            self._debug(text)
        control.news.clear()
        if control.failed:
            self._drop(control.failed, now)
        elif control.opened and self.phase == phases.LCP:
            link.state.heard, link.state.mru = control.peer, control.mru
            self._backoff.reset()
            self._told.clear()
            self.was_open = True
            self._to(phases.OPEN)
        elif not control.opened and self.phase == phases.OPEN:
            self._to(phases.LCP)

    def _check(self, now: float) -> None:
        """Tell of failures, and drop a link that has ended."""
        if self.link is None:
            return
        if self.link.refused and self._control is not None:
            self.link.refused = False
            self._control.doubt(now)
        ended = self.link.ended
        for text in self.link.failures():
            if text != ended:
                self._warn(text)
        if ended:
            self._drop(ended, now)

    def _failed(self, error: errors.NetaliasError, now: float) -> None:
        """A device could not be opened."""
        self._opening = None
        self._warn(error.line())
        self._to(phases.CLOSED)
        self._again(now)

    def _again(self, now: float, *, first: bool = False) -> None:
        """Choose the next device, *first* the first one again, and the time to try it."""
        if parse(self._word).inherited:
            self.words.remove(self._word)
        else:
            self._next += 1
        self._begin = now
        if first or self._next >= len(self.words):
            self._next = 0
            self._begin += min(self._backoff.next(), LONGEST)
        if self.over:
            self._begin = None
            self._changed()

    def _drop(self, reason: str, now: float) -> None:
        """Close the device, and choose the next one."""
        if reason == lcp.ENDED:
            self.log.note(PHASE, reason)
        else:
            self._warn(reason)
        was_open = self.phase == phases.OPEN
        if was_open:
            self._to(phases.LOGOUT)
        if self._opening is not None:
            self._opening.close()
            self._opening = None
        if self.link is not None:
            self.link.close()
            self.link = None
        self._carrier = self._control = None
        self._to(phases.HANGUP)
        self._to(phases.CLOSED)
        self._again(now, first=was_open)

    def _traced(self, link: Link) -> None:
        if PHYSICAL in self.log.levels:
            link.trace = lambda direction, data: self.log.dump(PHYSICAL, direction, data)

    def _to(self, phase: str) -> None:
        self.log.note(PHASE, phases.changed(self.phase, phase))
        self.phase = phase
        if self.state is not None:
            self.state.phase = phase
        self._changed()

    def _debug(self, text: str) -> None:
        if text:
            self.log.note(DEBUG, text)

    def _warn(self, text: str) -> None:
        """Warn once of the same until the link opens."""
        if text and self._told.get(self._word) != text:
            self._told[self._word] = text
            self.log.warning(text)
