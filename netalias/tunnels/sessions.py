"""One pair of keys and what was sent and received with them: sealed datagrams, numbers, the window.

A sealed datagram is SEALED, the index that its receiver has drawn for the session, the number of
the datagram (8 bytes, little endian), and a frame under ChaCha20-Poly1305 with the number as its
nonce. A number is taken once and never given back, and the keys of a session are in
the memory of one process alone, so no nonce is used twice: a process that starts anew agrees on new
keys.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from netalias.tunnels.keys import OVERHEAD
from netalias.tunnels.noise import TAGLEN

SEALED = b"\xe3"
INDEX = 4
"""Bytes of an index."""
HEADER = OVERHEAD - TAGLEN
WORD = 64
WORDS = 128
WINDOW = WORD * (WORDS - 1)
"""Numbers below the highest one that are still accepted, once each: 180 trains of 45 datagrams."""
NUMBER_MAX = (1 << 64) - (1 << 13) - 1
"""The last number that may be used: REJECT-AFTER-MESSAGES of WireGuard."""


class Window:
    """Numbers that have been received: a ring of words, as in RFC 6479.

    The ring has a word more than the window is wide, so moving on clears whole words.
    """

    __slots__ = ("_ring", "top")

    def __init__(self) -> None:
        self._ring = [0] * WORDS
        self.top = -1
        """The highest number; -1 before the first one."""

    def fresh(self, number: int) -> bool:
        """Whether this number may be accepted: it is new, and not older than the window."""
        if number > self.top:
            return True
        return number + WINDOW > self.top and not (
            self._ring[number // WORD % WORDS] >> number % WORD & 1
        )

    def accept(self, first: int, last: int) -> None:
        """Note these authentic numbers, each of which was fresh."""
        words = range(first // WORD, last // WORD + 1)
        if last > self.top:
            for word in range(max(self.top // WORD, last // WORD - WORDS) + 1, words.stop):
                self._ring[word % WORDS] = 0
            self.top = last
        for word in words:
            low = max(first - word * WORD, 0)
            high = min(last - word * WORD, WORD - 1)
            self._ring[word % WORDS] |= (2 << high) - (1 << low)


class Opened:
    """Frames that were in a train, in its order, and the numbers of datagrams that were dropped."""

    __slots__ = ("forged", "frames", "replayed")

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.forged = 0
        self.replayed = 0


class Session:
    """Keys of both directions. *local* and *remote* are the indexes that this end and the other one
    have drawn, *born* is the time of the agreement in seconds."""

    __slots__ = ("_head", "_open", "_seal", "born", "initiator", "local", "number", "window")

    def __init__(
        self, keys: tuple[bytes, bytes], local: bytes, remote: bytes, born: float, initiator: bool
    ) -> None:
        seal, opening = keys if initiator else keys[::-1]
        self._seal = ChaCha20Poly1305(seal)
        self._open = ChaCha20Poly1305(opening)
        self._head = SEALED + remote
        self.local = local
        self.born = born
        self.initiator = initiator
        self.number = 0
        """The number of the next datagram."""
        self.window = Window()

    def seal(self, frames: memoryview, size: int) -> bytes:
        """Frames of *size* bytes each, the last one may be shorter, as sealed datagrams of OVERHEAD
        bytes more each. The empty frame is one too. Raises OverflowError when the numbers are used
        up, which rekeying prevents.
        """
        first = self.number
        starts = range(0, len(frames) or 1, size)
        if first + len(starts) > NUMBER_MAX:
            raise OverflowError("the numbers of a session are used up")
        self.number = first + len(starts)
        encrypt, head = self._seal.encrypt, self._head
        data = bytes(frames)  # older versions of the library take nothing else
        sealed: list[bytes] = []
        for number, start in enumerate(starts, first):
            count = number.to_bytes(8, "little")
            sealed += head, count, encrypt(b"\0\0\0\0" + count, data[start : start + size], None)
        return b"".join(sealed)

    def open(self, train: bytes, size: int) -> Opened:
        """The frames in sealed datagrams of *size* bytes each, the last one may be shorter, which
        are all addressed to this session and not shorter than OVERHEAD."""
        decrypt, window = self._open.decrypt, self.window
        opened = Opened()
        frames = opened.frames
        expected = window.top + 1  # those below it are accepted when the run of numbers ends
        for start in range(0, len(train), size):
            count = train[start + 1 + INDEX : start + HEADER]
            number = int.from_bytes(count, "little")
            if number != expected:
                self._accept_below(expected)
                if number > NUMBER_MAX or not window.fresh(number):
                    opened.replayed += 1
                    continue
            try:
                frame = decrypt(b"\0\0\0\0" + count, train[start + HEADER : start + size], None)
            except InvalidTag:
                opened.forged += 1
                continue
            frames.append(frame)
            if number == expected:
                expected += 1
            else:
                window.accept(number, number)
                expected = window.top + 1
        self._accept_below(expected)
        return opened

    def _accept_below(self, expected: int) -> None:
        if expected - 1 > self.window.top:
            self.window.accept(self.window.top + 1, expected - 1)
