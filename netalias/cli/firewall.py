"""Warnings on a terminal about alias devices that a command has made: firewall rules that do not
see them, and MACs of chance."""

from __future__ import annotations

from netalias.cli.output import complain
from netalias.doctor import rules
from netalias.doctor.uncovered import RECEIVING, Pair, Uncovered, uncovered
from netalias.model.names import primary
from netalias.plan import Difference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.cli import Options
    from netalias.engine import Engine
    from netalias.plan import Plan


BY_CHANCE = (
    "/etc/machine-id holds no machine ID, so the MAC of a new alias device is random, another one"
    " each time that it is made (systemd-machine-id-setup)"
)


def unseen_by_rules(
    engine: Engine, plans: Iterable[Plan], failed: list[str], netns: str = ""
) -> list[Uncovered]:
    """The rules that hold for an alias before its plan and not after it. What could not be read is
    added to *failed*. *netns* is the namespace of *engine*, in which the commands are run."""
    pairs = [pair for plan in plans if (pair := pair_of(plan)) is not None]
    return _unseen(engine, pairs, failed, netns)


def _unseen(engine: Engine, pairs: list[Pair], failed: list[str], netns: str) -> list[Uncovered]:
    if not pairs:
        return []
    found = uncovered(engine.within(lambda: rules.read(failed)), pairs)
    if netns:
        from netalias.cli.doctor import inside

        for one in found:
            one.command = inside(netns, one.command)
    return found


def pair_of(plan: Plan) -> Pair | None:
    """The alias of a plan, and the devices by which its packets come in before and after it; None
    where that is the same one."""
    alias, goal = plan.alias, plan.goal
    if goal is None:
        return None
    old = new = goal.main.name
    if plan.kind in RECEIVING:
        new = primary(goal.name)
    if alias is not None and alias.kind in RECEIVING and alias.device is not None:
        old = alias.device.name
    return Pair(str(goal.name), old, new, goal.address) if old != new else None


class FirstDevices:
    """The alias devices that a command makes. When it is done, tell() tells which firewall rules do
    not see the first ones of a main device, and of MACs that follow from nothing."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._pairs: list[Pair] = []
        self._chosen = False

    def take(self, items: Iterable[Difference]) -> None:
        """Note what was done."""
        for item in items:
            goal = item.plan.goal
            self._chosen = self._chosen or (goal is not None and goal.chosen)
            pair = pair_of(item.plan) if item.plan.kind in RECEIVING else None
            if pair is not None:
                self._pairs.append(pair)

    def tell(self, engine: Engine) -> None:
        """Tell of MACs and rules. The engine has no lock: the programs that list rules take
        time."""
        identity = engine.setup.identity if self._chosen else None
        if identity is not None and not engine.within(identity)[0]:
            complain(BY_CHANCE, "warning: ")
        if not self._pairs:
            return
        made = {pair.name for pair in self._pairs}
        others = {
            alias.name.main
            for alias in engine.observe().aliases
            if alias.ours and alias.kind in RECEIVING and str(alias.name) not in made
        }
        first = [pair for pair in self._pairs if pair.old not in others]
        for one in _unseen(engine, first, [], self._options.netns):
            complain(one.line(), "warning: ")


def tell(options: Options, plan: Plan) -> None:
    """Tell of the MAC of a new alias device, and which rules do not see the first one on its main
    device."""
    from netalias.plan.diff import ADDED

    assert plan.goal is not None
    made = FirstDevices(options)
    made.take([Difference(ADDED, plan.goal.name, plan)])
    with options.engine() as engine:
        made.tell(engine)
