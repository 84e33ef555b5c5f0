"""The place of a host in its cluster: a lease, a key that hangs on it, and proofs. Pure.

A registration begins with the key of the host, which only one of its name can make. It lasts for as
long as the key is there: a lease that is renewed keeps it, and a transaction that depends on it
proves it. That a lease was renewed proves nothing.
"""

from __future__ import annotations

from netalias.cluster import fence
from netalias.cluster.records import Host
from netalias.cluster.store import (
    CREATED,
    MODIFIED,
    Change,
    Condition,
    Done,
    Grant,
    Granted,
    NoLease,
    Put,
    Renew,
    Revoke,
    StoreError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from netalias.cluster.outbox import Asked, Outbox
    from netalias.cluster.records import Keys, Spread
    from netalias.cluster.store import Result
    from netalias.cluster.view import View

    class Tokens(Protocol):
        """The tokens of the agents of one network namespace (cluster/tokens.py). Calling it
        makes a token that nobody else has."""

        @property
        def former(self) -> Sequence[str]:
            """The tokens of the agents before this one."""

        @property
        def registrations(self) -> Sequence[int]:
            """The registrations of the agents before this one."""

        def __call__(self) -> str: ...

        def register(self, registration: int) -> None:
            """The last token is that of a registration."""


LONG_AGO, NEVER = float("-inf"), float("inf")
AGAIN = 0.5
"""Seconds before a request that failed is sent again."""
RENEWALS = 2
"""A lease is renewed when the first of so many parts of it is over. No address depends on it, as on
a proof: it may come later than that."""
TIMEOUTS = (0.5, 2.0)
"""The least and the most seconds that a request waits for its answer, a fifth of the lifetime."""


class Settings:
    """The line ``cluster``: the name of this *node*, its *weight*, the seconds of the lifetime of
    its addresses (*ttl*), and the *release* of netalias."""

    __slots__ = ("node", "release", "ttl", "weight")

    def __init__(self, node: str, weight: int, ttl: int, release: str = "") -> None:
        self.node = node
        self.weight = weight
        self.ttl = ttl
        self.release = release

    @property
    def timeout(self) -> float:
        """Seconds that a request waits for its answer."""
        return max(TIMEOUTS[0], min(TIMEOUTS[1], self.ttl / 5))


class Membership:
    """The registration of this host. ``created`` is its number, 0 without one; ``former`` are those
    of this network namespace that have ended. ``proof`` is when the last proof was sent.
    """

    def __init__(
        self,
        settings: Settings,
        keys: Keys,
        view: View,
        outbox: Outbox,
        tokens: Tokens,
    ) -> None:
        self._settings = settings
        self._key = keys.host(settings.node)
        self._view = view
        self._outbox = outbox
        self._tokens = tokens
        self._own = set(tokens.former)
        self.token = tokens()
        self.pools: Mapping[str, Spread] = {}
        self.created = 0
        self.former = set(tokens.registrations)
        self.proof = LONG_AGO
        self.leaving = False
        """Whether this host is to get nothing any more: its key tells a weight of 0 then."""
        self.refused = False
        """Whether another live host has the name."""
        self.lost = ""
        """The failure of the last request; empty after one that was answered."""
        self._lease = 0
        self._asking: Asked | None = None
        self._renewing: Asked | None = None
        self._next_proof = self._next_renewal = self._retry = LONG_AGO
        self._answered = LONG_AGO
        """The time of the last answer that was none of a failure."""
        self._put = 0
        self._told: Host | None = None

    @property
    def until(self) -> float:
        """The time at which all addresses of this host have to be gone."""
        return fence.end(self.proof, self._settings.ttl)

    @property
    def condition(self) -> Condition:
        """The condition that makes a proof of a transaction."""
        return Condition(self._key, CREATED, self.created)

    def valid(self, now: float) -> bool:
        """Whether addresses may stand here."""
        return self.created > 0 and now < self.until

    def prove(self) -> None:
        """Send a proof as soon as possible."""
        self._next_proof = LONG_AGO

    def proven(self, asked: Asked) -> None:
        """A transaction with ``condition`` was done."""
        self.proof = max(self.proof, asked.made)
        self._next_proof = max(self._next_proof, asked.made + fence.every(self._settings.ttl))

    def work(self, now: float) -> None:
        """Send the requests that are due."""
        if self.created:
            self._stay(now)
        elif self._asking is None and now >= self._retry:
            self._join(now)

    def due(self) -> float:
        """The time of the next work(); it has come for one before now."""
        if not self.created:
            return self._retry if self._asking is None and not self.refused else NEVER
        times = [NEVER]
        if self._asking is None:
            times.append(LONG_AGO if self._unpublished() else self._next_proof)
        if self._renewing is None:
            times.append(self._next_renewal)
        return max(self._retry, min(times))

    def leave(self, now: float) -> None:
        """End the registration, when nothing is held any more."""
        if self._lease:
            self._ask(Revoke(self._lease), now, self._ignored)
        self._drop()  # without a token for another one: the file may be the next agent's by now

    @property
    def timeout(self) -> float:
        """Seconds that a request waits for its answer."""
        return self._settings.timeout

    @property
    def told(self) -> bool:
        """Whether the key tells what it should, or nothing can be told: there is none, or the store
        does not answer."""
        return not self.created or bool(self.lost) or not (self._asking or self._unpublished())

    @property
    def trouble(self) -> str:
        """The reason why this host proves nothing; empty for none."""
        name = self._settings.node
        return self.lost or (f"another host is in the cluster as {name}" if self.refused else "")

    def _join(self, now: float) -> None:
        """The next step towards a registration."""
        seen = self._view.hosts.get(self._settings.node)
        refused, self.refused = self.refused, False
        if seen is None and not self._lease:
            self._asking = self._ask(Grant(self._settings.ttl), now, self._granted)
        elif seen is None:
            condition = Condition(self._key, CREATED, 0)
            put = Put(self._key, self._record().value(), self._lease)
            self._asking = self._ask(Change([condition], [put]), now, self._registered)
        elif seen.host is not None and seen.host.instance == self.token:
            self._begin(seen.created)
        elif seen.host is not None and seen.host.instance in self._own and seen.lease:
            self.former.add(seen.created)
            self._asking = self._ask(Revoke(seen.lease), now, self._revoked)
        else:
            self.refused = True
            if not refused:
                text = f"{self.trouble}: nothing is taken until it goes"
                text += " (node NAME in the line cluster gives this one another name)"
                self._outbox.note(text, error=True)

    def _stay(self, now: float) -> None:
        """Renew and prove what is due; find out that the key has gone."""
        seen = self._view.hosts.get(self._settings.node)
        gone = seen is None or seen.created != self.created
        if gone and self._view.revision >= self.created:
            self._end("its key has gone")
            self._join(now)
            return
        if self._renewing is None and now >= max(self._next_renewal, self._retry):
            self._renewing = self._ask(Renew(self._lease), now, self._renewed)
        if self._asking is not None or now < self._retry:
            return
        if now >= self._next_proof:
            self._asking = self._ask(Change([self.condition]), now, self._proved)
        elif self._unpublished():
            assert seen is not None
            same = Condition(self._key, MODIFIED, seen.modified)
            record = self._record()
            put = Put(self._key, record.value(), self._lease)

            def then(asked: Asked, result: Result, now: float) -> None:
                self._published(asked, result, now, record)

            self._asking = self._ask(Change([self.condition, same], [put]), now, then)

    def _unpublished(self) -> bool:
        """Whether the key is known to tell something else than it should."""
        seen = self._view.hosts.get(self._settings.node)
        if seen is None or seen.created != self.created or seen.modified < self._put:
            return False
        # What was put stands there, however it reads: it would be put again and again.
        found = self._told if seen.modified == self._put else seen.host
        return found != self._record()

    def _record(self) -> Host:
        one = self._settings
        weight = 0 if self.leaving else one.weight
        return Host(self.token, weight, self.pools, one.release)

    def _granted(self, asked: Asked, result: Result, now: float) -> None:
        self._asking = None
        if self._failed(asked, result, now) or not isinstance(result, Granted):
            return
        self._lease = result.lease
        self._next_renewal = asked.made + self._settings.ttl / RENEWALS
        self._join(now)

    def _registered(self, asked: Asked, result: Result, now: float) -> None:
        self._asking = None
        if isinstance(result, NoLease):
            self._forget()
        if self._failed(asked, result, now) or not isinstance(result, Done):
            return
        if result.done:
            self._begin(result.revision)
            self.proven(asked)
        else:  # the key has come meanwhile: its event tells whose it is
            self._retry = now + AGAIN

    def _begin(self, created: int) -> None:
        """The key is there, and it is ours."""
        self._tokens.register(created)
        self.created = created
        self._next_proof = LONG_AGO
        self._outbox.note(f"{self._settings.node} is in the cluster")

    def _revoked(self, asked: Asked, result: Result, now: float) -> None:
        self._asking = None
        if not isinstance(result, NoLease):
            self._failed(asked, result, now)
        self._retry = now + AGAIN  # the event of the key comes

    def _renewed(self, asked: Asked, result: Result, now: float) -> None:
        self._renewing = None
        if isinstance(result, NoLease):
            self.prove()
            self._next_renewal = now + self._settings.ttl / RENEWALS
        elif not self._failed(asked, result, now):
            self._next_renewal = asked.made + self._settings.ttl / RENEWALS

    def _proved(self, asked: Asked, result: Result, now: float) -> None:
        self._asking = None
        if isinstance(result, Done) and not result.done:
            self._end("its key has gone")
            self._retry = now
        if not self._failed(asked, result, now) and isinstance(result, Done) and result.done:
            self.proven(asked)

    def _published(self, asked: Asked, result: Result, now: float, record: Host) -> None:
        """The key tells something else now. It may not be ours any more if it does not: a proof
        decides. A request that was given up, and arrives late, changes nothing."""
        self._asking = None
        if self._failed(asked, result, now) or not isinstance(result, Done):
            return
        if result.done:
            self._put, self._told = result.revision, record
            self.proven(asked)
        else:
            self.prove()
            self._retry = now + AGAIN

    def _end(self, why: str) -> None:
        """The registration has ended: what is held stands for the rest of its lifetime."""
        self._outbox.note(f"{self._settings.node} is out of the cluster: {why}", error=True)
        self._forget()

    def _forget(self) -> None:
        """Begin anew, as another registration on another lease."""
        self._own.add(self.token)
        self.token = self._tokens()
        self._drop()

    def _drop(self) -> None:
        """The registration and the lease are over."""
        if self.created:
            self.former.add(self.created)
        self.created = self._lease = 0
        self.proof = LONG_AGO
        for one in (self._asking, self._renewing):
            if one is not None:
                self._outbox.cancel(one)
        self._asking = self._renewing = None

    def _failed(self, asked: Asked, result: Result, now: float) -> bool:
        """Whether a request failed; it is sent again a little later. One that was made before
        another was answered tells nothing of the store."""
        failed = isinstance(result, StoreError)
        if failed:
            self._retry = now + AGAIN
            self.lost = str(result) if asked.made >= self._answered else self.lost
        else:
            self.lost, self._answered = "", now
        return failed

    def _ignored(self, asked: Asked, result: Result, now: float) -> None:
        """Nothing depends on the answer."""

    def _ask(
        self, request: Change | Grant | Renew | Revoke, now: float,
        then: Callable[[Asked, Result, float], None],
    ) -> Asked:  # fmt: skip
        return self._outbox.ask(request, now, self._settings.timeout, then)
