"""A store in memory, with the faults of a real one on demand. For tests and for simulations.

A MemoryStore is the service, with a clock of its own; ``session()`` gives one Engine a host. It
works off by itself what is due, whenever somebody asks; nothing waits and nothing is random, so
the same calls give the same answers. Its leases are as those of etcd: ``change_leader()`` begins
them all anew, so that one may live almost twice as long, and they end ``late`` by some time.
"""

from __future__ import annotations

from bisect import bisect_left
from heapq import heappop, heappush

from netalias.cluster.store import (
    CREATED,
    Answer,
    Change,
    Compacted,
    Done,
    Entry,
    Event,
    Events,
    Follow,
    Grant,
    Granted,
    NoLease,
    Put,
    Read,
    Refused,
    Renew,
    Revoke,
    Snapshot,
    Unreachable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.cluster.store import Condition, Request, Result

CONFIRMING = 2.0
"""Seconds for which a leader that is cut off from its members still confirms leases (etcd 3.4)."""
NEVER = float("inf")


class _Lease:
    """A lease of *ttl* seconds that ends at *ends*."""

    __slots__ = ("ends", "ttl")

    def __init__(self, ttl: int, now: float) -> None:
        self.ttl = ttl
        self.ends = now + ttl


class MemoryStore:
    """The service. *clock* gives its seconds; *minimum* is the shortest lease that it grants, and
    a lease is found to be over *late* seconds afterwards.

    While it is ``down``, from stop() to start(), nothing arrives and no lease ends.
    """

    def __init__(self, clock: Callable[[], float], *, minimum: int = 1, late: float = 0.0) -> None:
        self._clock = clock
        self._minimum = minimum
        self._late = late
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._queued = 0
        self._leases: dict[int, _Lease] = {}
        self._granted = 0
        self._history: list[Event] = []
        self._times: list[float] = []
        self._revisions: list[int] = []
        self.now = clock()
        """The time up to which everything has happened."""
        self.down = False
        self.revision = 1
        self.compacted = 0
        """Events up to this revision are forgotten."""
        self.entries: dict[str, Entry] = {}

    def session(self) -> MemoryEngine:
        """An engine of its own."""
        return MemoryEngine(self)

    def change_leader(self) -> None:
        """The new leader begins all leases anew."""
        self.catch_up()
        self._begin_leases()

    def stop(self) -> None:
        """All members stop. What is there is kept, on their disks."""
        self.catch_up()
        self.down = True

    def start(self) -> None:
        """All members start again, and one of them becomes the leader."""
        self.catch_up()
        self._begin_leases()
        self.down = False

    def compact(self, revision: int = 0) -> None:
        """Forget the events up to *revision*; 0 for all."""
        self.catch_up()
        self.compacted = revision or self.revision
        count = bisect_left(self._revisions, self.compacted + 1)
        for one in (self._history, self._times, self._revisions):
            del one[:count]

    def catch_up(self) -> float:
        """Do all that is due by now, in its order; the time."""
        now = self._clock()
        while True:
            ending = NEVER if self.down else self._first_end()
            arriving = self._queue[0][0] if self._queue else NEVER
            if min(ending, arriving) > now:
                break
            if arriving <= ending:
                self.now = max(self.now, arriving)
                heappop(self._queue)[2]()
            else:
                self.now = max(self.now, ending)
                self._end_leases()
        self.now = now
        return now

    def at(self, when: float, work: Callable[[], None]) -> None:
        """Call *work* at a time."""
        self._queued += 1
        heappush(self._queue, (when, self._queued, work))

    def next(self) -> float:
        """Seconds until something happens by itself; infinite for never."""
        ending = NEVER if self.down else self._first_end()
        arriving = self._queue[0][0] if self._queue else NEVER
        return max(0.0, min(ending, arriving) - self._clock())

    def events(self, prefix: str, since: int, until: float) -> tuple[list[Event], int]:
        """The events from the revision *since* on that happened by a time, and the revision to go
        on with."""
        found, upcoming = [], since
        for index in range(bisect_left(self._revisions, since), len(self._history)):
            if self._times[index] > until:
                break
            upcoming = self._revisions[index] + 1
            if self._history[index].key.startswith(prefix):
                found.append(self._history[index])
        return found, upcoming

    def execute(self, request: Request) -> Result:
        """Do a request now."""
        return _WORK[type(request)](self, request)

    def grant(self, request: Grant) -> Result:
        """A new lease."""
        self._granted += 1
        ttl = max(self._minimum, request.ttl)
        self._leases[self._granted] = _Lease(ttl, self.now)
        return Granted(self._granted, ttl)

    def renew(self, request: Renew) -> Result:
        """The lease begins anew."""
        lease = self._leases.get(request.lease)
        if lease is None:
            return _no_lease(request.lease)
        lease.ends = self.now + lease.ttl
        return Granted(request.lease, lease.ttl)

    def revoke(self, request: Revoke) -> Result:
        """The lease ends now."""
        if request.lease not in self._leases:
            return _no_lease(request.lease)
        self._end(request.lease)
        return Done(True, self.revision)

    def read(self, request: Read) -> Result:
        """The entries, sorted by key."""
        prefix = request.prefix
        found = [one for key, one in self.entries.items() if key.startswith(prefix)]
        return Snapshot(self.revision, sorted(found, key=lambda entry: entry.key))

    def change(self, request: Change) -> Result:
        """A transaction: one revision for all that changes."""
        if not all(map(self._holds, request.conditions)):
            return Done(False, self.revision)
        for one in request.operations:
            if isinstance(one, Put) and one.lease and one.lease not in self._leases:
                return _no_lease(one.lease)
        revision = self.revision + 1
        for one in request.operations:
            if isinstance(one, Put):
                former = self.entries.get(one.key)
                created = revision if former is None else former.created
                self._put(Entry(one.key, one.value, created, revision, one.lease))
            elif one.key in self.entries:
                self._delete(one.key, revision)
        return Done(True, self.revision)

    def _holds(self, condition: Condition) -> bool:
        entry = self.entries.get(condition.key)
        if entry is None:
            return condition.revision == 0
        revision = entry.created if condition.which == CREATED else entry.modified
        return revision == condition.revision

    def _put(self, entry: Entry) -> None:
        self.entries[entry.key] = entry
        self._note(Event(entry.key, entry.modified, entry))

    def _delete(self, key: str, revision: int) -> None:
        del self.entries[key]
        self._note(Event(key, revision, None))

    def _note(self, event: Event) -> None:
        self.revision = event.revision
        self._history.append(event)
        self._times.append(self.now)
        self._revisions.append(event.revision)

    def _first_end(self) -> float:
        ends = [lease.ends for lease in self._leases.values()]
        return min(ends) + self._late if ends else NEVER

    def _begin_leases(self) -> None:
        for lease in self._leases.values():
            lease.ends = self.now + lease.ttl

    def _end_leases(self) -> None:
        for number, lease in list(self._leases.items()):
            if lease.ends + self._late <= self.now:
                self._end(number)

    def _end(self, number: int) -> None:
        """A lease goes, and all its keys with it, in one revision."""
        del self._leases[number]
        revision = self.revision + 1
        for key in [key for key, one in self.entries.items() if one.lease == number]:
            self._delete(key, revision)


class MemoryEngine:
    """The engine of one host (store.Engine). Its faults are attributes, of which any may be set at
    any time:

    ``there`` and ``back`` are the seconds that a request and an answer take, and so does an event,
    which comes at once if ``early``: before the answer to what it tells of. ``cut``: nothing gets
    through in either direction. ``mute``: requests arrive and are done, answers are lost.
    ``deaf``: a Follow is silent. ``isolated`` is the time since which its member, the leader, has
    been cut off from the others: it still confirms leases for CONFIRMING seconds, in vain, and
    answers nothing else. ``refused``: words with which everything is refused. ``other``: the store
    is said to be another one than before.

    A request gets through or not when it is sent, its answer when it was done.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._number = 0
        self._waiting: dict[int, tuple[Request, float]] = {}
        self._following: dict[int, tuple[Follow, int]] = {}
        self._inbox: list[Answer] = []
        self._trouble = ""
        self.there = self.back = 0.0
        self.early = self.cut = self.mute = self.deaf = self.other = False
        self.isolated: float | None = None
        self.refused = ""
        self.sent = 0
        """Requests so far."""

    def send(self, request: Request, now: float, timeout: float) -> int:
        """The number of its answer."""
        self._store.catch_up()
        self._number += 1
        self.sent += 1
        number = self._number
        if isinstance(request, Follow):
            self._following[number] = request, request.revision
            return number
        self._waiting[number] = request, now + timeout
        if not self._lost():
            self._store.at(self._store.now + self.there, lambda: self._arrive(number, request))
        return number

    def cancel(self, number: int) -> None:
        """End a Follow, or drop an answer."""
        self._following.pop(number, None)
        self._waiting.pop(number, None)
        self._inbox = [one for one in self._inbox if one.number != number]

    def answers(self) -> list[Answer]:
        """The answers that have come."""
        self._store.catch_up()
        for number in list(self._following):
            self._listen(number)
        found, self._inbox = self._inbox, []
        return found

    def trouble(self) -> str:
        """The last failure."""
        return self._trouble

    def replaced(self) -> bool:
        """Whether ``other`` was set."""
        return self.other

    def member(self) -> str:
        """There is only one."""
        return "memory"

    def wanted(self, now: float) -> dict[int, int]:
        """No descriptors."""
        return {}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Nothing."""

    def due(self, now: float) -> float | None:
        """Seconds until an answer can come, or is overdue."""
        self._store.catch_up()
        if self._inbox or any(self._upcoming(number) for number in self._following):
            return 0.0
        waits = [deadline - now for _, deadline in self._waiting.values()]
        waits.append(self._store.next())
        first = max(0.0, min(waits))
        return None if first == NEVER else first

    def tick(self, now: float) -> None:
        """Requests whose time is over have failed."""
        self._store.catch_up()
        overdue = [number for number, (_, deadline) in self._waiting.items() if now >= deadline]
        for number in overdue:
            self._answer(number, Unreachable("no answer in time"))

    def close(self) -> None:
        """No answer comes any more."""
        self._waiting.clear()
        self._following.clear()
        self._inbox.clear()

    def _lost(self) -> bool:
        return self.cut or self._store.down

    def _arrive(self, number: int, request: Request) -> None:
        """The request is at the store now."""
        if self._store.down:
            return
        if self.isolated is not None:
            self._confirm(number, request, self.isolated)
            return
        refused = Refused(self.refused) if self.refused else None
        result = refused or self._store.execute(request)
        if not (self.cut or self.mute):
            self._later(number, result)

    def _confirm(self, number: int, request: Request, since: float) -> None:
        """The answer of a leader that is alone and does not know it yet."""
        if isinstance(request, Renew) and self._store.now < since + CONFIRMING:
            self._later(number, Granted(request.lease, 0))

    def _later(self, number: int, result: Result) -> None:
        self._store.at(self._store.now + self.back, lambda: self._answer(number, result))

    def _answer(self, number: int, result: Result) -> None:
        """The answer is here now, unless nobody waits for it any more."""
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            self._trouble = str(result) if isinstance(result, (Unreachable, Refused)) else ""
            self._inbox.append(Answer(number, waiting[0], result))

    def _upcoming(self, number: int) -> bool:
        """Whether a Follow has something to tell."""
        request, since = self._following[number]
        if self._silent():
            return False
        return since <= self._store.compacted or bool(self._heard(request, since)[0])

    def _silent(self) -> bool:
        return self._lost() or self.deaf or self.isolated is not None

    def _heard(self, request: Follow, since: int) -> tuple[list[Event], int]:
        back = 0.0 if self.early else self.back
        return self._store.events(request.prefix, since, self._store.now - back)

    def _listen(self, number: int) -> None:
        """Take what a Follow has to tell."""
        request, since = self._following[number]
        if self._silent():
            return
        ended: Result | None = None
        if self.refused:
            ended = Refused(self.refused)
        elif since <= self._store.compacted or since > self._store.revision + 1:
            ended = Compacted(f"events from revision {since} on are not there")
        if ended is not None:
            del self._following[number]
            self._inbox.append(Answer(number, request, ended))
            return
        found, upcoming = self._heard(request, since)
        self._following[number] = request, upcoming
        if found:
            self._inbox.append(Answer(number, request, Events(found)))


def _no_lease(number: int) -> NoLease:
    return NoLease(f"lease {number} does not exist")


_WORK: dict[type, Callable[..., Result]] = {
    Grant: MemoryStore.grant,
    Renew: MemoryStore.renew,
    Revoke: MemoryStore.revoke,
    Read: MemoryStore.read,
    Change: MemoryStore.change,
}
