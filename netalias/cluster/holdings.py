"""The addresses of one host: taken, held, given up and freed, each by a transaction. Pure.

An address is ours while its key in the store names the present registration. The way of one here:

::

    CHECKING > CLEAR > ASKED > HELD > LEAVING > LEFT > (nothing)

CHECKING asks the segment; CLEAR has been free there, FOREIGN has not; ASKED waits for the answer of
the store; HELD may stand in the kernel until the fence; LEAVING was ordered to go; LEFT has gone
from the kernel and is to be freed in the store. An address that was LEFT is not held again before a
new transaction has changed its key: the one that frees it may be on its way for long.

Several transactions may be on their way, each with addresses of its own: none depends on what
another one changes. What one has proved is held by its own answer, and by no other.
"""

from __future__ import annotations

from netalias.cluster.moves import Moves
from netalias.cluster.orders import (
    Check,
    Checked,
    Extend,
    Forget,
    Gone,
    Receive,
    Release,
    Stands,
    Take,
    Taken,
    parts,
)
from netalias.cluster.records import Owner
from netalias.cluster.rights import Rights
from netalias.cluster.store import MODIFIED, OPERATIONS, Change, Condition, Done, Put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from netalias.cluster.membership import Membership, Settings
    from netalias.cluster.orders import Key, Message
    from netalias.cluster.outbox import Asked, Outbox
    from netalias.cluster.records import Keys, Spread
    from netalias.cluster.store import Result
    from netalias.cluster.view import View

NEVER = float("inf")
CHECKING, CLEAR, FOREIGN, ASKED, HELD, LEAVING, LEFT = (
    "checking", "clear", "foreign", "asked", "held", "leaving", "left",
)  # fmt: skip
FRESH = 5.0
"""Seconds for which an address that nobody answered for counts as free."""
PATIENCE = 30.0
"""Seconds before an address is checked again because nothing was reported of it."""
UNFIT = 10.0
"""Seconds before an address that could not be held is taken again."""
ASIDE = {CHECKING: PATIENCE, CLEAR: FRESH, FOREIGN: UNFIT}
"""States of addresses that are neither ours nor on their way, with the seconds that each lasts: no
longer than until their holder gives them up, since that replaces what the link says."""
MOVING = 1 / 5
"""The part of a lifetime for which those that stand wait to be prolonged while others come."""
AGAIN = 0.5
"""Seconds without further transactions after one that was not done, or whose answer is unknown:
the events that tell why are on their way."""
LATER = 2.0
"""Seconds before an address whose key was not as it was read is tried again."""
MOST = OPERATIONS - 1
"""Addresses of one transaction: one condition is that of the proof."""
FLIGHTS = 4
"""Transactions on their way at a time."""


class State:
    """The state of one address, ``since`` a time; ``order`` is the number of the last order."""

    __slots__ = ("name", "order", "since")

    def __init__(self, name: str, since: float, order: int = 0) -> None:
        self.name = name
        self.since = since
        self.order = order


class Holdings:
    """The states of the addresses of this host. ``placed`` has the node of every address, as
    placement gives it; *epoch* tells the seconds of the epoch."""

    def __init__(
        self,
        settings: Settings,
        keys: Keys,
        view: View,
        membership: Membership,
        outbox: Outbox,
        epoch: Callable[[], float],
    ) -> None:
        self._node = settings.node
        self._timeout = settings.timeout
        self._ttl = settings.ttl
        self._keys = keys
        self._view = view
        self._membership = membership
        self._rights = Rights(settings, view, membership)
        self._outbox = outbox
        self._epoch = epoch
        self._moves = Moves(settings.node)
        self.states: dict[Key, State] = {}
        self.placed: Mapping[Key, str] = {}
        self.wanted: Sequence[Key] = ()
        """The addresses that are placed here."""
        self.pools: Mapping[str, Spread] = {}
        self.known = 0
        """The registration of this host that is among those placed; 0 for none."""
        self.ending = False
        """Whether all is given up, and nothing taken."""
        self.calm = 0.0
        """The time before which nothing moves that need not."""
        self._registration = 0
        self._standing: set[Key] = set()
        self._unfit: dict[Key, float] = {}
        self._extended = 0.0
        self._taken_first = NEVER
        self._flying: set[Key] = set()
        """Addresses of transactions that have no answer yet."""
        self._flights = 0
        self._pause = 0.0
        self._doubtful: dict[Key, int] = {}
        """The revisions of keys that the last transaction had read that was not done."""
        self._most = MOST
        self._next = NEVER

    def place(self, placed: Mapping[Key, str]) -> None:
        """Go by a new placement."""
        self.placed = placed
        self.wanted = sorted(key for key, node in placed.items() if node == self._node)

    def hear(self, report: Message, now: float) -> None:
        """A report of the watcher."""
        _REPORTS[type(report)](self, report, now)

    def suspended(self, now: float) -> None:
        """The machine was suspended: others may have anything by now."""
        self._release(self._named(HELD), now)

    def changed(self, keys: Iterable[Key], now: float) -> None:
        """The keys of these addresses have changed in the store."""
        lost = []
        for key in keys:
            state = self.states.get(key)
            if state is None or self._rights.ours(key):
                continue
            if state.name == LEFT or (state.name in ASIDE and self._rights.free(key)):
                del self.states[key]
            elif state.name == HELD:
                lost.append(key)
        if lost:
            first = "/".join(lost[0])
            more = f" and {len(lost) - 1} more" if lost[1:] else ""
            text = f"somebody else has changed the owner of {first}{more} in the store: given up"
            self._outbox.note(text, error=True)
        self._release(lost, now)

    def work(self, now: float) -> None:
        """Order and ask for whatever is due."""
        self._next = NEVER
        self._follow_registration()
        self._extend(now)
        if self._placeable():
            self._clear()
            self._give_up(now)
        if now < self._pause and not self._explained():
            self._next = min(self._next, self._pause)
            return
        for keys in self._portions(self._freeable()):
            self._free(keys, now)
        if self._membership.valid(now) and self._placeable() and not self.ending:
            self._resume(now)
            self._take(now)

    def due(self) -> float:
        """The time of the next work() by what the last one found."""
        return self._next

    def idle(self) -> bool:
        """Whether nothing is held, nor on its way."""
        return not self._flights and all(one.name in ASIDE for one in self.states.values())

    def count(self, name: str) -> int:
        """The number of addresses in a state."""
        return sum(one.name == name for one in self.states.values())

    def _named(self, name: str) -> list[Key]:
        return [key for key, one in self.states.items() if one.name == name]

    def _placeable(self) -> bool:
        """Whether the placement knows of this host; all is given up without it, too."""
        return self.ending or 0 < self.known == self._membership.created

    # Orders.

    def _follow_registration(self) -> None:
        """End what a registration held: it is not prolonged by the next one. Its key
        names the former, and whoever saw that go may wait for it already."""
        if self._registration == self._membership.created:
            return
        self._registration = self._membership.created
        self._extended = 0.0
        if self._named(HELD):
            self._outbox.order(Forget())
        for key in [key for key, one in self.states.items() if one.name in (CHECKING, CLEAR, HELD)]:
            del self.states[key]

    def _extend(self, now: float) -> None:
        """Let all that is held stand as long as the last proof allows. While addresses come, each
        with a proof, those that stand have time: the watcher can make others meanwhile. What is to
        go needs none."""
        until = self._membership.until
        if not self.ending and self._membership.valid(now) and until > self._extended:
            wait = self._taken_first + self._ttl * MOVING
            if now < wait < NEVER and self._extended > now + self._ttl / 2:
                self._next = min(self._next, wait)
                return
            self._extended, self._taken_first = until, NEVER
            if any(one.name == HELD for one in self.states.values()):
                self._outbox.order(Extend(until))

    def _hold(self, keys: Sequence[Key], now: float, kind: type[Take] = Take) -> None:
        """Have addresses made that are ours."""
        if keys:
            self._taken_first = min(self._taken_first, now)
        until = self._membership.until
        self._order(lambda part: kind(until, part), keys, HELD, now)

    def _release(self, keys: Sequence[Key], now: float) -> None:
        self._order(Release, keys, LEAVING, now)

    def _order(
        self, kind: Callable[[Sequence[Key]], Message], keys: Sequence[Key], name: str, now: float
    ) -> None:
        """Order something of addresses, whose state has this name from now on."""
        for part in parts(keys):
            number = self._outbox.order(kind(part))
            for key in part:
                self.states[key] = State(name, now, number)

    def _clear(self) -> None:
        """Remove what stands here from before, and is not ours by its key."""
        foreign = sorted(key for key in self._standing if not self._rights.ours(key))
        self._standing.clear()
        for part in parts(foreign):
            self._outbox.order(Release(part))

    def _give_up(self, now: float) -> None:
        """Release what is to be elsewhere, at its pace, or nowhere at once."""
        held = self._named(HELD)
        if self.ending:
            lost = bool(self._membership.lost)
            self._release(self._moves.ending(now, held, self.placed, at_once=lost), now)
            self._next = min(self._next, self._moves.next() or NEVER)
            return
        self._release([key for key in held if key not in self.placed], now)
        leaving = {
            key: self._ready(key) for key in held if self.placed.get(key, self._node) != self._node
        }
        if leaving:
            away = [*self._named(LEAVING), *self._named(LEFT)]
            away += self._view.free
            self._release(self._moves.due(now, leaving, self.placed, away), now)
            after = self._moves.next()
            self._next = min(self._next, NEVER if after is None else after)

    def _ready(self, key: Key) -> float:
        """The time from which on an address may move; 0 for one that need not wait."""
        spread = self.pools.get(key[0])
        pinned = key in self._view.pins or self._node in self._view.drains
        if spread is None or pinned:
            return 0.0
        return max(self.calm, self.states[key].since + spread.hold_down)

    # Transactions.

    def _portions(self, keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
        """The keys of each transaction that may be sent now."""
        for at in range(0, len(keys), self._most):
            if self._flights >= FLIGHTS:
                return
            yield keys[at : at + self._most]

    def _freeable(self) -> list[Key]:
        """Addresses that have gone from the kernel, and whose keys still say that we hold them."""
        found = []
        for key in self._named(LEFT):
            if key in self._flying:
                continue
            if self._rights.ours(key):
                found.append(key)
            else:
                del self.states[key]
        return found

    def _free(self, keys: Sequence[Key], now: float) -> None:
        """Free addresses. It needs no proof: nobody but their holder changes their keys."""
        owners = {key: self._owned(key, held=False) for key in keys}

        def then(asked: Asked, result: Result, now: float) -> None:
            if isinstance(result, Done) and result.done:
                for key, owner in owners.items():
                    self._view.own(key, owner, result.revision)
                    self.states.pop(key, None)

        self._change(owners, (), now, then)

    def _resume(self, now: float) -> None:
        """Hold what is ours by its key and placed here, and give up what is placed elsewhere: it
        may stand here, by a former registration, though the answer that made it ours was lost."""
        mine = [
            key
            for key in sorted(self._view.held_by(self._node))
            if key not in self.states and self._rights.present(key)
        ]
        self._release([key for key in mine if self.placed.get(key) != self._node], now)
        fit = [key for key in mine if self.placed.get(key) == self._node and self._fit(key, now)]
        self._hold(fit, now)

    def _take(self, now: float) -> None:
        """Take what is placed here, as far as it may be taken."""
        ready, check = [], []
        for key in self._candidates(now):
            if key in self.states or self._rights.unchecked(key):
                ready.append(key)
            else:
                check.append(key)
        self._order(Check, check, CHECKING, now)
        for keys in self._portions(ready):
            self._claim(keys, now)

    def _candidates(self, now: float) -> list[Key]:
        """The addresses that are placed here, not held, and free by what the store says. The event
        of a transaction may come before its answer."""
        found = []
        for key in {*self.wanted, *self._view.held_by(self._node)} - self._flying:
            if self._state(key, now) not in ("", CLEAR):
                continue
            here = self.placed.get(key) == self._node or self._rights.former(key)
            at = self._rights.takeable(key) if here else NEVER
            if at <= now and self._fit(key, now):
                found.append(key)
            elif at > now:
                self._next = min(self._next, at)
        return sorted(found)

    def _state(self, key: Key, now: float) -> str:
        """The name of the state of an address, empty for none: its time may be over."""
        state = self.states.get(key)
        if state is None:
            return ""
        end = state.since + ASIDE.get(state.name, NEVER)
        if now >= end:
            del self.states[key]
            return ""
        self._next = min(self._next, end)
        return state.name

    def _fit(self, key: Key, now: float) -> bool:
        until = self._unfit.get(key, 0.0)
        if now < until:
            self._next = min(self._next, until)
            return False
        self._unfit.pop(key, None)
        return True

    def _claim(self, keys: Sequence[Key], now: float) -> None:
        """Take addresses by a transaction that proves this host as well."""
        owners = {key: self._owned(key, held=True) for key in keys}
        unchecked = {key for key in keys if self._rights.unchecked(key)}
        for key in keys:
            self.states[key] = State(ASKED, now)

        def then(asked: Asked, result: Result, now: float) -> None:
            for key in owners:
                del self.states[key]
            if not isinstance(result, Done):
                return
            if not result.done:
                if len(owners) == 1 and not self._explained():
                    self._unfit[keys[0]] = now + LATER  # let others have their turn
                return
            for key, owner in owners.items():
                self._view.own(key, owner, result.revision)
            if owner.registration == self._membership.created:
                self._membership.proven(asked)
                if self._membership.valid(now):
                    self._hold([key for key in owners if key in unchecked], now, Receive)
                    self._hold([key for key in owners if key not in unchecked], now)

        self._change(owners, [self._membership.condition], now, then)

    def _owned(self, key: Key, *, held: bool) -> Owner:
        """The owner that the key of an address is to name."""
        return Owner(
            self._node,
            self._membership.created,
            ttl=self._rights.lifetime(key),
            held=held,
            since=int(self._epoch()),
        )

    def _change(
        self,
        owners: Mapping[Key, Owner],
        conditions: Collection[Condition],
        now: float,
        then: Callable[[Asked, Result, float], None],
    ) -> None:
        """Put the keys of addresses, if nobody has changed them meanwhile."""
        texts = {key: self._keys.owner(key) for key in owners}
        same = [Condition(texts[key], MODIFIED, self._view.modified(key)) for key in owners]
        puts = [Put(texts[key], owner.value()) for key, owner in owners.items()]
        read = {key: self._view.modified(key) for key in owners}
        self._flying |= owners.keys()
        self._flights += 1

        def answered(asked: Asked, result: Result, now: float) -> None:
            self._flying -= owners.keys()
            self._flights -= 1
            self._answered(result, read, now)
            then(asked, result, now)

        self._outbox.ask(Change([*conditions, *same], puts), now, self._timeout, answered)

    def _answered(self, result: Result, read: dict[Key, int], now: float) -> None:
        """Take note of whether a transaction was done that had *read* these revisions. Of several
        keys one may have changed: fewer are tried. What was done beside, and is larger than that,
        says nothing of those that were not."""
        if isinstance(result, Done) and result.done:
            if len(read) <= self._most:
                self._most = min(MOST, self._most * 2)
            return
        if isinstance(result, Done):
            self._most = max(1, min(self._most, len(read) // 4))
            self._membership.prove()
        self._doubtful, self._pause = read, now + AGAIN

    def _explained(self) -> bool:
        """Whether it is known by now what has changed since the last transaction that was not done
        was made."""
        return any(self._view.modified(key) != read for key, read in self._doubtful.items())

    # Reports.

    def _stands(self, report: Stands, now: float) -> None:
        self._standing.update(report.keys)

    def _gone(self, report: Gone, now: float) -> None:
        for key in report.keys:
            state = self.states.get(key)
            if state is None or state.name not in (HELD, LEAVING) or report.done < state.order:
                continue
            if state.name == LEAVING:
                self.states[key] = State(LEFT, now)
            elif self._membership.valid(now) and now < state.since + UNFIT:
                self._unfit[key] = now + UNFIT
                self.states[key] = State(LEFT, now)
            else:  # it has run out, or somebody has removed it; by its key it is still ours
                del self.states[key]

    def _checked(self, report: Checked, now: float) -> None:
        for key in report.keys:
            if self._checking(key):
                self.states[key] = State(CLEAR, now)

    def _taken(self, report: Taken, now: float) -> None:
        for key in report.keys:
            if self._checking(key):
                if self._rights.takeable(key) == NEVER:
                    del self.states[key]  # another host has taken it meanwhile, and has answered
                    continue
                self.states[key] = State(FOREIGN, now)
                text = f"{key[1]} ({key[0]}) is free in the cluster, but not on its link"
                self._outbox.note(text, error=True)

    def _checking(self, key: Key) -> bool:
        state = self.states.get(key)
        return state is not None and state.name == CHECKING


_REPORTS: dict[type[Message], Callable[[Holdings, Any, float], None]] = {
    Stands: Holdings._stands,
    Gone: Holdings._gone,
    Checked: Holdings._checked,
    Taken: Holdings._taken,
}
