"""The lifetimes of addresses that float, set anew after each proof.

They are set without the lock of the namespace, since nothing may delay them, and by a process aside
that a deadline ends: no lifetime is sent that was worked out before a stop. One process, one
reading of the clock and one of the kernel serve many addresses, for such a reading costs as much as
the lifetimes of all. What moves waits for one of these batches at most (watch/floats.py).
"""

from __future__ import annotations

from netalias import errors
from netalias.cluster import fence
from netalias.model.leases import RenewAddress
from netalias.model.steps import DelAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from netalias.cluster.orders import Key
    from netalias.engine import Engine
    from netalias.model import Alias
    from netalias.observed import Observed

    Standing = tuple[Alias, float]
    """An alias, and the time at which its address has to be gone (CLOCK_BOOTTIME)."""

MOST = 256
"""Lifetimes that are set by one reading of the clock, at most: a twentieth of a second."""
LESS = 4
"""The part of a batch that could not be set in time is tried next, and more once that was."""
LATE = "a proof of this host came too late to prolong anything by it"


class Lifetimes:
    """*apart* does the work as system.deadline.aside() does; *boottime* is CLOCK_BOOTTIME.

    ``waiting`` has the addresses whose lifetimes are to be set, in their order. ``unsure`` are
    those of them that the kernel may have got too late: a process that waits in the kernel, as for
    the lock of rtnetlink, is ended only after what it waits for is done.
    """

    def __init__(
        self,
        engine: Engine,
        boottime: Callable[[], float],
        apart: Callable[[float, Callable[[], str]], str],
    ) -> None:
        self._engine = engine
        self._boottime = boottime
        self._apart = apart
        self._most = MOST
        self.waiting: dict[Key, None] = {}
        self.unsure: set[Key] = set()

    def want(self, keys: Collection[Key]) -> None:
        """Have the lifetimes of these set, and of no others; what waits already has its turn
        first."""
        former = [key for key in self.waiting if key in keys]
        self.waiting = dict.fromkeys([*former, *keys])
        self.unsure &= self.waiting.keys()

    def drop(self, key: Key) -> None:
        """Have the lifetime of an address set no more."""
        self.waiting.pop(key, None)
        self.unsure.discard(key)

    def batch(self) -> list[Key]:
        """The addresses for the next prolong(): what is unsure comes first."""
        return sorted(self.waiting, key=lambda key: key not in self.unsure)[: self._most]

    def prolong(self, keys: Iterable[Key], standing: Sequence[Standing], observed: Observed) -> str:
        """Set the lifetimes of those of *keys*, a batch(), that stand; the first error, or empty.
        Those that were not set in time go on waiting, as what is unsure does after any error."""
        try:
            text = self._apart(fence.SETTING, self._setting(standing, observed)) if standing else ""
        except errors.StateError as error:
            self._most = max(1, self._most // LESS)
            self.unsure.update(keys)
            return error.line()
        self._most = min(MOST, self._most * 2)
        for key in keys:
            if not (text and key in self.unsure):
                self.drop(key)
        return text

    def end(self, aliases: Iterable[Alias], observed: Observed) -> None:
        """Delete the addresses of these aliases in one batch. Raises KernelError."""
        steps: list[DelAddress] = []
        for alias in aliases:
            assert alias.carrier is not None
            assert alias.entry is not None
            step = DelAddress(alias.carrier.name, alias.carrier.index, alias.entry)
            step.owner = len(steps)  # one that has gone meanwhile keeps no other back
            steps.append(step)
        self._engine.kernel.apply(steps, stoppable=False, seen=observed.snapshot)

    def _setting(self, standing: Sequence[Standing], observed: Observed) -> Callable[[], str]:
        """A function that sets the lifetimes of some addresses, by a socket of its own, and gives
        the first error."""
        engine = self._engine

        def work() -> str:
            kernel = engine.within(engine.kernel.reopened)
            steps = self._steps(standing)
            failures = kernel.apply(steps, stoppable=False, seen=observed.snapshot)
            if failures:
                return failures[0].error.line()
            return LATE if len(steps) < len(standing) else ""

        return work

    def _steps(self, standing: Sequence[Standing]) -> list[RenewAddress]:
        """The steps that set the lifetimes of these addresses, counted from now."""
        steps: list[RenewAddress] = []
        now = self._boottime()
        for alias, until in standing:
            seconds = fence.seconds(until, now)
            if seconds:
                assert alias.carrier is not None
                assert alias.entry is not None
                place = alias.carrier.name, alias.carrier.index
                step = RenewAddress(*place, alias.entry.lasting(seconds))
                step.owner = len(steps)  # as in end()
                steps.append(step)
        return steps
