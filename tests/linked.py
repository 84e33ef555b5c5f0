"""Links without devices: what one end sends the other receives, when the test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from select import POLLIN, POLLOUT

from netalias import errors
from netalias.links.devices import parse
from netalias.links.levels import LEVELS, Log
from netalias.links.link import Link
from netalias.links.opening import Opening
from netalias.links.session import Session, Terms
from netalias.links.state import LinkState


class Wire:
    """What is on its way to either end; ``cut``: nothing arrives."""

    def __init__(self) -> None:
        self.to: tuple[list[bytes], list[bytes]] = ([], [])
        self.cut = False


class MemoryLink(Link):
    """One *end* of a wire, 0 or 1."""

    def __init__(self, wire: Wire, end: int, kind: str = "tcp") -> None:
        super().__init__(LinkState("host:1", kind))
        self.wire = wire
        self.end = end
        self.level: bool | None = None
        self.closed = False

    def fileno(self) -> int:
        return 100 + self.end

    def events(self) -> int:
        return POLLIN

    def send(
        self, packets: Iterable[bytes | bytearray | memoryview], *, urgent: bool = False
    ) -> int:
        taken = [bytes(packet) for packet in packets]
        if not self.wire.cut:
            self.wire.to[1 - self.end].extend(taken)
        return len(taken)

    def receive(self) -> list[bytes]:
        found = list(self.wire.to[self.end])
        self.wire.to[self.end].clear()
        return found

    def carrier(self) -> bool | None:
        return self.level

    def close(self) -> None:
        self.closed = True


class End:
    """A session that is given links, its log, and the packets that it delivered."""

    def __init__(self, *words: str, content: int = 1, magic: int = 1, levels: str = "") -> None:
        self.links: dict[str, Callable[[], Link | None]] = {}
        self.lines: list[str] = []
        self.delivered: list[bytes] = []
        self.tried: list[str] = []
        chosen = frozenset(levels.split()) or frozenset(LEVELS) - {"physical", "sync"}
        self.session = Session(
            words,
            Terms(content),
            Log(lambda level, text: self.lines.append(f"{level}: {text}"), "l0", chosen),
            self.delivered.extend,
            make=self.make,
            magic=lambda: magic,
        )

    def make(self, word: str, greets: Callable[[bytes], bool]) -> Opening:
        """An opening whose link is that of ``links``; without one the device cannot be opened."""
        self.tried.append(word)
        if word not in self.links:
            raise errors.StateError(f"{word}: refused")
        opening = Opening(parse(word), greets)
        opening.link = self.links[word]()
        return opening

    def serve(self, now: float) -> None:
        """What the loop does: read, and do what is due."""
        link = self.session.link
        if isinstance(link, MemoryLink) and link.wire.to[link.end]:
            self.session.ready(link.fileno(), POLLIN | POLLOUT, now)
        due = self.session.due(now)
        if due is not None and due <= 0:
            self.session.tick(now)

    @property
    def phases(self) -> list[str]:
        """The changes of the phase, without the name."""
        return [one.removeprefix("phase: l0: ") for one in self.lines if one.startswith("phase: ")]


def pair(one: End, other: End, kind: str = "tcp") -> tuple[MemoryLink, MemoryLink]:
    """A wire between the first devices of two ends."""
    wire = Wire()
    links = MemoryLink(wire, 0, kind), MemoryLink(wire, 1, kind)
    one.links[one.session.words[0]] = lambda: links[0]
    other.links[other.session.words[0]] = lambda: links[1]
    return links


def served(ends: Iterable[End], now: float, rounds: int = 8) -> None:
    """Both ends, in turns, until nothing moves."""
    for _ in range(rounds):
        for end in ends:
            end.serve(now)
