"""The control loop of one namespace: which events are acted on, when, and in which order.

Aliases go with their main devices (lifecycle.py), then come back as they are declared (healing.py).
"""

from __future__ import annotations

from netalias import errors
from netalias.desired.declarations import Declarations
from netalias.desired.index import FREE, Index
from netalias.engine.reconcile import Rules
from netalias.kernel.netlink.monitor import TURN
from netalias.kernel.netlink.subscription import ROOM, port_id_of
from netalias.model.events import DEPARTURE
from netalias.observed import Observed, alias_of
from netalias.system.backoff import SHORTEST, Backoff
from netalias.watch.healing import Healing
from netalias.watch.impact import Impact
from netalias.watch.lifecycle import Lifecycle
from netalias.watch.repeated import BUSY
from netalias.watch.report import Report
from netalias.watch.snapshots import snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.claim import Claim
    from netalias.desired import Wish
    from netalias.engine import Engine
    from netalias.kernel.netlink.monitor import Monitor
    from netalias.model import Alias, Device
    from netalias.model.events import Event, State
    from netalias.model.names import AliasName
    from netalias.system.journal import Journal
    from netalias.watch.checkpoint import Checkpoint
    from netalias.watch.impact import Affected


class Controller:
    """``wake`` is the time of the next act(), None for never.

    ``touched``: the aliases may have changed; ``republish``: a device may have lost its proxy
    entries; ``linked``: indexes of main devices that got a carrier; ``readdressed``: indexes of
    devices to which others gave another MAC. The caller resets these four. ``hear`` is called with
    every event. *clock* counts seconds.
    ``waiting``: act() has not acted yet on the declarations that were loaded last, for instance
    since another process has the lock. Nothing is changed while *checkpoint* gives a reason.
    """

    def __init__(
        self,
        engine: Engine,
        monitor: Monitor,
        journal: Journal,
        clock: Callable[[], float],
        checkpoint: Checkpoint,
        *,
        on_down: str = FREE,
        allow_empty: bool = False,
        allow_shrink: bool = False,
    ) -> None:
        self.engine = engine
        self.wake: float | None = None
        self.touched = True
        self.waiting = False
        self.republish = False
        self.linked: set[int] = set()
        self.readdressed: set[int] = set()
        self.hear: Callable[[Event], object] = lambda event: None
        self._monitor = monitor
        self._clock = clock
        self._checkpoint = checkpoint
        self._digest = ""
        self._reason = ""
        self._rules = Rules(allow_empty=allow_empty, allow_shrink=allow_shrink, abort=False)
        self._fresh = False
        self._impact = Impact(monitor.state, Index(Declarations([], []), on_down), engine.group)
        self._report = Report(journal, engine, self._impact.duplicates)
        self._lifecycle = Lifecycle(engine, self._report)
        self._healing = Healing(engine, self._impact, self._report)
        self._backoff = Backoff()
        self._hold = self._busy = self._routes_at = 0.0
        self._whole_at: float | None = None
        self._port_id = port_id_of(engine.kernel.fileno())

    @property
    def state(self) -> State:
        """The objects after the events so far."""
        return self._monitor.state

    @property
    def wished(self) -> Index:
        """The declared aliases."""
        return self._impact.wished

    @property
    def healed(self) -> int:
        """The number of repairs so far."""
        return self._report.healed

    def resume(self, healed: int) -> None:
        """Count the repairs of a watcher before this one as well."""
        self._report.healed = healed

    @property
    def paused(self) -> str:
        """The reason why nothing is put right now; empty for none."""
        return self._reason

    def devices(self) -> list[Device]:
        """The devices after the events so far."""
        return [*self._monitor.state.devices()]

    def observe(self) -> Observed:
        """The state after the events so far, with the aliases in it."""
        return self.engine.recognise(snapshot(self._monitor.state))

    def wish(self, alias: Alias) -> Wish | None:
        """The wish of the line that declares an alias, by any name of it."""
        return self.wished.of(alias)

    def load(self, declared: Declarations, digest: str = "") -> None:
        """Replace the declarations, a configuration with this digest.

        The next act() removes the aliases that are not among them, as a reconciliation does; none
        if neither aliases nor addresses that float are declared, unless allow_empty says so.
        """
        wished = Index(declared, self.wished.on_down)
        self._digest = digest
        self._impact.load(wished)
        self._healing.reset()
        self._report.reset()
        self._hold = 0.0
        affected = self._impact.affected
        affected.dirty.clear()
        affected.whole = True
        affected.risen |= wished.mains
        floating = any(one.keyword == "float" for one in declared.tasks)
        self.waiting = True
        self._fresh = bool(declared.blocks) or floating or self._rules.allow_empty

    def start(self) -> None:
        """Have the aliases of main devices that are down at the beginning go."""
        self._impact.add_down()

    def read_events(self, most: int = ROOM) -> int:
        """Take in the announcements of the kernel, *most* at most; the number of events.

        After any event act() is due. Raises WireError, KernelError; act() reads again then.
        """
        monitor, impact, count = self._monitor, self._impact, 0
        own = self._port_id
        try:
            for event in monitor.read(most):
                mine = monitor.port_id == own
                impact.add(event, 0 if mine else monitor.port_id, own=mine)
                self.hear(event)
                if event.what == DEPARTURE and event.device is not None:
                    self._note(event.device)
                self.wake = 0.0
                count += 1
        finally:
            affected = impact.affected
            self._look_back(affected)
            self.touched |= affected.touched
            self.republish |= affected.republish
            self.linked |= affected.linked
            self.readdressed |= affected.readdressed
            affected.touched = affected.republish = False
            affected.linked, affected.readdressed = set(), set()
        return count

    def _look_back(self, affected: Affected) -> None:
        """After lost announcements have everything compared if a repair before may have seen what
        the state has not: between two readings that have it neither is no difference. What it made
        may be gone again, and the main device of that fallen."""
        monitor, kernel, healing = self._monitor, self.engine.kernel, self._healing
        ahead = kernel.changed or healing.ahead
        if monitor.missed and ahead:
            affected.whole, ahead = True, False
            self._impact.add_down()
            self.wake = 0.0
        if monitor.missed and not monitor.lost:
            affected.rerouted |= self.wished.led  # the state has no default routes
        monitor.missed = False
        if monitor.lost:
            self.wake = 0.0
        if not ahead or not (monitor.lost or monitor.behind):
            kernel.changed = healing.ahead = False

    def _note(self, device: Device) -> None:
        """Note the device of an alias that is gone: it gets its index and MAC back."""
        name = alias_of(device, self.engine.group)
        if name is not None:
            self.engine.former_devices.note(name, device)

    def give_up(self, found: Iterable[Alias | Claim]) -> None:
        """Have the addresses of these aliases go, which other hosts have or may have; act() is
        due."""
        self._impact.affected.doubtful |= {one.name: one.address for one in found}
        self.wake = 0.0

    def checked(self, names: Iterable[AliasName]) -> None:
        """Have the aliases compared again for whose addresses probing has ended; act() is due."""
        self._healing.checked(names, self._impact.affected.dirty)
        self.wake = 0.0

    def act(self) -> None:
        """Act on the events so far. After any exception another try comes with back-off."""
        now = self._clock()
        retry = None
        try:
            if now < self._busy:
                retry = self._busy
            elif now >= self._hold:
                retry = self._act(self._impact.affected, now)
                self.waiting = False
        except errors.LockBusy:
            retry = self._busy = now + BUSY
        except Exception:  # a bug too: it would come back at once
            self.waiting = False
            self._hold = self._compare_later(now)
            raise
        finally:
            times = [*self._healing.postponed.values(), self._whole_at, retry]
            if self._impact.affected.rerouted:
                times.append(self._routes_at)
            if self._monitor.lost:
                times.append(now + BUSY)
            if self._hold > now:
                times = [self._hold]
            self.wake = min([when for when in times if when is not None], default=None)

    def _act(self, affected: Affected, now: float) -> float | None:
        """Act on *affected*; the time to go on with the rest of it, None without one."""
        if self._monitor.lost:
            self.read_events(TURN)
        healing = self._healing
        healing.collect_due(affected.dirty, now)
        if affected.rerouted and self._routes_at <= now:
            # All routes may be read for it, so of many changes the rest waits a little.
            self._routes_at = now + SHORTEST
            self._impact.collect_rerouted()
        if self._whole_at is not None and self._whole_at <= now:
            self._whole_at = None
            affected.whole = True
            self._lifecycle.retry(affected)
        if not affected.pressing or self._is_paused():
            return None
        healing.postpone(affected.dirty, now)
        if not affected.pressing:
            return None
        if affected.few and all(map(self.wished.simple, affected.dirty)):
            failed = self._heal_few(affected.dirty, now)
        else:
            with self.engine.transaction():
                if self._is_paused():
                    return None  # a checkpoint that began before the lock was free
                self.read_events(TURN)  # in a flood there are more without end
                healing.postpone(affected.dirty, now)
                failed = self._lifecycle.free(affected, self.wished)
                failed |= self._lifecycle.rename(affected, self.wished)
                failed |= self._lifecycle.remove_expired(affected, self.wished)
                failed |= self._lifecycle.give_up(affected)
                failed |= self._heal_all(affected, now)
        if failed:
            self._compare_later(now)
        return now if affected.pressing else None  # events that came meanwhile

    def _is_paused(self) -> bool:
        """Whether nothing may be changed; the end of that is an event, and act() is called then."""
        before, self._reason = self._reason, self._checkpoint.reason(self._digest)
        if self._reason and self._reason != before:
            self._report.journal.warning(self._reason)
        return bool(self._reason)

    def _compare_later(self, now: float) -> float:
        """Have everything compared again; the time of that."""
        if self._whole_at is None:
            self._whole_at = now + self._backoff.next()
        return self._whole_at

    def _heal_few(self, dirty: dict[AliasName, int], now: float) -> bool:
        """Repair aliases that do not depend on others, and take them out of *dirty*.

        Whether something failed. Without a difference the lock is not taken.
        """
        healing, names = self._healing, dict(dirty)
        outcome, failed = None, False
        found = healing.compare(names)
        if found.diff.items:
            with self.engine.transaction():
                if self._is_paused():
                    return False
                if self.read_events(TURN):
                    found = healing.compare(names)
                if found.needs_sysctls:
                    failed = healing.heal_all(names, set(), now)
                else:
                    outcome = healing.repair(found, names, now)
        for name in names:
            dirty.pop(name, None)
        healing.report_skipped(found.diff)
        return failed if outcome is None else healing.report(outcome, names, now)

    def _heal_all(self, affected: Affected, now: float) -> bool:
        """Repair everything, or carry out new declarations; whether something failed."""
        if self._fresh:
            failed = self._apply_declared(now)
        elif affected.whole or affected.dirty:
            failed = self._healing.heal_all(affected.dirty, affected.risen, now)
        else:
            return False
        if not failed:
            self._backoff.reset()
        affected.whole = False
        affected.risen.clear()
        affected.dirty.clear()
        return failed

    def _apply_declared(self, now: float) -> bool:
        try:
            failed = self._healing.apply_declared(self._rules, now)
        except errors.StateError:
            self._fresh = False  # a guard rail that refuses would refuse again
            raise
        self._fresh = False
        return failed
