"""The change of a device by `netalias iface`: its addresses, with the record, its name and its
description."""

from __future__ import annotations

from netalias import errors
from netalias.kernel import GONE
from netalias.model import AF_INET, AF_INET6, PROTOCOL, Address, address_text, prefix
from netalias.model.iface import MANUAL, form
from netalias.model.names import check_device
from netalias.model.renames import RenameLink
from netalias.model.steps import AddAddress, DelAddress, SetLink
from netalias.plan.iface import Table, check_owner
from netalias.runtime import iface as record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.engine import Engine
    from netalias.model import Device, Snapshot
    from netalias.model.steps import Step
    from netalias.plan.iface import Change, Rewriting

    Planner = Callable[[Table], Change]

LOOPBACK = "lo"
"""The device whose address ::1 shows whether the kernel keeps marks."""
MANY = 256
"""Recorded addresses of other devices, above which those of devices that are gone are dropped."""
LONGEST = 254
"""Bytes of a description: IFALIASZ of linux/if.h, without the ends of both texts."""


class Done:
    """The result of a change: its ``steps``, and ``notes`` for people; ``left`` are the errors of
    what could not be done after it began. ``dead`` are packed addresses that it took from the host,
    or found gone, where sockets are to be ended."""

    __slots__ = ("dead", "left", "notes", "steps")

    def __init__(self) -> None:
        self.dead: list[bytes] = []
        self.steps: list[Step] = []
        self.notes: list[str] = []
        self.left: list[errors.NetaliasError] = []


def read(engine: Engine, name: str) -> Table:
    """The addresses of the device *name*, as they are now. Raises NoSuchDevice, KernelError."""
    snapshot = engine.snapshot(lambda: engine.kernel.part([name, LOOPBACK]))
    device = snapshot.device(name)
    if device is None:  # an alternative name
        snapshot = engine.snapshot()
        device = snapshot.device(name)
    if device is None:
        raise errors.NoSuchDevice(f"{name}: there is no such device")
    return Table(device, snapshot, _recorded(engine), engine.group)


def carry_out(
    engine: Engine, name: str, plan: Planner, *, force: bool = False, kill: bool = False
) -> Done:
    """Carry out what *plan* makes of the addresses of the device *name*. With *force*, the address
    of this SSH session may go; with *kill*, sockets that are bound to what goes are ended.

    The caller is in a transaction. Raises NoSuchDevice, StateError, KernelError; NotPermitted takes
    precedence.
    """

    def planned() -> Change:
        change = plan(read(engine, name))
        if not force:
            _protect(engine, change)
        return change

    change = engine.permitted_first(planned)
    if not change.all_steps:
        engine.kernel.permitted()
    before = _recorded(engine)
    # The record first: where addresses have no mark, a killed run must leave it behind.
    _record(engine, before, change.manual, change.table)
    done = Done()
    try:
        if change.all_steps:
            engine.runtime.forget()
            _execute(engine, change, done)
    except BaseException:
        _settle(engine, before, change, _manual(engine, change.table))
        raise
    _settle(engine, before, change, _left(change, done))
    _end_keeping(engine, done.steps)
    if kill and change.leaving:
        there = engine.snapshot()
        done.dead = [one for one in change.leaving if not _has(there, one)]
        _end_sockets(engine, done)
    return done


def _has(snapshot: Snapshot, local: bytes) -> bool:
    """Whether the host has an address, on whatever device, or in a network that is local."""
    on_devices = any(one.local == local for some in snapshot.addresses.values() for one in some)
    return on_devices or any(
        prefix.contains(route.network, route.prefixlen, local) for route in snapshot.local_routes
    )


def _end_sockets(engine: Engine, done: Done) -> None:
    """End the sockets that are bound to the dead addresses; a kernel in memory has none."""
    if engine.kernel.fileno() < 0:
        return
    from netalias.kernel.netlink.sockdestroy import destroy

    for local in done.dead:
        family = AF_INET if len(local) == 4 else AF_INET6
        try:
            engine.within(lambda: destroy(family, local))  # noqa: B023 it is called at once
        except errors.NetaliasError as error:
            done.left.append(error)
            return


def _protect(engine: Engine, change: Change) -> None:
    """Raises StateError if this SSH session comes in over an address that goes."""
    session = engine.setup.session
    if session is None or not change.all_steps or (packed := session()) not in change.leaving:
        return
    family = AF_INET if len(packed) == 4 else AF_INET6
    raise errors.StateError(
        f"{address_text(family, packed)}: this SSH session comes in over it",
        "--force removes it all the same",
    )


def _execute(engine: Engine, change: Change, done: Done) -> None:
    """Send the steps of a change: the new address, then those that lose their peer to it, each by
    itself, then removals, each by itself."""
    kernel, seen, name = engine.kernel, change.table.snapshot, change.table.device.name
    failures = kernel.apply(change.steps, seen=seen)
    if failures:
        raise failures[0].explained(name)
    done.steps += change.steps
    try:
        for rewriting in change.rewritten:
            _rewrite(engine, rewriting, seen, done)
    except BaseException:
        kernel.undo(change.steps, seen)
        raise
    for number, steps in enumerate(change.removed):
        for step in steps:
            step.owner = number
    failures = kernel.apply([step for some in change.removed for step in some], seen=seen)
    refused = {failure.step.owner for failure in failures}
    for number, steps in enumerate(change.removed):
        done.steps += [] if number in refused else steps
    done.left += [failure.explained(name) for failure in failures]


def _rewrite(engine: Engine, rewriting: Rewriting, seen: Snapshot, done: Done) -> None:
    """Let an address lose its peer. If the kernel refuses that, the address is lost, with a note:
    the peer has its new owner already."""
    failures = engine.kernel.apply(rewriting.steps, seen=seen)
    if not failures:
        done.steps += rewriting.steps
        return
    again = engine.kernel.apply([rewriting.drop], seen=seen)
    if again and again[0].error.errno not in GONE:
        raise again[0].error
    done.steps.append(rewriting.drop)
    old = rewriting.before
    text = address_text(old.family, old.local)
    done.notes.append(f"{text} is lost: {failures[0].error.line()}")


# The device itself


def rename(engine: Engine, name: str, new: str) -> Done:
    """Give a device the primary name *new*. The caller is in a transaction. Raises NoSuchDevice,
    BadName, StateError, KernelError; NotPermitted takes precedence."""
    check_device(new)
    for character in ":%":
        if character in new:
            raise errors.BadName(f"{new}: the name of a device has no '{character}'")

    def step(device: Device) -> Step | None:
        return RenameLink(device.name, device.index, new) if device.name != new else None

    return _set(engine, name, step)


def describe(engine: Engine, name: str, text: str) -> Done:
    """Give a device the description *text* (ifalias), none if it is empty. As rename(), and raises
    LimitError."""
    size = len(text.encode("utf-8", "surrogateescape"))
    if size > LONGEST:
        raise errors.LimitError(f"a description has {LONGEST} bytes at most, this one {size}")

    def step(device: Device) -> Step | None:
        place = (device.name, device.index)
        before = SetLink(*place, ifalias=device.ifalias)
        return SetLink(*place, ifalias=text, before=before) if device.ifalias != text else None

    return _set(engine, name, step)


def _set(engine: Engine, name: str, step_for: Callable[[Device], Step | None]) -> Done:
    def planned() -> tuple[Table, Step | None]:
        table = read(engine, name)
        check_owner(table)
        return table, step_for(table.device)

    table, step = engine.permitted_first(planned)
    done = Done()
    if step is None:
        engine.kernel.permitted()
        return done
    engine.runtime.forget()
    failures = engine.kernel.apply([step], seen=table.snapshot)
    if failures:
        raise failures[0].explained(name)
    done.steps.append(step)
    return done


# The record


def _recorded(engine: Engine) -> list[Address]:
    path = engine.runtime.path
    return record.read(path, engine.kernel.cookie()) if path else []


def _record(
    engine: Engine, before: Sequence[Address], manual: Sequence[Address], table: Table
) -> None:
    """Replace what the record has of one device, unless it has just that."""
    index = table.device.index
    mine = [form(one) for one in before if one.index == index]
    path = engine.runtime.path
    if path and mine != [form(one) for one in manual]:
        others = [one for one in before if one.index != index]
        if len(others) > MANY:
            there = engine.snapshot().devices
            others = [one for one in others if one.index in there]
        record.write(path, engine.kernel.cookie(), [*others, *manual])


def _settle(
    engine: Engine, before: Sequence[Address], change: Change, manual: Sequence[Address]
) -> None:
    """Record the manual addresses that the device has after a change."""
    others = [one for one in before if one.index != change.table.device.index]
    _record(engine, [*others, *change.manual], manual, change.table)


def _left(change: Change, done: Done) -> list[Address]:
    """The manual addresses after the steps that were done."""
    there = {form(one) for one in change.table.manual}
    for step in done.steps:
        if isinstance(step, DelAddress):
            there.discard(form(step.address))
        elif isinstance(step, AddAddress) and step.address.protocol == MANUAL:
            there.add(form(step.address))
    return [one for one in change.manual if form(one) in there]


def _manual(engine: Engine, table: Table) -> list[Address]:
    """The manual addresses after a change that was refused or interrupted, and undone."""
    now = engine.kernel.part([table.device.name, LOOPBACK])
    device = now.devices.get(table.device.index)
    return Table(device, now, table.manual, engine.group).manual if device is not None else []


def _end_keeping(engine: Engine, steps: Sequence[Step]) -> None:
    """Take the copies that *steps* have removed out of the record of the watcher that keeps them,
    which would add them again."""
    gone = [one.address for one in steps if isinstance(one, DelAddress)]
    ended = [one for one in gone if one.protocol == PROTOCOL]
    path, cookie = engine.runtime.path, engine.kernel.cookie()
    if not (path and ended):
        return
    from netalias.runtime import kept

    devices = kept.read(path, cookie)
    keys = {(one.family, one.local) for one in ended}
    if any(keys & {*one.former} for one in devices.values()):
        for one in devices.values():
            for key in keys:
                one.end(key)
        kept.write(path, cookie, devices.values())
