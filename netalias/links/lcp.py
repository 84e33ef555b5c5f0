"""Both ends of a link agree that it is up, by messages of PPP's link control (RFC 1661). Pure.

Each end asks once more every RETRY seconds, until the other has acknowledged, and acknowledges what
the other asks. Of the options there are the longest packet that it takes (1), a random number (5),
by which an end that hears itself notices it, and one of our own: what the packets are.

Two ends that hear nothing of each other for ECHO seconds ask for a sign of life. So does one that
is told that nobody listens at the other end any more. Somebody may have made that message up, so it
ends nothing by itself; but a shorter silence is enough then.
"""

from __future__ import annotations

from netalias.links.protocols import LCP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST, ACK, NAK, TERMINATE, TERMINATED, ECHO_REQUEST, ECHO_REPLY = 1, 2, 3, 5, 6, 9, 10
NAMES = {
    REQUEST: "Configure-Request", ACK: "Configure-Ack", NAK: "Configure-Nak",
    TERMINATE: "Terminate-Request", TERMINATED: "Terminate-Ack", ECHO_REQUEST: "Echo-Request",
    ECHO_REPLY: "Echo-Reply",
}  # fmt: skip
MRU, MAGIC, CONTENT = 1, 5, 240
"""Options; the last one is of a range that nobody has."""
SIZES = {MRU: 2, MAGIC: 4, CONTENT: 1}
"""Option: the bytes of its value."""
TUN, TAP, BUNDLE, TAP_BUNDLE = 1, 2, 3, 4
CONTENTS = {
    TUN: "IP packets", TAP: "Ethernet frames (--tap)", BUNDLE: "a bundle (--bundle)",
    TAP_BUNDLE: "a bundle of Ethernet frames (--bundle --tap)",
}  # fmt: skip
PACKETS = (TUN, BUNDLE)
"""Those of a TUN; the others are of a TAP."""
HEADER = 4
"""Bytes of code, identifier and length."""
FIELD = LCP.to_bytes(2, "big")

ENDED = "the peer has ended the link"
RETRY = 1.0
TRIES = 10
ECHO = 3.0
DEAD = 10.0
"""Seconds after which a peer that says nothing is given up."""
DOUBT = 1.0
"""The same after the message that nobody listens there."""
DOUBTED = "nobody listens at the peer any more"


def content(*, tap: bool, bundle: bool) -> int:
    """The key of CONTENTS for what a link carries."""
    return (TAP_BUNDLE if tap else BUNDLE) if bundle else TAP if tap else TUN


class Message:
    """One message; ``options`` maps the numbers of those of SIZES to their values."""

    __slots__ = ("code", "data", "identifier", "options")

    def __init__(self, code: int, identifier: int, data: bytes) -> None:
        self.code = code
        self.identifier = identifier
        self.data = data
        self.options = dict(_options(data)) if code in (REQUEST, ACK, NAK) else {}

    @property
    def magic(self) -> int:
        """The number of the sender; 0 for none."""
        if self.code in (ECHO_REQUEST, ECHO_REPLY):
            return int.from_bytes(self.data[: SIZES[MAGIC]], "big")
        return self.options.get(MAGIC, 0)

    def __str__(self) -> str:
        return f"{NAMES.get(self.code, f'code {self.code}')} {self.identifier}"


def _options(data: bytes) -> Iterator[tuple[int, int]]:
    """The options that are known, and well-formed."""
    while len(data) >= 2 and 2 <= data[1] <= len(data):
        kind, value, data = data[0], data[2 : data[1]], data[data[1] :]
        if len(value) == SIZES.get(kind, -1):
            yield kind, int.from_bytes(value, "big")


def parse(packet: bytes) -> Message | None:
    """The message of a packet; None for anything else."""
    size = int.from_bytes(packet[4:6], "big")
    if packet[:2] != FIELD or not HEADER <= size <= len(packet) - len(FIELD):
        return None
    return Message(packet[2], packet[3], packet[len(FIELD) + HEADER : len(FIELD) + size])


def greets(packet: bytes) -> bool:
    """Whether a packet is one with which a peer begins."""
    message = parse(packet)
    return message is not None and message.code == REQUEST and message.magic != 0


def packed(code: int, identifier: int, data: bytes = b"") -> bytes:
    """The packet of a message."""
    size = HEADER + len(data)
    return FIELD + bytes([code, identifier & 0xFF]) + size.to_bytes(2, "big") + data


def options(values: dict[int, int]) -> bytes:
    """The options as bytes."""
    return b"".join(
        bytes([kind, 2 + SIZES[kind]]) + value.to_bytes(SIZES[kind], "big")
        for kind, value in values.items()
    )


class Control:
    """The control of one link from *now* on; *magic* is our number, 0 for none at all.

    receive() and tick() give the packets to be sent. ``opened``: both have acknowledged; ``failed``
    says why the link is to be given up; ``news`` are sentences for the log.
    """

    __slots__ = (
        "_content", "_doubted", "_identifier", "_mru", "_next", "_tries", "acknowledged", "failed",
        "heard", "magic", "mru", "news", "peer",
    )  # fmt: skip

    def __init__(self, magic: int, content: int, mru: int, now: float) -> None:
        self.magic = magic
        self._content = content
        self._mru = mru
        self._identifier = 0
        self._tries = 0
        self.peer = 0
        """The number of the peer, once it has asked."""
        self.mru = mru
        """The longest packet that both take."""
        self.acknowledged = False
        self.failed = ""
        self.heard = now
        """The time of the last packet of the peer."""
        self._next = now
        self._doubted: float | None = None
        """The time of a message that nobody listens there, until the peer is heard again."""
        self.news: list[str] = []

    @property
    def opened(self) -> bool:
        """Whether the link is up."""
        return bool(self.acknowledged and self.peer and not self.failed)

    def resume(self, peer: int, mru: int, now: float) -> None:
        """Go on as one that is opened, with the number of the peer."""
        self.peer, self.mru, self.acknowledged = peer, mru, True
        self.heard, self._next = now, now + ECHO

    def doubt(self, now: float) -> None:
        """Ask for a sign of life, since the host of the peer says that nobody listens there."""
        if self.opened and (self._doubted is None or self.heard > self._doubted):
            self._doubted = self._next = now

    def due(self, now: float) -> float:
        """Seconds until tick()."""
        return max(0.0, self._next - now)

    def tick(self, now: float) -> list[bytes]:
        """Ask again, or for a sign of life."""
        if now < self._next or self.failed:
            return []
        if self.opened:
            return self._echo(now)
        if self._tries >= TRIES:
            self.failed = "the peer does not answer"
            return []
        self._tries += 1
        self._next = now + RETRY
        self._identifier = self._identifier % 255 + 1
        return [packed(REQUEST, self._identifier, options(self._values()))]

    def _values(self) -> dict[int, int]:
        return {MRU: self._mru, MAGIC: self.magic, CONTENT: self._content}

    def _echo(self, now: float) -> list[bytes]:
        silent = now - self.heard
        if silent >= DEAD:
            self.failed = f"nothing was heard of the peer for {DEAD:.0f} s"
            return []
        if self._doubted is not None and self.heard <= self._doubted:
            return self._ask_again(now)
        if silent < ECHO:
            self._next = self.heard + ECHO
            return []
        self._next = now + RETRY
        return self._sign()

    def _ask_again(self, now: float) -> list[bytes]:
        """Ask one of whom it is said that it does not listen, or give it up."""
        assert self._doubted is not None
        if now - self._doubted >= DOUBT:
            self.failed = DOUBTED
            return []
        self._next = self._doubted + DOUBT
        return self._sign()

    def _sign(self) -> list[bytes]:
        """The request for a sign of life."""
        self._identifier = self._identifier % 255 + 1
        return [packed(ECHO_REQUEST, self._identifier, self.magic.to_bytes(4, "big"))]

    def receive(self, packet: bytes, now: float) -> list[bytes]:
        """Take a packet of the protocol LCP; what is to be answered. Anything else is ignored."""
        message = parse(packet)
        if message is None:
            return []
        self.heard = now
        self.news.append(f"LCP: {message} received")
        answer = ANSWERS.get(message.code)
        return answer(self, message, now) if answer is not None else []

    def terminate(self) -> bytes:
        """The packet that ends the link."""
        return packed(TERMINATE, self._identifier + 1)

    def _request(self, message: Message, now: float) -> list[bytes]:
        if message.magic == self.magic:
            self.failed = "the link is looped back: this end hears itself"
            return []
        if message.magic == 0:
            return []
        content = message.options.get(CONTENT, 0)
        if content != self._content:
            self._differ(content)
            return [packed(NAK, message.identifier, options({CONTENT: self._content}))]
        if self.peer and self.peer != message.magic:
            self._again(now)
        self.peer = message.magic
        self.mru = min(self._mru, message.options.get(MRU, self._mru))
        return [packed(ACK, message.identifier, message.data)]

    def _again(self, now: float) -> None:
        """The peer has begun anew."""
        self.news.append("the peer has begun anew")
        self.acknowledged = False
        self._tries, self._next = 0, now

    def _acknowledge(self, message: Message, now: float) -> list[bytes]:
        if message.options == self._values() and message.identifier == self._identifier:
            self.acknowledged = True
            self._next = now + ECHO
        return []

    def _nak(self, message: Message, now: float) -> list[bytes]:
        content = message.options.get(CONTENT, 0)
        if not self.opened and content != self._content and message.identifier == self._identifier:
            self._differ(content)
        return []

    def _differ(self, content: int) -> None:
        theirs, ours = (CONTENTS.get(one, "something else") for one in (content, self._content))
        self.failed = f"the peer sends {theirs}, and this end {ours}"

    def _terminated(self, message: Message, now: float) -> list[bytes]:
        self.failed = ENDED
        return [packed(TERMINATED, message.identifier)]

    def _echoed(self, message: Message, now: float) -> list[bytes]:
        if message.magic == self.magic:
            self.failed = "the link is looped back: this end hears itself"
            return []
        if not self.opened:
            return []
        return [packed(ECHO_REPLY, message.identifier, self.magic.to_bytes(4, "big"))]


ANSWERS = {
    REQUEST: Control._request,
    ACK: Control._acknowledge,
    NAK: Control._nak,
    TERMINATE: Control._terminated,
    ECHO_REQUEST: Control._echoed,
}
"""Code: the method that answers. A reply to an echo is a sign of life, and no more."""
