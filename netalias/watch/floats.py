"""Addresses that float: what the agent of the cluster orders is done here, and nothing else.

::

    places.py      which addresses are declared, where, and the aliases that have them
    making.py      the aliases made and removed
    lifetimes.py   how long they stand, set anew after each proof
    questions.py   whether another host answers for an address

An address that is ours stands with a lifetime, which ends before any other host may have it
(cluster/fence.py). It is healed like any other alias until then; what is not ours is never made.
Lifetimes are set without the lock of the namespace, since nothing may delay them.
"""

from __future__ import annotations

from _socket import inet_pton

from netalias import errors
from netalias.cluster import fence
from netalias.cluster.orders import Check, Extend, Forget, Gone, Receive, Release, Take
from netalias.cluster.suspend import Suspension
from netalias.desired.declarations import counted
from netalias.desired.floats import alike
from netalias.kernel.netlink.monitor import TURN
from netalias.model import AF_INET, AF_INET6, IFA_F_DADFAILED, IFA_F_TENTATIVE
from netalias.model.events import ADDRESS, DEPARTURE, FLAG
from netalias.system.backoff import RepairBackoff
from netalias.system.deadline import aside
from netalias.watch.lifetimes import Lifetimes
from netalias.watch.making import Making
from netalias.watch.places import Places
from netalias.watch.prepared import prepare
from netalias.watch.questions import Questions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from typing import Any

    from netalias.cluster.orders import Key, Message
    from netalias.desired.tasks import Task
    from netalias.model.events import Event
    from netalias.system.journal import Journal
    from netalias.watch.claims import Claims
    from netalias.watch.controller import Controller

LOOK = 0.25
"""Seconds between two looks at whether the machine was suspended."""
RUNS_OUT = 3.0
"""Seconds before the end of a lifetime from which on an address that goes has run out."""
UNDECIDED = IFA_F_TENTATIVE | IFA_F_DADFAILED
"""An address with a lifetime goes with one of these when another host has it (addrconf_dad_stop of
net/ipv6/addrconf.c)."""
NAMING = (DEPARTURE, "altname", "name")
"""Events that may take an alias away from its line."""


class Floats:
    """A part of the loop. *report* takes what the agent is to know, *clock* is CLOCK_MONOTONIC,
    *boottime* CLOCK_BOOTTIME. *apart* does what sets lifetimes as system.deadline.aside() does, so
    that a machine that is too busy costs the process of one batch, and not the watcher."""

    def __init__(
        self,
        controller: Controller,
        checks: Claims,
        journal: Journal,
        clock: Callable[[], float],
        boottime: Callable[[], float],
        report: Callable[[Message], object],
        apart: Callable[[float, Callable[[], str]], str] = aside,
    ) -> None:
        self._controller = controller
        self._lifetimes = Lifetimes(controller.engine, boottime, apart)
        self._questions = Questions(checks, report, lambda error: self._complain(error.line()))
        self._journal = journal
        self._clock = clock
        self._boottime = boottime
        self._report = report
        self._suspension = Suspension(boottime(), clock())
        self._places = Places()
        self._making = Making(
            controller, self._places, journal, boottime, self._complain, self._drop_all, self._lose
        )
        self.ours: dict[Key, float] = {}
        """Until when each address of ours may stand, in seconds of CLOCK_BOOTTIME."""
        self._asking: list[Key] = []
        self._doubtful = False
        self._rest = 0.0
        """The time before which no lifetimes are set: the last ones could not be."""
        self._overdue: set[bytes] = set()
        """The packed forms of addresses that may stand for too long."""
        self._lost: set[Key] = set()
        """The addresses that the kernel removed before it had found them to be unique."""
        self._count = 0
        """Orders of this agent so far."""
        self._looked = 0.0
        self._complaint = ""
        self._repairs = RepairBackoff()

    # Lines

    def load(self, tasks: Iterable[Task]) -> None:
        """Replace the lines. What stands in none of them any more is removed, ours or not: nothing
        would tell by now that its lifetime is not to be renewed."""
        former_keys = self._places.addresses
        self._places.load(tasks)
        if self._places.pools:
            prepare()
        for key in [*self.ours]:
            former, packed = self._places.held[key]
            found = self._places.find(key)
            if found is None or not alike(found[0].wish_of(packed), former.wish_of(packed)):
                self._drop(key)
        gone = former_keys.keys() - self._places.addresses.keys()
        for alias in self._controller.observe().aliases if gone else ():
            if alias.address in gone and alias.ours and alias.lease:
                self._places.leaving.setdefault(former_keys[alias.address], alias.address)

    def standing(self) -> list[Key]:
        """The declared addresses that stand here with a lifetime, and are not ours."""
        if not self._places.pools:
            return []
        self._controller.read_events(TURN)
        found = self._places.standing(self._controller.observe())
        return [key for key, alias in found.items() if alias.lease and key not in self.ours]

    def reset(self) -> None:
        """The agent has ended; the next one counts its orders anew."""
        self._count = 0
        self.forget()

    def forget(self, order: Forget | None = None) -> None:
        """Nothing is ours any more. What stands runs out, unless that may be too late."""
        self._drop_all(self._lifetimes.unsure)
        self._lifetimes.want(())
        self.ours = {}
        self._making.coming = {}
        self._making.known.clear()
        self._asking = []
        self._places.held = {}

    def _gone(self, keys: Iterable[Key]) -> None:
        """Report addresses that are not there, and that no order so far makes any more."""
        self._report(Gone(self._count, keys))

    def counts(self) -> tuple[dict[str, tuple[int, int]], float]:
        """By pool the numbers of addresses that are declared and ours; the seconds until the first
        of ours has to be gone, 0 for none."""
        held = dict.fromkeys(self._places.pools, 0)
        for name, _ in self.ours:
            if name in held:
                held[name] += 1
        pools = {name: (len(one.addresses), held[name]) for name, one in self._places.pools.items()}
        left = min(self.ours.values(), default=0.0) - self._boottime() if self.ours else 0.0
        return pools, max(left, 0.0)

    # Orders

    def order(self, message: Message) -> None:
        """Take an order; tick() is due. Raises PacketError for what is none."""
        work = _ORDERS.get(type(message))
        if work is None:
            raise errors.PacketError(f"{message.word}: not an order")
        self._count += 1
        work(self, message)

    def take(self, order: Take) -> None:
        """Addresses are ours until a time."""
        for key in order.keys:
            found = self._places.find(key)
            if found is None:
                self._release_unknown(key)
                continue
            self._places.held[key] = found
            self._places.leaving.pop(key, None)
            known = self._making.known
            (known.add if isinstance(order, Receive) else known.discard)(key)
            self.ours[key] = order.until
            self._making.coming[key] = 0.0

    def extend(self, order: Extend) -> None:
        """All that are ours stand until a time."""
        self.ours = dict.fromkeys(self.ours, order.until)
        self._lifetimes.want(self.ours)
        self._rest = 0.0

    def release(self, order: Release) -> None:
        """Addresses are to go."""
        unknown = []
        for key in order.keys:
            if key in self.ours:
                self._drop(key)
            elif key not in self._places.leaving and not self._release_unknown(key):
                unknown.append(key)
        if unknown:
            self._gone(unknown)

    def _release_unknown(self, key: Key) -> bool:
        """One that is not ours may stand here from before, by lines that are gone by now; whether
        it is an address at all."""
        try:
            self._places.leaving[key] = inet_pton(AF_INET6 if ":" in key[1] else AF_INET, key[1])
        except (OSError, ValueError):
            return False
        return True

    def check(self, order: Check) -> None:
        """Others are to be asked for addresses."""
        self._asking += order.keys

    def _drop(self, key: Key) -> None:
        """It is not ours any more, and is to go; what may stand for too long waits for no lock."""
        self.ours.pop(key, None)
        self._making.coming.pop(key, None)
        self._making.known.discard(key)
        self._places.leaving[key] = self._places.held.pop(key)[1]
        if key in self._lifetimes.unsure:
            self._overdue.add(self._places.leaving[key])
        self._lifetimes.drop(key)

    def _drop_all(self, keys: Iterable[Key]) -> None:
        for key in [*keys]:
            self._drop(key)

    def _lose(self, keys: Sequence[Key]) -> None:
        """Note addresses that were to go, and are gone."""
        for key in keys:
            self._places.leaving.pop(key, None)
        if keys:
            self._gone(keys)

    # Events

    def hear(self, event: Event) -> None:
        """Take note of an event: an address of ours that goes, or its device, is made again."""
        if not self.ours:
            return
        if event.key[0] == ADDRESS:
            address = event.subject.address
            key = self._places.addresses.get(address.local)
            if key is not None and event.new is None and not event.field:
                self._doubtful = True
                if address.flags & UNDECIDED:
                    self._lost.add(key)
        elif event.what in NAMING:
            self._doubtful = True
        elif event.what == FLAG and event.field == "UP":
            self._doubtful |= not event.new

    def _look(self, now: float) -> None:
        """Have those of ours made again that do not stand, with back-off for each; they have run
        out where their time is almost over."""
        self._doubtful = False
        there = self._places.standing(self._controller.observe())
        boottime, ended = self._boottime(), []
        for key in [key for key in self._lost if key in self.ours]:
            pool, packed = self._places.held[key]
            self._journal.warning(f"{pool.alias(packed)}: another host has its address")
            self._drop(key)
        self._lost.clear()
        for key, until in self.ours.items():
            alias = there.get(key)
            stands = alias is not None and (alias.device is None or alias.device.up)
            if stands or key in self._making.coming:
                continue
            if until - boottime < RUNS_OUT:
                ended.append(key)
            else:
                self._making.coming[key] = self._repairs.undone(key, now)
        if ended:
            count = counted(len(ended), "address")
            self._journal.warning(f"{count} ran out: no proof of this host has come in time")
        self._drop_all(ended)

    # A part of the loop

    def wanted(self, now: float) -> dict[int, int]:
        """Nothing."""
        return {}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Nothing."""

    def due(self, now: float) -> float | None:
        """Seconds until tick()."""
        if self._asking or self._doubtful or self._overdue:
            return 0.0
        times = self._making.due()
        if self._lifetimes.waiting:
            times.append(self._rest)
        if self._places.pools:  # what is not ours any more may stand, and a suspension prolong it
            times.append(self._looked + LOOK)
        return max(0.0, min(times) - now) if times else None

    def tick(self, now: float) -> None:
        """Do what is due: first what must not stand any more, then what waits for an answer."""
        self._looked = now
        if self._suspension.passed(self._boottime(), self._clock()) and self._places.pools:
            self._give_up()
        if self._overdue:
            overdue, self._overdue = self._overdue, set()
            self._delete(overdue)
        if self._doubtful:
            self._look(now)
        if self._asking:
            keys, self._asking = self._asking, []
            places = {key: self._places.find(key) for key in keys}
            self._questions.ask(places, self._controller.observe())
        try:
            self._making.work(now, self.ours)
        finally:
            # What moves has no answer meanwhile; what is prolonged has, and has seconds left. So
            # each tick prolongs one batch, and orders that have come since are carried out before
            # the next one.
            if self._lifetimes.waiting and now >= self._rest:
                self._prolong()

    def _give_up(self) -> None:
        """Delete all addresses, those that only run out too: while the machine was suspended their
        lifetimes stood still."""
        self._journal.warning("the machine was suspended: all addresses that float are given up")
        self._drop_all(self.ours)
        self._delete()

    def _delete(self, overdue: Collection[bytes] | None = None) -> None:
        """Delete addresses with a lifetime at once, in one batch and without the lock; None for
        all. What is left of their devices goes later. Raises KernelError."""
        observed = self._controller.observe()
        present = [one for aliases in self._places.present(observed).values() for one in aliases]
        ending = [one for one in present if overdue is None or one.address in overdue]
        self._lifetimes.end([one for one in ending if one.lease], observed)

    def _prolong(self) -> None:
        """Set the lifetimes of a batch; what is not there is made again. What may have been set too
        late is set once more. After a failure there is a rest."""
        self._rest = self._clock() + LOOK
        self._controller.read_events(TURN)
        observed = self._controller.observe()
        there = self._places.standing(observed)
        boottime = self._boottime()
        late = [
            key for key in self._lifetimes.unsure if not fence.seconds(self.ours[key], boottime)
        ]
        self._drop_all(late)  # too late to set them right
        keys = self._lifetimes.batch()
        standing = [(there[key], self.ours[key]) for key in keys if key in there]
        problem = self._lifetimes.prolong(keys, standing, observed)
        self._rest = self._clock() + LOOK if problem else 0.0
        if problem:
            self._complain(problem)
        self._doubtful |= bool(problem) or len(standing) < len(keys)

    def _complain(self, line: str) -> None:
        """Log the line of an error, unless it was the last one."""
        if line != self._complaint:
            self._complaint = line
            self._journal.warning(line)


_ORDERS: dict[type[Message], Callable[[Floats, Any], object]] = {
    Take: Floats.take,
    Receive: Floats.take,
    Extend: Floats.extend,
    Release: Floats.release,
    Check: Floats.check,
    Forget: Floats.forget,
}
