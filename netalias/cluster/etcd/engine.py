"""The Engine of a store (cluster/store.py) over several members of an etcd. It waits for nothing.

One member is asked at a time. It is left for the next one when it refuses a connection, ends one,
does not answer, or says that it cannot; what follows leaves it too. A request whose fate is unknown
is sent again where that changes nothing (messages.py), else its answer is Unreachable.
"""

from __future__ import annotations

from netalias import errors
from netalias.cluster.etcd import messages
from netalias.cluster.etcd.connection import Connection, Lost
from netalias.cluster.etcd.http import Malformed, Reader, request
from netalias.cluster.etcd.names import Names
from netalias.cluster.etcd.streams import Stream
from netalias.cluster.etcd.tasks import Link, Task
from netalias.cluster.store import (
    Answer,
    Compacted,
    Follow,
    Read,
    Refused,
    StoreError,
    Unreachable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from netalias.cluster.etcd.settings import Endpoint, Settings
    from netalias.cluster.store import Request, Result

# Seconds: until a connection is open; before a member is tried again when all have failed; until a
# token is there.
OPENING = 1.0
RETRY = 0.25
TOKEN = 10.0
LINKS = 16
"""Connections at most; further requests wait."""
FORGET = 7300.0
"""Seconds: twice the longest lifetime of an address, and some more."""
TRIES = 3
"""Tokens that one request may use up."""


class EtcdEngine:
    """The engine. *first* chooses the member that is asked first, so that hosts spread over them.

    An etcd that is not the one that has answered before is believed only when that one has given no
    answer for *forget* seconds: it may be another one by mistake, in which others find nothing of
    this host, or one from a backup, in which is again what has changed since.

    Without *patience* a request fails at once when all members refuse: it waits for those only that
    are silent. Raises StateError for files of *settings* that cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        first: int = 0,
        names: Names | None = None,
        forget: float = FORGET,
        *,
        patience: bool = True,
    ) -> None:
        self._settings = settings
        self._members: list[Endpoint] = settings.endpoints
        self._place = first % len(self._members)
        self._names = names or Names()
        self._number = 0
        self._queue: list[Task | Stream] = []
        self._links: dict[int, Link] = {}
        self._answers: list[Answer] = []
        self._trouble = ""
        self._identity = ""
        self._known = 0.0
        self._newest = 0
        self._replaced = False
        self._forget = forget
        self._patience = patience
        self._token = ""
        self._needs_token = settings.user() is not None
        self._authenticating: Task | None = None
        if any(one.secure for one in self._members):
            settings.tls()

    def send(self, request: Request, now: float, timeout: float) -> int:
        """The number of its answer."""
        self._number += 1
        if isinstance(request, Follow):
            self._queue.append(Stream(self._number, request, self._check))
        else:
            call = messages.call(request)
            self._queue.append(Task(self._number, request, call, now + timeout))
        self._start(now)
        return self._number

    def cancel(self, number: int) -> None:
        """End a Follow, or drop an answer."""
        self._queue = [one for one in self._queue if one.number != number]
        for link in list(self._links.values()):
            if link.owner is not None and link.owner.number == number:
                self._drop(link)
        self._answers = [one for one in self._answers if one.number != number]

    def answers(self) -> list[Answer]:
        """The answers that have come."""
        found, self._answers = self._answers, []
        return found

    def trouble(self) -> str:
        """The last failure."""
        return self._trouble

    def replaced(self) -> bool:
        """Whether another etcd, or one from a backup, is believed by now."""
        return self._replaced

    def member(self) -> str:
        """The URL of the member that is asked."""
        return self._members[self._place].text

    def wanted(self, now: float) -> dict[int, int]:
        """The descriptors of all connections, the idle ones too: their end is noticed."""
        found = {fileno: link.connection.wanted() for fileno, link in self._links.items()}
        return {**found, **self._names.wanted()}

    def due(self, now: float) -> float | None:
        """Seconds until something is overdue, or tried again."""
        times = [link.until for link in self._links.values() if link.owner is not None]
        for one in self._queue:
            if isinstance(one, Task):
                times.append(one.deadline)
            if one.before:
                times.append(one.before)
        return max(0.0, min(times) - now) if times else None

    def tick(self, now: float) -> None:
        """Give up what is overdue, and try again."""
        for link in list(self._links.values()):
            if link.owner is not None and now >= link.until and link.connection.fileno() >= 0:
                self._overdue(link, now)
        for one in list(self._queue):
            if isinstance(one, Task) and now >= one.deadline:
                self._queue.remove(one)
                self._finish(one, Unreachable(self._trouble or "no answer in time"))
        self._start(now)

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Go on with a connection."""
        link = self._links.get(fileno)
        if link is not None:
            self._serve(link, now)
        else:
            self._names.ready(fileno)
        self._start(now)

    def close(self) -> None:
        """Close all connections."""
        for link in list(self._links.values()):
            self._drop(link)
        self._queue.clear()
        self._answers.clear()
        self._names.close()

    # What is sent.

    def _start(self, now: float) -> None:
        """Start all that can be."""
        for one in list(self._queue):
            if one.before > now or one not in self._queue:
                continue
            one.before = 0.0  # from now on it waits for something else
            if self._needs_token and not self._token and one is not self._authenticating:
                self._authenticate(now)
                continue
            link = self._link(now, one)
            if link is not None:
                self._queue.remove(one)
                self._begin(link, one, now)

    def _link(self, now: float, owner: Task | Stream) -> Link | None:
        """A connection to the member that is asked; None where one has to wait."""
        for link in self._links.values():
            if link.owner is None and link.place == self._place:
                return link
        member = self._members[self._place]
        addresses = self._names.addresses(member.host, now)
        if addresses is None or len(self._links) >= LINKS:
            return None
        try:
            if not addresses:
                raise Lost("the name is not known")
            tls = self._settings.tls() if member.secure else None
            address = addresses[owner.tries // len(self._members) % len(addresses)]
            link = Link(Connection(address, member.port, tls, member.host), self._place)
        except (Lost, errors.StateError) as error:
            self._queue.remove(owner)
            self._failed(owner, self._place, str(error), now, sent=False, refused=True)
            return None
        self._links[link.connection.fileno()] = link
        return link

    def _begin(self, link: Link, owner: Task | Stream, now: float) -> None:
        """Send the next message of *owner*."""
        link.owner = owner
        link.reader = Reader()
        link.until = owner.until(now)
        if not link.connection.open:
            link.until = min(link.until, now + OPENING)
        if isinstance(owner, Task):
            path, body = owner.call.path, owner.call.body()
            owner.least = self._newest if path in messages.LINEARIZABLE else 0
        else:
            path, body = messages.WATCH, owner.body()
        token = self._token if path != messages.Authenticate.path else ""
        try:
            link.connection.send(request(self._members[link.place].authority, path, body, token))
        except Lost as error:
            self._lost(link, str(error), now, refused=True)

    def _authenticate(self, now: float) -> None:
        """Ask for a token, unless that is done."""
        if self._authenticating is not None:
            return
        try:
            found = self._settings.user()
        except errors.StateError as error:
            self._fail_all(Refused(str(error)))
            return
        call = messages.Authenticate(*found) if found else None
        if call is not None:
            self._authenticating = Task(0, None, call, now + TOKEN)
            self._queue.append(self._authenticating)
            self._start(now)

    # What comes back.

    def _serve(self, link: Link, now: float) -> None:
        opened = link.connection.open
        try:
            data = link.connection.ready()
            if link.owner is None:
                if data:
                    raise Lost("bytes that nobody has asked for")
                return
            if not opened and link.connection.open:
                link.until = link.owner.until(now)
            link.reader.feed(data)
            self._read(link, now)
        except Lost as error:
            self._ended(link, str(error), now)
        except Malformed as error:
            self._lost(link, str(error), now)

    def _ended(self, link: Link, words: str, now: float) -> None:
        """The connection has ended: perhaps with the end of an answer."""
        try:
            link.reader.end()
            if link.owner is None:
                self._drop(link)
            else:
                self._read(link, now)
        except Malformed as error:
            self._lost(link, words or str(error), now, refused=True)

    def _read(self, link: Link, now: float) -> None:
        """Take what there is of an answer. Raises Malformed."""
        owner, reader = link.owner, link.reader
        try:
            if isinstance(owner, Stream) and reader.status == 200:
                for result in owner.take(reader.take(), now):
                    if isinstance(result, Unreachable):
                        self._lost(link, str(result), now)
                        return
                    self._heard(owner, result)
                link.until = owner.until(now)
                if owner.over:
                    self._drop(link)
                elif reader.done:
                    self._lost(link, "the watch ended", now)
            elif reader.done and owner is not None:
                self._answered(link, owner, now)
        except messages.StaleToken as error:
            self._stale(link, str(error), now)

    def _answered(self, link: Link, owner: Task | Stream, now: float) -> None:
        """A whole answer is there. Raises Malformed, StaleToken."""
        data = link.reader.take()
        result: Result | str | None
        if link.reader.status != 200 or isinstance(owner, Stream):
            result = messages.failure(link.reader.status, data)
        else:
            fields = messages.parsed(data)
            self._check(fields, now, owner.least)
            result = owner.call.take(fields)
        if isinstance(result, Unreachable):
            self._lost(link, str(result), now)
            return
        self._release(link)
        if isinstance(owner, Stream):
            self._heard(owner, result)
        elif result is None:
            self._queue.insert(0, owner)
        elif isinstance(result, Compacted) and isinstance(owner.request, Read):
            owner.call = messages.call(owner.request)  # between two pages
            self._queue.insert(0, owner)
        else:
            self._finish(owner, result)

    def _check(self, fields: dict[str, Any], now: float, least: int = 0) -> None:
        """Check that an answer is of the etcd that has answered before, and of the revision *least*
        or a later one. Raises Malformed."""
        found, revision = messages.identity(fields) or self._identity, messages.revision(fields)
        foreign = found != self._identity and self._identity != ""
        if foreign or revision < least:
            if now < self._known + self._forget:
                which = f"{found}, not {self._identity}" if foreign else f"revision {revision}"
                raise Malformed(f"it belongs to another etcd, or to a backup ({which})")
            self._newest = 0
            self._replaced = True
        if revision >= self._newest:  # else it may be late, and shows nothing
            self._identity, self._known, self._newest = found, now, revision

    def _heard(self, stream: Stream, result: Result | str | None) -> None:
        """A result of a Follow, which an error ends."""
        assert not isinstance(result, str)
        assert result is not None
        stream.over = isinstance(result, StoreError)
        self._answers.append(Answer(stream.number, stream.request, result))

    def _finish(self, task: Task, result: Result | str) -> None:
        """The end of a task."""
        if task is self._authenticating:
            self._authenticated(result)
            return
        assert task.request is not None
        assert not isinstance(result, str)
        failed = isinstance(result, (Unreachable, Refused))
        self._trouble = (str(result) or "no answer") if failed else ""
        self._answers.append(Answer(task.number, task.request, result))

    def _authenticated(self, result: Result | str) -> None:
        """A token is there, or none is needed, or none is given."""
        self._authenticating = None
        if isinstance(result, str):
            self._token = result
        elif isinstance(result, Refused) and messages.NO_USERS in str(result):
            self._needs_token = False
        elif isinstance(result, StoreError) and (isinstance(result, Refused) or not self._patience):
            self._fail_all(result)

    def _fail_all(self, error: StoreError) -> None:
        """No token is to be had: nothing can be asked."""
        waiting, self._queue = self._queue, []
        for one in waiting:
            if isinstance(one, Task):
                self._finish(one, error)
            elif isinstance(error, Refused):
                self._heard(one, error)
            else:
                self._queue.append(one)

    # What goes wrong.

    def _stale(self, link: Link, words: str, now: float) -> None:
        """The token is not valid any more: nothing was done, and another one is asked for."""
        owner = link.owner
        self._drop(link)
        assert owner is not None
        self._token = ""
        self._needs_token = self._settings.has_user
        owner.tokens += 1
        if self._needs_token and owner.tokens < TRIES:
            owner.before = now
            self._queue.append(owner)
        elif isinstance(owner, Task):
            self._finish(owner, Refused(words))
        else:
            self._heard(owner, Refused(words))

    def _overdue(self, link: Link, now: float) -> None:
        owner = link.owner
        if isinstance(owner, Stream) and owner.created:
            self._drop(link)  # nothing has failed: it is opened again, in case that it is deaf
            owner.reopen(now)
            self._queue.append(owner)
        else:
            self._lost(link, "no answer", now)

    def _lost(self, link: Link, words: str, now: float, *, refused: bool = False) -> None:
        """A connection has failed, with what it was used for; *refused* tells that it has ended,
        and not only been silent."""
        owner, sent = link.owner, link.connection.open
        self._drop(link)
        if owner is not None:
            words = words or "the connection ended"
            self._failed(owner, link.place, words, now, sent=sent, refused=refused)

    def _failed(
        self,
        owner: Task | Stream,
        place: int,
        words: str,
        now: float,
        *,
        sent: bool,
        refused: bool,
    ) -> None:
        """Try again, at another member, or give up."""
        self._trouble = f"{self._members[place].text}: {words}"
        if place == self._place:
            self._leave(place, now)
        owner.tries += 1
        owner.refusals = owner.refusals + 1 if refused else 0
        owner.before = now if owner.tries % len(self._members) else now + RETRY
        if isinstance(owner, Stream):
            owner.reopen(owner.before)
            self._queue.append(owner)
        elif (
            now >= owner.deadline
            or (sent and not owner.call.repeatable)
            or (not self._patience and owner.refusals >= self._ways(now))
        ):
            self._finish(owner, Unreachable(self._trouble))
        else:
            self._queue.append(owner)

    def _ways(self, now: float) -> int:
        """The number of tries after which each address of each member has had one."""
        found = [self._names.addresses(one.host, now) or () for one in self._members]
        return len(self._members) * max(1, *map(len, found))

    def _leave(self, place: int, now: float) -> None:
        """Ask the next member from now on; nothing is followed at this one any more. An only member
        gets new connections: the path to it may have failed, and TCP waits ever longer then."""
        self._place = (place + 1) % len(self._members)
        for link in list(self._links.values()):
            owner = link.owner
            if link.place != place or isinstance(owner, Task):
                continue
            if owner is not None and not owner.created and place == self._place:
                continue  # that one is new
            self._drop(link)
            if owner is not None:
                owner.reopen(now)
                self._queue.append(owner)

    def _release(self, link: Link) -> None:
        """A connection is free, or of no further use."""
        link.owner = None
        spare = sum(one.owner is None and one.place == link.place for one in self._links.values())
        if not link.reader.lasting or spare > 1 or link.place != self._place:
            self._drop(link)

    def _drop(self, link: Link) -> None:
        self._links.pop(link.connection.fileno(), None)
        link.connection.close()
