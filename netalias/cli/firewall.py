"""Firewall rules that do not see an alias which becomes a device, for commands that make one."""

from __future__ import annotations

from netalias.cli.output import complain
from netalias.doctor import rules
from netalias.doctor.uncovered import RECEIVING, Pair, Uncovered, uncovered
from netalias.model.names import primary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.cli import Options
    from netalias.engine import Engine
    from netalias.plan import Plan


def unseen_by_rules(
    engine: Engine, plans: Iterable[Plan], failed: list[str], netns: str = ""
) -> list[Uncovered]:
    """The rules that hold for an alias before its plan and not after it. What could not be read is
    added to *failed*. *netns* is the namespace of *engine*, in which the commands are run."""
    pairs = []
    for plan in plans:
        alias, goal = plan.alias, plan.goal
        if goal is None:
            continue
        old = new = goal.main.name
        if plan.kind in RECEIVING:
            new = primary(goal.name)
        if alias is not None and alias.kind in RECEIVING and alias.device is not None:
            old = alias.device.name
        if old != new:
            pairs.append(Pair(str(goal.name), old, new, goal.address))
    if not pairs:
        return []
    found = uncovered(engine.within(lambda: rules.read(failed)), pairs)
    if netns:
        from netalias.cli.doctor import inside

        for one in found:
            one.command = inside(netns, one.command)
    return found


def tell(options: Options, plan: Plan) -> None:
    """Tell which rules do not see the first device of an alias on its main device."""
    goal = plan.goal
    assert goal is not None
    with options.engine() as engine:
        others = [
            alias
            for alias in engine.observe().aliases
            if alias.ours
            and alias.kind in RECEIVING
            and alias.name.main == goal.main.name
            and alias.name != goal.name
        ]
        found = unseen_by_rules(engine, [plan], [], options.netns) if not others else []
    for one in found:
        complain(one.line(), "warning: ")
