"""The lifetimes of addresses that float, set anew after each proof.

They are set without the lock of the namespace, since nothing may delay them, and by a process aside
that a deadline ends: no lifetime is sent that was worked out before a stop.
"""

from __future__ import annotations

from netalias import errors
from netalias.cluster import fence
from netalias.model.leases import RenewAddress
from netalias.model.steps import DelAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.engine import Engine
    from netalias.model import Alias
    from netalias.observed import Observed

    Standing = tuple[Alias, float]
    """An alias, and the time at which its address has to be gone (CLOCK_BOOTTIME)."""

BATCH = 128
"""Lifetimes that are set by one reading of the clock."""


class Lifetimes:
    """*apart* does the work as system.deadline.aside() does; *boottime* is CLOCK_BOOTTIME."""

    def __init__(
        self,
        engine: Engine,
        boottime: Callable[[], float],
        apart: Callable[[float, Callable[[], str]], str],
    ) -> None:
        self._engine = engine
        self._boottime = boottime
        self._apart = apart
        self.unsure = False
        """Whether the kernel may have got some of the last ones too late. A process that waits in
        the kernel, as for the lock of rtnetlink, is ended only after what it waits for is done."""

    def prolong(self, standing: Sequence[Standing], observed: Observed) -> list[str]:
        """Set the lifetimes of addresses that stand; the first error of each batch."""
        found = []
        self.unsure = False
        for at in range(0, len(standing), BATCH):
            batch = standing[at : at + BATCH]
            try:
                text = self._apart(fence.SETTING, self._setting(batch, observed))
            except errors.StateError as error:
                self.unsure = True
                text = error.line()
            if text:
                found.append(text)
        return found

    def end(self, aliases: Iterable[Alias], observed: Observed) -> None:
        """Delete the addresses of these aliases in one batch. Raises KernelError."""
        steps = []
        for alias in aliases:
            assert alias.carrier is not None
            assert alias.entry is not None
            steps.append(DelAddress(alias.carrier.name, alias.carrier.index, alias.entry))
        self._engine.kernel.apply(steps, stoppable=False, seen=observed.snapshot)

    def _setting(self, standing: Sequence[Standing], observed: Observed) -> Callable[[], str]:
        """A function that sets the lifetimes of some addresses, by a socket of its own, and gives
        the first error."""
        engine = self._engine

        def work() -> str:
            kernel = engine.within(engine.kernel.reopened)
            steps = self._steps(standing)
            failures = kernel.apply(steps, stoppable=False, seen=observed.snapshot)
            return failures[0].error.line() if failures else ""

        return work

    def _steps(self, standing: Sequence[Standing]) -> list[RenewAddress]:
        """The steps that set the lifetimes of these addresses, counted from now."""
        steps, now = [], self._boottime()
        for alias, until in standing:
            seconds = fence.seconds(until, now)
            if seconds:
                assert alias.carrier is not None
                assert alias.entry is not None
                place = alias.carrier.name, alias.carrier.index
                steps.append(RenewAddress(*place, alias.entry.lasting(seconds)))
        return steps
