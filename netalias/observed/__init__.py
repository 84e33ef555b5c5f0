"""The observed state: a snapshot of the kernel and the aliases found in it."""

from __future__ import annotations

from netalias import errors
from netalias.kinds import (
    GATEWAY,
    KINDS,
    LEASE,
    LINKLOCAL,
    RECORD,
    SIBLINGS,
    TAIL,
    UNLINKED,
    is_former,
    surplus,
)  # fmt: skip
from netalias.model import (
    AF_INET,
    FOREVER,
    GROUP,
    HIDDEN,
    PROTOCOL,
    RT_SCOPE_LINK,
    SCRATCH,
    Alias,
    is_scratch,
    names,
)
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import Any, Protocol

    from netalias.families import Registry
    from netalias.model import Address, Alias, Device, Snapshot
    from netalias.model.steps import Step
    from netalias.observed.labels import Own
    from netalias.observed.outlets import Outlets

    Taken = dict[bytes, AliasName | None]
    """MACs of a namespace: the alias whose new device gets it, None for one of a present device."""
    Former = Callable[[AliasName], tuple[int, bytes] | None]
    """The ifindex and MAC of the device that an alias had; None if unknown."""

    class Macs(Protocol):
        """The choice of a MAC for the new device of an alias."""

        def __call__(
            self, name: AliasName, main: Device, taken: Taken, *, random: bool
        ) -> bytes: ...


class Observed:
    """A snapshot and the aliases found in it.

    ``able`` tells whether the kernel can make devices of a kind (Kernel.able). *macs* chooses the
    MAC for the new device of an alias, empty where that is left to the kernel; *former* gives the
    ifindex and MAC of the device that an alias had, or None.
    ``hands_over``: the plan for one alias includes the handover of its connected route to another
    one (plan/routes.py). ``lost`` holds id() of the addresses whose connected route somebody has
    deleted (plan/connected.py). ``long_named`` are the main devices whose aliases with names over
    15 bytes a plan has warned of. ``partial``: *snapshot* holds only what one alias depends on.
    ``shared`` holds the steps that make hidden devices by primary name, and networks of shards that
    were looked at (plan/shards.py). *raised* gives the values that sysctls of a main device had
    before netalias raised them, without those that it may not restore.
    """

    __slots__ = (
        "_choose", "_find_former", "_former", "_found", "_macs", "_outlets", "_own", "_raised",
        "_restorable", "_shared_networks", "_taken", "able", "aliases", "by_name", "group",
        "long_named", "lost", "registry", "shared", "snapshot",
    )  # fmt: skip

    hands_over = True
    partial = False

    def __init__(
        self,
        snapshot: Snapshot,
        registry: Registry,
        group: int = GROUP,
        able: Callable[[str], bool] | None = None,
        macs: Callable[[], Macs | None] | None = None,
        former: Callable[[], Former] | None = None,
        outlets: Callable[[], Outlets] | None = None,
        raised: Callable[[Device], dict[str, int]] | None = None,
    ) -> None:
        self.able = able or _any
        self._own: dict[int, Own] = {}
        self._shared_networks: dict[int, bool] = {}
        self.lost: Collection[int] = ()
        self._macs = macs
        self._choose: Macs | None = None
        self._former = former
        self._find_former: Former | None = None
        self._taken: Taken | None = None
        self.long_named: set[str] = set()
        self.shared: dict[str, list[Step]] = {}
        self._outlets = outlets
        self._raised = raised
        self._restorable: dict[int, dict[str, int]] = {}
        self._found: Outlets | None = None
        self.snapshot = snapshot
        self.registry = registry
        self.group = group
        self.aliases = recognise(snapshot, registry, group)
        self.by_name: dict[AliasName, list[Alias]] = {}
        for alias in self.aliases:
            self.by_name.setdefault(alias.name, []).append(alias)

    def outlets(self) -> Outlets:
        """The rules and routes for the gateways of aliases, asked on first use."""
        if self._found is None:
            from netalias.observed.outlets import Outlets

            self._found = (self._outlets or Outlets)()
        return self._found

    def restorable(self, main: Device, key: str) -> int | None:
        """The value of a sysctl of *main* that netalias itself has raised since; None if it has not
        raised it, or may not restore it."""
        if self._raised is None:
            return None
        if main.index not in self._restorable:
            self._restorable[main.index] = self._raised(main)
        return self._restorable[main.index].get(key)

    def former(self, name: AliasName) -> tuple[int, bytes]:
        """The ifindex and MAC that the device of an alias had, as far as no other device of the
        namespace has them now; else 0 and empty."""
        if self._find_former is None:
            if self._former is None:
                return 0, b""
            self._find_former = self._former()
        index, mac = self._find_former(name) or (0, b"")
        free = mac and self._macs_taken().setdefault(mac, name) == name
        snapshot = self.snapshot
        there = index in snapshot.devices or index in _column(snapshot, 1)
        return 0 if there else index, mac if free else b""

    def new_mac(self, name: AliasName, main: Device, *, random: bool = False) -> bytes:
        """A MAC for the new device of an alias that no other device of the namespace has; empty
        where the kernel is to choose. With *random* it is another one each time."""
        if self._macs is None:
            return b""
        taken = self._macs_taken()
        self._choose = self._choose or self._macs()
        return self._choose(name, main, taken, random=random) if self._choose else b""

    def _macs_taken(self) -> Taken:
        """The MACs of the present devices and of those that are planned."""
        if self._taken is None:
            self._taken = {device.mac: None for device in self.snapshot.devices.values()}
            self._taken.update(dict.fromkeys(_column(self.snapshot, 2)))
        return self._taken

    @property
    def labelled(self) -> bool:
        """Whether an address has a label with a colon, so that unnamed.py may find something."""
        return any(
            ":" in entry.label for some in self.snapshot.addresses.values() for entry in some
        )

    def main(self, name: AliasName) -> Device:
        """The main device of *name*. Raises NoSuchDevice; BadName if it is an alias."""
        device = self.snapshot.device(name.main)
        if device is None:
            raise errors.NoSuchDevice(f"{name}: there is no device {name.main}")
        group = device.group
        marked = group == self.group or (group & SCRATCH and is_scratch(group, self.group))
        if marked and recognise_one(device, self.snapshot, self.registry):
            raise errors.BadName(
                f"{name}: {name.main} is an alias, and an alias cannot have aliases"
            )
        if device.group ^ HIDDEN == self.group:
            from netalias.model import hidden

            if hidden.owner(device, self.group):
                raise errors.BadName(f"{name}: {name.main} holds the addresses of shards")
        return device

    def find(self, name: AliasName) -> Alias | None:
        """Our alias called *name*, else a foreign label of that name, else None."""
        found = self.by_name.get(name, ())
        return next((alias for alias in found if alias.ours), next(iter(found), None))

    def choose(self, name: AliasName, address: bytes, prefixlen: int) -> None:
        """Let find() find the alias to be kept of several with that name: ours come first, and of
        labels, as a killed run leaves them, the one with this packed *address* and length."""
        wanted = address, prefixlen

        def worse(alias: Alias) -> tuple[bool, bool]:
            label = alias.device is None
            return not alias.ours, label and (alias.address, alias.asked) != wanted

        self.by_name[name].sort(key=worse)

    def around(self, main: Device, entry: Address) -> Iterator[Address]:
        """The addresses that may bring a connected route for *entry*: those of its main device, and
        those of all aliases that are up."""
        for index, entries in self.snapshot.addresses.items():
            device = self.snapshot.devices.get(index)
            alias = device is not None and (
                device.group == self.group or is_scratch(device.group, self.group)
            )
            if index == main.index or (alias and device.up):  # type: ignore[union-attr]
                yield from entries
            elif not alias:
                yield from (entry for entry in entries if entry.protocol == PROTOCOL)

    def heir(self, gone: Address) -> Address | None:
        """The address that becomes primary when *gone* leaves its device, as it will be then."""
        if gone.family != AF_INET or gone.secondary:
            return None
        from netalias.observed.heirs import heir, promoted

        found = heir(gone, self.snapshot.on(gone.index))
        return promoted(found) if found is not None else None

    def deserted(self, entry: Address) -> bool:
        """Whether what is planned takes away the primary address that *entry* is secondary to."""
        return False

    def moves(self, alias: Alias) -> bool:
        """Whether what is planned gives *alias* of kind prefix another network."""
        return False

    def shelters(self, main: Device, entry: Address) -> bool:
        """Whether an IPv6 address that *main* is to get as a label is deprecated unless it is
        said."""
        return self.own(main).shelters(entry, entry.prefixlen)

    def own(self, main: Device) -> Own:
        """The addresses that others gave to *main*."""
        from netalias.observed.labels import Own

        if main.index not in self._own:
            self._own[main.index] = Own(self.snapshot.on(main.index))
        return self._own[main.index]

    def may_reorder(self, main: Device, alias: Alias | None) -> bool:
        """Whether an IPv4 label on *main*, which *alias* is or becomes, may have to come behind own
        addresses: it comes before one, or some are secondary."""
        if alias is not None and alias.sheltered:
            return True
        if main.index not in self._shared_networks:
            entries = self.snapshot.on(main.index)
            self._shared_networks[main.index] = any(entry.secondary for entry in entries)
        return self._shared_networks[main.index]

    def addresses(self, local: bytes) -> Iterator[Address]:
        """The present addresses equal to the packed address *local*, on any device."""
        for entries in self.snapshot.addresses.values():
            for entry in entries:
                if entry.local == local:
                    yield entry

    def lengths(self, main: Device) -> set[int]:
        """The prefix lengths of the IPv4 networks of a main device, and perhaps of others."""
        entries = self.snapshot.on(main.index)
        return {one.prefixlen for one in entries if one.family == AF_INET and one.networked}

    def holder(self, entry: Address) -> str:
        """The name of the device that has an address."""
        device = self.snapshot.devices.get(entry.index)
        return device.name if device is not None else f"device {entry.index}"


def _column(snapshot: Snapshot, column: int) -> Iterable[Any]:
    """The ifindexes (1) or MACs (2) of the macvlans that *snapshot* is without."""
    return (one[column] for some in snapshot.absent.values() for one in some)


def _any(kind: str) -> bool:
    """The abilities of a kernel that is not asked."""
    return True


def recognise(snapshot: Snapshot, registry: Registry, group: int) -> list[Alias]:
    """The aliases in *snapshot*, in no particular order: devices with our mark, and all labels."""
    found = []
    for device in snapshot.devices.values():
        own = device.group
        if own != group and not (own & SCRATCH and is_scratch(own, group)):
            continue
        alias = recognise_one(device, snapshot, registry)
        if alias is not None:
            found.append(alias)
            if device.group != group:
                alias.whole = False
    if any(_may_be_label(entry) for entries in snapshot.addresses.values() for entry in entries):
        from netalias.observed.labels import labels

        found += labels(snapshot, group)
    if snapshot.local_routes:
        from netalias.observed.prefixes import prefixes

        found += prefixes(snapshot, group)
    return found


def recognise_one(
    device: Device, snapshot: Snapshot, registry: Registry, *, stranded: bool = False
) -> Alias | None:
    """The alias of a device with our mark, or None.

    It is recognised by altname, ifalias or primary name, in this order, none of which may say
    something else (names.told). *stranded*: its main device is known to have gone to another
    namespace.
    """
    if device.kind not in KINDS:
        return None
    agreed, named = names.told(device.name, device.altnames, device.ifalias)
    if not agreed:
        return None
    recorded, tail = _recorded(device)
    find_main = _main_by_name if device.kind in UNLINKED else _main_below
    main = find_main(device, snapshot, named)
    if main is None and device.remote and not stranded:
        return None  # somebody gave it to this namespace: it is his device now
    name = named or _from_primary(device, main)
    if name is None:
        return None
    if main is not None and main.name != name.main:  # renamed since
        name = AliasName(main.name, name.slot)
    alias = Alias(name, device.kind, main=main, device=device)
    lease = 0
    if tail:
        lease = _seconds(tail.get(LEASE, ""))
        alias.linklocal = tail.get(LINKLOCAL) == "on"
    if GATEWAY in tail:
        from netalias.observed.outlets import packed

        alias.gateway = packed(tail[GATEWAY])
    entries = snapshot.on(device.index)
    entry = _own_entry(entries)
    alias.whole = (
        name in device.altnames
        and device.ifalias.startswith(f"{RECORD} ")
        and not (len(entries) > 1 and surplus(entry, entries))
    )
    if entry is not None:
        alias.entry = entry
        alias.family, alias.address = entry.family, entry.local
        alias.prefixlen = entry.prefixlen
        if entry.valid != FOREVER:  # a floating address gets longer leases than its first
            alias.lease = lease if entry.valid <= lease else entry.lease
        return alias
    alias.lease = lease
    if recorded:
        _recall(alias, registry, *recorded)
    return alias


def _main_below(device: Device, snapshot: Snapshot, named: AliasName | None) -> Device | None:
    """The main device by IFLA_LINK.

    The kernel puts a macvlan on a macvlan on the lower device of that. So if the device that
    *named* gives is a sibling of the same kind, it is the main device. The lower device may be in
    another namespace (*remote*): so it is in a container whose own device is a macvlan. There the
    only sibling that is no alias is the main device, if it was renamed since.
    """
    named = named or (names.split_primary(device.name) if device.remote else None)
    main = snapshot.device(named.main) if named is not None else None
    if main is not None and _beside(main, device):
        return main
    if not device.remote:
        return snapshot.devices.get(device.link)
    others = snapshot.devices.values()
    found = [one for one in others if one.group != device.group and _beside(one, device)]
    return found[0] if len(found) == 1 else None


def _beside(main: Device, device: Device) -> bool:
    """Whether both are of one kind and stand on one device, of this namespace or another."""
    same = main.link == device.link and main.remote == device.remote
    return same and main.kind in SIBLINGS.get(device.kind, ())


def _main_by_name(device: Device, snapshot: Snapshot, named: AliasName | None) -> Device | None:
    """The main device by *named*, or if an interrupted run left that unset, by the primary name."""
    if named is not None:
        return snapshot.device(named.main)
    found = names.split_primary(device.name)
    if found is None:
        return None
    for main in snapshot.devices.values():
        if names.primary(AliasName(main.name, found.slot)) == device.name:
            return main
    return None


def _recorded(device: Device) -> tuple[list[str], dict[str, str]]:
    """From ifalias the words for type and address, and the words of TAIL with their values."""
    words = device.ifalias.split()
    tail: dict[str, str] = {}
    while len(words) > 3 and words[-2] in TAIL:
        tail[words[-2]] = words[-1]
        del words[-2:]
    return words[2:4] if len(words) >= 4 and words[0] == RECORD else [], tail


def _seconds(text: str) -> int:
    """The number of seconds in *text*; 0 for anything else, since anybody can change ifalias."""
    seconds = names.number(text)
    return seconds if 0 <= seconds < FOREVER else 0


def _from_primary(device: Device, main: Device | None) -> AliasName | None:
    """The alias name by the primary name alone, as an interrupted run leaves it: it must be the
    one that the main device gives, by its name or an alternative one."""
    slot = names.number(device.name.rpartition("_")[2], 5)
    if main is None or not 0 <= slot <= names.SLOT_MAX:
        return None
    known = (AliasName(one, slot) for one in (main.name, *main.altnames))
    given = any(names.primary(name) == device.name for name in known)
    return AliasName(main.name, slot) if given else None


def _own_entry(entries: list[Address]) -> Address | None:
    """The address of the alias: the one with our mark; without marks (before 5.18) the first."""
    for entry in entries:
        if entry.protocol == PROTOCOL and not (entry.peer and is_former(entry)):
            return entry
    usable = [entry for entry in entries if entry.scope != RT_SCOPE_LINK]
    return usable[0] if usable and not any(entry.protocol for entry in usable) else None


def _recall(alias: Alias, registry: Registry, type_name: str, text: str) -> None:
    """Take the address from ifalias, if it can be parsed: anybody can change ifalias."""
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


def alias_of(device: Device, group: int = GROUP) -> names.AliasName | None:
    """The alias name of a device with our mark, by its own names; None for other devices."""
    if device.group != group or device.kind not in KINDS:
        return None
    found = (names.split(altname) for altname in device.altnames)
    return next((one for one in found if one), None) or names.split_primary(device.name)


def ordered(aliases: Iterable[Alias], snapshot: Snapshot) -> list[Alias]:
    """*aliases* in chain order, as far as the kernel keeps it.

    Main devices come in the order of *snapshot*. Under each, aliases with a device come first, by
    ifindex, which grows with every creation; then labels in the given order, that of the address
    list, and shards by slot. Aliases without a main device come last, by name.
    """
    places = {index: place for place, index in enumerate(snapshot.devices)}
    last = len(places)

    def place_of(alias: Alias) -> int:
        # One number sorts several times faster than a tuple. An ifindex has 31 bits; a label
        # gets the next bit, so that it comes after every device; a shard after every label.
        main = alias.main.index if alias.main is not None else 0
        index = alias.device.index if alias.device is not None else 1 << 31
        if alias.hidden is not None:
            index |= alias.name.slot + 1
        return places.get(main, last) << 32 | index

    found: list[Alias] = []
    lost: list[Alias] = []
    for alias in aliases:
        (lost if alias.main is None else found).append(alias)
    found.sort(key=place_of)
    lost.sort(key=lambda alias: (alias.name.main, alias.name.slot))
    return found + lost
