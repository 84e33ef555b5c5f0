"""A reading of the kernel with the aliases found in it, and what is asked of it."""

from __future__ import annotations

from netalias import errors, kinds, names
from netalias.model import GROUP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.alias_type import Registry
    from netalias.model import Address, Alias, Device, Snapshot
    from netalias.names import AliasName


class World:
    """A snapshot with its aliases found in it, by name."""

    __slots__ = ("aliases", "by_name", "group", "registry", "snapshot")

    def __init__(self, snapshot: Snapshot, registry: Registry, group: int = GROUP) -> None:
        self.snapshot = snapshot
        self.registry = registry
        self.group = group
        self.aliases = recognise(snapshot, registry, group)
        self.by_name: dict[AliasName, list[Alias]] = {}
        for alias in self.aliases:
            self.by_name.setdefault(alias.name, []).append(alias)

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
    """The alias that a device with our mark is, or None."""
    if device.kind not in kinds.KINDS:
        return None
    return kinds.get(device.kind).recognise(device, snapshot, registry)


def _may_be_label(entry: Address) -> bool:
    return ":" in entry.label or entry.metric > 0


def find(world: World, name: names.AliasName) -> Alias:
    """The alias called *name*, by any name of its main device. Raises NoSuchDevice."""
    main = world.snapshot.device(name.main)
    wanted = names.AliasName(main.name, name.slot) if main is not None else name
    alias = world.find(wanted)
    if alias is None:
        if main is None:
            raise errors.NoSuchDevice(f"{name}: there is no device {name.main}")
        raise errors.NoSuchDevice(f"{name}: there is no such alias", "an address creates it")
    return alias


def select(world: World, wanted: Sequence[str] = ()) -> list[Alias]:
    """The aliases of *world* in chain order; of main devices and names if any are given.

    Raises BadName, NoSuchDevice for a word that means nothing.
    """
    from netalias.chain import ordered

    if not wanted:
        return ordered(world.aliases, world.snapshot)
    chosen: list[Alias] = []
    for word in wanted:
        if ":" in word:
            # Of one name there may be an alias of ours and a label of others.
            chosen += world.by_name[find(world, names.parse(word)[0]).name]
            continue
        names.check_device(word)
        main = world.snapshot.device(word)
        if main is None:
            raise errors.NoSuchDevice(f"{word}: there is no such device")
        chosen += [alias for alias in world.aliases if alias.main is main]
    return ordered(list({id(alias): alias for alias in chosen}.values()), world.snapshot)


def lookup(world: World, address: str, type_name: str = "") -> Alias | None:
    """The alias that owns *address*; of several the one that is up, then ours, then the newest.

    *type_name* is that of an alias type; without one the text tells IPv4 from IPv6. Raises
    BadAddress, FamilyError.
    """
    from netalias.lookup import DictIndex

    alias_type = world.registry.get(type_name or ("ipv6" if ":" in address else "ip"))
    packed, _ = alias_type.parse(address)
    # Of equal addresses the index finds what was added last.
    index = DictIndex(sorted(world.aliases, key=_precedence))
    mains = {alias.name.main for alias in world.aliases}
    found = (index.find(main, alias_type.family, packed) for main in mains)
    owners = [alias for alias in found if alias and alias_type.dev_addr_chk(alias, packed)]
    return max(owners, key=_precedence, default=None)


def _precedence(alias: Alias) -> tuple[bool, bool, int]:
    return alias.up, alias.ours, alias.device.index if alias.device is not None else 0
