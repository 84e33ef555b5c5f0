"""Concerns of a move besides the firewall: programs, and stanzas in files of other programs."""

from __future__ import annotations

from netalias.cli.firewall import pair_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.engine import Engine
    from netalias.plan import Plan


def concerned(engine: Engine, plans: Iterable[Plan], failed: list[str]) -> list[str]:
    """Sentences about programs that will miss aliases after these plans, or be given names that
    mean something else. What could not be read is added to *failed*."""
    from netalias.doctor import listeners, programs

    pairs = [pair for plan in plans if (pair := pair_of(plan)) is not None]
    if not pairs or not engine.setup.namespace:  # a kernel in memory has no programs
        return []
    indexes = {device.name: device.index for device in engine.snapshot().devices.values()}
    found: list[str] = engine.within(lambda: listeners.concerned(pairs, indexes, failed))
    devices = {pair.name: pair.new for pair in pairs if pair.new != pair.name.partition(":")[0]}
    for one in programs.read([pair.name for pair in pairs]):
        device = devices.get(one.name, "")
        reason = one.program.device if device else one.program.label
        if reason:
            need = f"; it needs {device}" if device else ""
            why = reason.replace("MAIN", one.name.partition(":")[0])
            found.append(
                f"{one.program.name} is given {one.name} ({one.file}:{one.line}): {why}{need}"
            )
    return found


def elsewhere(engine: Engine, plans: Iterable[Plan], failed: list[str]) -> list[str]:
    """Sentences about files of other programs that bring up the addresses of these plans, as labels
    or on the main device: they do so after the move too. What could not be read is added to
    *failed*."""
    from netalias.doctor import stanzas
    from netalias.doctor.checks.elsewhere import by_file

    if not engine.setup.namespace:  # a kernel in memory has no files
        return []
    goals = [plan.goal for plan in plans if plan.goal is not None]
    found = stanzas.read({goal.address: goal.name for goal in goals}, "", failed)
    return [f"{one.text} too: {one.why}" for one in by_file(found)]
