"""Addresses that float: what the agent of the cluster orders is done here, and nothing else.

An address that is ours stands with a lifetime, which ends before any other host may have it
(cluster/fence.py). It is healed like any other alias until then; what is not ours is never made.
Lifetimes are set without the lock of the namespace, since nothing may delay them.
"""

from __future__ import annotations

from _socket import inet_pton

from netalias import errors
from netalias.claim import OFF
from netalias.cluster import fence
from netalias.cluster.orders import Check, Extend, Forget, Gone, Receive, Release, Take
from netalias.cluster.suspend import Suspension
from netalias.desired.blocks import Block
from netalias.desired.declarations import Declarations, counted
from netalias.desired.floats import alike, floats
from netalias.engine.connected import examine
from netalias.engine.reconcile import mend, remove
from netalias.kernel.netlink.monitor import TURN
from netalias.model import AF_INET, AF_INET6, IFA_F_DADFAILED, IFA_F_TENTATIVE
from netalias.model.events import ADDRESS, DEPARTURE, FLAG
from netalias.model.leases import RenewAddress
from netalias.plan.compare import compare
from netalias.plan.diff import ADDED
from netalias.plan.undetected import spare
from netalias.system.backoff import Backoff, RepairBackoff
from netalias.system.deadline import Deadline, aside
from netalias.watch.lifetimes import Lifetimes
from netalias.watch.prepared import prepare
from netalias.watch.questions import Questions
from netalias.watch.repeated import BUSY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from netalias.cluster.orders import Key, Message
    from netalias.desired.floats import Float
    from netalias.desired.tasks import Task
    from netalias.engine.reconcile import Outcome
    from netalias.model import Alias
    from netalias.model.events import Event
    from netalias.observed import Observed
    from netalias.plan import Difference
    from netalias.plan.diff import Diff
    from netalias.system.journal import Journal
    from netalias.watch.claims import Claims
    from netalias.watch.controller import Controller

CHUNK = 128
"""Addresses that are made in one transaction: there is a deadline for it."""
LEAVING = 64
"""Addresses that are removed in one transaction: others have them when all of these have gone."""
PARTS = 4
"""The part of those that are left is removed at once where that is more."""
LOOK = 0.25
"""Seconds between two looks at whether the machine was suspended."""
RUNS_OUT = 3.0
"""Seconds before the end of a lifetime from which on an address that goes has run out."""
UNDECIDED = IFA_F_TENTATIVE | IFA_F_DADFAILED
"""An address with a lifetime goes with one of these when another host has it (addrconf_dad_stop of
net/ipv6/addrconf.c)."""
NAMING = (DEPARTURE, "altname", "name")
"""Events that may take an alias away from its line."""
FEW = 8
"""Aliases that are named one by one at most."""


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
        self._engine = controller.engine
        self._lifetimes = Lifetimes(self._engine, boottime, apart)
        self._questions = Questions(checks, report, lambda error: self._complain(error.line()))
        self._journal = journal
        self._clock = clock
        self._boottime = boottime
        self._report = report
        self._suspension = Suspension(boottime(), clock())
        self._pools: dict[str, Float] = {}
        self._addresses: dict[bytes, Key] = {}
        self.ours: dict[Key, float] = {}
        """Until when each address of ours may stand, in seconds of CLOCK_BOOTTIME."""
        self._places: dict[Key, tuple[Float, bytes]] = {}
        self._making: dict[Key, float] = {}
        self._known: set[Key] = set()
        """Those of ours that nobody else has."""
        self._leaving: dict[Key, bytes] = {}
        """The packed forms of addresses that are to go, whether lines still tell of them or not."""
        self._asking: list[Key] = []
        self._prolonging = self._doubtful = False
        self._lost: set[Key] = set()
        """The addresses that the kernel removed before it had found them to be unique."""
        self._count = 0
        """Orders of this agent so far."""
        self._busy = 0.0
        self._looked = 0.0
        self._complaint = ""
        self._backoff = Backoff()
        self._repairs = RepairBackoff()

    # Lines

    def load(self, tasks: Iterable[Task]) -> None:
        """Replace the lines. What stands in none of them any more is removed, ours or not: nothing
        would tell by now that its lifetime is not to be renewed."""
        former_keys = self._addresses
        self._pools = {one.name: one for one in floats(tasks)}
        if self._pools:
            prepare()
        self._addresses = {
            packed: (one.name, one.spelled(packed))
            for one in self._pools.values()
            for packed in one.addresses
        }
        for key in [*self.ours]:
            former, packed = self._places[key]
            found = self._find(key)
            if found is None or not alike(found[0].wish_of(packed), former.wish_of(packed)):
                self._drop(key)
        gone = former_keys.keys() - self._addresses.keys()
        for alias in self._controller.observe().aliases if gone else ():
            if alias.address in gone and alias.ours and alias.lease:
                self._leaving.setdefault(former_keys[alias.address], alias.address)

    def _find(self, key: Key) -> tuple[Float, bytes] | None:
        """The pool and the packed form of an address; None for one that is not declared."""
        pool = self._pools.get(key[0])
        packed = pool.packed(key[1]) if pool is not None else None
        return (pool, packed) if pool is not None and packed is not None else None

    def standing(self) -> list[Key]:
        """The declared addresses that stand here with a lifetime, and are not ours."""
        if not self._pools:
            return []
        self._controller.read_events(TURN)
        found = self._standing(self._controller.observe())
        return [key for key, alias in found.items() if alias.lease and key not in self.ours]

    def _present(self, observed: Observed) -> dict[bytes, list[Alias]]:
        """The aliases that have an address of a pool, or one that is leaving, by its packed form,
        whatever the names of their devices are by now. One without an end that is in no pool any
        more belongs to another line."""
        former = {packed for _, packed in self._places.values()}
        former.update(self._leaving.values())
        found: dict[bytes, list[Alias]] = {}
        for alias in observed.aliases:
            known = alias.address in self._addresses or (alias.lease and alias.address in former)
            if known and alias.ours and alias.entry is not None:
                found.setdefault(alias.address, []).append(alias)
        return found

    def _standing(self, observed: Observed) -> dict[Key, Alias]:
        """The aliases of them that stand where their lines say."""
        known = {packed: key for key, (_, packed) in self._places.items()} | self._addresses
        found = {}
        for alias in (one for aliases in self._present(observed).values() for one in aliases):
            key = known.get(alias.address)
            if key is None:
                continue
            one = self._places.get(key) or self._find(key)
            names = (alias.main.name, *alias.main.altnames) if alias.main is not None else ()
            if (
                one is not None
                and one[0].main in names
                and one[0].places[one[1]] == alias.name.slot
            ):
                found[key] = alias
        return found

    def reset(self) -> None:
        """The agent has ended; the next one counts its orders anew."""
        self._count = 0
        self.forget()

    def forget(self, order: Forget | None = None) -> None:
        """Nothing is ours any more. What stands runs out, unless that may be too late."""
        if self._lifetimes.unsure:
            self._drop_all(self.ours)
        self.ours = {}
        self._making = {}
        self._asking = []
        self._places = {}
        self._known.clear()

    def _gone(self, keys: Iterable[Key]) -> None:
        """Report addresses that are not there, and that no order so far makes any more."""
        self._report(Gone(self._count, keys))

    def counts(self) -> tuple[dict[str, tuple[int, int]], float]:
        """By pool the numbers of addresses that are declared and ours; the seconds until the first
        of ours has to be gone, 0 for none."""
        held = dict.fromkeys(self._pools, 0)
        for name, _ in self.ours:
            if name in held:
                held[name] += 1
        pools = {name: (len(one.addresses), held[name]) for name, one in self._pools.items()}
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
            found = self._find(key)
            if found is None:
                self._release_unknown(key)
                continue
            self._places[key] = found
            self._leaving.pop(key, None)
            (self._known.add if isinstance(order, Receive) else self._known.discard)(key)
            self.ours[key] = order.until
            self._making[key] = 0.0

    def extend(self, order: Extend) -> None:
        """All that are ours stand until a time."""
        self.ours = dict.fromkeys(self.ours, order.until)
        self._prolonging = bool(self.ours)

    def release(self, order: Release) -> None:
        """Addresses are to go."""
        unknown = []
        for key in order.keys:
            if key in self.ours:
                self._drop(key)
            elif key not in self._leaving and not self._release_unknown(key):
                unknown.append(key)
        if unknown:
            self._gone(unknown)

    def _release_unknown(self, key: Key) -> bool:
        """One that is not ours may stand here from before, by lines that are gone by now; whether
        it is an address at all."""
        try:
            self._leaving[key] = inet_pton(AF_INET6 if ":" in key[1] else AF_INET, key[1])
        except OSError:
            return False
        return True

    def check(self, order: Check) -> None:
        """Others are to be asked for addresses."""
        self._asking += order.keys

    def _drop(self, key: Key) -> None:
        """It is not ours any more, and is to go."""
        self.ours.pop(key, None)
        self._making.pop(key, None)
        self._known.discard(key)
        self._leaving[key] = self._places.pop(key)[1]

    def _drop_all(self, keys: Iterable[Key]) -> None:
        for key in [*keys]:
            self._drop(key)

    def _lose(self, keys: Iterable[Key]) -> None:
        """Note addresses that were to go, and are gone."""
        keys = [*keys]
        for key in keys:
            self._leaving.pop(key, None)
        if keys:
            self._gone(keys)

    # Events

    def hear(self, event: Event) -> None:
        """Take note of an event: an address of ours that goes, or its device, is made again."""
        if not self.ours:
            return
        if event.key[0] == ADDRESS:
            address = event.subject.address
            key = self._addresses.get(address.local)
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
        there = self._standing(self._controller.observe())
        boottime, ended = self._boottime(), []
        for key in [key for key in self._lost if key in self.ours]:
            name = self._places[key][0].alias(self._places[key][1])
            self._journal.warning(f"{name}: another host has its address")
            self._drop(key)
        self._lost.clear()
        for key, until in self.ours.items():
            alias = there.get(key)
            stands = alias is not None and (alias.device is None or alias.device.up)
            if stands or key in self._making:
                continue
            if until - boottime < RUNS_OUT:
                ended.append(key)
            else:
                self._making[key] = self._repairs.undone(key, now)
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
        if self._prolonging or self._asking or self._doubtful:
            return 0.0
        times = [max(self._busy, when) for when in self._making.values()]
        if self._leaving:
            times.append(self._busy)
        if self._pools:  # what is not ours any more may stand, and a suspension prolong it
            times.append(self._looked + LOOK)
        return max(0.0, min(times) - now) if times else None

    def tick(self, now: float) -> None:
        """Do what is due: first what must not stand any more, then what waits for an answer."""
        self._looked = now
        self._prolonging |= self._lifetimes.unsure
        if self._suspension.passed(self._boottime(), self._clock()) and self._pools:
            self._give_up()
        if self._doubtful:
            self._look(now)
        if self._asking:
            keys, self._asking = self._asking, []
            places = {key: self._find(key) for key in keys}
            self._questions.ask(places, self._controller.observe())
        try:
            self._change(now)
        finally:
            # What moves has no answer meanwhile; what is prolonged has, and has seconds left.
            if self._prolonging:
                self._prolonging = False
                self._prolong()

    def _change(self, now: float) -> None:
        """Remove some of what is to go, and make some of what is to come."""
        if now < self._busy:
            return
        try:
            if self._leaving:
                self._remove(now)
            if any(when <= now for when in self._making.values()):
                self._make(now)
            self._backoff.reset()
        except errors.LockBusy:
            self._busy = now + BUSY
        except errors.NetaliasError:
            self._busy = now + self._backoff.next()
            raise

    def _give_up(self) -> None:
        """Delete all addresses at once, those that only run out too: while the machine was
        suspended their lifetimes stood still. What is left of their devices goes later."""
        self._journal.warning("the machine was suspended: all addresses that float are given up")
        observed = self._controller.observe()
        present = [one for aliases in self._present(observed).values() for one in aliases]
        self._drop_all(self.ours)
        self._lifetimes.end([one for one in present if one.lease], observed)

    def _prolong(self) -> None:
        """Set the lifetimes of all that is ours; what is not there is made again. What may have
        been set too late is set once more."""
        self._controller.read_events(TURN)
        observed = self._controller.observe()
        there = self._standing(observed)
        if self._lifetimes.unsure:
            boottime = self._boottime()
            late = [key for key, one in self.ours.items() if not fence.seconds(one, boottime)]
            self._drop_all(late)  # too late to set them right
        standing = [(there[key], until) for key, until in self.ours.items() if key in there]
        problems = self._lifetimes.prolong(standing, observed)
        for text in problems:
            self._complain(text)
        self._doubtful |= bool(problems) or len(standing) < len(self.ours)

    # Changes

    def _remove(self, now: float) -> None:
        """Remove some of the addresses that are to go. Raises KernelError, LockBusy."""
        # Each time costs a reading of everything: of thousands more go at once.
        keys = [*self._leaving][: max(LEAVING, len(self._leaving) // PARTS)]
        with self._engine.transaction():
            observed = self._engine.observe()
            there = self._present(observed)
            wanted = dict.fromkeys(self._leaving[key] for key in keys)
            aliases = [alias for packed in wanted for alias in there.get(packed, ())]
            outcome = remove(self._engine, observed, aliases) if aliases else None
        failed = {str(item.name) for item in outcome.failed} if outcome is not None else set()
        left = {one.address for one in aliases if str(one.name) in failed}
        self._lose(key for key in keys if self._leaving[key] not in left)
        self._tell("given up", [one for one in aliases if str(one.name) not in failed])
        if outcome is not None and failed:
            self._busy = now + self._backoff.next()
            self._fail(outcome)

    def _make(self, now: float) -> None:
        """Make some of the addresses that are ours and do not stand. Raises KernelError, LockBusy,
        StateError."""
        keys = [key for key, when in self._making.items() if when <= now][:CHUNK]
        with self._engine.transaction():
            until = min(self.ours[key] for key in keys)
            # Half of the time is for the work: they are prolonged by the next proof.
            work = (until - self._boottime()) / 2
            if work < 1:
                self._drop_all(keys)
                return
            with Deadline(work):
                # Read only now: a stop of this process until here has taken time from the rest.
                seconds = int(until - self._boottime() - work)
                if seconds < 1:
                    self._drop_all(keys)
                    return
                diff = self._differences(keys, seconds)
                outcome = mend(self._engine, diff, lambda: self._differences(keys, seconds))
            there = self._standing(self._engine.observe())
        self._controller.read_events()  # what is announced next is looked at in the state of these
        for key in keys:
            if key in there:
                self._making.pop(key, None)
        self._drop_all(key for key in keys if key not in there)
        self._tell("taken", [item for item in outcome.done if item.sign == ADDED])
        self._fail(outcome)

    def _differences(self, keys: Iterable[Key], seconds: int) -> Diff:
        """The differences of some addresses, which get a lifetime of *seconds*."""
        blocks = []
        for key in keys:
            pool, packed = self._places[key]
            wish = pool.wish_of(packed)
            wish.lease, wish.acd = seconds, OFF
            slots = range(wish.name.slot, wish.name.slot + 1)
            blocks.append(Block(wish, slots, (packed,), pool.source, pool.line))
        engine = self._engine
        observed = engine.observe()
        examine(engine.kernel, observed, observed.aliases)
        diff = compare(Declarations(blocks, []), observed, removing=False)
        for step in (step for item in diff.items for step in item.plan.steps):
            if isinstance(step, RenewAddress):
                step.before = None  # undone, it would give the whole lifetime once more
        known = {self._places[key][1] for key in keys if key in self._known}
        for item in diff.items:
            item.plan.steps += spare(item.plan.steps, known)
        diff.items += engine.sysctls(observed, [item.plan for item in diff.items])
        return diff

    # The journal

    def _tell(self, verb: str, changed: Sequence[Alias | Difference]) -> None:
        names = [str(one.name) for one in changed]
        if names:
            few = f" ({', '.join(names)})" if len(names) <= FEW else ""
            self._journal.info(f"{counted(len(names), 'address')} {verb}{few}")

    def _fail(self, outcome: Outcome) -> None:
        failed = [one.error for one in outcome.failed if one.error is not None]
        for error in (*failed, *(one.error for one in outcome.diff.skipped)):
            self._complain(error.line())

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
