"""The agent of one host: which addresses it holds, decided by what stands in a store. Pure.

It is told what happens, and the time; it answers with requests to the store and orders to the
watcher, which wait in its outbox. A process (cluster/process.py) carries both.

::

    view.py         what stands in the store
    declared.py     the pools and hosts in it, for placement.py
    membership.py   the registration of this host, and its proofs
    holdings.py     the addresses: taken, held, given up
    rights.py       what the store says of the right to an address
    fence.py        the arithmetic by which no address stands on two hosts

Times are seconds of CLOCK_BOOTTIME. Each is read **after** whatever it comes with has arrived, and
requests are sent after the call that made them: the fence rests on both.
"""

from __future__ import annotations

from netalias.cluster.declared import Declared
from netalias.cluster.holdings import Holdings
from netalias.cluster.membership import Membership
from netalias.cluster.outbox import Outbox
from netalias.cluster.placement import place
from netalias.cluster.records import Keys, fitting
from netalias.cluster.store import Compacted, Done, Events, Follow, Read, Snapshot
from netalias.cluster.view import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netalias.cluster.membership import Settings, Tokens
    from netalias.cluster.orders import Key, Message
    from netalias.cluster.outbox import Asked
    from netalias.cluster.records import Spread
    from netalias.cluster.store import Result

NEVER = float("inf")
SETTLED = 1.0
"""Seconds without a change of an owner, after which the placement is computed from what stands
then: hosts that had computed it at other moments agree on that."""
AWAY = 0.1
"""The same while an address is free: each host may have left it to another one."""
ARRIVING = 0.3
"""Seconds after the arrival of another host in which more may come: all are placed by then at once.
A cluster that starts would compute the placement once on each host for each other one, and the
first one would take everything. A host that comes where addresses stand has nothing to wait for."""
SURPRISED = 0.3
"""Seconds after an address has got another owner than was placed, in which more may: hosts that
have read different revisions tell one another by hundreds of these. It is the longest wait for
AWAY as well, however many changes follow one another."""
CALM = 1.0
"""Seconds after a change of what hosts declare in which no address moves for its sake: they read
changed files one after the other, each is busy meanwhile, and where the last one has read them the
address may be well where it is."""
TURN = 0.15
"""Seconds by which a host waits longer for its moves than the one before it by name: who comes gets
from one after the other, and none of it waits for what all others give up at that moment."""
READING = 10.0
"""Seconds that a reading of everything may take."""
AGAIN = 1.0
"""Seconds before a reading that failed is tried again."""
SILENCE = 10.0
"""Seconds without an event, though the store has changed, before events are asked for anew."""


class Agent:
    """One host. *tokens* are those of this network namespace; *epoch* tells the seconds of the
    epoch."""

    def __init__(
        self,
        settings: Settings,
        prefix: str,
        tokens: Tokens,
        epoch: Callable[[], float],
    ) -> None:
        keys = Keys(prefix)
        self._node = settings.node
        self._prefix = keys.all
        self.outbox = Outbox()
        self.view = View(keys)
        self.membership = Membership(settings, keys, self.view, self.outbox, tokens)
        self.holdings = Holdings(settings, keys, self.view, self.membership, self.outbox, epoch)
        self.declared = Declared()
        self._stops = NEVER
        """The time at which this host gives up all, whether others know that it leaves or not."""
        self.ended = False
        """Whether a stopped agent has given up all, and may end."""
        self._reading: Asked | None = None
        self._following: Asked | None = None
        self._retry = 0.0
        self._newest = 0
        self._heard = 0.0
        self._settles = self._gathered = self._surprised = NEVER
        self._was_lost = False
        self._differing: dict[str, list[str]] = {}
        self._unreadable: set[str] = set()

    def declare(self, pools: Mapping[str, Spread], now: float) -> None:
        """Serve these pools from now on; those that this host cannot serve now are left out."""
        known = fitting(pools)
        if len(known) < len(pools):
            text = f"too many pools for the key of a host: {len(pools) - len(known)} of"
            self.outbox.note(f"{text} {len(pools)} are not served here", error=True)
        self.membership.pools = self.holdings.pools = known
        self.tick(now)

    def hear(self, report: Message, now: float) -> None:
        """A report of the watcher."""
        self.holdings.hear(report, now)
        self.tick(now)

    def answered(self, asked: Asked, result: Result, now: float) -> None:
        """A result of a request."""
        if isinstance(result, Done):
            self._newest = max(self._newest, result.revision)
        asked.then(asked, result, now)
        self.tick(now)

    def suspended(self, now: float) -> None:
        """The machine was suspended: give up everything."""
        self.outbox.note("this machine was suspended: all addresses are given up", error=True)
        self.holdings.suspended(now)
        self.tick(now)

    def stop(self, now: float) -> None:
        """Give up everything, and leave the cluster. Others are told first: they have placed what
        is given up by then, and take it as soon as it is free."""
        self.membership.leaving = True
        self._stops = min(self._stops, now + self.membership.timeout)
        self.tick(now)

    def tick(self, now: float) -> None:
        """Do all that is due."""
        if self.ended:
            return
        self._watch_store(now)
        if self.view.revision:
            self.membership.work(now)
            self._stop(now)
            self._place(now)
            self.holdings.work(now)
        else:
            self._stop(now)
        self._tell()
        if self.holdings.ending and self.holdings.idle():
            self.membership.leave(now)
            self.ended = True

    def due(self, now: float) -> float:
        """Seconds until tick(); infinite for never."""
        if self.ended:
            return NEVER
        times = [NEVER if self.holdings.ending else self._stops]
        if self._takes_part():
            times += [self._settles, self._gathered, self._surprised]
        if self._reading is None and self._following is None:
            times.append(self._retry)
        if self._following is not None and self._newest > self.view.revision:
            times.append(self._heard + SILENCE)
        if self.view.revision:
            times += [self.membership.due(), self.holdings.due()]
        return max(0.0, min(times) - now)

    def _stop(self, now: float) -> None:
        """Begin to give up, if others know, or have had the time for it."""
        if self.membership.leaving:
            known = self.membership.told or self.holdings.idle()
            self.holdings.ending |= known or now >= self._stops

    # What stands in the store.

    def _watch_store(self, now: float) -> None:
        """Read once, and follow from there; follow anew when nothing comes."""
        if self._reading is not None:
            return
        if self._following is None:
            if now >= self._retry:
                read = Read(self._prefix)
                self._reading = self.outbox.ask(read, now, READING, self._read)
        elif self._newest > self.view.revision and now >= self._heard + SILENCE:
            self.outbox.cancel(self._following)
            self._follow(now)

    def _follow(self, now: float) -> None:
        self._heard = now
        follow = Follow(self._prefix, self.view.revision + 1)
        self._following = self.outbox.ask(follow, now, None, self._events)

    def _read(self, asked: Asked, result: Result, now: float) -> None:
        self._reading = None
        if isinstance(result, Snapshot):
            self._changed(self.view.load(result, now), now)
            self._follow(now)
        else:
            self.membership.lost = str(result)
            self._retry = now + AGAIN

    def _events(self, asked: Asked, result: Result, now: float) -> None:
        if asked is not self._following:
            return
        if isinstance(result, Events):
            self._heard = now
            self._changed(self.view.note(result.events, now), now)
            return
        self._following = None
        self._retry = max(
            now, self._heard + AGAIN if isinstance(result, Compacted) else now + AGAIN
        )

    def _changed(self, keys: set[Key], now: float) -> None:
        placed = self.holdings.placed
        if not keys.isdisjoint(self.view.owners):
            away = any(key in placed for key in self.view.free)
            self._settles = now + (AWAY if away else SETTLED)
            if away:
                self._surprised = min(self._surprised, now + SURPRISED)
        for key in keys:
            seen = self.view.owners.get(key)
            owner = seen.owner if seen is not None else None
            # What goes as it was placed changes nothing of the placement.
            if owner is not None and owner.held and owner.node != placed.get(key):
                self._surprised = min(self._surprised, now + SURPRISED)
        self.holdings.changed(keys, now)

    def _takes_part(self) -> bool:
        """Whether the key of this host is there: who is not placed itself places nothing."""
        seen = self.view.hosts.get(self._node)
        return seen is not None and 0 < self.membership.created == seen.created

    def _place(self, now: float) -> None:
        """Place all addresses anew, if anything has changed that matters."""
        if self.view.redeclared:
            self.view.redeclared = False
            earlier = sum(name < self._node for name in self.view.hosts)
            self.holdings.calm = now + CALM + TURN * earlier
        if not self._takes_part():
            # The key of this host is to come, and with it a placement; or to be found as its own.
            self.view.changed_hosts &= self._node in self.view.hosts
            return
        if self.view.arrived:
            self._gathered = min(self._gathered, self._arrival(now))
            self.view.arrived.clear()
        stale = now >= min(self._settles, self._surprised)
        if self.view.changed_hosts or now >= self._gathered:
            self.declared.update(self.view)
            self.view.changed_hosts, self._gathered = False, NEVER
            self.holdings.known = self.membership.created
            stale = True
        if stale:
            self._surprised = NEVER
            self._settles = NEVER if now >= self._settles else self._settles
            standing = dict(self.view.standing())
            found = place(self.declared.pools, self.declared.hosts, standing, self.view.pins)
            self.holdings.place(found)

    def _arrival(self, now: float) -> float:
        """The time at which hosts that have just come are placed."""
        alone = not any(True for _ in self.view.standing())
        return now + ARRIVING if alone or self._node not in self.view.arrived else now

    def _tell(self) -> None:
        """Note what people should know, once."""
        lost = self.membership.lost
        if bool(lost) != self._was_lost:
            self._was_lost = bool(lost)
            text = f"{lost}; what is held stands until its lifetime is over, nothing is taken"
            self.outbox.note(text if lost else "the store of the cluster answers", error=bool(lost))
        differing = self.declared.differing
        for name in differing.keys() - self._differing.keys():
            hosts = ", ".join(differing[name])
            self.outbox.note(f"pool {name} is declared differently on {hosts}", error=True)
        self._differing = dict(differing)
        for key in self.view.unreadable - self._unreadable:
            self.outbox.note(f"{key[:200]!r} in the store is unreadable", error=True)
        self._unreadable = set(self.view.unreadable)
