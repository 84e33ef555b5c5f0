"""Notes of plans that few plans have; loaded only for them. Pure."""

from __future__ import annotations

from netalias.model.names import NAME_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.families import Registry
    from netalias.kinds import Goal
    from netalias.model import Alias
    from netalias.model.names import AliasName
    from netalias.observed import Observed


def long_name(goal: Goal, short: str, observed: Observed) -> list[str]:
    """The name of a new alias device is one that programs cut to *short*; once for each main device
    in a run."""
    name = goal.name
    if name.main in observed.long_named:
        return []
    observed.long_named.add(name.main)
    return [
        f"{name}: give programs the name {goal.device}: many cut this one at"
        f" {NAME_MAX} bytes, to {short}, and use {name.main} or another alias of it"
    ]


def lost_when_down(alias: Alias) -> list[str]:
    """The notes on an IPv6 address that is lost while its device is down."""
    if alias.entry is None:
        return []
    lost = [f"the {word}" for word in ("metric", "peer") if getattr(alias.entry, word)]
    lost += ["deprecated"] if alias.entry.deprecated else []
    text = " and ".join(lost)
    return [f"{alias.name}: {text} must be given again when it is raised"] if lost else []


def same_name(name: AliasName, alias: Alias, registry: Registry) -> str:
    """The warning that a foreign label has the name of a new alias."""
    return (
        f"{name}: {name.main} carries a label of that name already, {_text(registry, alias)}, made"
        " by others; ifconfig and getifaddrs(3) will go on showing that one"
    )


def foreign(name: AliasName, alias: Alias, registry: Registry) -> str:
    """A label that is deleted was made by others."""
    return f"{name}: deleted, though others made this label ({_text(registry, alias)})"


def unused_metric(goal: Goal, metric: int) -> list[str]:
    """The metric of a label is that of no route, since the label is a host inside a network that
    has one already."""
    if goal.entry is None or not goal.entry.noted:
        return []
    return [
        f"{goal.name}: metric {metric} has no effect, since the label brings no route:"
        f" its network is known on {goal.main.name} already"
    ]


def _text(registry: Registry, alias: Alias) -> str:
    return f"{registry.get(alias.family).format(alias.address)}/{alias.prefixlen}"
