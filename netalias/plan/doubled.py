"""Labels of one name: the kernel takes several, as a killed run may leave them, and a command keeps
one. Pure."""

from __future__ import annotations

from netalias.model.names import AliasName
from netalias.observed.planned import without
from netalias.plan import Plan, plan, protect, unmade
from netalias.plan.order import keep_secondaries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.desired import Wish
    from netalias.model import Alias
    from netalias.observed import Observed

LABEL = "label"


def planned(
    wish: Wish, observed: Observed, session: Callable[[], bytes] | None, *, force: bool
) -> Plan:
    """The plan of a single *wish*, by which only one alias is left that has its name. Raises as
    plan() does, and with *session* as protect()."""
    left = others(wish, observed)
    result = plan(wish, without(observed, left) if left else observed, force=force)
    join(result, left, observed)
    if session is not None:
        for one in (result, *removals(left, observed)):
            protect(one, session, observed)
    if left and (result.alias is None or result.alias.kind != LABEL):
        keep_secondaries([result], observed.snapshot)  # as of a label by the caller
    return result


def others(wish: Wish, observed: Observed) -> list[Alias]:
    """The labels with the name of *wish* but the one that is to be it, which find() finds from now
    on: that of the wished address, else the first one."""
    main = observed.snapshot.device(wish.name.main)
    name = AliasName(main.name, wish.name.slot) if main is not None else wish.name
    if len(observed.by_name.get(name, ())) < 2:
        return []
    length = wish.prefixlen
    if length is None:
        length = wish.type.bits if wish.type is not None else 0
    observed.choose(name, wish.address, length)
    return [one for one in observed.by_name[name][1:] if one.ours and one.kind == LABEL]


def removals(left: list[Alias], observed: Observed) -> list[Plan]:
    """The plans that remove these labels."""
    found = [Plan(alias) for alias in left]
    for one, alias in zip(found, left, strict=True):
        one.steps = unmade(alias, observed)
    return found


def join(result: Plan, left: list[Alias], observed: Observed) -> None:
    """Have *result* remove these labels, too, and tell of it."""
    if not left:
        return
    for alias in left:
        text = observed.registry.get(alias.family).format(alias.address)
        result.steps += unmade(alias, observed)
        result.notes.append(
            f"{alias.name}: it stood there several times; {text}/{alias.asked} is removed"
        )
    result.steps.sort(key=lambda step: step.phase)
