"""Differences by which whole hidden devices go: none of thousands of shards is an object.

It is sure only where no declared alias can have to do with them: none has a slot of these devices
or one of their addresses, and every main device that is declared has the name that it is declared
by. All else is left to the comparison of each alias.
"""

from __future__ import annotations

from netalias.model import hidden
from netalias.model.names import AliasName
from netalias.model.steps import DelLink
from netalias.observed.shards import KIND as SHARDS
from netalias.plan.diff import REMOVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netalias.desired.blocks import Block, Run
    from netalias.desired.declarations import Declarations
    from netalias.engine import Engine
    from netalias.model import Device, Snapshot
    from netalias.model.hidden import Leaving, Unread
    from netalias.observed import Observed
    from netalias.plan.diff import Diff


MANY = 4
"""Hidden devices that go, from which on columns are worth while."""


def needed(declared: Declarations) -> int:
    """The number of hidden devices that the declared shards need."""
    shards = [item for item in declared.items if item.wish.kind == SHARDS]
    return len({place for item in shards for place in _places(item)})


def _places(item: Block | Run) -> set[tuple[str, int]]:
    """The main device and number of each hidden device that aliases of an item may be on."""
    main, slots = item.wish.name.main, item.slots
    if isinstance(slots, range) and slots.step == 1:
        first, last = slots[0] // hidden.SHARD, slots[-1] // hidden.SHARD
        return {(main, number) for number in range(first, last + 1)}
    return {(main, slot // hidden.SHARD) for slot in slots}


def look(
    engine: Engine,
    declared: Declarations,
    protected: bytes,
    compared: Callable[[Observed], Diff],
) -> Diff:
    """The differences, by *compared*, of a reading without the addresses of hidden devices that go
    as a whole, if any do. The *protected* packed address must stay. Raises KernelError."""
    found: list[Unread | None] = []

    def read() -> Snapshot:
        unread = engine.kernel.without_hidden(
            lambda links: _expected(links, declared, engine.group)
        )
        found.append(unread)
        return unread.snapshot if unread is not None else engine.kernel.snapshot()

    snapshot = engine.snapshot(read)
    unread = found[-1]
    if unread is None or not unread.left:
        return compared(engine.recognise(snapshot))
    kept = {address for item in declared.items for address in item.addresses} | {protected}
    if not all(kept.isdisjoint(one.local) for one in unread.left.values()):
        return compared(engine.recognise(unread.whole()))
    diff = compared(engine.recognise(snapshot))
    _note(diff, unread.left)
    return diff


def _expected(
    links: Sequence[Device], declared: Declarations, group: int
) -> Mapping[int, frozenset[bytes]]:
    """The labels that the shards of each hidden device have, by ifindex, without the devices that
    declared aliases may be on; none where a declared main device has another name, or is missing.
    """
    names = {one.name for one in links}
    if not all(wish.name.main in names for wish in declared.wishes):
        return {}
    wanted = {
        hidden.device_of(AliasName(main, number * hidden.SHARD))
        for item in declared.items
        for main, number in _places(item)
    }
    mark = hidden.group_of(group)
    found = {}
    for one in links:
        main = hidden.main_of(one.name, one.ifalias) if one.group == mark else ""
        if main in names and one.ifalias and one.name not in wanted:
            text = f"{main.replace('%', '%%')}:%d"
            slots = hidden.slots_of(one.name)
            together = "\0".join([text] * len(slots)) % (*slots,)
            labels = together.encode("utf-8", "surrogateescape").split(b"\0")
            found[one.index] = frozenset(labels)
    return found


def _note(diff: Diff, left: Mapping[int, Leaving]) -> None:
    """Note the shards that go with their devices, whose removals come first, and count them."""
    first = []
    for item in diff.items:
        alias = item.plan.alias
        device = alias.hidden if alias is not None and item.sign == REMOVED else None
        if device is not None and device.index in left:
            for step in item.plan.steps:
                if isinstance(step, DelLink):
                    step.leaving = left[device.index]
            first.append(item)
    known = set(map(id, first))
    diff.items[:] = [*first, *(one for one in diff.items if id(one) not in known)]
    count = sum(len(one.local) for one in left.values())
    diff.present += count
    diff.removed += count
