"""Adoption of labels that others made: our mark (IFA_PROTO) is put on their addresses.

The address stays in place where the kernel changes its mark. Linux 6.1 does that for IPv6 only:
there an IPv4 address is replaced, and meanwhile a second one with another prefix length keeps it on
the device.
"""

from __future__ import annotations

from netalias import errors
from netalias.engine import execute
from netalias.model import (
    AF_INET,
    IFA_F_NOPREFIXROUTE,
    IFA_F_PERMANENT,
    PROTOCOL,
    Address,
    address_text,
)
from netalias.model.leases import MarkAddress
from netalias.model.names import SLOT_MAX, AliasName
from netalias.model.shell import quoted
from netalias.model.steps import REMOVE, AddAddress, DelAddress
from netalias.observed.heirs import heir, network_of
from netalias.observed.misnamed import CREATES
from netalias.observed.query import find
from netalias.plan import Difference, Plan, steps_of
from netalias.plan.diff import CHANGED
from netalias.plan.order import arrange
from netalias.plan.sources import precedes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.engine import Engine
    from netalias.model import Alias, Device, Snapshot
    from netalias.model.steps import Step
    from netalias.observed import Observed

    Network = tuple[int, bytes]

ALL = "all"


class Adopted:
    """The ``steps`` that were done, and ``notes`` on labels that were left alone."""

    __slots__ = ("notes", "steps")

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.notes: list[str] = []


def adopt(engine: Engine, words: Sequence[str]) -> Adopted:
    """Mark the labels of others that *words* select: ``eth0:0``, ``eth0:0-9``, ``eth0``, ``all``.

    Aliases of ours are left alone. The caller is in a transaction. Raises BadName, NoSuchDevice,
    AlreadyExists, KernelError; StateError if the kernel keeps no mark of addresses (before 5.18).
    """
    done = Adopted()
    observed = engine.observe()
    chosen = select(observed, words, done.notes)
    try:
        _adopt(engine, observed, [alias.name for alias in chosen], done)
    finally:
        if engine.setup.changed is not None:
            _record(engine, chosen)
    if done.steps:
        _put_behind(engine, [alias.name for alias in chosen], done)
        settle(engine, done)
    return done


def _put_behind(engine: Engine, names: Sequence[AliasName], done: Adopted) -> None:
    """Let the IPv4 labels called *names* come behind the own addresses of their main devices, as
    the others of ours do (plan/sources.py): by replacement, which a mark in place is not."""
    observed = engine.observe()
    found = (observed.find(name) for name in names)
    first = [
        alias.name
        for alias in found
        if alias is not None
        and alias.main is not None
        and alias.family == AF_INET
        and precedes(alias, alias.main, observed)
    ]
    if first:
        _carry_out(engine, observed, first, Keepers(observed.snapshot).replaced, done)


def _adopt(engine: Engine, observed: Observed, names: Sequence[AliasName], done: Adopted) -> None:
    """Mark the labels called *names*: in place, or as many as that leaves by replacement."""
    _carry_out(engine, observed, names, _mark, done)
    first = _left(engine.observe(), names)[:1]  # whether the kernel keeps marks shows in one
    for part in (first, names):
        observed = engine.observe()
        keepers = Keepers(observed.snapshot)
        _carry_out(engine, observed, _left(observed, part), keepers.replaced, done)
        if _left(engine.observe(), part):
            raise errors.StateError(
                f"{part[0]}: this kernel keeps no mark of addresses", "Linux 5.18 does"
            )


def _record(engine: Engine, chosen: Sequence[Alias]) -> None:
    """Record those of *chosen* that have our mark by now. A step that marks may have been ignored,
    and followed by others."""
    from netalias.views.changes import record_adopted

    left = set(_left(engine.observe(), [alias.name for alias in chosen]))
    done = [alias for alias in chosen if alias.name not in left]
    record_adopted(engine.setup, done, engine.registry)


def select(observed: Observed, words: Sequence[str], notes: list[str]) -> list[Alias]:
    """The labels of others that *words* select, without those whose name another alias has, for
    which there is a note. Raises BadName, NoSuchDevice; AlreadyExists for a name by itself."""
    found: dict[AliasName, Alias] = {}
    for word in words:
        notes += [
            f"{one}: left alone: a slot is a number (netalias adopt {quoted(one)})"
            for one in _unnamed(observed, word)
        ]
        for alias in _chosen(observed, word):
            if alias.ours or found.get(alias.name) is alias:
                continue
            if alias.name in found or observed.find(alias.name) is not alias:
                notes.append(f"{alias.name}: one label is left alone: only one can be called so")
                continue
            found[alias.name] = alias
    return list(found.values())


def _unnamed(observed: Observed, word: str) -> list[str]:
    """The labels that *word* selects and no alias can be called like. Raises BadName for one that
    is named by itself, with what to do instead."""
    from netalias.observed.unnamed import unnamed

    found = unnamed(observed, () if word == ALL else (word,)) if observed.labelled else []
    if not found or ":" not in word:
        return [str(one.name) for one in found]
    main, entry, numbers = found[0].main, found[0].entry, range(SLOT_MAX)
    assert main is not None
    assert entry is not None
    free = next(one for one in numbers if AliasName(main.name, one) not in observed.by_name)
    address = f"{address_text(AF_INET, entry.local)}/{entry.prefixlen}"
    commands = [
        f"ip addr del {address} dev {main.name}",
        f"netalias {main.name}:{free} {address} kind label",
    ]
    if not main.promote and heir(entry, observed.snapshot.on(main.index)) is not None:
        commands.insert(0, f"sysctl -w net/ipv4/conf/{main.name}/promote_secondaries=1")
    raise errors.BadName(
        f"{word}: a slot is a number, so no alias can have the name of this label",
        " && ".join(commands),
    )


def _chosen(observed: Observed, word: str) -> Iterable[Alias]:
    """The aliases that one word selects."""
    if word == ALL:
        return observed.aliases
    if ":" not in word:
        from netalias.model.names import check_device

        check_device(word)
        main = observed.snapshot.device(word)
        if main is None:
            raise errors.NoSuchDevice(f"{word}: there is no such device")
        return [alias for alias in observed.aliases if alias.main is main]
    from netalias.desired.ranges import slots

    name, numbers = slots(word)
    if len(numbers) == 1:
        return [_named(observed, AliasName(name, numbers[0]))]
    main = observed.snapshot.device(name)
    there = [alias for alias in observed.aliases if alias.main is main]
    there = [alias for alias in there if main is not None and alias.name.slot in numbers]
    if not there:
        raise errors.NoSuchDevice(f"{word}: there is no such alias")
    return there


def _named(observed: Observed, name: AliasName) -> Alias:
    """The alias called *name*."""
    try:
        alias = find(observed, name)
    except errors.NoSuchDevice as error:
        error.hint = error.hint.replace(CREATES, "")
        raise
    if alias.ours and len(observed.by_name[alias.name]) > 1:
        raise errors.AlreadyExists(
            f"{alias.name}: this is an alias of ours, and a label of others too",
            "of two only one can be called so",
        )
    return alias


def _left(observed: Observed, names: Sequence[AliasName]) -> list[AliasName]:
    """Those of *names* that are still labels of others."""
    found = ((name, observed.find(name)) for name in names)
    return [name for name, alias in found if alias is not None and not alias.ours]


def _carry_out(
    engine: Engine,
    observed: Observed,
    names: Sequence[AliasName],
    plan: Callable[[Alias], Plan],
    done: Adopted,
) -> None:
    """Carry out *plan* for each of *names*, and add the steps to *done*. Raises KernelError."""
    found = [alias for name in names if (alias := observed.find(name)) is not None]
    items = [Difference(CHANGED, alias.name, plan(alias)) for alias in found]
    arrange(items, observed.snapshot)
    execute(engine, observed, items, ordered=True, silent=True)
    for item in items:
        if item.error is not None:
            raise item.error
    done.steps += sorted(steps_of(items), key=lambda step: step.phase)


def _mark(alias: Alias) -> Plan:
    """The plan that marks the address in place."""
    main, entry = alias.main, alias.entry
    assert main is not None
    assert entry is not None
    marked = entry.copy(protocol=PROTOCOL)
    before = MarkAddress(main.name, main.index, entry)
    plan = Plan(alias)
    plan.steps = [MarkAddress(main.name, main.index, marked, before)]
    return plan


def replacement(main: Device, entry: Address, new: Address, keepers: Keepers) -> list[Step]:
    """The steps that replace the IPv4 address *entry* of *main* by *new*, with the same address,
    and keep it on the device meanwhile."""
    place = main.name, main.index
    keeper = keepers.of(entry)
    return [
        AddAddress(*place, keeper, REMOVE),
        DelAddress(*place, entry, REMOVE),
        AddAddress(*place, new),
        DelAddress(*place, keeper),
    ]


class Keepers:
    """Addresses that keep others on their main devices, which stand as in *snapshot*, while these
    are replaced."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._networks: dict[int, set[Network]] = {}

    def replaced(self, alias: Alias) -> Plan:
        """The plan that replaces the address of a label by a marked one."""
        main, entry = alias.main, alias.entry
        assert main is not None
        assert entry is not None
        plan = Plan(alias)
        plan.steps = replacement(main, entry, entry.copy(protocol=PROTOCOL), self)
        return plan

    def of(self, entry: Address) -> Address:
        """The same address with a prefix length that no address of its network has, nor another
        keeper: alone there, it is nobody's secondary. It brings no route."""
        taken = self._taken(entry.index)
        flags = IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE
        for length in range(32, 0, -1):
            found = Address(
                entry.index, AF_INET, entry.local, length, flags, entry.scope, protocol=PROTOCOL
            )
            if network_of(found) not in taken:
                break
        taken.add(network_of(found))
        return found

    def _taken(self, index: int) -> set[Network]:
        if index not in self._networks:
            entries = self._snapshot.on(index)
            networks = {network_of(one) for one in entries if one.family == AF_INET}
            self._networks[index] = networks
        return self._networks[index]


def settle(engine: Engine, done: Adopted) -> None:
    """Set the sysctls of main devices that the labels need."""
    observed = engine.observe()
    items = [
        item
        for item in engine.sysctls(observed, [])
        if item.sysctl_change is not None and not item.sysctl_change.restores
    ]
    execute(engine, observed, items)
    done.steps += steps_of(items)
