"""Feeds: lines for many readers, each of which begins with a whole state.

A reader gets a line that says so, the lines of a state, a line that ends it, and from then on what
is added. Nothing waits for a reader. Its place in the log is all that is kept for it, besides one
chunk that is being sent; where the log is cut before it has caught up, it is told how many lines it
has lost, and begins with a state again. So the memory is bounded, however many readers there are
and however slow they are.
"""

from __future__ import annotations

from _socket import MSG_NOSIGNAL
from select import POLLERR, POLLHUP, POLLOUT
from time import process_time

from netalias import errors
from netalias.system.slots import ALL, EACH, ROOT, Accounts, crowding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Sequence
    from typing import Protocol

    class Texts(Protocol):
        """The lines of a feed, as bytes."""

        def line(self, item: Item) -> bytes:
            """The line of an item."""

        def begin(self, lost: int) -> bytes:
            """The one before a state, for a reader that has lost so many lines."""

        def end(self) -> bytes:
            """The one after a state."""

    Chunk = tuple[bytes, int, Sequence["Item"]]
    """Lines, the index of the next one, and the items that they are from."""


HELD = 8192
"""Lines in all logs together. Above it, the longest one is cut."""
REUSE = HELD // 4
"""A state that is so many lines old is not given to anybody else."""
CHUNK = 1 << 15
"""Bytes that are sent at once, and a line more."""
BUDGET = 0.02
"""Seconds of work in one turn of the loop: what is to be told is taken in between."""
ROOTS = 512
"""Readers of root."""
OTHERS = EACH // 4
"""Readers of another user; those of all others are a quarter of ALL."""


class Item:
    """A line that is made when the first reader gets it: ``kind`` is what readers choose by,
    ``what`` the thing that it tells, ``data`` the line once it is made."""

    __slots__ = ("data", "kind", "what")

    def __init__(self, kind: str, what: object) -> None:
        self.kind = kind
        self.what = what
        self.data = b""


class Reader:
    """A connection of the user *uid* that gets the lines of *kinds*.

    ``place`` is the number of the next line in the log; ``state`` is what it gets before, from
    ``cursor`` on. ``behind``: it is to begin with a state, ``begun``: it has begun with one before,
    and has ``lost`` lines since. ``pending`` is what the connection does not take yet, ``seen`` the
    time of the last byte.
    """

    __slots__ = (
        "begun", "behind", "connection", "cursor", "feed", "kinds", "lost", "pending", "place",
        "seen", "state", "uid",
    )  # fmt: skip

    waits = False
    """For slots.crowding(): it waits for nothing."""

    def __init__(
        self, connection: socket, uid: int, feed: Feed, kinds: frozenset[str], now: float
    ) -> None:
        self.connection = connection
        self.uid = uid
        self.feed = feed
        self.kinds = kinds
        self.seen = now
        self.begun, self.behind = False, True
        self.lost = self.cursor = 0
        self.place = feed.head
        self.state: Sequence[Item] | None = None
        self.pending = memoryview(b"")

    @property
    def current(self) -> bool:
        """Whether it has everything."""
        return (
            not (self.behind or self.pending)
            and self.state is None
            and self.place == self.feed.head
        )

    def wanted(self, items: Sequence[Item]) -> int:
        """The number of those that it wants."""
        return sum(item.kind in self.kinds for item in items)

    def miss(self) -> None:
        """Give up what it has not read yet: it begins with a state again."""
        self.behind, self.state = True, None


class Feed:
    """A log with its ``readers``. *capture* gives the items of the present state."""

    def __init__(self, capture: Callable[[], Sequence[Item]]) -> None:
        self.readers: list[Reader] = []
        self.log: list[Item] = []
        self._capture = capture
        self._first = 0
        self._state: Sequence[Item] = ()
        self._at = -1

    @property
    def head(self) -> int:
        """The number of the next line."""
        return self._first + len(self.log)

    def index(self, reader: Reader) -> int:
        """The place of a reader in ``log``."""
        return reader.place - self._first

    def begin(self, reader: Reader) -> int:
        """Have a reader begin with a state; the number of lines that it has lost by that."""
        if self._at < self._first or self.head - self._at > REUSE:
            self._state, self._at = self._capture(), self.head
        lost = reader.lost
        if reader.place < self._at:
            lost += reader.wanted(self.log[self.index(reader) : self._at - self._first])
        lost, reader.lost = lost if reader.begun else 0, 0
        reader.begun, reader.behind = True, False
        reader.state, reader.cursor, reader.place = self._state, 0, self._at
        return lost

    def trim(self) -> None:
        """Drop what all readers have, and those that begin with a state do not need."""
        reading = [reader for reader in self.readers if not reader.behind]
        if all(reader.state is None for reader in reading):
            self._state, self._at = (), -1
        self._drop(min((reader.place for reader in reading), default=self.head))

    def cut(self) -> None:
        """Drop the older half of the log, whoever has not read it."""
        self._drop(self._first + (len(self.log) + 1) // 2)

    def _drop(self, first: int) -> None:
        for reader in self.readers:
            if reader.place < first:
                reader.lost += reader.wanted(self.log[self.index(reader) : first - self._first])
                reader.place = first
                reader.miss()
        del self.log[: first - self._first]
        self._first = first


class Feeds:
    """All feeds and their readers; a Pollable (system/loop.py).

    *texts* makes the lines. *spent* counts seconds of work.
    """

    def __init__(self, texts: Texts, spent: Callable[[], float] = process_time) -> None:
        self._texts = texts
        self.accounts = Accounts()
        """The time that is spent for each user but root, whose readers are the programs of the
        host."""
        self._spent = spent
        self._readers: dict[int, Reader] = {}
        self._blocked: set[int] = set()
        self._turns: list[Reader] = []
        self._held = 0
        self._chunks: dict[tuple[int, int, frozenset[str]], Chunk] = {}

    def __len__(self) -> int:
        return len(self._readers)

    def admit(
        self,
        connection: socket,
        uid: int,
        feed: Feed,
        kinds: frozenset[str],
        now: float,
    ) -> None:
        """Make a connection of the user *uid* a reader. Raises StateError where that user has too
        many of them; where all have, one of those who have most goes."""
        most = ROOTS if uid == ROOT else OTHERS
        if sum(reader.uid == uid for reader in self._readers.values()) >= most:
            raise errors.StateError(f"this user has {most} subscriptions already")
        crowded = crowding(self._readers.values(), uid, ROOTS, ALL // 4)
        if crowded is not None:
            self._drop(crowded)
        connection.setblocking(False)
        reader = Reader(connection, uid, feed, kinds, now)
        self._readers[connection.fileno()] = reader
        feed.readers.append(reader)

    def add(self, feed: Feed, item: Item) -> None:
        """Add a line to a feed."""
        feed.log.append(item)
        self._held += 1
        if self._held > HELD:
            max(self._feeds(), key=lambda one: len(one.log)).cut()
            self._held = sum(len(one.log) for one in self._feeds())

    def miss(self) -> None:
        """Have all readers begin with a state again: the log lacks something."""
        for reader in self._readers.values():
            reader.miss()

    def close(self) -> None:
        """Hang up on all readers."""
        for reader in list(self._readers.values()):
            self._drop(reader)

    # A part of the loop

    def wanted(self, now: float) -> dict[int, int]:
        """POLLOUT where a connection takes no more, else only the end of it."""
        return {
            fileno: POLLOUT if fileno in self._blocked else 0
            for fileno, reader in self._readers.items()
            if fileno not in self._blocked or self.accounts.open(reader.uid, now)
        }

    def ready(self, fileno: int, events: int, now: float) -> None:
        """A connection takes more, or has ended."""
        reader = self._readers.get(fileno)
        if reader is None:
            return
        if events & (POLLHUP | POLLERR):
            self._drop(reader)
        self._blocked.discard(fileno)

    def due(self, now: float) -> float | None:
        """Seconds until tick(); None while all have everything, or take no more."""
        times = [self._until(reader, now) for reader in self._busy()]
        return max(0.0, min(times) - now) if times else None

    def tick(self, now: float) -> None:
        """Send, for BUDGET seconds at most; whoever comes too late is the first next time."""
        begin = self._spent()
        waiting = {id(reader) for reader in self._busy() if self._until(reader, now) <= now}
        turns = [reader for reader in self._turns if id(reader) in waiting]
        known = {id(reader) for reader in turns}
        turns += [one for one in self._busy() if id(one) in waiting - known]
        self._turns = turns
        last = begin
        while self._turns and last - begin < BUDGET:
            reader = self._turns.pop(0)
            if self._send(reader, now):
                self._turns.append(reader)
            end = self._spent()
            if reader.uid != ROOT:
                self.accounts.charge(reader.uid, end - last, now)
            last = end
        self._chunks.clear()
        for feed in self._feeds():
            feed.trim()
        self._held = sum(len(feed.log) for feed in self._feeds())

    def _busy(self) -> list[Reader]:
        """The readers to whom something can be sent."""
        return [
            reader
            for fileno, reader in self._readers.items()
            if fileno not in self._blocked and not reader.current
        ]

    def _until(self, reader: Reader, now: float) -> float:
        """The time from which on something is sent to a reader."""
        return now if reader.uid == ROOT else self.accounts.until(reader.uid)

    def _feeds(self) -> set[Feed]:
        return {reader.feed for reader in self._readers.values()}

    def _send(self, reader: Reader, now: float) -> bool:
        """Send a chunk to a reader; whether it may take more."""
        if not reader.pending:
            reader.pending = memoryview(self._chunk(reader))
        try:
            count = reader.connection.send(reader.pending, MSG_NOSIGNAL)
        except BlockingIOError:
            count = 0
        except OSError:
            self._drop(reader)  # it has gone: nobody is left to tell
            return False
        if count:
            reader.seen = now
            reader.pending = reader.pending[count:]
        if reader.pending:
            self._blocked.add(reader.connection.fileno())
            return False
        return not reader.current

    def _chunk(self, reader: Reader) -> bytes:
        """The next bytes for a reader: none, where none of the lines is for it."""
        feed = reader.feed
        if reader.behind:
            return self._texts.begin(feed.begin(reader))
        if reader.state is None:
            data, index = self._joined(feed.log, feed.index(reader), reader.kinds)
            reader.place += index - feed.index(reader)
            return data
        data, reader.cursor = self._joined(reader.state, reader.cursor, reader.kinds)
        if reader.cursor < len(reader.state):
            return data
        reader.state = None
        return data + self._texts.end()

    def _joined(
        self, items: Sequence[Item], index: int, kinds: frozenset[str]
    ) -> tuple[bytes, int]:
        """The lines from *index* on, as many as one chunk holds, and the index of the next one.
        Readers at the same place share it."""
        key = id(items), index, kinds
        found = self._chunks.get(key)
        if found is None:
            lines, size = [], 0
            while index < len(items) and size < CHUNK:
                item = items[index]
                index += 1
                if item.kind in kinds:
                    if not item.data:
                        item.data, item.what = self._texts.line(item), None
                    lines.append(item.data)
                    size += len(item.data)
            # The items are kept as well: others could get their place in memory.
            found = self._chunks[key] = b"".join(lines), index, items
        return found[:2]

    def _drop(self, reader: Reader) -> None:
        self._readers.pop(reader.connection.fileno(), None)
        self._blocked.discard(reader.connection.fileno())
        reader.feed.readers.remove(reader)
        if not reader.feed.readers:
            reader.feed.trim()
        reader.connection.close()
