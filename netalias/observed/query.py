"""Questions to a World: which aliases, which one, whose address."""

from __future__ import annotations

from netalias import errors
from netalias.model import SCRATCH, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.kinds import World
    from netalias.model import Alias, Device


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
    from netalias.observed.chain import ordered

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
        chosen += [alias for alias in world.aliases if main in (alias.main, alias.device)]
    return ordered(list({id(alias): alias for alias in chosen}.values()), world.snapshot)


def only(world: World, name: str) -> Device:
    """The main device *name* of ``--only``. Raises NoSuchDevice, BadName for that of an alias."""
    main = world.snapshot.device(name)
    if main is None:
        raise errors.NoSuchDevice(f"--only {name}: there is no such device")
    if main.group in (world.group, world.group | SCRATCH):
        raise errors.BadName(f"--only {name}: this is an alias, a main device is needed")
    return main


def lookup(world: World, address: str, type_name: str = "") -> Alias | None:
    """The alias that owns *address*; of several the one that is up, then ours, then the newest.

    *type_name* is that of an alias type; without one the text tells IPv4 from IPv6. Raises
    BadAddress, FamilyError.
    """
    from netalias.observed.index import DictIndex

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
