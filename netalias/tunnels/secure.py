"""A keyed carriage: which datagrams come from a holder of the key, and what is sent when. Pure.

Both ends have the same key. Each handshake (noise.py) gives keys of their own to a session
(sessions.py); a session lasts two minutes. Who holds the key is known by his datagrams alone,
wherever they come from: the other end may change its address. What anybody else sends is counted
and dropped, costs at most one operation of the kind that a good datagram costs, and is answered by
nothing.

Roles, times and the order of steps are those of WireGuard (Donenfeld, 2017, sections 5 and 6), with
the key in place of static keys and without its cookies:

- An end that knows where the other one is begins the handshake. The one that answers sends with the
  new keys only when something has come with them, since a first message may be a recorded one.
- Three generations of sessions are good for receiving: the current one, the one before it, and new
  ones that are not confirmed.
- An end that has no session, and gets a datagram of a session that it does not know, begins a
  handshake with its sender: that is how one that was started anew finds a peer that it had learned.
"""

from __future__ import annotations

from os import urandom

from netalias.tunnels import noise
from netalias.tunnels.keys import OVERHEAD
from netalias.tunnels.noise import Forged, Handshake
from netalias.tunnels.sessions import INDEX, SEALED, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Address = Any
    """That of a socket; only compared here, and handed back."""

PROLOGUE = b"netalias tunnel 1"
INITIATION = b"\xe1"
"""The first byte of the initiator's message: ``psk, e`` with his index, and four zeros in reserve,
which make it as long as its answer."""
RESPONSE = b"\xe2"
"""The first byte of the answer: the index of the initiator, then ``e, ee`` with that of the
responder."""
RESERVE = bytes(4)
INITIATION_SIZE = 1 + noise.OVERHEAD + INDEX + len(RESERVE)
RESPONSE_SIZE = 1 + INDEX + noise.OVERHEAD + INDEX

REKEY_AFTER = 120.0
"""Seconds after which the initiator of a session agrees on a new one."""
REKEY_LATE = 150.0
"""Seconds after which the responder does it in his place."""
REJECT_AFTER = 180.0
"""Seconds after which a session is no good any more, for either direction."""
REKEY_NUMBERS = 1 << 60
"""Datagrams after which a session is followed by a new one."""
RETRY = 0.2, 5.0
"""Seconds between two initiations: at first, and at most; they double."""
SILENCE = 15.0
"""Seconds without an answer to what was sent, after which the session is taken for lost."""
KEEPALIVE = 10.0
"""Seconds after which what has been received is confirmed, when nothing else was sent."""
PERSIST = 20.0
"""Seconds without sending after which an end that knows its peer's address sends nothing, sealed:
address translators on the way forget an idle flow, RFC 4787 allows it after 120 s."""
UNCONFIRMED = 8
"""Sessions that wait for their first datagram; recorded initiations push out older ones."""
RECENT = 256
"""Initiations that are remembered, so as to answer each one once."""

DROPS = "short", "unknown", "forged", "replayed", "early"
"""Reasons for dropping a datagram: no frame of ours; of no session that is there; not of a holder
of the key; received before, or too old; and, when sending, no session yet."""


class Secure:
    """One end of a keyed tunnel.

    *key* are its 32 bytes, *peer* is the address of the other end where it is known; *draw* makes
    random bytes. Times are those of a clock that never goes back, in seconds. ``outbox`` holds
    the datagrams to be sent, each with its address; open() and tick() fill it.
    """

    def __init__(
        self, key: bytes, peer: Address | None, now: float, draw: Callable[[int], bytes] = urandom
    ) -> None:
        self._key = key
        self._draw = draw
        self.peer = peer
        self._home = peer
        self._away = True
        self.outbox: list[tuple[bytes, Address]] = []
        self.drops = dict.fromkeys(DROPS, 0)
        self._current: Session | None = None
        self._previous: Session | None = None
        self._unconfirmed: dict[bytes, Session] = {}
        self._pending: tuple[Handshake, bytes] | None = None
        self._recent: dict[bytes, None] = {}
        self._next_try = now
        self._pause = RETRY[0]
        self._sent = now
        self._unanswered: float | None = None
        """The time at which something was sent that nothing has come in after."""
        self._unsaid: float | None = None
        """The time at which something came in that nothing was sent after."""
        self._stranger: Address | None = None
        """The sender to whom the next handshake is offered while no peer is known."""

    @property
    def established(self) -> bool:
        """Whether there are keys to send with."""
        return self._current is not None

    def seal(self, frames: memoryview, size: int, now: float) -> bytes | None:
        """Frames of *size* bytes each as one train of datagrams for ``peer``, each OVERHEAD bytes
        longer; None while there are no keys."""
        session = self._current
        if session is None or now - session.born >= REJECT_AFTER or self.peer is None:
            self.drops["early"] += 1
            return None
        if self._unanswered is None:
            self._unanswered = now
        self._sent, self._unsaid = now, None
        return session.seal(frames, size)

    def open(self, train: bytes, size: int, source: Address, now: float) -> list[bytes]:
        """The frames in datagrams of *size* bytes each, the last one may be shorter, that came from
        *source* together: in their order, without those that are dropped."""
        if not train:
            self.drops["short"] += 1
        head = train[: 1 + INDEX]
        starts = range(0, len(train), size)
        last = len(train) - starts[-1] if starts else 0
        if (
            head[:1] == SEALED and last >= OVERHEAD
            and all(train.startswith(head, start) for start in starts)
        ):  # fmt: skip
            return self._sealed(train, size, source, now)
        return [
            frame
            for start in starts
            for frame in self._one(train[start : start + size], source, now)
        ]

    def _one(self, datagram: bytes, source: Address, now: float) -> list[bytes]:
        kind = datagram[:1]
        if kind == SEALED and len(datagram) >= OVERHEAD:
            return self._sealed(datagram, len(datagram), source, now)
        if kind == INITIATION and len(datagram) == INITIATION_SIZE:
            self._initiation(datagram, source, now)
        elif kind == RESPONSE and len(datagram) == RESPONSE_SIZE:
            self._response(datagram, source, now)
        else:
            self.drops["short"] += 1
        return []

    def due(self, now: float) -> float:
        """Seconds until tick()."""
        word = self._word()
        renewal = self._renewal()
        if self.peer is None and self._stranger is None:
            renewal = now + RETRY[1]
        return max(0.0, (renewal if word is None else min(renewal, word)) - now)

    def tick(self, now: float) -> None:
        """Put what is due into ``outbox``."""
        self._expire(now)
        if now >= self._renewal():
            self._ask(now)
        word = self._word()
        if word is not None and now >= word:
            self._say_nothing(now)

    def _expire(self, now: float) -> None:
        """Forget sessions by their age."""
        for local, session in [*self._unconfirmed.items()]:
            if now - session.born >= REJECT_AFTER:
                del self._unconfirmed[local]
        if self._previous is not None and now - self._previous.born >= REJECT_AFTER:
            self._previous = None
        if self._current is not None and now - self._current.born >= REJECT_AFTER:
            self._current = None

    def _renewal(self) -> float:
        """The time at which the current session is to be followed by another one."""
        session = self._current
        if session is None or session.number >= REKEY_NUMBERS:
            return self._next_try
        age = REKEY_AFTER if session.initiator else REKEY_LATE
        times = [session.born + age]
        if self._unanswered is not None:
            times.append(self._unanswered + SILENCE)
        return max(self._next_try, min(times))

    def _word(self) -> float | None:
        """The time of the next empty datagram."""
        if self._current is None or self.peer is None:
            return None
        times = [self._sent + PERSIST]
        if self._unsaid is not None:
            times.append(self._unsaid + KEEPALIVE)
        return min(times)

    def _say_nothing(self, now: float) -> None:
        """Send an empty frame: it confirms a session, and what was received."""
        session = self._current
        assert session is not None
        self._sent, self._unsaid = now, None
        self.outbox.append((session.seal(memoryview(b""), 1), self.peer))

    def _ask(self, now: float) -> None:
        """Begin a handshake with the peer, ever more seldom, or else with a stranger.

        Every other one goes to the address that was configured: whoever holds back a datagram and
        sends it on from elsewhere can lead the answers away, but not for long.
        """
        if self.peer is not None:
            self._initiate(self.peer if self._home is None or self._away else self._home)
            self._away = not self._away
            self._next_try = now + self._pause
            self._pause = min(2 * self._pause, RETRY[1])
        elif self._stranger is not None:
            self._initiate(self._stranger)
            self._next_try = now + RETRY[0]
        self._stranger = None

    def _initiate(self, target: Address) -> None:
        handshake = Handshake(self._key, PROLOGUE)
        local = self._new_index()
        self._pending = handshake, local
        self.outbox.append((INITIATION + handshake.write(local + RESERVE), target))

    def _initiation(self, message: bytes, source: Address, now: float) -> None:
        public = message[1 : 1 + noise.DHLEN]
        own = self._pending is not None and self._pending[0].public == public
        if own or public in self._recent:
            self.drops["replayed"] += 1
            return
        handshake = Handshake(self._key, PROLOGUE)
        local = self._new_index()
        try:
            remote = handshake.read(message[1:])[:INDEX]
            answer = handshake.write(local)
        except Forged:
            self.drops["forged"] += 1
            return
        _remember(self._recent, public, None, RECENT)
        session = Session(handshake.split(), local, remote, now, initiator=False)
        _remember(self._unconfirmed, local, session, UNCONFIRMED)
        self.outbox.append((RESPONSE + remote + answer, source))

    def _response(self, message: bytes, source: Address, now: float) -> None:
        if self._pending is None or message[1 : 1 + INDEX] != self._pending[1]:
            self.drops["unknown"] += 1
            return
        handshake, local = self._pending
        try:
            remote = handshake.read(message[1 + INDEX :])
        except Forged:
            self.drops["forged"] += 1
            return
        self._pending = None
        self.peer = source
        self._begin(Session(handshake.split(), local, remote, now, initiator=True), now)
        self._say_nothing(now)

    def _begin(self, session: Session, now: float) -> None:
        """Send with these keys from now on."""
        self._previous, self._current = self._current, session
        self._pause = RETRY[0]
        self._next_try = now
        self._unanswered = None

    def _sealed(self, train: bytes, size: int, source: Address, now: float) -> list[bytes]:
        session = self._session(train[1 : 1 + INDEX])
        if session is None or now - session.born >= REJECT_AFTER:
            self.drops["unknown"] += len(range(0, len(train), size))
            self._meet(train, source)
            return []
        highest = session.window.top
        opened = session.open(train, size)
        self.drops["forged"] += opened.forged
        self.drops["replayed"] += opened.replayed
        if opened.frames:
            if self._unconfirmed.pop(session.local, None) is not None:
                self._begin(session, now)
            if session is self._current and session.window.top > highest and self.peer != source:
                self.peer = source
            self._unanswered = None
        frames = [frame for frame in opened.frames if frame]
        if frames and self._unsaid is None:
            self._unsaid = now
        return frames

    def _session(self, local: bytes) -> Session | None:
        """The session for which this end has drawn this index."""
        for session in (self._current, self._previous):
            if session is not None and session.local == local:
                return session
        return self._unconfirmed.get(local)

    def _meet(self, datagram: bytes, source: Address) -> None:
        """Ask a stranger for a handshake, when there is nobody else. His datagram is longer than
        the question, so nobody can make more of a datagram by sending it here."""
        if self._current is None and self.peer is None and len(datagram) >= INITIATION_SIZE:
            self._stranger = source

    def _new_index(self) -> bytes:
        """An index that no session of this end has."""
        while True:
            local = self._draw(INDEX)
            if self._session(local) is None:
                return local


def _remember(table: dict[bytes, Any], name: bytes, value: object, most: int) -> None:
    """Put into a table, of which the oldest entry makes room."""
    table[name] = value
    if len(table) > most:
        del table[next(iter(table))]
