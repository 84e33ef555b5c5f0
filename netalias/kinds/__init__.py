"""Kinds: how an alias is realised in the kernel, and the aliases that a snapshot holds.

What every kind answers stands here, what the kinds with a device of their own share in device.py;
each kind has a file of its own, loaded when it is needed. A new kind is one new file with a
subclass of Kind or DeviceKind, and one line in KINDS.
"""

from __future__ import annotations

from netalias import errors
from netalias.model import (
    AF_INET6,
    FOREVER,
    GROUP,
    IFA_F_NOPREFIXROUTE,
    PROTOCOL,
    RT_SCOPE_LINK,
    SCRATCH,
    Alias,
    names,
)
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.families import AliasType, Registry
    from netalias.model import Address, Device, Snapshot
    from netalias.model.steps import Step

RECORD = "netalias"
"""First word of the ifalias text of our devices."""
LEASE = "lease"
"""Last word but one of the text of an alias with a lease."""

KINDS = {
    "macvlan": "Macvlan",
    "ipvlan": "Ipvlan",
    "dummy": "Dummy",
    "label": "Label",
}
"""Kind by name: the class in the module of that name."""

UNLINKED = ("dummy",)
"""Kinds whose device has none below it (IFLA_LINK), so that its names tell the main device."""

AUTO = "auto"
SIBLINGS = {"macvlan": ("macvlan", "macvtap"), "ipvlan": ("ipvlan", "ipvtap")}
"""Kinds that share one port, by the kind of ours."""
PORT_MASTERS = ("bridge", "bond", "team")
"""Masters that take every frame of their ports (rx_handler), so nothing can stand on a port."""

_loaded: dict[str, Kind] = {}


def get(name: str) -> Kind:
    """The kind called *name*. Raises KindError."""
    kind = _loaded.get(name)
    if kind is None:
        if name not in KINDS:
            raise errors.KindError(f"kind {name}: there is no such kind", f"one of {choices()}")
        module = __import__(f"netalias.kinds.{name}", fromlist=[name])
        kind = _loaded[name] = getattr(module, KINDS[name])()
    return kind


def choices() -> str:
    """The words that ``kind`` takes, for a message."""
    return ", ".join([AUTO, *KINDS])


class Goal:
    """A wish with nothing left open: what the alias shall be.

    ``entry`` is None for an alias whose family the kernel keeps no addresses of; ``mtu`` 0 and
    ``mac`` empty mean: the kernel's choice; ``lenient``: a kind without an MTU passes it over;
    ``vrf`` is the VRF that the main device is a member of, and so a new device. ``lease`` is the
    lifetime of the entry, 0 for ever; ``renew``: it is set even though it is the present one.
    """

    __slots__ = (
        "address",
        "entry",
        "group",
        "lease",
        "lenient",
        "mac",
        "main",
        "mtu",
        "name",
        "prefixlen",
        "renew",
        "type",
        "up",
        "vrf",
    )

    def __init__(
        self,
        name: AliasName,
        main: Device,
        type: AliasType,
        address: bytes,
        prefixlen: int,
        *,
        entry: Address | None,
        up: bool = True,
        mtu: int = 0,
        mac: bytes = b"",
        lenient: bool = False,
        group: int = 0,
        vrf: Device | None = None,
        lease: int = 0,
        renew: bool = False,
    ) -> None:
        self.name = name
        self.main = main
        self.type = type
        self.address = address
        self.prefixlen = prefixlen
        self.entry = entry
        self.up = up
        self.mtu = mtu
        self.mac = mac
        self.lenient = lenient
        self.group = group
        self.vrf = vrf
        self.lease = lease
        self.renew = renew

    def record(self) -> str:
        """The ifalias text: ``netalias eth0:0``, and the address if the kernel may forget it, and
        the lease if it has one."""
        text = f"{RECORD} {self.name}"
        if self.type.recorded:
            address = self.type.format(self.address)
            text += f" {self.type.name} {address}/{self.prefixlen}"
        return f"{text} {LEASE} {self.lease}" if self.lease else text


class Kind:
    """One way to realise an alias."""

    name = ""
    routed = True
    """Whether an address may bring the connected route of its network."""

    def refuse(self, main: Device, snapshot: Snapshot) -> str:
        """Why this kind cannot serve *main*, as the rest of a sentence; empty when it can."""
        return ""

    def fit(self, goal: Goal) -> Goal:
        """*goal* as this kind realises it. Raises KindError or LimitError where it cannot."""
        return goal

    def make(self, goal: Goal) -> list[Step]:
        """The steps that bring the alias into being."""
        raise NotImplementedError

    def change(self, alias: Alias, goal: Goal, snapshot: Snapshot) -> list[Step]:
        """The steps from an alias of this kind to *goal*; empty when they are the same."""
        raise NotImplementedError

    def unmake(self, alias: Alias, snapshot: Snapshot) -> list[Step]:
        """The steps that take the alias away, and nothing else."""
        raise NotImplementedError


def differs(present: Address | None, wanted: Address | None) -> bool:
    """Whether an address must be replaced to become the wanted one."""
    if present is None or wanted is None:
        return present is not wanted
    return (
        present.local != wanted.local
        or present.family != wanted.family
        or present.prefixlen != wanted.prefixlen
        or present.peer != wanted.peer
        or present.broadcast != wanted.broadcast
        or present.metric != wanted.metric
        or bool((present.flags ^ wanted.flags) & IFA_F_NOPREFIXROUTE)
        or (":" in present.label + wanted.label and present.label != wanted.label)
    )


def lifetimes(alias: Alias, goal: Goal) -> list[Step]:
    """The step that sets the lease of an address that stays, or lets it last for ever."""
    entry = alias.entry
    if entry is None or (entry.valid == FOREVER and not goal.lease):
        return []
    from netalias.model.leases import renewal, same

    return [renewal(alias, goal.lease)] if goal.renew or not same(entry, goal.lease) else []


def clashes(present: Address, wanted: Address | None, *, promote: bool = False) -> bool:
    """Whether one device cannot hold both, so the old address must go first.

    One address cannot stand there twice (EEXIST), and an IPv4 address in the network of another is
    its secondary, and goes with it unless the device has promote_secondaries.
    """
    if wanted is None or present.family != wanted.family:
        return False
    if present.local == wanted.local:
        return present.prefixlen == wanted.prefixlen or present.family == AF_INET6
    shift = len(present.local) * 8 - present.prefixlen
    return (
        present.family != AF_INET6
        and not promote
        and present.prefixlen == wanted.prefixlen
        and _number(present) >> shift == _number(wanted) >> shift
    )


def _number(entry: Address) -> int:
    return int.from_bytes(entry.peer or entry.local, "big")


def port_of(main: Device, snapshot: Snapshot) -> Device | None:
    """The bridge, bond or team whose port *main* is."""
    master = snapshot.devices.get(main.master)
    return master if master is not None and master.kind in PORT_MASTERS else None


def vrf_of(main: Device, snapshot: Snapshot) -> Device | None:
    """The VRF that *main* is a member of."""
    master = snapshot.devices.get(main.master)
    return master if master is not None and master.kind == "vrf" else None


def carries(main: Device, snapshot: Snapshot, kind: str) -> bool:
    """Whether a device of this IFLA_INFO_KIND, ours or not, stands on *main*."""
    return any(
        upper.kind in SIBLINGS[kind] and upper.link == main.index
        for upper in snapshot.uppers(main.index)
    )


class World:
    """A snapshot with its aliases found in it, by name.

    ``bequeaths``: the plan for one alias takes care of the others in its network (networks.py).
    """

    __slots__ = ("aliases", "by_name", "group", "registry", "snapshot")

    bequeaths = True

    def __init__(self, snapshot: Snapshot, registry: Registry, group: int = GROUP) -> None:
        self.snapshot = snapshot
        self.registry = registry
        self.group = group
        self.aliases = recognise(snapshot, registry, group)
        self.by_name: dict[AliasName, list[Alias]] = {}
        for alias in self.aliases:
            self.by_name.setdefault(alias.name, []).append(alias)

    @property
    def remnants(self) -> list[Device]:
        """Devices of ours that an interrupted run was about to delete, or had not named yet when
        the main device got another name."""
        marks = (self.group, self.group | SCRATCH)
        devices = self.snapshot.devices.values()
        ours = [device for device in devices if device.group in marks and device.kind in KINDS]
        known = {id(alias.device) for alias in self.aliases}
        return [device for device in ours if id(device) not in known and self._is_named(device)]

    def _is_named(self, device: Device) -> bool:
        """Whether a device carries a name that we give."""
        if names.split_primary(device.name) is not None:
            return True
        return recognise_one(device, self.snapshot, self.registry) is not None

    def main(self, name: AliasName) -> Device:
        """The main device of *name*. Raises NoSuchDevice."""
        device = self.snapshot.device(name.main)
        if device is None:
            raise errors.NoSuchDevice(f"{name}: there is no device {name.main}")
        if device.group == self.group and recognise_one(device, self.snapshot, self.registry):
            raise errors.BadName(
                f"{name}: {name.main} is an alias, and an alias cannot have aliases"
            )
        return device

    def find(self, name: AliasName) -> Alias | None:
        """Our alias of that name, or else somebody's label."""
        found = self.by_name.get(name, ())
        return next((alias for alias in found if alias.ours), next(iter(found), None))

    def around(self, main: Device, entry: Address) -> Iterator[Address]:
        """Whatever may bring a connected route that serves *entry*: the addresses of a main
        device, and of all aliases that are up."""
        for index, entries in self.snapshot.addresses.items():
            device = self.snapshot.devices.get(index)
            alias = device is not None and device.group == self.group
            if index == main.index or (alias and device.up):  # type: ignore[union-attr]
                yield from entries
            elif not alias:
                yield from (entry for entry in entries if entry.protocol == PROTOCOL)

    def standing(self, local: bytes) -> Iterator[Address]:
        """Where an address stands already."""
        for entries in self.snapshot.addresses.values():
            for entry in entries:
                if entry.local == local:
                    yield entry


def recognise(snapshot: Snapshot, registry: Registry, group: int) -> list[Alias]:
    """Every alias in *snapshot*: devices with our mark, labels of anybody. In no special order."""
    found = []
    for device in snapshot.devices.values():
        alias = recognise_one(device, snapshot, registry) if device.group == group else None
        if alias is not None:
            found.append(alias)
    if any(_may_be_label(entry) for entries in snapshot.addresses.values() for entry in entries):
        from netalias.kinds.label import labels

        found += labels(snapshot, group)
    return found


def recognise_one(device: Device, snapshot: Snapshot, registry: Registry) -> Alias | None:
    """The alias that a device with our mark is, or None.

    It is known by its names: altname, ifalias text, primary name, in this order.
    """
    if device.kind not in KINDS:
        return None
    noted, recorded, lease = _noted(device)
    named = _main_by_name if device.kind in UNLINKED else _main_below
    main = named(device, snapshot, noted)
    name = noted or _from_primary(device, main)
    if name is None:
        return None
    if main is not None:
        name = AliasName(main.name, name.slot)
    alias = Alias(name, device.kind, main=main, device=device)
    entries = snapshot.on(device.index)
    entry = _own_entry(entries)
    alias.whole = (
        str(name) in device.altnames
        and device.ifalias.startswith(f"{RECORD} ")
        and not (len(entries) > 1 and surplus(entry, entries))
    )
    if entry is not None:
        alias.entry = entry
        alias.family, alias.address = entry.family, entry.local
        alias.prefixlen = entry.prefixlen
        if entry.valid != FOREVER:
            alias.lease = lease or entry.lease
        return alias
    alias.lease = lease
    if recorded:
        _recall(alias, registry, *recorded)
    return alias


def _main_below(device: Device, snapshot: Snapshot, noted: AliasName | None) -> Device | None:
    """The device below (IFLA_LINK).

    A macvlan on a macvlan is put on the real device below both, so a main that is noted and
    stands on the same device counts as the main.
    """
    if device.remote:
        return None
    if noted is not None:
        main = snapshot.device(noted.main)
        if main is not None and main.kind == device.kind and main.link == device.link:
            return main
    return snapshot.devices.get(device.link)


def _main_by_name(device: Device, snapshot: Snapshot, noted: AliasName | None) -> Device | None:
    """The device of the noted name; of a half-made one that whose alias it can be."""
    if noted is not None:
        return snapshot.device(noted.main)
    found = names.split_primary(device.name)
    if found is None:
        return None
    for main in snapshot.devices.values():
        if names.primary(AliasName(main.name, found.slot)) == device.name:
            return main
    return None


def _noted(device: Device) -> tuple[AliasName | None, list[str], int]:
    """The alias name on the device, the recorded type and address, and the lease or 0."""
    words = device.ifalias.split()
    lease = 0
    if len(words) > 3 and words[-2] == LEASE:
        lease = _seconds(words[-1])
        del words[-2:]
    recorded = words[2:4] if len(words) >= 4 and words[0] == RECORD else []
    for altname in device.altnames:
        name = names.split(altname)
        if name is not None:
            return name, recorded, lease
    if len(words) > 1 and words[0] == RECORD:
        return names.split(words[1]), recorded, lease
    return None, recorded, lease


def _seconds(text: str) -> int:
    """A number that others have spoilt is none."""
    plain = text.isascii() and text.isdigit() and len(text) <= 10
    return int(text) if plain and int(text) < FOREVER else 0


def _from_primary(device: Device, main: Device | None) -> AliasName | None:
    """The name of a device that an interrupted run left with nothing but its primary name."""
    name = names.split_primary(device.name)
    if name is not None and main is not None:
        name = AliasName(main.name, name.slot)
        return name if names.primary(name) == device.name else None
    return name


def _own_entry(entries: list[Address]) -> Address | None:
    """The address of the alias: the one with our mark; without marks (before 5.18) the first."""
    for entry in entries:
        if entry.protocol == PROTOCOL:
            return entry
    usable = [entry for entry in entries if entry.scope != RT_SCOPE_LINK]
    return usable[0] if usable and not any(entry.protocol for entry in usable) else None


def surplus(own: Address | None, entries: list[Address]) -> list[Address]:
    """What else has our mark on an alias device: a change was interrupted that replaces one."""
    return [entry for entry in entries if entry.protocol == PROTOCOL and entry is not own]


def _recall(alias: Alias, registry: Registry, type_name: str, text: str) -> None:
    """Take the address from the record; what others have spoilt, or nobody can read, is none."""
    try:
        found = registry.find(type_name)
        if found is None:
            return
        alias.address, length = found.parse(text)
    except (errors.BadAddress, errors.FamilyError):
        return
    alias.family = found.family
    alias.prefixlen = found.bits if length is None else length


def _may_be_label(entry: Address) -> bool:
    return ":" in entry.label or entry.metric > 0
