"""Declared lines that are no aliases: tasks, which go on for as long as they are declared.

::

    eth0 iface-alias kernel keep 3600 max 8
    vif0 198.51.100.7 to 203.0.113.9 carriage udp:7777

A keyword says which kind of task a line is; the module of each kind reads its words. Only such a
line loads this module: files of aliases pay nothing for it.
"""

from __future__ import annotations

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

SECOND = {
    "iface-alias": "netalias.desired.keeping",
    "proxy": "netalias.desired.following",
    "proxyall": "netalias.desired.following",
    "route": "netalias.desired.following",
}
"""Keyword that follows the name of a device: the module with a function ``read``."""
FIRST = {
    "alias": "netalias.desired.translating",
    "cluster": "netalias.desired.cluster",
    "float": "netalias.desired.floats",
    "pool": "netalias.desired.pools",
    "record": "netalias.desired.records",
    "relay": "netalias.desired.relays",
}
"""The same for keywords that begin a line."""
NUMBERED = {"vif": "netalias.desired.tunnels"}
"""The same for names of devices without their number, which begin a line."""
NOTHING: Mapping[str, str] = {}


class Task:
    """One line. ``subject`` is its device, or whatever else of its kind has one line only; ``main``
    the device that it concerns, empty for none."""

    keyword = ""
    watched = True
    """Whether nothing becomes of it unless a watcher runs."""
    on = ""
    """The device that answers for what it names, without which nothing becomes of it; empty for
    none."""
    lacks = ""
    """The line without which no watcher carries it out, if the files do not have that."""
    source = ""
    line = 0

    def __init__(self, subject: str, main: str = "") -> None:
        self.subject = subject
        self.main = main

    @property
    def key(self) -> tuple[str, str]:
        """The key that no other line may have."""
        return self.keyword, self.subject

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.source}:{self.line}"

    @property
    def title(self) -> str:
        """The words that name it in messages: ``eth0 iface-alias``."""
        words = [self.keyword, self.subject]
        return " ".join(words if self.keyword in FIRST else reversed(words))

    @property
    def text(self) -> str:
        """The line of its words()."""
        return " ".join(self.words())

    @property
    def restoring(self) -> str:
        """The command after which it holds again, where another one was asked for by hand."""
        return ""

    def apart_from(self, others: Iterable[Task]) -> None:
        """Check that no other task contradicts this one. Raises UsageError, StateError."""

    def lends(self, address: bytes) -> bool:
        """Whether it hands out a packed address, which no alias may have then."""
        return False

    def settle(self, others: Iterable[Task], slots: Mapping[str, Mapping[int, object]]) -> None:
        """Check, when all lines are read, that neither *others* nor the aliases with these *slots*
        by main device contradict it. Raises StateError."""

    def words(self) -> list[str]:
        """The words of a line that says the same, with nothing left open."""
        raise NotImplementedError

    def fields(self) -> dict[str, object]:
        """Its JSON object, without the place."""
        raise NotImplementedError


def read(words: list[str]) -> Task:
    """The task that the words of a line declare, without its place. Raises UsageError."""
    # A pool may be called as a word of SECOND; vif0 is a device, which may have such a line too.
    module = FIRST.get(words[0]) or SECOND.get("".join(words[1:2])) or _numbered(words[0])
    if not module:
        raise _unknown(words)
    reader: Callable[[list[str]], Task] = __import__(module, fromlist=["read"]).read
    return reader(words)


def _numbered(name: str) -> str:
    """The module for the lines of a device with this name; empty for none."""
    letters = name.rstrip("0123456789")
    return NUMBERED.get(letters, "") if letters != name else ""


def _unknown(words: list[str]) -> errors.BadName:
    from netalias.desired import nearest

    near = nearest(words[0], [*FIRST]) or nearest("".join(words[1:2]), [*SECOND])
    hint = "a file declares aliases: eth0:0 200.1.1.1/24; verbs belong to batch"
    return errors.BadName(
        f"{words[0]}: not an alias name", f"did you mean {near}?" if near else hint
    )


def objects(tasks: Iterable[Task]) -> list[dict[str, object]]:
    """The JSON objects of tasks, with their places."""
    return [one.fields() | {"place": one.place} for one in tasks]


def unwatched(
    tasks: Iterable[Task], carried_out: Callable[[], Collection[str]], only: str = ""
) -> list[Task]:
    """Those of *tasks* that wait for a watcher: their text is not among the lines that one carries
    out, which are asked for only if need be. With *only*, those that concern this device."""
    found = [one for one in tasks if one.watched and only in ("", one.main)]
    lines = carried_out() if found else ()
    return [one for one in found if one.text not in lines]


def waiting(tasks: Sequence[Task], by_hand: Mapping[str, str] = NOTHING) -> str:
    """A sentence on tasks that nobody carries out; empty without any. *by_hand* are the lines that
    were asked for by hand, by device. Tasks that give way to these are named where none waits."""
    if not tasks:
        return ""
    left = [one for one in tasks if by_hand.get(one.main, one.text) == one.text]
    named = left or tasks
    first, more = named[0], len(named) - 1
    rest = f" and {more} more {'lines' if more > 1 else 'line'}" if more else ""
    title = f"{first.title} ({first.place}){rest}"
    if left and first.lacks:
        return f"{first.title} ({first.place}) waits for a line {first.lacks}"
    if left:
        return f"{title} {'wait' if more else 'waits'} for a watcher (netalias watch)"
    verb = "give" if more else "gives"
    return f"{title} {verb} way to what was asked for by hand ({first.restoring})"
