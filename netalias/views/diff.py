"""Differences between declared and observed aliases as lines; changes.py has their JSON.

``+`` is added, ``-`` removed, ``~`` changed, ``=`` a sysctl that is set.
"""

from __future__ import annotations

from netalias.model import AF_INET, AF_INET6, IFA_F_NOPREFIXROUTE, address_text, mac_text
from netalias.model.leases import same
from netalias.model.names import printable
from netalias.model.steps import AddAddress, DelAddress
from netalias.plan.diff import ADDED, CHANGED, REMOVED, leaving
from netalias.plan.sysctls import SET
from netalias.views import NOTHING, address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from netalias.families import Registry
    from netalias.kinds import Goal
    from netalias.model import Address, Alias
    from netalias.model.hidden import Leaving
    from netalias.model.steps import SysctlChange
    from netalias.plan import Difference, Plan

WORDS = {ADDED: "add", REMOVED: "remove", CHANGED: "change", SET: "set"}
"""Sign: its word in JSON."""
ADDRESS = "address"
SURPLUS = "surplus"
NONE = "none"


def line(item: Difference, registry: Registry) -> str:
    """One difference as one of lines()."""
    return lines([item], registry)[0]


def lines(items: Iterable[Difference], registry: Registry) -> list[str]:
    """A line for each difference, of a hidden device one for each shard that goes with it.

    ``+ eth0:1 10.0.0.2/32 macvlan``, ``~ eth0:0 200.1.1.1/24 -> 200.1.1.2/24`` or
    ``= eth0 arp_ignore 0 -> 1``.
    """
    found = []
    for item in items:
        gone = leaving(item.plan) if item.sign == REMOVED else None
        if gone is not None:
            found.append("\n".join(_shards(gone)))
            continue
        if item.sysctl_change is not None:
            text = _set(item.sysctl_change)
        else:
            text = TEXTS[item.sign](item.plan, registry)
        text = f"{item.sign} {item.name} {text}"
        found.append(text if text.isprintable() else printable(text))
    return found


def _shards(gone: Leaving) -> Iterator[str]:
    """The lines of shards that go with their device."""
    together = b" ".join(gone.labels).replace(b"\0", b"")
    names = printable(together.decode("utf-8", "surrogateescape")).split(" ")
    for name, local in zip(names, gone.local, strict=True):
        yield "%s %s %d.%d.%d.%d/%d shard" % (REMOVED, name, *local, gone.asked)


def _set(change: SysctlChange) -> str:
    pairs = change.after.items()
    return ", ".join([f"{key} {change.before[key]} -> {value}" for key, value in pairs])


def _added(plan: Plan, registry: Registry) -> str:
    goal = plan.goal
    assert goal is not None
    return f"{_declared(goal)} {plan.kind}"


def _removed(plan: Plan, registry: Registry) -> str:
    alias = plan.alias
    assert alias is not None
    if is_empty(alias):
        return "an empty device of shards"
    return f"{_asked(alias, registry)} {alias.kind}"


def is_empty(alias: Alias) -> bool:
    """Whether an alias stands for a hidden device that has no shard (plan/deserted.py)."""
    return alias.hidden is not None and alias.entry is None


def _changed(plan: Plan, registry: Registry) -> str:
    alias = plan.alias
    assert alias is not None
    found = changes(plan, registry)
    texts = [f"{key} {old} -> {new}" for key, old, new in found]
    if found[0][0] == ADDRESS:
        return ", ".join([texts[0].removeprefix(f"{ADDRESS} "), *texts[1:]])
    return f"{_asked(alias, registry)} {', '.join(texts)}"


TEXTS: dict[str, Callable[[Plan, Registry], str]] = {
    ADDED: _added,
    REMOVED: _removed,
    CHANGED: _changed,
}
"""Sign: the function for the text after the name."""


def _wanted(goal: Goal) -> str:
    return f"{goal.type.format(goal.address)}/{goal.prefixlen}"


def declared_length(goal: Goal) -> int:
    """The prefix length as it is declared: a label inside a known network is a host to the
    kernel."""
    entry = goal.entry  # only a metric can note a length
    return (entry.noted if entry is not None and entry.metric else 0) or goal.prefixlen


def _declared(goal: Goal) -> str:
    """The address as it is declared."""
    return f"{goal.type.format(goal.address)}/{declared_length(goal)}"


def _asked(alias: Alias, registry: Registry) -> str:
    """The address of an alias as it was declared."""
    text = address(alias, registry)
    return f"{text.rpartition('/')[0]}/{alias.asked}" if alias.family else text


def _addresses(alias: Alias, goal: Goal, registry: Registry) -> tuple[str, str, str]:
    """The old and the new address as they are declared; those of the kernel if only these
    differ."""
    if not alias.family:
        return ADDRESS, NONE, _declared(goal)
    old, new = _asked(alias, registry), _declared(goal)
    return (ADDRESS, old, new) if old != new else (ADDRESS, address(alias, registry), _wanted(goal))


def changes(plan: Plan, registry: Registry) -> list[tuple[str, str, str]]:
    """(value, old, new) for each change of a plan; at least one."""
    alias, goal = plan.alias, plan.goal
    assert alias is not None
    assert goal is not None
    pairs = [
        _addresses(alias, goal, registry),
        ("kind", alias.kind, plan.kind),
        ("state", _state(alias.up), _state(goal.up)),
        *_of_device(alias, goal, plan.kind),
        *_of_entry(alias, goal, plan.kind),
        *_of_lease(alias, goal),
        *_of_label(alias, goal),
        ("gateway", _gateway(alias.gateway), _gateway(goal.gateway)),
        ("linklocal", _switch(alias.linklocal), _switch(goal.linklocal)),
        ("name", _name(alias), str(goal.name)),
    ]
    found = [(key, old, new) for key, old, new in pairs if old != new]
    if found[:1] and found[0][0] == ADDRESS:  # which has what a label notes
        found = [one for one in found if one[0] != "noted"]
    return found or [_unseen(plan, alias, goal)]


def _unseen(plan: Plan, alias: Alias, goal: Goal) -> tuple[str, str, str]:
    """Changes that no column shows: an additional address, a route, or the ifalias text of the
    device."""
    from netalias.model.commands import address_words
    from netalias.model.routes import AddRoute

    for step in plan.steps:
        if isinstance(step, DelAddress):
            return SURPLUS, address_words(step.address), NONE
        if isinstance(step, AddRoute):
            return "route", "deleted", "connected"
        if isinstance(step, AddAddress):
            return "linklocal", "missing", "present"
    if goal.gateway:
        from netalias.model.gateways import WORDS as WAYS_OUT

        if any(type(step) in WAYS_OUT for step in plan.steps):
            return "gateway", "incomplete", _gateway(goal.gateway)
    note = alias.device.ifalias if alias.device is not None else ""
    return "ifalias", note or NOTHING, goal.record()


def _switch(on: bool) -> str:
    return "on" if on else NONE


def _gateway(packed: bytes) -> str:
    return address_text(AF_INET if len(packed) == 4 else AF_INET6, packed) if packed else NONE


def _state(up: bool) -> str:
    return "up" if up else "down"


def _of_device(alias: Alias, goal: Goal, kind: str) -> list[tuple[str, str, str]]:
    device = alias.device
    if device is None or kind != alias.kind:
        return []
    found = []
    if goal.mtu:
        found.append(("mtu", str(device.mtu), str(goal.mtu)))
    if goal.mac:
        found.append(("mac", mac_text(device.mac), mac_text(goal.mac)))
    return found


def _of_entry(alias: Alias, goal: Goal, kind: str) -> list[tuple[str, str, str]]:
    old, new = alias.entry, goal.entry
    if old is None or new is None:
        # Without an address entry its absence is the change, but for a prefix that has none.
        lost = kind == alias.kind and new is not None and goal.up and alias.family and not old
        return [("entry", "missing", "present")] if lost else []
    family = new.family

    def text(packed: bytes) -> str:
        return address_text(family, packed) if packed else NOTHING

    found = [("peer", text(old.peer), text(new.peer))]
    if old.failed and old.local == new.local:
        found.append(("entry", "dadfailed", "present"))
    if old.local == new.local and old.prefixlen == new.prefixlen:
        found += [
            ("route", _route(old.flags), _route(new.flags)),
            ("broadcast", text(old.broadcast), text(new.broadcast)),
            ("noted", _noted(old), _noted(new)),
        ]
    return [*found, ("metric", str(old.own_metric), str(new.own_metric))]


def _of_lease(alias: Alias, goal: Goal) -> list[tuple[str, str, str]]:
    if alias.entry is None:
        return []
    # The lease of a label is computed from its lifetime, and may be a second off.
    alike = same(alias.entry, goal.lease)
    if alike and (alias.device is None or alias.lease == goal.lease):
        return []
    return [("lease", str(alias.lease or NONE), str(goal.lease or NONE))]


def _of_label(alias: Alias, goal: Goal) -> list[tuple[str, str, str]]:
    """The other changes in place."""
    old, new = alias.entry, goal.entry
    if old is None or new is None:
        return []
    source = ("first", "last") if goal.last else (_source(old), _source(new))
    found = [("source", *source)]
    if alias.device is None and alias.ours:
        found.append(("mark", str(old.protocol or NONE), str(new.protocol)))
    return found


def _source(entry: Address) -> str:
    return "deprecated" if entry.deprecated else "preferred"


def _noted(entry: Address) -> str:
    """The prefix length that was asked for, of a label inside a known network."""
    return f"/{entry.noted}" if entry.noted else NONE


def _route(flags: int) -> str:
    return NONE if flags & IFA_F_NOPREFIXROUTE else "connected"


def _name(alias: Alias) -> str:
    """The name of the alias in the kernel."""
    if alias.whole:
        return str(alias.name)
    if alias.device is None:
        label = alias.entry.label if alias.entry is not None else NOTHING
        return "half-made" if label == alias.name else label
    texts = [name for name in alias.device.altnames if ":" in name]
    if str(alias.name) in texts:
        return str(alias.name)
    return texts[0] if texts else "half-made"
