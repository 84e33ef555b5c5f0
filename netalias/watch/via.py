"""Former addresses that leave through a tunnel: their rules, as long as the tunnel is there.

Where it is not, they leave translated, as without one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from netalias import errors
    from netalias.desired.keeping import Keeping
    from netalias.engine import Engine
    from netalias.model.events import State
    from netalias.plan.via import Key
    from netalias.system.journal import Journal


class Via:
    """The rules of a watcher. Nothing is read or loaded as long as no line names a tunnel."""

    def __init__(self, engine: Engine, state: State, journal: Journal) -> None:
        self._engine = engine
        self._state = state
        self._journal = journal
        self._names: set[str] = set()
        self._missing: set[str] = set()
        self._stands = True
        """Whether rules may stand; a watcher that was killed may have left some."""

    def named(self, name: str) -> bool:
        """Whether a line names the tunnel of this device."""
        return name in self._names

    def lead(self, kept: Sequence[tuple[Keeping, Collection[Key]]]) -> list[errors.NetaliasError]:
        """Have the rules for the addresses that lines keep, and no other ones; the refusals. Raises
        KernelError."""
        self._names = {task.via for task, _ in kept if task.via}
        if not (self._names or self._stands):
            return []
        from netalias.plan import via

        there = {one.name for one in self._state.devices() if one.up}
        self._tell({task.via for task, keys in kept if keys and task.via} - there)
        wanted = [
            rule
            for task, keys in kept
            if task.via in there
            for rule in via.rules(_unit(task), keys)
        ]
        steps = via.difference(wanted, self._engine.kernel.routing().read().rules)
        self._stands = bool(wanted or steps)
        if not steps:
            return []
        from netalias.engine.tunnels import sent

        return sent(self._engine, steps)

    def _tell(self, missing: set[str]) -> None:
        for name in sorted(missing - self._missing):
            self._journal.warning(
                f"{name} is not up: former addresses leave translated, and their connections end"
            )
        self._missing = missing


def _unit(task: Keeping) -> int:
    from netalias.desired.tunnels import unit_of

    return unit_of(task.via)
