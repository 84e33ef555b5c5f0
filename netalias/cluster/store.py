"""The store that the hosts of a cluster share: requests, answers, and the engine that sends them.

A store holds keys (text) with values (bytes). Each change raises its *revision* by one. An entry
knows the revisions of its first and of its last change, and may hang on a lease: it vanishes with
it. **A lease proves nothing to its holder** (it may live twice as long as asked for, or be
confirmed by a member that is cut off). Only a ``Change`` or ``Read`` that was answered decides, for
these are linearizable: the answer was true at some time between the sending and its arrival.

Requests are values. An engine takes them with ``send()``, which waits for nothing, and has their
answers in ``answers()``. Every request has exactly one answer, but ``Follow``, which has many and
ends with an error or with ``cancel()``. The result of an answer is a value of the request's kind
or a StoreError. There are two engines: cluster/memory.py and cluster/etcd/.
"""

from __future__ import annotations

from netalias import errors
from netalias.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

OPERATIONS = 128
"""Conditions, and operations, of one Change at most (``--max-txn-ops`` of etcd)."""

CREATED, MODIFIED = "create", "mod"
"""The revisions of an entry that a Condition can ask for."""


class StoreError(errors.NetaliasError):
    """A request that failed; raised by ask() alone, else the result of an answer."""

    about = "the store of the cluster"


class Unreachable(StoreError):
    """No answer in time, or no member that could give one. **Whether it was done is unknown**, and
    it may be done later: it is on its way, perhaps."""


class Refused(StoreError):
    """The store refuses, and will until somebody changes that: rights, a user, a limit. Nothing was
    done."""


class NoLease(StoreError):
    """The lease does not exist (any more). Nothing was done."""


class Compacted(StoreError):
    """Events from that revision on are forgotten: Read again, then Follow from there."""


class Entry(Value):
    """A key as it stands: its *value*, the revisions of its creation and of its last change, and
    its *lease*, 0 for none."""

    __slots__ = ("created", "key", "lease", "modified", "value")

    def __init__(self, key: str, value: bytes, created: int, modified: int, lease: int = 0) -> None:
        self.key = key
        self.value = value
        self.created = created
        self.modified = modified
        self.lease = lease


class Event(Value):
    """A change of a key at a *revision*: the *entry* as it stands then, None once it is deleted."""

    __slots__ = ("entry", "key", "revision")

    def __init__(self, key: str, revision: int, entry: Entry | None) -> None:
        self.key = key
        self.revision = revision
        self.entry = entry


class Condition(Value):
    """The CREATED or MODIFIED revision of *key* is *revision*; 0 is that of an absent key."""

    __slots__ = ("key", "revision", "which")

    def __init__(self, key: str, which: str, revision: int) -> None:
        self.key = key
        self.which = which
        self.revision = revision


class Put(Value):
    """Operation: *key* gets *value*, and hangs on *lease*, 0 for none."""

    __slots__ = ("key", "lease", "value")

    def __init__(self, key: str, value: bytes, lease: int = 0) -> None:
        self.key = key
        self.value = value
        self.lease = lease


class Delete(Value):
    """Operation: *key* goes, if it is there."""

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = key


class Grant(Value):
    """Request: a new lease of *ttl* seconds. Result: Granted, whose ttl may be longer."""

    __slots__ = ("ttl",)

    def __init__(self, ttl: int) -> None:
        self.ttl = ttl


class Renew(Value):
    """Request: the lease begins anew. Result: Granted, or NoLease."""

    __slots__ = ("lease",)

    def __init__(self, lease: int) -> None:
        self.lease = lease


class Revoke(Value):
    """Request: the lease ends now, and its keys with it. Result: Done, or NoLease."""

    __slots__ = ("lease",)

    def __init__(self, lease: int) -> None:
        self.lease = lease


class Read(Value):
    """Request: all entries whose keys begin with *prefix*, linearizable. Result: Snapshot."""

    __slots__ = ("prefix",)

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix


class Change(Value):
    """Request: one transaction. If all *conditions* hold, all *operations* are done, else none.

    Result: Done. At most OPERATIONS of each, and no key twice among the operations: ValueError.
    Without operations it only asks whether the conditions hold, linearizable as well.
    """

    __slots__ = ("conditions", "operations")

    def __init__(
        self, conditions: Iterable[Condition], operations: Iterable[Put | Delete] = ()
    ) -> None:
        self.conditions = tuple(conditions)
        self.operations = tuple(operations)
        if max(len(self.conditions), len(self.operations)) > OPERATIONS:
            raise ValueError(f"more than {OPERATIONS} conditions or operations")
        if len({one.key for one in self.operations}) < len(self.operations):
            raise ValueError("a key twice among the operations")


class Follow(Value):
    """Request: the events of all keys that begin with *prefix*, from *revision* on, that included.

    Results: Events, each whole revisions in their order; at last Compacted or Refused. An engine
    that loses its connection opens it again by itself from where it was: nothing is left out, but
    nobody is told that nothing comes. **A hint, no proof.**
    """

    __slots__ = ("prefix", "revision")

    def __init__(self, prefix: str, revision: int) -> None:
        self.prefix = prefix
        self.revision = revision


class Granted(Value):
    """Result: the *lease* and the seconds that it was given."""

    __slots__ = ("lease", "ttl")

    def __init__(self, lease: int, ttl: int) -> None:
        self.lease = lease
        self.ttl = ttl


class Done(Value):
    """Result: whether it was *done* (a Change whose conditions do not hold is not), and the
    revision of the store then. Entries that were put have this revision as ``modified``."""

    __slots__ = ("done", "revision")

    def __init__(self, done: bool, revision: int) -> None:
        self.done = done
        self.revision = revision


class Snapshot(Value):
    """Result: the *entries* by their keys, as they stood at *revision*."""

    __slots__ = ("entries", "revision")

    def __init__(self, revision: int, entries: Iterable[Entry]) -> None:
        self.revision = revision
        self.entries = {one.key: one for one in entries}


class Events(Value):
    """Result of Follow: some *events*, in the order of their revisions."""

    __slots__ = ("events",)

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = tuple(events)


class Answer(Value):
    """The answer to the request with this *number*."""

    __slots__ = ("number", "request", "result")

    def __init__(self, number: int, request: Request, result: Result) -> None:
        self.number = number
        self.request = request
        self.result = result


if TYPE_CHECKING:
    Request = Grant | Renew | Revoke | Read | Change | Follow
    Result = Granted | Done | Snapshot | Events | StoreError

    class Engine(Protocol):
        """A connection to a store. It is a Pollable (system/loop.py) as well: ``wanted``,
        ``ready``, ``due``, ``tick``; *now* is in seconds of one clock that does not go back."""

        def send(self, request: Request, now: float, timeout: float) -> int:
            """The number of its answer, which comes within *timeout* seconds: Unreachable then.
            A Follow has no end of time."""

        def cancel(self, number: int) -> None:
            """End a Follow; or drop the answer of another request, which may be done all the
            same."""

        def answers(self) -> list[Answer]:
            """The answers that have come since the last call, in their order."""

        def trouble(self) -> str:
            """A line on the failure of the last request; empty after one that was answered."""

        def replaced(self) -> bool:
            """Whether answers are of another store than before: nothing that is known of it holds,
            and revisions that were seen may come again for something else."""

        def member(self) -> str:
            """The member of the store that is asked, as people call it."""

        def wanted(self, now: float) -> dict[int, int]:
            """Descriptor: events of poll(2)."""

        def ready(self, fileno: int, events: int, now: float) -> None:
            """One of these descriptors has *events*."""

        def due(self, now: float) -> float | None:
            """Seconds until tick(); None for never."""

        def tick(self, now: float) -> object:
            """The time of due() has come."""

        def close(self) -> None:
            """Close all connections; no answer comes any more."""
