"""Proof, by a reading right before a send, that its steps still mean what they were planned for.

The kernel knows objects by ifindex and address alone. Between the reading of a plan and its send
another program may have put an object of its own in the place of ours, or taken our mark away. So
each device must have the name and group that it was planned with, an address its protocol, label
and metric, and a sysctl its value. The proof cannot reach into the send that follows it.
"""

from __future__ import annotations

from errno import ENODEV, ESTALE

from netalias import errors
from netalias.model import AF_INET, Snapshot, is_scratch, names
from netalias.model.steps import AddAddress, CreateLink, DelAddress, DelLink, SetLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Any, Protocol

    from netalias.model import Address, Device
    from netalias.model.hidden import Leaving
    from netalias.model.leases import MarkAddress, RenewAddress
    from netalias.model.neighbours import AddProxy, DelProxy, Proxy
    from netalias.model.steps import Step

    Doubt = errors.NetaliasError | None
    Place = tuple[bytes, int, bytes]
    """The packed address, prefix length and peer of an address."""

    Examined = tuple[Device | None, Callable[[Step], errors.NetaliasError]]

    class Readings(Protocol):
        """The part of a Kernel that a proof calls."""

        def reread(
            self, names: Collection[str], *, addresses: bool, only: Collection[bytes] = ...
        ) -> Snapshot: ...

        def reread_beside(
            self, names: Collection[str], leaving: Mapping[int, Leaving]
        ) -> Snapshot: ...

        def proxies(self) -> list[Proxy]: ...

        def made(self, name: str) -> int: ...


PROMOTE = "promote_secondaries"
ENTRIES = ("address", "fields")
"""The values of Step.touches for steps that change or remove an address that is there."""


def changed(step: Step) -> errors.StateError:
    """The error for a step whose object another program has changed since it was planned."""
    from netalias.model.commands import title

    return errors.StateError(
        f"{title(step)}: another program has changed it meanwhile", errno=ESTALE
    )


def gone(step: Step) -> errors.KernelError:
    """The error for a step whose device is there no more, under its name and index."""
    from netalias.model.commands import title

    return errors.kernel_error(title(step), ENODEV)


def is_alike(present: Address, planned: Address) -> bool:
    """Whether an address that is there is the planned one, by all that tells whose it is."""
    return (
        present.protocol == planned.protocol
        and present.metric == planned.metric
        and (present.label == planned.label or not planned.label)
    )


def portions(batches: Iterable[list[Step]], most: int) -> list[list[Step]]:
    """The same *batches*, cut so that none deletes more than *most* addresses; the two steps around
    the deletion of a primary address stay with it."""
    found: list[list[Step]] = []
    for batch in batches:
        begin = count = 0
        for place, step in enumerate(batch):
            if step.touches != "address":
                continue
            count += 1
            if count > most and batch[place - 1].touches == "address":
                found.append(batch[begin:place])
                begin, count = place, 1
        found.append(batch[begin:])
    return found


def proven(
    kernel: Readings, seen: Snapshot, batch: Sequence[Step], done: Iterable[Step]
) -> tuple[list[Step], list[tuple[Step, errors.NetaliasError]]]:
    """The steps of *batch*, planned on *seen*, that may be sent after those in *done*; and the
    others whose object is not what it was, with their errors. Other steps of their owners stay
    behind, too."""
    steps, doubts = Proof(kernel, seen).check(batch, done)
    found = [(step, doubt) for step, doubt in zip(steps, doubts, strict=True) if doubt is not None]
    owners = {step.owner for step, _ in found}
    return [step for step in steps if step.owner not in owners], found


class Proof:
    """The proof of the steps of one run. *seen* is the reading that they were planned on."""

    def __init__(self, kernel: Readings, seen: Snapshot | None) -> None:
        self._kernel = kernel
        self._seen = seen or Snapshot()
        self._fresh: Snapshot  # by _read()
        self._proxies: dict[tuple[int, bytes], Proxy] = {}
        self._renamed: dict[int, str] = {}
        self._made: dict[str, CreateLink] = {}
        self._set: dict[tuple[int, str], int] = {}
        self._added: dict[int, dict[Place, Address]] = {}
        self._entries: dict[tuple[int, int], dict[Place, Address]] = {}
        self._networks: dict[int, set[tuple[int, bytes]]] = {}
        self._leaving: set[tuple[int, Place]] | None = None
        self._examined: dict[tuple[int, str], Examined] = {}

    def check(self, batch: Sequence[Step], done: Iterable[Step]) -> tuple[list[Step], list[Doubt]]:
        """The steps of *batch* to be sent, after those in *done*, and the doubt in each, or None.

        Where a primary address would take secondaries along that nobody knew of, they are kept by
        two more steps.
        """
        self._read(batch, done)
        steps: list[Step] = []
        doubts: list[Doubt] = []
        for step in batch:
            doubt = self._doubt(step)
            around = [] if doubt else self._promotion(step, batch)
            steps += [*around[:1], step, *around[1:]] if around else [step]
            doubts += [None, doubt, None] if around else [doubt]
        return steps, doubts

    # The reading

    def _read(self, batch: Sequence[Step], done: Iterable[Step]) -> None:
        """Read what *batch* is about, after the steps *done*."""
        for step in done:
            if step.touches == "name":
                self._renamed[step.index] = step.name  # type: ignore[attr-defined]
            elif isinstance(step, CreateLink):
                self._made[step.device] = step
            elif isinstance(step, AddAddress):
                added = self._added.setdefault(step.index, {})
                added.setdefault(place_of(step.address), step.address)
            elif isinstance(step, SetLink):
                self._set |= {(step.index, key): value for key, value in (step.conf or {}).items()}
        places = {(step.device, step.index) for step in batch if step.index >= 0}
        wanted = {device for device, _ in places}
        wanted.update(self._renamed.get(index, device) for device, index in places)
        touched = {step.touches for step in batch}
        entries = not touched.isdisjoint(ENTRIES)
        shared = "link" in touched and any(map(is_shared, batch))
        links = [step for step in batch if isinstance(step, DelLink)]
        leaving = {step.index: step.leaving for step in links if step.leaving is not None}
        if leaving:
            self._fresh = self._kernel.reread_beside(wanted, leaving)
        else:
            local = {one.address.local for one in batch if one.touches in ENTRIES}  # type: ignore[attr-defined]
            only = () if shared else local
            self._fresh = self._kernel.reread(wanted, addresses=entries or shared, only=only)
        if "proxy" in touched:
            self._proxies = {(one.index, one.local): one for one in self._kernel.proxies()}

    def _name(self, step: Step) -> str:
        return self._renamed.get(step.index, step.device)

    def _device(self, step: Step) -> Device | None:
        """The device of a step as it is now, under the name that it should have."""
        found = self._fresh.device(self._name(step)) or self._fresh.device(step.device)
        if found is None or (step.index and found.index != step.index):
            return None
        return found if found.name in (self._name(step), step.device) else None

    # Steps of a plan

    def _doubt(self, step: Step) -> Doubt:
        if step.index < 0 or isinstance(step, CreateLink):
            return None
        place = step.index, step.device
        if place not in self._examined:
            self._examined[place] = self._examine(step)
        device, why = self._examined[place]
        if device is None:
            return why(step)
        holds = _HOLDS.get(step.touches) if step.index else None
        return None if holds is None or holds(self, step, device) else changed(step)

    def _examine(self, step: Step) -> Examined:
        """The device of a step if it is the one that the step was planned for, else None and the
        error; the same for all steps with its name and index."""
        device = self._device(step)
        if device is None:
            return None, gone
        if not step.index:
            return device if self._is_new(step, device) else None, changed
        planned = self._seen.devices.get(step.index)
        if planned is not None and not (same_mark(planned, device) and planned.kind == device.kind):
            return None, changed
        return device, changed

    def _is_new(self, step: Step, device: Device) -> bool:
        """Whether the device of a step is the one that this run has made under that name."""
        made, index = self._made.get(step.device), self._kernel.made(step.device)
        if made is not None and (device.group, device.kind) != (made.group, made.kind):
            return False
        return is_named(device) and index in (0, device.index)

    def _link_is_marked(self, step: DelLink, device: Device) -> bool:
        if device.group != step.group or not is_named(device):
            return False
        if not step.shared:
            return True
        if step.leaving is not None:
            return self._goes_alone(device, step.leaving.local)
        return self._goes_alone(device, [one.local for one in self._seen.on(device.index)])

    def _goes_alone(self, device: Device, leaving: Iterable[bytes]) -> bool:
        """Whether a hidden device has no addresses but those that are *leaving*."""
        known = {*leaving}
        return all(entry.local in known for entry in self._fresh.on(device.index))

    def _sysctls_are_alike(self, step: SetLink, device: Device) -> bool:
        """Whether nobody has set a sysctl that the step is to change."""
        planned = self._seen.devices.get(step.index)
        before = step.before.conf if step.before is not None else None
        for key in step.conf or ():
            value = getattr(device, key, None)
            expected = (before or {}).get(key, getattr(planned, key, value))
            if value not in (self._set.get((step.index, key), expected), None):
                return False
        return True

    def _address_is_alike(self, step: DelAddress, device: Device) -> bool:
        found = self._entry(step.index, step.address)
        if found is None:
            return True  # the kernel tells
        if not found.protocol and self._has_added(step) and not self._keeps_marks():
            found = found.copy(protocol=step.address.protocol)
        return is_alike(found, step.address)

    def _has_added(self, step: DelAddress) -> bool:
        """Whether this run has added the address that a step deletes."""
        return self._own(step.index, step.address) is not None

    def _own(self, index: int, wanted: Address) -> Address | None:
        """The address *wanted* as this run has added it."""
        return self._added.get(index, {}).get(place_of(wanted))

    def _address_is_known(self, step: MarkAddress | RenewAddress, device: Device) -> bool:
        found = self._entry(step.index, step.address)
        known = self._own(step.index, step.address) or self._known(step.index, step.address)
        return found is None or known is None or is_alike(found, known)

    def _proxy_is_ours(self, step: AddProxy | DelProxy, device: Device) -> bool:
        found = self._proxies.get((step.index, step.proxy.local))
        return found is None or found.protocol == step.proxy.protocol

    def _entry(self, index: int, wanted: Address) -> Address | None:
        return self._found(self._fresh, index, wanted)

    def _known(self, index: int, wanted: Address) -> Address | None:
        return self._found(self._seen, index, wanted)

    def _found(self, reading: Snapshot, index: int, wanted: Address) -> Address | None:
        """The address of a device that a deletion of *wanted* would reach."""
        key = id(reading), index
        if key not in self._entries:
            # Where there are two, the kernel takes the first.
            entries = reversed(reading.on(index))
            self._entries[key] = {place_of(entry): entry for entry in entries}
        return self._entries[key].get(place_of(wanted))

    # Secondaries

    def _promotion(self, step: Step, batch: Sequence[Step]) -> list[Step]:
        """The two steps around a deletion that keep the secondaries which it would take along."""
        if not isinstance(step, DelAddress) or step.address.family != AF_INET:
            return []
        if not self._staying(step.index, batch):
            return []
        device, found = self._device(step), self._entry(step.index, step.address)
        if device is None or device.promote or found is None or found.secondary:
            return []
        if _network(found) not in self._staying(step.index, batch):
            return []
        if any(isinstance(one, SetLink) and _promotes(one, step.index) for one in batch):
            return []
        around: list[Step] = []
        for value in (1, 0):
            switch = SetLink(device.name, device.index, step.phase, conf={PROMOTE: value})
            switch.owner = step.owner
            around.append(switch)
        return around

    def _staying(self, index: int, batch: Sequence[Step]) -> set[tuple[int, bytes]]:
        """The networks of the secondary addresses of a device that *batch* does not delete."""
        if self._leaving is None:
            self._leaving = {
                (one.index, place_of(one.address)) for one in batch if isinstance(one, DelAddress)
            }
        if index not in self._networks:
            entries = [one for one in self._fresh.on(index) if one.secondary]
            kept = (one for one in entries if (index, place_of(one)) not in self._leaving)
            self._networks[index] = set(map(_network, kept))
        return self._networks[index]

    def _keeps_marks(self) -> bool:
        """Whether the kernel keeps the protocol of addresses, which it does since Linux 5.18."""
        readings = (*self._fresh.addresses.values(), *self._seen.addresses.values())
        if any(entry.protocol for entries in readings for entry in entries):
            return True
        whole = self._kernel.reread([device.name for device in self._all()], addresses=True)
        return any(entry.protocol for entries in whole.addresses.values() for entry in entries)

    def _all(self) -> Iterable[Device]:
        return {**self._seen.devices, **self._fresh.devices}.values()


_HOLDS: dict[str, Callable[[Proof, Any, Device], bool]] = {
    "link": Proof._link_is_marked,
    "settings": Proof._sysctls_are_alike,
    "address": Proof._address_is_alike,
    "fields": Proof._address_is_known,
    "proxy": Proof._proxy_is_ours,
}
"""The conditions of a step beside those of its device, by Step.touches."""


def is_named(device: Device) -> bool:
    """Whether the names of a device with our mark are those of one alias, or it is hidden."""
    if names.agree(device.name, device.altnames, device.ifalias):
        return True
    from netalias.model.hidden import main_of

    return bool(main_of(device.name, device.ifalias))


def is_shared(step: Step) -> bool:
    """Whether a step deletes a hidden device, which other owners use too."""
    return isinstance(step, DelLink) and step.shared


def place_of(entry: Address) -> Place:
    """The key by which a deletion names an address, beside its device."""
    return entry.local, entry.prefixlen, entry.peer


def _network(entry: Address) -> tuple[int, bytes]:
    from netalias.model import prefix

    return entry.prefixlen, prefix.network(entry.peer or entry.local, entry.prefixlen)


def same_mark(planned: Device, device: Device) -> bool:
    """Whether a device has the group that it was planned with, or has got it back from a deletion
    that was interrupted."""
    return device.group == planned.group or is_scratch(planned.group, device.group)


def _promotes(step: SetLink, index: int) -> bool:
    return step.index == index and bool((step.conf or {}).get(PROMOTE))
