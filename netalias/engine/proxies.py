"""Publication of addresses: proxy neighbour entries that carry our mark."""

from __future__ import annotations

from netalias import errors
from netalias.engine import execute
from netalias.model import PROTOCOL, Snapshot
from netalias.model.commands import command
from netalias.model.names import main_name
from netalias.model.neighbours import AddProxy, DelProxy, Proxy
from netalias.plan import Difference, Plan
from netalias.plan import proxies as conditions
from netalias.plan.diff import CHANGED
from netalias.runtime import published

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from netalias.engine import Engine
    from netalias.model import Device
    from netalias.model.neighbours import Surroundings
    from netalias.model.steps import Step
    from netalias.plan.proxies import Wanted
    from netalias.runtime.published import Published

    Planner = Callable[[Engine, list[Wanted], str], "Publication"]
    Key = tuple[str, int, bytes]
    """The name of a device, family and address."""


class Publication:
    """The ``steps`` of a publication, planned or done, and ``notes`` for people.

    ``published`` is the record of all published addresses after the steps.
    """

    __slots__ = ("notes", "published", "steps")

    def __init__(self, published: list[Published]) -> None:
        self.steps: list[Step] = []
        self.notes: list[str] = []
        self.published = published


def planned(engine: Engine, wanted: Sequence[Wanted], name: str) -> Publication:
    """The publication that makes the device *name* answer for *wanted*; existing entries stay.

    Raises NoSuchDevice, KindError.
    """
    snapshot = engine.snapshot()
    main = _device(snapshot, name)
    there = {
        (one.family, one.local): one for one in engine.kernel.proxies() if one.index == main.index
    }
    result = Publication(recorded(engine, snapshot))
    missing, ours = [], []
    for family, local in wanted:
        conditions.check(main, family)
        present = there.get((family, local))
        if present is None:
            missing.append(Proxy(main.index, family, local, PROTOCOL))
        elif present.protocol == PROTOCOL:
            ours.append(Proxy(main.index, family, local, PROTOCOL))
        else:
            says = f"{main.name} answers for it already, and not by netalias: left as it is"
            result.notes.append(f"{present.text}: {says}")
    made = []
    for case in cases(engine, missing, main, snapshot):
        why = conditions.needless(case)
        if why:
            result.notes.append(why)
        else:
            made.append(case)
    result.steps += [AddProxy(main.name, main.index, case.proxy) for case in made]
    result.notes += conditions.faults(made)
    found = [(main.name, one) for one in (*ours, *(case.proxy for case in made))]
    result.published += [one for one in found if one not in result.published]
    return result


def cases(
    engine: Engine, missing: Sequence[Proxy], main: Device, snapshot: Snapshot
) -> list[conditions.Case]:
    """The entries with the state that their use depends on. Raises KernelError."""
    found = []
    for family in dict.fromkeys(proxy.family for proxy in missing):
        those = [proxy for proxy in missing if proxy.family == family]
        arounds: Sequence[Surroundings | None] = engine.kernel.surroundings(
            main.index, family, [proxy.local for proxy in those]
        )
        arounds = arounds or [None] * len(those)
        found += [
            conditions.Case(proxy, main, around, snapshot)
            for proxy, around in zip(those, arounds, strict=True)
        ]
    return found


def recorded(engine: Engine, snapshot: Snapshot, file: str = published.FILE) -> list[Published]:
    """The record of published addresses, with the present names of their devices."""
    path = engine.runtime.path
    found = published.read(path, engine.kernel.cookie(), file) if path else []
    return published.located(found, snapshot.devices.values())


def withdrawn(engine: Engine, wanted: Sequence[Wanted], name: str) -> Publication:
    """The publication that removes the entries for *wanted*, on the device *name* or on any, also
    those that the kernel has dropped and `watch` would restore.

    Raises NoSuchDevice for a missing device or entry, NotOurs for an entry of others.
    """
    snapshot = engine.snapshot()
    main = _device(snapshot, name) if name else None
    proxies = [
        one
        for one in engine.kernel.proxies()
        if one.index in snapshot.devices and (main is None or one.index == main.index)
    ]
    result = Publication(recorded(engine, snapshot))
    for family, local in wanted:
        found = [one for one in proxies if (one.family, one.local) == (family, local)]
        ours = [one for one in found if one.protocol == PROTOCOL]
        noted = [
            one
            for one in result.published
            if (one[1].family, one[1].local) == (family, local) and name in ("", one[0])
        ]
        if not (ours or noted):
            raise _missing(Proxy(0, family, local), found, snapshot, name)
        result.published = [one for one in result.published if one not in noted]
        for one in ours:
            result.steps.append(DelProxy(snapshot.devices[one.index].name, one.index, one))
    return result


def _missing(
    wanted: Proxy, found: Sequence[Proxy], snapshot: Snapshot, name: str
) -> errors.StateError:
    if not found:
        where = f" on {name}" if name else ""
        return errors.NoSuchDevice(f"{wanted.text}: it is not published{where}")
    device = snapshot.devices[found[0].index].name
    hint = command(DelProxy(device, found[0].index, found[0]))
    return errors.NotOurs(f"{wanted.text}: netalias did not publish it on {device}", hint)


def _device(snapshot: Snapshot, name: str) -> Device:
    found = snapshot.device(name)
    if found is None:
        raise errors.NoSuchDevice(f"{name}: there is no such device")
    return found


def carry_out(engine: Engine, work: Callable[[], Publication]) -> Publication:
    """Carry out the publication that *work* plans, as a whole or not at all.

    The caller is in a transaction. Raises KernelError, StateError if the record cannot be written;
    NotPermitted takes precedence.
    """
    result = engine.permitted_first(work)
    if not result.steps:
        engine.kernel.permitted()
    # The record first: watch publishes what is in it, and must not bring back what is withdrawn.
    before = _replace_record(engine, result.published)
    items = [difference(step) for step in result.steps]
    try:
        execute(engine, engine.recognise(Snapshot([])), items, atomic=True)
        if items and items[0].error is not None:
            raise items[0].error
    except BaseException:
        _replace_record(engine, before)
        raise
    return result


def _replace_record(engine: Engine, now: list[Published]) -> list[Published]:
    """Write the record of published addresses; its former content."""
    path, cookie = engine.runtime.path, engine.kernel.cookie()
    before = published.read(path, cookie) if path else []
    if path and before != now:
        published.write(path, cookie, now)
    return before


def difference(step: Step) -> Difference:
    """The difference that one step of a publication makes."""
    plan = Plan()
    plan.steps = [step]
    return Difference(CHANGED, main_name(step.device), plan)


# Publications that are taken back by what has made them


def key_of(one: Published) -> Key:
    """The device, family and address of an entry."""
    return one[0], one[1].family, one[1].local


def publish(
    engine: Engine, snapshot: Snapshot, wanted: Sequence[Wanted], main: Device, file: str
) -> Publication:
    """Have the device *main* answer for *wanted*, and note in *file* what take_back() may remove:
    what was published by hand before stays. As carry_out()."""
    if not wanted:
        return Publication([])
    noted = recorded(engine, snapshot, file)
    by_hand = {*map(key_of, recorded(engine, snapshot))} - {*map(key_of, noted)}
    mine = [(main.name, Proxy(main.index, *one, PROTOCOL)) for one in wanted]
    _note(engine, [*noted, *(one for one in mine if key_of(one) not in by_hand)], file)
    return carry_out(engine, lambda: planned(engine, wanted, main.name))


def take_back(engine: Engine, snapshot: Snapshot, gone: Collection[Key], file: str) -> None:
    """Remove the publications *gone* that are noted in *file*. As carry_out()."""
    before = recorded(engine, snapshot)
    result = Publication([one for one in before if key_of(one) not in gone])
    for one in engine.kernel.proxies():
        device = snapshot.devices.get(one.index)
        if device is None or one.protocol != PROTOCOL:
            continue
        if (device.name, one.family, one.local) in gone:
            result.steps.append(DelProxy(device.name, one.index, one))
    carry_out(engine, lambda: result)
    noted = recorded(engine, snapshot, file)
    _note(engine, [one for one in noted if key_of(one) not in gone], file)


def _note(engine: Engine, entries: Iterable[Published], file: str) -> None:
    if engine.runtime.path:
        unique = {key_of(one): one for one in entries}
        published.write(engine.runtime.path, engine.kernel.cookie(), unique.values(), file)
