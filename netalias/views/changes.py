"""Changes as JSON: what is to be done, or was done, to one alias, main device or published address.

The same objects come from check, from reconcile, and from every verb that changes something.
"""

from __future__ import annotations

from netalias.families.fields import NO_ADDRESS, address_fields
from netalias.model.neighbours import AddProxy, DelProxy
from netalias.model.steps import DelAddress
from netalias.plan import Difference, Plan
from netalias.plan.diff import ADDED, CHANGED, REMOVED
from netalias.views import NOTHING
from netalias.views.diff import ADDRESS, NONE, SURPLUS, WORDS, changes, declared_length, is_empty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Protocol

    from netalias.families import Registry
    from netalias.kinds import Goal
    from netalias.model import Address, Alias
    from netalias.model.leases import RenewAddress
    from netalias.model.names import AliasName
    from netalias.plan.diff import Skipped

    class Recorded(Protocol):
        """The Setup of an engine."""

        @property
        def changed(self) -> list[dict[str, object]] | None: ...


PUBLISHED = "published"
NUMBERS = ("lease", "mark", "metric", "mtu", "noted")
"""Values that are numbers in JSON."""
ABSENT = (NONE, NOTHING)
"""Texts that are null in JSON."""
KEYS = {"peer": "address_peer"}
"""Word of a line: the key in JSON, where that is another one."""


def fields(item: Difference, registry: Registry) -> dict[str, object]:
    """The JSON object of a difference; ``before`` and ``after`` hold the changed values."""
    plan = item.plan
    found: dict[str, object]
    if item.sysctl_change is not None:
        change = item.sysctl_change
        found = {"change": WORDS[item.sign], "ifname": str(item.name)}
        found |= {"before": change.before, "after": change.after}
    elif plan.steps and isinstance(plan.steps[0], (AddProxy, DelProxy)):
        found = _published(plan.steps[0])
    else:
        sign = item.sign or _sign(plan)
        hidden = plan.alias is not None and is_empty(plan.alias)
        found = {"change": WORDS[sign], "ifname" if hidden else "altname": str(item.name)}
        found |= _changed(plan, registry) if sign == CHANGED else _whole(plan, registry)
    if item.error is not None:
        found["error"] = str(item.error)
    if item.place:
        found["place"] = item.place
    return found


def skipped(one: Skipped) -> dict[str, object]:
    """The JSON object of a wish that could not be planned."""
    found: dict[str, object] = {"change": "skip", "altname": str(one.name), "count": one.count}
    found["error"] = str(one.error)
    if one.place:
        found["place"] = one.place
    return found


def renewed(name: AliasName, step: RenewAddress) -> dict[str, object]:
    """The JSON object of a renewed lease, whose length is in seconds."""
    entry = step.address
    identity = address_fields(entry.family, entry.local, entry.prefixlen)
    return {"change": "renew", "altname": str(name), **identity, "lease": entry.valid}


def _sign(plan: Plan) -> str:
    """The sign of a difference that has none, since only one alias is concerned."""
    return REMOVED if plan.goal is None else ADDED if plan.alias is None else CHANGED


def _whole(plan: Plan, registry: Registry) -> dict[str, object]:
    """The fields of an alias that comes or goes."""
    if plan.goal is not None:
        return {**_wanted(plan.goal, registry), "kind": plan.kind}
    if plan.alias is None:
        return {}
    return {**_present(plan.alias, registry), "kind": plan.alias.kind}


def _wanted(goal: Goal, registry: Registry) -> dict[str, object]:
    """The address of a goal, as it is declared."""
    return address_fields(goal.type.family, goal.address, declared_length(goal), registry)


def _present(alias: Alias, registry: Registry) -> dict[str, object]:
    """The address of an alias, as it was declared; no field without one."""
    if not alias.family:
        return {}
    return address_fields(alias.family, alias.address, alias.asked, registry)


def _changed(plan: Plan, registry: Registry) -> dict[str, object]:
    """``before`` and ``after``."""
    before: dict[str, object] = {}
    after: dict[str, object] = {}
    for key, old, new in changes(plan, registry) if plan.goal is not None else [_in_place(plan)]:
        if key == ADDRESS:
            assert plan.alias is not None
            assert plan.goal is not None
            before |= _present(plan.alias, registry) or NO_ADDRESS
            after |= _wanted(plan.goal, registry)
            if before == after:  # a label that becomes a host to the kernel, or the other way
                before["prefixlen"] = plan.alias.prefixlen
                after["prefixlen"] = plan.goal.prefixlen
        elif key == SURPLUS:
            before[key], after[key] = _surplus(plan), None
        else:
            before[KEYS.get(key, key)] = _value(key, old)
            after[KEYS.get(key, key)] = _value(key, new)
    return {"before": before, "after": after}


def _in_place(plan: Plan) -> tuple[str, str, str]:
    """The change of a plan without a goal: a label is adopted, or brings the connected route of its
    network from now on."""
    from netalias.model import PROTOCOL

    alias = plan.alias
    assert alias is not None
    if alias.ours or alias.entry is None:
        return "route", NONE, "connected"
    return "mark", str(alias.entry.protocol or NONE), str(PROTOCOL)


def _value(key: str, text: str) -> object:
    if text in ABSENT:
        return None
    return int(text.lstrip("/")) if key in NUMBERS else text


def _surplus(plan: Plan) -> dict[str, object]:
    """The additional address that a plan removes."""
    steps = (step for step in plan.steps if isinstance(step, DelAddress))
    entry: Address = next(steps).address
    return address_fields(entry.family, entry.local, entry.prefixlen, peer=entry.peer)


def _published(step: AddProxy | DelProxy) -> dict[str, object]:
    proxy = step.proxy
    identity = address_fields(proxy.family, proxy.local, 8 * len(proxy.local))
    word = WORDS[ADDED if isinstance(step, AddProxy) else REMOVED]
    return {"change": word, "ifname": step.device, **identity, "kind": PUBLISHED}


# The record of changes (Setup.changed of the engine): objects, added as the changes are made


def record(setup: Recorded, items: Iterable[Difference], registry: Registry) -> None:
    """Tell of those of *items* that were carried out."""
    if setup.changed is not None:
        done = [one for one in items if one.error is None and one.plan.steps]
        setup.changed.extend(fields(one, registry) for one in done)


def record_adopted(setup: Recorded, labels: Iterable[Alias], registry: Registry) -> None:
    """Tell of *labels* of others that have got our mark."""
    if setup.changed is not None:
        done = [Difference(CHANGED, label.name, Plan(label)) for label in labels]
        setup.changed.extend(fields(one, registry) for one in done)


def record_renewals(
    setup: Recorded,
    aliases: Sequence[Alias],
    steps: Sequence[RenewAddress],
    without: Collection[AliasName] = (),
) -> None:
    """Tell of the renewed leases of *aliases*, to each of which belongs one of *steps*; those that
    are called as in *without* were not renewed."""
    if setup.changed is not None:
        pairs = zip((one.name for one in aliases), steps, strict=True)
        done = (renewed(name, step) for name, step in pairs if name not in without)
        setup.changed.extend(done)
