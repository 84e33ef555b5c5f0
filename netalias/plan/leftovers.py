"""Rules that have lost their alias: the kernel keeps a rule whose device vanishes. Pure."""

from __future__ import annotations

from netalias.model import Alias, names
from netalias.model.gateways import DelRule, RuleStep, slot_of
from netalias.model.names import AliasName
from netalias.observed.remnants import is_marked
from netalias.plan import Difference, Plan
from netalias.plan.diff import REMOVED
from netalias.plan.gateways import device_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.model.gateways import Rule
    from netalias.observed import Observed


def leftovers(observed: Observed, items: Sequence[Difference]) -> list[Difference]:
    """The differences that delete rules of ours whose alias has gone, or has no gateway any more.

    *items* are planned already. *observed* must hold all devices.
    """
    known = {step.rule for item in items for step in item.plan.steps if isinstance(step, RuleStep)}
    served = set(_served(observed, items))
    return [
        _removal(name, rule)
        for device, rules in observed.outlets().rules.items()
        for rule in rules
        if rule not in known and (device, rule.family) not in served
        for name in _owner(rule, observed)
    ]


def _served(observed: Observed, items: Sequence[Difference]) -> Iterator[tuple[str, int]]:
    """Device and family of every alias that has a gateway, or gets one."""
    for alias in observed.aliases:
        if alias.device is not None and alias.gateway:
            yield alias.device.name, alias.family
    for item in items:
        goal, plan = item.plan.goal, item.plan
        if goal is not None and goal.gateway:
            yield device_of(goal, plan.kind, plan.alias)[0], goal.type.family


def _owner(rule: Rule, observed: Observed) -> Iterator[AliasName]:
    """The name of the alias that had the device of a rule; none for a device of others. A device
    that somebody had renamed is known by the table."""
    present = observed.snapshot.device(rule.device)
    if present is not None and not is_marked(present.group, observed.group):
        return
    name = names.split_primary(rule.device)
    index, slot = slot_of(rule.table)
    main = observed.snapshot.devices.get(index)
    if name is not None:
        yield name
    elif main is not None:
        yield AliasName(main.name, slot)


def _removal(name: AliasName, rule: Rule) -> Difference:
    step = DelRule(rule)
    plan = Plan(Alias(name, step.device))
    plan.steps = [step]
    return Difference(REMOVED, name, plan)
