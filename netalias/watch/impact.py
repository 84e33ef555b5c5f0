"""What follows from events for aliases and their main devices. Pure.

A batch of events comes down to: which declared aliases may not be as they are wished, which main
devices went down, went away, came up, got another name. What is then done is controller.py's.
"""

from __future__ import annotations

from netalias.desired.index import Declared
from netalias.kinds import KINDS, UNLINKED
from netalias.model import FOREVER, GROUP, PROTOCOL, names
from netalias.model.events import ADDRESS, ARRIVAL, CARRIER, DEPARTURE, FLAG, LINK
from netalias.model.leases import same
from netalias.model.names import AliasName
from netalias.observed.labels import label_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.desired.index import Wished
    from netalias.model import Device
    from netalias.model.events import Event, State

    Port = int

SHAPING = ("mtu", "master", "altname")
"""Attributes of a main device that decide how its aliases are made."""

NAMING = (DEPARTURE, "name", "altname")
"""What may free a name that an alias waits for."""


class Affected:
    """What a batch comes to.

    ``dirty``: declared aliases that were touched, with the netlink port of whoever did it.
    ``down``: main devices, by index, that went down. ``gone``: names of main devices that went
    away. ``risen``: names of main devices that came, came up, or got that name. ``renamed``: the
    former name by index. ``relabelled``: slots of labels that have lost them, by index and address,
    since the kernel gives the first label of a device its new name (inetdev_changename).
    ``linked``: indexes of main devices that got a carrier. ``whole``: everything has to be
    compared. ``touched``: there may be other aliases now, or other addresses of them; ``raised``:
    some device came, came up, or got a carrier; ``expired``: a lease may have run out.
    """

    __slots__ = (
        "dirty", "down", "expired", "gone", "linked", "raised", "relabelled", "renamed", "risen",
        "touched", "whole",
    )  # fmt: skip

    def __init__(self) -> None:
        self.dirty: dict[AliasName, Port] = {}
        self.down: set[int] = set()
        self.gone: dict[str, None] = {}
        self.risen: set[str] = set()
        self.renamed: dict[int, str] = {}
        self.relabelled: dict[tuple[int, bytes], int] = {}
        self.linked: set[int] = set()
        self.whole = self.expired = self.touched = self.raised = False

    @property
    def few(self) -> bool:
        """Whether nothing has happened but to declared aliases."""
        return not (self.whole or self.down or self.gone or self.renamed or self.expired)

    @property
    def pressing(self) -> bool:
        """Whether something is to be done."""
        return bool(self.dirty) or not self.few


class Impact:
    """Events -> ``affected``, which whoever acts on it empties.

    *state* is the state after the events, *group* the mark of our devices (IFLA_GROUP).
    """

    def __init__(self, state: State, wished: Wished, group: int = GROUP) -> None:
        self.affected = Affected()
        self._state = state
        self._group = group
        self.load(wished)

    def load(self, wished: Wished) -> None:
        """From now on these are the wishes."""
        self.wished = wished
        self._declared: Declared | None = None

    def add(self, event: Event, port: Port = 0) -> None:
        """One event, asked for by *port*."""
        device = event.device
        if device is None or event.key[0] not in (LINK, ADDRESS) or self._renews(event):
            return
        if self._is_alias(device) or (event.what == "group" and event.old == self._group):
            self.affected.touched = True
            self._mark(self._called(device, event), port)
            if event.what == ADDRESS and event.new is None:
                self.affected.expired |= event.subject.address.valid != FOREVER
        elif event.what == ADDRESS:
            self._address(event, device, port)
        else:
            self._main(event, device)

    def _renews(self, event: Event) -> bool:
        """Whether nothing has happened but that a lease was given its time again: else renewing
        would be followed by a comparison of everything, and that by renewing."""
        if event.field != "lifetime":
            return False
        address = event.subject.address
        wishes = map(self.wished.wish, self.wished.by_address.get(address.local, ()))
        return any(same(address, wish.lease or 0) for wish in wishes)

    def _is_alias(self, device: Device) -> bool:
        return device.group == self._group and device.kind in KINDS

    def _mark(self, found: Iterable[AliasName], port: Port) -> None:
        dirty = self.affected.dirty
        for one in found:
            if self._declared is None:
                self._declared = Declared(self.wished, self._state.devices())
            for name in {one, self._declared.name(one)}:
                if name in self.wished:
                    dirty[name] = port or dirty.get(name, 0)

    def _called(self, device: Device, event: Event) -> Iterator[AliasName]:
        """The names of aliases that a device has, or had before the event."""
        texts = [*device.altnames]
        if event.what == "altname" and event.old is not None:
            texts.append(str(event.old))
        found = [one for one in map(names.split, texts) if one is not None]
        primary = device.name if event.what != "name" else str(event.old)
        split = names.split_primary(primary)
        if split is not None:
            found.append(split)
        yield from found
        below = None
        if not device.remote and device.kind not in UNLINKED:
            below = self._state.device(device.link)
        if below is not None:
            yield from (AliasName(below.name, one.slot) for one in found)

    def _address(self, event: Event, device: Device, port: Port) -> None:
        """Of a device that is no alias: a label, or what stands in the way of one."""
        address = event.subject.address
        slots = {one.slot for one in self._labels(event, device) if one is not None}
        self._mark([AliasName(device.name, slot) for slot in slots], port)
        self._mark(self.wished.by_address.get(address.local, ()), port)
        self.affected.touched |= bool(slots)
        if event.field == "label":
            self._relabel(event)

    @staticmethod
    def _labels(event: Event, device: Device) -> Iterator[AliasName | None]:
        yield label_of(event.subject.address, device)
        if event.field == "label":
            yield names.split(str(event.old))

    def _relabel(self, event: Event) -> None:
        old = names.split(str(event.old))
        address = event.subject.address
        if old is not None and address.protocol == PROTOCOL and ":" not in address.label:
            self.affected.relabelled[event.key[1], address.local] = old.slot

    def _main(self, event: Event, device: Device) -> None:
        called = {device.name, *device.altnames}
        if event.what == ARRIVAL or event.what in NAMING:
            self._declared = None
        wanted = not self.wished.mains.isdisjoint(called)
        affected, index = self.affected, event.key[1]
        if event.what == ARRIVAL or (event.what == FLAG and event.field == "UP" and event.new):
            affected.down.discard(index)
            self._rise(called, wanted)
            if not device.up:
                self._fell(device)
        elif event.what == FLAG and event.field == "UP":
            self._fell(device)
        elif event.what == DEPARTURE:
            affected.down.discard(index)
            if wanted or self._carries(device):
                affected.gone[device.name] = None
                affected.touched = True
        elif event.what == "name":
            self._rise(called, wanted)
            if str(event.old) in self.wished.mains or self._carries(device):
                affected.renamed.setdefault(index, str(event.old))
                affected.touched = True
        elif event.what == CARRIER and event.new:
            affected.raised = True
            if self._carries(device):
                affected.linked.add(index)
        elif event.what in SHAPING:
            affected.whole |= wanted
        if event.what in NAMING:
            self._mark(self._called(device, event), 0)

    def settle(self) -> None:
        """What is down at the beginning went down. Devices of aliases carry none, and there may be
        thousands that a run which was killed had not raised yet."""
        for device in list(self._state.devices()):
            if not device.up and not self._is_alias(device):
                self._fell(device)

    def _fell(self, device: Device) -> None:
        """A device is down, which may have aliases; wished ones may be about to come."""
        called = {device.name, *device.altnames}
        self.affected.risen -= called
        if not self.wished.mains.isdisjoint(called) or self._carries(device):
            self.affected.down.add(device.index)

    def _rise(self, called: set[str], wanted: bool) -> None:
        affected = self.affected
        affected.raised = True
        if wanted:
            affected.risen |= called
            affected.whole = affected.touched = True

    def _carries(self, main: Device) -> bool:
        """Whether there may be aliases on a device. Most devices of a host of containers have none,
        and come and go."""
        if any(one.address.protocol == PROTOCOL for _, one in self._state.of(main.index, ADDRESS)):
            return True
        begin = f"{main.name}:"
        return any(
            (device.link == main.index and not device.remote)
            or any(altname.startswith(begin) for altname in device.altnames)
            for device in self._state.devices()
            if self._is_alias(device)
        )
