"""A carriage with a key: datagrams are sealed on their way out, trains as trains, and opened.

It stands between a relay and a carriage of trains, and is a carriage itself. Its peer is known from
the first answer of a holder of the key; nobody else is heard. What it drops is counted.
"""

from __future__ import annotations

from time import monotonic

from netalias.system.loop import Timer
from netalias.tunnels import counters, frames, keys, roaming, status
from netalias.tunnels.carriage import Carriage
from netalias.tunnels.secure import Secure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from netalias.system.loop import Pollable
    from netalias.tunnels.carriage import Datagrams, Packets, Source

AT_ONCE = 64
"""Trains without a frame for the device before somebody else has his turn."""
INDEXES = {
    "short": counters.MALFORMED,
    "unknown": counters.STRANGER,
    "forged": counters.FORGED,
    "replayed": counters.REPLAYED,
    "early": counters.KEYLESS,
}
"""Reasons of Secure: their counters."""


PASSIVE = "passive"


class Keyed(Carriage):
    """*carriage* with a *key* of 32 bytes, towards *peer* where it is known; see Carriage."""

    trains = True

    def __init__(
        self, carriage: Carriage, key: bytes, peer: Source | None, values: memoryview
    ) -> None:
        self._carriage = carriage
        self._values = values
        self._secure = Secure(key, peer, monotonic())
        self._view = memoryview(bytearray(frames.PACKET + 1))
        self.word = carriage.word

    @property
    def peer(self) -> Source | None:  # type: ignore[override]
        """The address at which the other end was heard last; None while there are no keys."""
        return self._secure.peer if self._secure.established else None

    @property
    def local(self) -> str:  # type: ignore[override]
        """The own address towards the peer."""
        return self._carriage.local

    @property
    def overhead(self) -> int:  # type: ignore[override]
        """Bytes that the carriage and the seal add to a packet."""
        return self._carriage.overhead + keys.OVERHEAD

    def fileno(self) -> int:
        """The descriptor of the carriage."""
        return self._carriage.fileno()

    def send(self, packets: Packets, tos: int = 0, df: bool = False) -> int:
        """Each packet in a datagram of its own."""
        sent = 0
        for packet in packets:
            if self.send_train(packet, len(packet), tos, df):
                sent += 1
            elif self.refused is not None:
                self.refused(packet, self.errno)
        return sent

    def receive(self) -> list[tuple[memoryview, Source]]:
        """The frames of one train, as packets."""
        got = self.receive_train()
        if got is None:
            return []
        view, length, size, source = got
        return [(view[at : min(at + size, length)], source) for at in range(0, length, size)]

    def room(self) -> int:
        """The room of the carriage, without that of the seal."""
        return self._carriage.room() - keys.OVERHEAD

    def send_train(self, train: Datagrams, size: int, tos: int = 0, df: bool | int = False) -> bool:
        """As many trains as the longer datagrams need: one, with the usual sizes of a device."""
        self._aim(self._secure.peer)
        sealed_size = size + keys.OVERHEAD
        most = max(1, frames.LONGEST // sealed_size) * size
        view, done = memoryview(train), True
        self.errno = 0
        for at in range(0, len(train), most):
            sealed = self._secure.seal(view[at : at + most], size, monotonic())
            if sealed is None:
                done = False
            elif not self._carriage.send_train(sealed, sealed_size, tos, df):
                done, self.errno = False, self._carriage.errno
        self._count()
        return done

    def receive_train(self) -> tuple[memoryview, int, int, Source] | None:
        """The next frames that were sent by a holder of the key."""
        for _ in range(AT_ONCE):
            got = self._carriage.receive_train()
            if got is None:
                return None
            view, length, size, source = got
            found = self._secure.open(bytes(view[:length]), size, source, monotonic())
            self._flush()
            if found:
                whole = b"".join(found)
                self._view[: len(whole)] = whole
                self.marks = [(len(whole), mark) for _, mark in self._carriage.marks]
                return self._view, len(whole), len(found[0]), source
        return None

    # Handshakes ------------------------------------------------------------------------------

    @property
    def parts(self) -> list[Pollable]:
        """The part that the loop of the relay serves besides."""
        return [Timer(self.due, self.tick)]

    def due(self, now: float) -> float:
        """Seconds until tick()."""
        return self._secure.due(now)

    def tick(self, now: float) -> None:
        """Handshakes, and datagrams that say nothing."""
        self._secure.tick(now)
        self._flush()

    def tell_marks(self) -> bool:
        """Those of the carriage, whose datagrams that come together have one mark."""
        return self._carriage.tell_marks()

    def send_marks(self, heeded: bool) -> None:
        """By the carriage."""
        self._carriage.send_marks(heeded)

    def _aim(self, target: Source | None) -> None:
        """Send to this address from now on."""
        if target is not None and self._carriage.peer != target:
            self._carriage.connect(target)

    def _flush(self) -> None:
        """Send what the key asks for."""
        for datagram, target in self._secure.outbox:
            self._aim(target)
            self._carriage.send_train(datagram, len(datagram))
        self._secure.outbox.clear()
        self._count()

    def _count(self) -> None:
        self._note()
        drops = self._secure.drops
        for reason, number in drops.items():
            if number:
                self._values[INDEXES[reason]] += number
                drops[reason] = 0

    def _note(self) -> None:
        """Note whether there are keys; the end that knows where its peer is asks for them."""
        secure, values = self._secure, self._values
        agreed = secure.established
        values[status.KEYS] = status.KEYS_AGREED if agreed else status.NO_KEYS_AGREED
        if not agreed and secure.peer is not None:
            status.asks(values)

    def failures(self) -> list[str]:
        """Those of the carriage."""
        return self._carriage.failures()

    def close(self) -> None:
        """Close the socket."""
        self._carriage.close()


def adopt(text: str, fd: int, words: Mapping[str, str], values: memoryview) -> Keyed:
    """The carriage of a line (``udp:7777``) with its ``key``, about a descriptor that is inherited
    and has no connection; the line says ``to`` whom. Raises UsageError, StateError."""
    carriage = roaming.adopt_roaming(text, fd)
    key = keys.read(words["key"])
    peer = words.get("to", PASSIVE)
    return Keyed(carriage, key, None if peer == PASSIVE else (peer, carriage.port), values)
