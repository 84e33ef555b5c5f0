"""Adoption of addresses that no name selects: those of IPv6, which have no labels in the kernel,
and of IPv4 those whose label is no alias name, or another one than is wished.

A label cannot be changed in place. An address of IPv4 is replaced while a second one keeps it on
the device (adopt.py). One of IPv6 can be on a device once only: it goes and comes in one send, and
is not checked for duplicates again, which would be up to two seconds of silence.
"""

from __future__ import annotations

from netalias import errors
from netalias.engine import execute
from netalias.engine.adopt import Adopted, Keepers, replacement, settle
from netalias.model import AF_INET, PROTOCOL, Snapshot, names
from netalias.model.steps import AddAddress, DelAddress
from netalias.observed.planned import Planned
from netalias.plan import Difference, Plan, plan, steps_of
from netalias.plan.diff import CHANGED
from netalias.plan.order import arrange
from netalias.plan.undetected import UNVERIFIED, undetected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.desired import Wish
    from netalias.engine import Engine
    from netalias.model import Address
    from netalias.observed import Observed


def standing(wish: Wish, observed: Observed) -> Address | None:
    """The address of *wish* on its main device if it is not ours and has no label with the name of
    the wish; None for any other state."""
    main = observed.snapshot.device(wish.name.main)
    for entry in observed.snapshot.on(main.index) if main is not None else ():
        if entry.local == wish.address and entry.protocol != PROTOCOL:
            known = names.split(entry.label) if entry.family == AF_INET else None
            return None if known == wish.name else entry
    return None


def adopt_as(engine: Engine, wishes: Sequence[Wish]) -> Adopted:
    """Make labels of ours of the addresses of *wishes*, each of which is standing(). The caller is
    in a transaction. Raises AlreadyExists for a name that an alias has, KernelError."""
    done = Adopted()
    observed = engine.observe()
    found = [(wish, entry) for wish in wishes if (entry := standing(wish, observed)) is not None]
    for wish, _ in found:
        if wish.name in observed.by_name:
            raise errors.AlreadyExists(f"{wish.name}: an alias has that name already")
    going = {id(entry) for _, entry in found}
    planned = Planned(engine.recognise(_without(observed.snapshot, going)), ordered=True)
    keepers = Keepers(observed.snapshot)
    items = []
    for wish, entry in found:
        if entry.family == AF_INET:
            made = _renamed(wish, entry, observed, keepers)
        else:
            made = _made_again(wish, entry, observed, planned)
        items.append(Difference(CHANGED, wish.name, made))
    arrange(items, observed.snapshot)
    execute(engine, observed, items, ordered=True, silent=True)
    if engine.setup.changed is not None:
        _record(engine, items)
    for item in items:
        if item.error is not None:
            raise item.error
    done.steps += sorted(steps_of(items), key=lambda step: step.phase)
    if done.steps:
        settle(engine, done)
    return done


def _record(engine: Engine, items: Sequence[Difference]) -> None:
    """Record the aliases that are ours by now."""
    from netalias.views.changes import record_adopted

    observed = engine.observe()
    done = [observed.find(item.name) for item in items if item.error is None]
    labels = [alias for alias in done if alias is not None and alias.ours]
    for alias in labels:  # as they were
        assert alias.entry is not None
        alias.ours, alias.entry = False, alias.entry.copy(protocol=0)
    record_adopted(engine.setup, labels, engine.registry)


def _renamed(wish: Wish, entry: Address, observed: Observed, keepers: Keepers) -> Plan:
    """The plan that gives an address of IPv4 the label of *wish*, and our mark."""
    main = observed.main(wish.name)
    result = Plan()
    new = entry.copy(protocol=PROTOCOL)
    new.label = names.label(wish.name)
    result.steps = replacement(main, entry, new, keepers)
    return result


def _made_again(wish: Wish, entry: Address, observed: Observed, planned: Planned) -> Plan:
    """The plan that takes an address away and makes the label of *wish* as if it had not been."""
    main = observed.main(wish.name)
    result = plan(wish, planned)
    planned.take(result.alias, result.goal, result.kind)
    coming = next(step for step in result.steps if isinstance(step, AddAddress))
    going = DelAddress(main.name, main.index, entry, coming.phase)
    result.steps.insert(result.steps.index(coming), going)
    if not entry.flags & UNVERIFIED:
        result.steps.append(undetected(coming))
    return result


def _without(snapshot: Snapshot, going: set[int]) -> Snapshot:
    """A snapshot without the addresses whose id() is in *going*."""
    entries = [one for found in snapshot.addresses.values() for one in found]
    return Snapshot(
        list(snapshot.devices.values()), [one for one in entries if id(one) not in going]
    )
