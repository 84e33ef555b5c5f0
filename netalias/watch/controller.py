"""What was heard, when it is acted on, and in which order: aliases go with their main devices
(devices.py), and come back as they are wished (healing.py)."""

from __future__ import annotations

from netalias import errors
from netalias.desired.declarations import Declarations
from netalias.desired.index import FREE, Wished
from netalias.engine import reconcile as engine_room
from netalias.kernel.netlink.subscription import ROOM, port_of
from netalias.observed import Observed
from netalias.system.backoff import Backoff
from netalias.watch.healing import Healing
from netalias.watch.impact import Impact
from netalias.watch.lifecycle import Lifecycle
from netalias.watch.report import Report
from netalias.watch.snapshots import snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.desired import Wish
    from netalias.engine import Engine
    from netalias.kernel.netlink.monitor import Monitor
    from netalias.model import Alias
    from netalias.system.journal import Journal
    from netalias.watch.impact import Affected

BUSY = 0.02
"""Seconds after which the lock is asked for again, and not before: who asks in vain closes its
file, which looks as if another run had let go of it."""


class Controller:
    """One namespace. ``wake`` is when act() is to be called again, None for never.

    ``touched``: there may be other aliases than before; ``raised``: some device came, or came up;
    ``linked``: indexes of main devices that got a carrier; these belong to whoever resets them.
    *paused* says why nothing may be changed at present, or nothing.
    """

    def __init__(
        self,
        engine: Engine,
        stream: Monitor,
        journal: Journal,
        clock: Callable[[], float],
        *,
        on_down: str = FREE,
        allow_empty: bool = False,
        allow_shrink: bool = False,
        paused: Callable[[], str] = str,
    ) -> None:
        self.engine = engine
        self.wake: float | None = None
        self.touched = True
        self.raised = False
        self.linked: set[int] = set()
        self._stream = stream
        self._clock = clock
        self._paused = paused
        self._reason = ""
        self._rules = engine_room.Rules(
            allow_empty=allow_empty, allow_shrink=allow_shrink, abort=False
        )
        self._fresh = False
        wished = Wished(Declarations([], []), on_down)
        self._impact = Impact(stream.state, wished, engine.group)
        self._report = Report(journal, engine)
        self._lifecycle = Lifecycle(engine, self._report)
        self._healing = Healing(engine, stream.state, self._report, wished)
        self._delay, self._pause = Backoff(), Backoff()
        self._hold = self._busy = 0.0
        self._whole_at: float | None = None
        self._own = port_of(engine.kernel.fileno())

    @property
    def wished(self) -> Wished:
        """What is kept true."""
        return self._impact.wished

    @property
    def healed(self) -> int:
        """How many aliases were put right."""
        return self._report.healed

    def observe(self) -> Observed:
        """The aliases, as the events have told of them."""
        return Observed(snapshot(self._stream.state), self.engine.registry, self.engine.group)

    def wish(self, alias: Alias) -> Wish | None:
        """What is declared for it, by any name of it; the wish of its line."""
        return self.wished.of(alias)

    def load(self, declared: Declarations) -> None:
        """From now on these are the wishes; act() lets go what is not among them, as a
        reconciliation does. Without any, and without allow_empty, nothing goes."""
        wished = Wished(declared, self.wished.on_down)
        self._impact.load(wished)
        self._healing.load(wished)
        self._report.anew()
        self._hold = 0.0
        affected = self._impact.affected
        affected.dirty.clear()
        affected.whole = True
        affected.risen |= wished.mains
        self._fresh = bool(declared.blocks) or self._rules.allow_empty

    def settle(self) -> None:
        """A main device that is down when the watching begins has no aliases either."""
        self._impact.settle()

    def hear(self, most: int = ROOM) -> None:
        """Take in what the kernel has announced, of a flood *most* announcements; what follows from
        it is due at once. Raises WireError, KernelError; what was not heard by that is heard by
        act()."""
        stream, affected = self._stream, self._impact.affected
        try:
            for event in stream.read(most):
                self._impact.add(event, stream.port if stream.port != self._own else 0)
                self.wake = 0.0
        except errors.NetaliasError:
            self.wake = 0.0
            raise
        finally:
            self.touched |= affected.touched
            self.raised |= affected.raised
            self.linked |= affected.linked
            affected.touched = affected.raised = False
            affected.linked = set()

    def act(self) -> None:
        """Do what is to be done now. Raises NetaliasError; what was not done is tried again, later
        and later."""
        now = self._clock()
        retry = None
        try:
            if now < self._busy:
                retry = self._busy
            elif now >= self._hold:
                retry = self._act(self._impact.affected, now)
        except errors.LockBusy:
            retry = self._busy = now + BUSY
        except errors.NetaliasError:
            self._hold = self._later(now)
            raise
        finally:
            hold = self._hold if self._hold > now else None
            times = [hold] if hold else [*self._healing.late.values(), self._whole_at, retry]
            self.wake = min((when for when in times if when is not None), default=None)

    def _act(self, affected: Affected, now: float) -> float | None:
        """When there is more to do."""
        if self._stream.lost:
            self.hear()
        self._due(affected, now)
        if not affected.pressing:
            return None
        if self._is_paused():
            return now + self._pause.next()
        self._healing.rest(affected.dirty, now)
        if not affected.pressing:
            return None
        if affected.few and all(map(self.wished.simple, affected.dirty)):
            trouble = self._healing.some(affected.dirty, self.hear, now)
        else:
            with self.engine.locked():
                self.hear()
                self._healing.rest(affected.dirty, now)
                trouble = self._lifecycle.free(affected, self.wished)
                trouble |= self._lifecycle.follow(affected, self.wished)
                trouble |= self._lifecycle.sweep(affected, self.wished)
                trouble |= self._heal_all(affected, now)
        if trouble:
            self._later(now)
        return now if affected.pressing else None  # it was heard of while the rest was done

    def _due(self, affected: Affected, now: float) -> None:
        self._healing.due(affected.dirty, now)
        if self._whole_at is not None and self._whole_at <= now:
            self._whole_at = None
            affected.whole = True
            self._lifecycle.again(affected)

    def _later(self, now: float) -> float:
        """Everything is compared again in a while."""
        if self._whole_at is None:
            self._whole_at = now + self._delay.next()
        return self._whole_at

    def _is_paused(self) -> bool:
        before, self._reason = self._reason, self._paused()
        if not self._reason:
            self._pause.reset()
        elif self._reason != before:
            self._report.journal.warning(self._reason)
        return bool(self._reason)

    def _heal_all(self, affected: Affected, now: float) -> bool:
        if self._fresh:
            trouble = self._heal_fresh()
        elif affected.whole or affected.dirty:
            trouble = self._healing.all(affected.dirty, affected.risen, now)
        else:
            return False
        if not trouble:
            self._delay.reset()
        affected.whole = False
        affected.risen.clear()
        affected.dirty.clear()
        return trouble

    def _heal_fresh(self) -> bool:
        try:
            trouble = self._healing.fresh(self._rules)
        except errors.StateError:
            self._fresh = False  # a guard rail that refuses it refuses it once
            raise
        self._fresh = False
        return trouble
