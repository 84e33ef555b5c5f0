"""Events -> the declared aliases and main devices that they affect. Pure.

Which aliases may differ from their declarations now; which main devices went down or away, came up,
or got another name. The controller decides what is done about them.
"""

from __future__ import annotations

from netalias.desired.index import DeclaredNames
from netalias.kernel.netlink.announced import is_default
from netalias.kinds import KINDS, UNLINKED
from netalias.model import (
    AF_INET,
    AF_INET6,
    FOREVER,
    GROUP,
    IFA_F_TENTATIVE,
    PROTOCOL,
    RT_SCOPE_LINK,
    SCRATCH,
    is_scratch,
    names,
)
from netalias.model.events import (
    ADDRESS,
    ARRIVAL,
    CARRIER,
    DEPARTURE,
    FLAG,
    LINK,
    LOCAL,
    ROUTE,
    RULE,
)
from netalias.model.hidden import SHARD, group_of, main_of
from netalias.model.leases import same
from netalias.model.names import AliasName
from netalias.model.routes import connected
from netalias.observed.labels import label_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.desired.index import Index
    from netalias.model import Device
    from netalias.model.events import Event, State

SHAPING = ("mtu", "master", "altname")
"""Events of a main device that affect how its aliases are made."""

ROUTING = ("", "prefixlen", "peer", "noprefixroute", "deprecated", "dadfailed")
"""Changes of an address of a main device that may bring or take a connected route, or let another
address be the source; "" is its arrival or departure."""

NAMING = (DEPARTURE, "name", "altname")
"""Events that may free a name that an alias needs."""


class Affected:
    """The effects of events that were not acted on yet.

    ``dirty``: declared aliases that were touched, with the netlink port ID of the last one to do
    so, 0 if unknown. ``down``: indexes of main devices that went down. ``gone``: names of main
    devices that went away. ``risen``: names of main devices that came, came up, or got that name.
    ``renamed``: former names of main devices by index. ``relabelled``: former slots of labels by
    index and address, since the kernel gives the first label of a renamed device the name of the
    device (inetdev_changename). ``linked``: indexes of main devices that got a carrier.
    ``readdressed``: indexes of devices to which others gave another MAC. ``doubtful``: aliases
    whose address another host has, or may have, with the packed address. ``whole``: everything has
    to be compared. ``touched``: the aliases or their addresses may have changed; ``republish``: a
    device came, came up, or got a carrier or an IPv4 address, so it may have lost its proxy
    entries; ``expired``: a lease may have expired. ``stranded``: indexes of alias devices whose
    main device has left the namespace. ``rerouted``: families of which a default route has
    changed that a gateway may follow.
    """

    __slots__ = (
        "dirty", "doubtful", "down", "expired", "gone", "linked", "readdressed", "relabelled",
        "renamed", "republish", "rerouted", "risen", "stranded", "touched", "whole",
    )  # fmt: skip

    def __init__(self) -> None:
        self.dirty: dict[AliasName, int] = {}
        self.down: set[int] = set()
        self.gone: dict[str, None] = {}
        self.risen: set[str] = set()
        self.renamed: dict[int, str] = {}
        self.relabelled: dict[tuple[int, bytes], int] = {}
        self.linked: set[int] = set()
        self.stranded: set[int] = set()
        self.readdressed: set[int] = set()
        self.rerouted: set[int] = set()
        self.doubtful: dict[AliasName, bytes] = {}
        self.whole = self.expired = self.touched = self.republish = False

    @property
    def few(self) -> bool:
        """Whether nothing but declared aliases is affected."""
        many = self.whole or self.down or self.gone or self.renamed or self.doubtful
        return not (many or self.expired)

    @property
    def pressing(self) -> bool:
        """Whether there is anything to act on."""
        return bool(self.dirty) or not self.few


class Impact:
    """Events -> ``affected``; the part that was acted on is taken out of it.

    ``state`` is the state after the events, *group* the mark of our devices (IFLA_GROUP).
    ``duplicates`` are aliases with a lease whose address another host has: the kernel removes such
    an address, and keeps a permanent one as dadfailed (addrconf_dad_stop of net/ipv6/addrconf.c).
    """

    def __init__(self, state: State, wished: Index, group: int = GROUP) -> None:
        self.affected = Affected()
        self.duplicates: set[AliasName] = set()
        self.state = state
        self._group = group
        self.load(wished)

    def load(self, wished: Index) -> None:
        """Replace the declarations."""
        self.wished = wished
        self._declared: DeclaredNames | None = None

    def declared(self, name: AliasName) -> AliasName:
        """The name by which an alias is declared, which may be by another name of its main device;
        *name* itself where it is not declared."""
        if self._declared is None:
            self._declared = DeclaredNames(self.wished, list(self.state.devices()))
        return self._declared.name(name)

    def add(self, event: Event, port_id: int = 0, *, own: bool = False) -> None:
        """Take in an event, which the socket with this netlink port ID has caused, 0 if unknown;
        *own*: it is one of this process.

        The state has it already.
        """
        device = event.device
        if event.what == RULE:
            name = names.split_primary(event.subject.device)
            self._mark([name] if name is not None else [], port_id)
        if device is not None and event.what == LOCAL:
            self._mark([AliasName(device.name, event.subject.slot)], port_id)
            self.affected.touched = True
        if event.what == ROUTE and is_default(event.subject):
            self.affected.rerouted |= self.wished.led & {event.subject.family}
        elif device is not None and event.what == ROUTE:
            self._route(event, device, port_id)
        if device is None or event.key[0] not in (LINK, ADDRESS) or self._renews(event):
            return
        if event.what == ADDRESS:
            self._note_verdict(event, device)
        elif event.what == DEPARTURE and self.duplicates:
            gone = {*self._called(device, event)}
            gone |= {one for one in self.duplicates if one.main == device.name}
            self.duplicates -= gone  # they went with the device, not for another host
        if event.what == ADDRESS and event.old is None:
            self.affected.republish |= event.subject.address.family == AF_INET
        if event.what == "mac" and not own:
            self._readdressed(device)
        held = self._held(event, device) if event.what != ADDRESS else None
        if held is not None:
            self.affected.touched = True
            if event.what not in (ARRIVAL, FLAG, CARRIER) or event.field == "UP":
                self._mark(held, port_id)
        elif self._is_alias(device) or (event.what == "group" and event.old == self._group):
            self.affected.touched = True
            self._mark(self._called(device, event), port_id)
            if event.what == ADDRESS and event.new is None:
                self.affected.expired |= event.subject.address.valid != FOREVER
        elif event.what == ADDRESS:
            self._address(event, device, port_id)
        else:
            self._main(event, device)

    def collect_rerouted(self) -> None:
        """Mark the aliases whose gateway follows the default routes that have changed."""
        if self.affected.rerouted:
            self._mark(self.wished.following(self.affected.rerouted), 0)
            self.affected.rerouted.clear()

    def _note_verdict(self, event: Event, device: Device) -> None:
        """Note whether an address with a lease went before the kernel had found it unique."""
        address = event.subject.address
        tentative = address.flags & IFA_F_TENTATIVE
        if address.family != AF_INET6 or address.scope == RT_SCOPE_LINK:
            return
        if tentative and event.new is not None:
            return
        found = {*self._called(device, event), *self.wished.by_address.get(address.local, ())}
        found |= {one for one in self._labels(event, device) if one is not None}
        if tentative and address.valid != FOREVER:
            self.duplicates |= found
        elif event.new is not None:
            self.duplicates -= found

    def _readdressed(self, device: Device) -> None:
        if self._is_alias(device) or self._has_aliases(device):
            self.affected.readdressed.add(device.index)

    def _renews(self, event: Event) -> bool:
        """Whether an event is the renewal of a lease: as a change it would lead to a comparison,
        which would lead to a renewal. That of an address which no line has concerns nothing."""
        if event.field != "lifetime":
            return False
        address = event.subject.address
        names = self.wished.by_address.get(address.local, ())
        return not names or any(same(address, self.wished.wish(one).lease or 0) for one in names)

    def _is_alias(self, device: Device) -> bool:
        return device.group == self._group and device.kind in KINDS

    def _was_alias(self, device: Device) -> bool:
        """Whether a device is that of an alias, or of one that is being deleted with others."""
        group = device.group
        ours = group == self._group or (group & SCRATCH > 0 and is_scratch(group, self._group))
        return ours and device.kind in KINDS

    def _is_hidden(self, device: Device) -> str:
        """The name of the main device of a hidden device; empty for any other one."""
        if device.group != group_of(self._group):
            return ""
        return main_of(device.name, device.ifalias)

    def _held(self, event: Event, device: Device) -> list[AliasName] | None:
        """The declared shards of the device that an event is about; None unless it is a hidden one,
        or was before."""
        name = str(event.old) if event.what == "name" else device.name
        group = event.old if event.what == "group" else device.group
        text = "" if event.what == "ifalias" else device.ifalias
        main = main_of(name, text) if group == group_of(self._group) else ""
        if not main:
            return None
        first = int(name.rpartition("_s")[2]) * SHARD
        return [AliasName(main, slot) for slot in range(first, first + SHARD)]

    def _mark(self, found: Iterable[AliasName], port_id: int) -> None:
        dirty = self.affected.dirty
        for one in found:
            for name in {one, self.declared(one)}:
                if name in self.wished:
                    dirty[name] = port_id or dirty.get(name, 0)

    def _called(self, device: Device, event: Event) -> Iterator[AliasName]:
        """The alias names that a device has, or had before the event."""
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
            below = self.state.device(device.link)
        if below is not None:
            yield from (AliasName(below.name, one.slot) for one in found)

    def _address(self, event: Event, device: Device, port_id: int) -> None:
        """An address of another device than an alias: a label, or an obstacle to a declared one."""
        address = event.subject.address
        slots = {one.slot for one in self._labels(event, device) if one is not None}
        main = self._is_hidden(device) or device.name
        self._mark([AliasName(main, slot) for slot in slots], port_id)
        self._mark(self.wished.by_address.get(address.local, ()), port_id)
        self.affected.touched |= bool(slots)
        if address.protocol != PROTOCOL and event.field in ROUTING:
            self.affected.whole |= self.wished.relies({device.name, *device.altnames}, address)
            self.affected.whole |= self._has_labels(device, address.family)
        if event.field == "label":
            self._relabel(event)

    def _has_labels(self, device: Device, family: int) -> bool:
        """Whether there are declared labels on a main device, of IPv6 without networks: its own
        addresses may speak in their place now, or no longer."""
        if not self._may_have_labels(device):
            return False
        for _, one in self.state.of(device.index, ADDRESS):
            address = one.address
            if address.family == family and (family == AF_INET or not address.networked):
                name = label_of(one.address, device)
                if name is not None and self.declared(name) in self.wished:
                    return True
        return False

    def _route(self, event: Event, device: Device, port_id: int) -> None:
        """A connected route was deleted: it concerns the aliases with its network on its device."""
        route = event.subject
        if self._is_alias(device):
            self._mark(self._called(device, event), port_id)
            return
        if not self._may_have_labels(device):
            return
        for _, one in self.state.of(device.index, ADDRESS):
            entry, name = one.address, label_of(one.address, device)
            if name is not None and connected(entry, device.index).place == (
                route.family, device.index, route.network, route.prefixlen,
            ):  # fmt: skip
                self._mark([name], port_id)

    def _may_have_labels(self, device: Device) -> bool:
        """Whether labels may be declared that are addresses of this device: others may have
        thousands of addresses, each of which is no look at all of them."""
        called = {device.name, *device.altnames}
        return not self.wished.mains.isdisjoint(called) or bool(self._is_hidden(device))

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
        wanted = not self.wished.mains.isdisjoint(called)
        # That of an alias has no aliases, and thousands may go at once.
        alias = self._was_alias(device) and not wanted
        if (event.what == ARRIVAL or event.what in NAMING) and not alias:
            self._declared = None
        affected, index = self.affected, event.key[1]
        if event.what == ARRIVAL or (event.what == FLAG and event.field == "UP" and event.new):
            affected.down.discard(index)
            self._came_up(called, wanted)
            if not device.up:
                self._went_down(device)
        elif event.what == FLAG and event.field == "UP":
            self._went_down(device)
        elif event.what == DEPARTURE:
            affected.down.discard(index)
            others = () if alias else self.state.devices()
            affected.stranded |= {one.index for one in others if self._is_on(one, index)}
            affected.touched |= alias  # one that goes in the group of a set was there until now
            if wanted or self._has_aliases(device):
                affected.gone[device.name] = None
                affected.touched = True
        elif event.what == "name":
            self._came_up(called, wanted)
            if str(event.old) in self.wished.mains or self._has_aliases(device):
                affected.renamed.setdefault(index, str(event.old))
                affected.touched = True
        elif event.what == CARRIER and event.new:
            affected.republish = True
            if self._has_aliases(device):
                affected.linked.add(index)
        elif event.what in SHAPING:
            affected.whole |= wanted
        if event.what in NAMING:
            self._mark(self._called(device, event), 0)

    def add_down(self) -> None:
        """Take in the devices that are down, as if they went down now.

        Those of aliases are left out: they have no aliases, and a run that was killed may have left
        thousands that are not up yet.
        """
        for device in list(self.state.devices()):
            if not (device.up or self._is_alias(device) or self._is_hidden(device)):
                self._went_down(device)

    def _went_down(self, device: Device) -> None:
        """Note that a device went down that has aliases, or is about to get declared ones."""
        called = {device.name, *device.altnames}
        self.affected.risen -= called
        if not self.wished.mains.isdisjoint(called) or self._has_aliases(device):
            self.affected.down.add(device.index)

    def _came_up(self, called: set[str], wanted: bool) -> None:
        affected = self.affected
        affected.republish = True
        if wanted:
            affected.risen |= called
            affected.whole = affected.touched = True

    def _is_on(self, device: Device, index: int) -> bool:
        """Whether a device is that of an alias on the main device with this index."""
        return device.link == index and not device.remote and self._is_alias(device)

    def _has_aliases(self, main: Device) -> bool:
        """Whether a device may have aliases. On a host of containers most devices have none, and
        they come and go. That of an alias has none."""
        if self._was_alias(main):
            return False
        if any(one.address.protocol == PROTOCOL for _, one in self.state.of(main.index, ADDRESS)):
            return True
        if self.state.of(main.index, LOCAL):
            return True
        begin = f"{main.name}:"
        return any(
            (device.link == main.index and not device.remote)
            or (device.link == main.link and device.remote and main.remote)
            or any(altname.startswith(begin) for altname in device.altnames)
            for device in self.state.devices()
            if self._is_alias(device)
        ) or any(self._is_hidden(device) == main.name for device in self.state.devices())
