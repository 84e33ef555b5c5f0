"""Messages between the agent, which talks to the store, and the watcher, which has the kernel.

::

    take 1234.567 web/10.0.0.1 web/10.0.0.2        orders, of the agent
    extend 1237.9
    receive 1234.567 web/10.0.0.5
    release web/10.0.0.1
    check web/10.0.0.3
    forget
    stands web/10.0.0.1                            reports, of the watcher
    gone 3 web/10.0.0.1
    checked web/10.0.0.3
    taken web/10.0.0.4

One line a message. An address is named by its pool and its usual text. They are carried out in
their order. Pure.
"""

from __future__ import annotations

from netalias import errors
from netalias.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Key = tuple[str, str]
    """The name of a pool, and an address of it."""

KEYS_MAX = 1000
"""Addresses of a line at most: one of more than system.lines.LINE_MAX bytes ends the link."""


class Message(Value):
    """A word and the addresses that it concerns."""

    __slots__ = ("keys",)
    word = ""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self.keys = tuple(keys)

    def line(self) -> str:
        """The line of it, without the end."""
        return " ".join([self.word, *map("/".join, self.keys)])


class Timed(Message):
    """A message with a time at which addresses have to be gone: *until* (CLOCK_BOOTTIME)."""

    __slots__ = ("keys", "until")

    def __init__(self, until: float, keys: Iterable[Key] = ()) -> None:
        super().__init__(keys)
        self.until = until

    def line(self) -> str:
        """The line of it, without the end."""
        return " ".join([self.word, repr(self.until), *map("/".join, self.keys)])


class Take(Timed):
    """Order: make these addresses, or let them stand, until a time; announce those that are new.

    From now on they are ours: one that goes is made again, as long as the time has not come. None
    may be made, or told to stand longer, when it has.
    """

    __slots__ = ()
    word = "take"


class Receive(Take):
    """Order: take addresses that nobody else has: their holder has given them up, or they are this
    host's from before. They answer at once: the kernel need not find out whether they are unique.
    """

    __slots__ = ()
    word = "receive"


class Extend(Timed):
    """Order: all that are ours stand until a time. One that has gone is not made by this."""

    __slots__ = ()
    word = "extend"


class Release(Message):
    """Order: remove these addresses; they are no longer ours. Gone is reported once the kernel has
    confirmed it, at once for one that is not there."""

    __slots__ = ()
    word = "release"


class Forget(Message):
    """Order: none of the addresses is ours any more. Those that stand go on for the rest of their
    lifetimes; none is made again, nor told to stand longer, unless it is taken once more."""

    __slots__ = ()
    word = "forget"


class Check(Message):
    """Order: ask the segment whether another host answers for these addresses. Checked is reported
    for those that are free, and Taken for the others."""

    __slots__ = ()
    word = "check"


class Stands(Message):
    """Report: these addresses stand here, with a lifetime, from before; they are not ours yet.
    Those that are not by their keys in the store are released."""

    __slots__ = ()
    word = "stands"


class Gone(Message):
    """Report: these addresses are not in the kernel, after the first *done* orders of this
    connection were carried out; none of these is left that would make them.

    It answers Release, and tells as well of an address that has run out, that could not be made, or
    that another host has won.
    """

    __slots__ = ("done", "keys")
    word = "gone"

    def __init__(self, done: int, keys: Iterable[Key] = ()) -> None:
        super().__init__(keys)
        self.done = done

    def line(self) -> str:
        """The line of it, without the end."""
        return " ".join([self.word, str(self.done), *map("/".join, self.keys)])


class Checked(Message):
    """Report: nobody answers for these addresses."""

    __slots__ = ()
    word = "checked"


class Taken(Message):
    """Report: another host answers for these addresses, or they cannot stand here."""

    __slots__ = ()
    word = "taken"


MESSAGES: dict[str, type[Message]] = {
    one.word: one
    for one in (Take, Receive, Extend, Release, Check, Forget, Stands, Gone, Checked, Taken)
}


def parts(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """The keys in parts, each of which goes into one message."""
    for at in range(0, len(keys), KEYS_MAX):
        yield keys[at : at + KEYS_MAX]


def parse(line: str) -> Message:
    """The message of a line. Raises PacketError."""
    word, *rest = line.split(" ")
    kind = MESSAGES.get(word)
    try:
        if kind is not None and issubclass(kind, Timed):
            return kind(_time(rest[0]), map(_key, rest[1:]))
        if kind is Gone:
            return Gone(int(rest[0]), map(_key, rest[1:]))
        if kind is not None:
            return kind(map(_key, rest))
    except (IndexError, ValueError):
        pass
    raise errors.PacketError(f"{line[:80]}: not a message of the cluster")


def _time(text: str) -> float:
    found = float(text)
    if not 0.0 <= found < float("inf"):
        raise ValueError(text)
    return found


def _key(text: str) -> Key:
    pool, slash, address = text.partition("/")
    if not (pool and slash and address):
        raise ValueError(text)
    return pool, address
