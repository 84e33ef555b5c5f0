"""The plan for one alias among thousands, made from a reading of what it depends on.

Most commands about an alias with a host address depend on few devices: then Kernel.near() reads
these alone. Whatever goes beyond that (an address with a network, which others may share; the first
alias of a main device; sysctls; anything that is refused) is planned on a reading of everything.
"""

from __future__ import annotations

from netalias import errors
from netalias.kinds import AUTO, SIBLINGS
from netalias.model import AF_INET, AF_INET6, ARPHRD_ETHER, RANDOM_MAC, names
from netalias.observed import Observed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.desired import Wish
    from netalias.engine import Engine
    from netalias.model import Alias, Device, Snapshot
    from netalias.plan import Plan

KINDS = ("macvlan", "ipvlan")
"""Kinds that a main device has only one of."""
WITH_LABELS = (*KINDS, "label")
"""Kinds of aliases that need nothing of other main devices."""
FEW = 16
"""Names of aliases that are read one by one; for more, everything is read."""


class NearObserved(Observed):
    """What one alias depends on."""

    partial = True


def planned(
    engine: Engine,
    snapshot: Snapshot,
    wish: Wish,
    force: bool,
    able: Callable[[str], bool],
) -> tuple[Observed, Plan] | None:
    """The observed state and the plan in it; None if *snapshot*, by Kernel.near(), may not hold all
    that the plan depends on, or if the wish is refused: the reason may lie elsewhere, too."""
    observed = NearObserved(
        snapshot, engine.registry, engine.group, able, engine.macs, outlets=engine.outlets
    )
    if not _suffices(observed, wish):
        return None
    try:
        result = engine.plan_in(observed, wish, force)
    except errors.NetaliasError:
        return None
    if result is None or (result.steps and _is_claimed(result, wish)):
        return None
    return observed, result


def _is_claimed(result: Plan, wish: Wish) -> bool:
    """Whether the address is probed for, or announced in another way than packets.single()."""
    goal = result.goal
    return goal is not None and goal.up and not result.is_simple(wish)


def modest(wish: Wish) -> bool:
    """Whether *wish* is about a host address, without words that concern other devices."""
    if wish.delete:
        return True
    host = wish.prefixlen is None or (wish.type is not None and wish.prefixlen == wish.type.bits)
    return (
        host
        and wish.kind in ("", AUTO, *WITH_LABELS)
        and not (wish.peer or wish.gateway or wish.linklocal or wish.mac == RANDOM_MAC)
    )


def _suffices(observed: Observed, wish: Wish) -> bool:
    """Whether the plan for a modest *wish* depends on nothing but what was read."""
    main = observed.snapshot.device(wish.name.main)
    if main is None or main.name != wish.name.main or not _plain(main, observed):
        return False
    alias = observed.find(wish.name)
    named = [observed.snapshot.device(one) for one in (wish.name, names.primary(wish.name))]
    if any(device is not (alias.device if alias else None) for device in named if device):
        return False
    beside = [one for one in observed.aliases if one.main is main and one is not alias]
    if not any(one.kind in KINDS for one in beside):
        return False
    return alias is None or (_whole(alias, main) and len(observed.by_name[alias.name]) == 1)


def _plain(main: Device, observed: Observed) -> bool:
    """Whether a main device stands by itself: neither an alias, nor stacked, nor a port."""
    stacked = any(main.kind in family for family in SIBLINGS.values())
    alone = not (stacked or main.remote or main.master) and main.type == ARPHRD_ETHER
    return alone and main.group != observed.group


def _whole(alias: Alias, main: Device) -> bool:
    """Whether an alias is complete, and a host without a way out."""
    return (
        alias.main is main
        and alias.ours
        and alias.whole
        and alias.kind in WITH_LABELS
        and alias.entry is not None
        and not (alias.entry.networked or alias.gateway or alias.linklocal)
    )


# Reading --------------------------------------------------------------------------------------


def observed_names(engine: Engine, words: Sequence[str]) -> Observed:
    """The observed state, which holds at least the aliases that *words* name: of few names it is
    read by these, if each is a complete alias of a main device. Raises KernelError."""
    found = [names.split(word) for word in words]
    wanted = [name for name in found if name is not None]
    if not 0 < len(wanted) == len(found) <= FEW:
        return engine.observe()
    asked = {one for name in wanted for one in (name.main, name, names.primary(name))}
    with engine.turn:
        snapshot = engine.kernel.part(asked)
    observed = NearObserved(snapshot, engine.registry, engine.group)
    aliases = [observed.find(name) for name in wanted]
    return observed if all(map(_stands, aliases)) else engine.observe()


def lookup(engine: Engine, address: str, type_name: str = "") -> tuple[Observed, Alias | None]:
    """The alias that owns *address*, as by observed.lookup(), and where it was found. Raises
    BadAddress, FamilyError, KernelError."""
    from netalias.observed import lookup as owner

    alias_type = engine.registry.get(type_name or ("ipv6" if ":" in address else "ip"))
    packed, _ = alias_type.parse(address)
    snapshot = None
    if alias_type.family in (AF_INET, AF_INET6):
        with engine.turn:
            snapshot = engine.kernel.owners(packed)
    if snapshot is not None:
        observed: Observed = NearObserved(snapshot, engine.registry, engine.group)
        found = owner(observed, address, type_name)
        if _stands(found) and found is not None and found.up:
            return observed, found
    # One that is down may have the address in its record only.
    observed = engine.observe()
    return observed, owner(observed, address, type_name)


def _stands(alias: Alias | None) -> bool:
    """Whether all of an alias was read: it is complete, and so is its name."""
    return alias is not None and alias.whole and alias.main is not None
