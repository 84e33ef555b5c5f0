"""The plan for one alias among thousands, made from a reading of what it depends on.

Most commands about an alias with a host address depend on few devices: then Kernel.near() reads
these alone. Whatever goes beyond that (an address with a network, which others may share; the first
alias of a main device; sysctls; anything that is refused) is planned on a reading of everything.
"""

from __future__ import annotations

from netalias import errors
from netalias.kinds import AUTO, DEVICELESS, PREFIX, SIBLINGS
from netalias.model import ARPHRD_ETHER, RANDOM_MAC, names
from netalias.observed import Observed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from netalias.desired import Wish
    from netalias.families import Registry
    from netalias.kernel import Kernel
    from netalias.model import Alias, Device, Snapshot
    from netalias.model.names import AliasName
    from netalias.observed import Macs
    from netalias.observed.outlets import Outlets
    from netalias.plan import Plan

    class Looking(Protocol):
        """The Engine, which imports this file."""

        kernel: Kernel
        registry: Registry
        group: int

        def outlets(self) -> Outlets: ...
        def macs(self) -> Macs | None: ...
        def plan_in(self, observed: Observed, wish: Wish, force: bool) -> Plan | None: ...


KINDS = tuple(SIBLINGS)
"""Kinds that a main device has only one of."""
SHARD = "shard"
WITH_LABELS = (*KINDS, *DEVICELESS)
"""Kinds of aliases that need nothing of other main devices."""


class NearObserved(Observed):
    """The part of Observed that one alias depends on."""

    partial = True


def planned(
    engine: Looking,
    snapshot: Snapshot,
    complete: bool,
    wish: Wish,
    force: bool,
    able: Callable[[str], bool],
) -> tuple[Observed, Plan] | None:
    """The observed state and the plan in it; None if *snapshot*, by Kernel.near(), may not hold all
    that the plan depends on, or if the wish is refused: the reason may lie elsewhere, too.
    *complete*: it holds all devices."""
    if not _modest(wish):
        return None
    observed = NearObserved(
        snapshot, engine.registry, engine.group, able, engine.macs, outlets=engine.outlets
    )
    if not _suffices(observed, wish, complete):
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


def _modest(wish: Wish) -> bool:
    """Whether *wish* is about a host address, without words that concern other devices."""
    if wish.delete:
        return True
    host = wish.prefixlen is None or (wish.type is not None and wish.prefixlen == wish.type.bits)
    host = host or wish.kind == SHARD  # which brings no network
    return (
        host
        and wish.kind in ("", AUTO, *WITH_LABELS)
        and not (wish.peer or wish.gateway or wish.linklocal or wish.mac == RANDOM_MAC)
    )


def _suffices(observed: Observed, wish: Wish, complete: bool) -> bool:
    """Whether the plan for a modest *wish* depends on nothing but what was read."""
    main = observed.snapshot.device(wish.name.main)
    if main is None or main.name != wish.name.main or not _plain(main, observed):
        return False
    alias = observed.find(wish.name)
    named = [observed.snapshot.device(one) for one in (wish.name, names.primary(wish.name))]
    if any(device is not (alias.device if alias else None) for device in named if device):
        return False
    beside = [one for one in observed.aliases if one.main is main and one is not alias]
    now = alias.kind if alias is not None else wish.kind
    if SHARD in (now, wish.kind):
        return any(one.kind == SHARD for one in beside) and _stays(wish, alias, main)
    if not complete and not any(one.kind in KINDS for one in beside):
        return False  # what else stands on the main device is unknown
    return alias is None or (_whole(alias, main) and len(observed.by_name[alias.name]) == 1)


def _stays(wish: Wish, alias: Alias | None, main: Device) -> bool:
    """Whether a shard is new, or whole and stays one."""
    if alias is None:
        return True
    return _whole(alias, main) and wish.kind in ("", AUTO, SHARD) and alias.kind == SHARD


def _plain(main: Device, observed: Observed) -> bool:
    """Whether a main device stands by itself: neither an alias, nor stacked, nor a port."""
    stacked = any(main.kind in family for family in SIBLINGS.values())
    alone = not (stacked or main.master) and main.type == ARPHRD_ETHER
    return alone and main.group != observed.group


def _whole(alias: Alias, main: Device) -> bool:
    """Whether an alias is complete, and a host without a way out, or a prefix."""
    return (
        alias.main is main
        and alias.ours
        and alias.whole
        and alias.kind in WITH_LABELS
        and (alias.kind == PREFIX or _is_host(alias))
    )


def _is_host(alias: Alias) -> bool:
    """Whether an alias has a host address, and no way out."""
    return alias.entry is not None and not (
        alias.entry.networked or alias.entry.peer or alias.gateway or alias.linklocal
    )


# Reading --------------------------------------------------------------------------------------


def shown(engine: Looking, snapshot: Snapshot, name: AliasName) -> Observed | None:
    """The observed state that holds the alias *name*, read by Kernel.near(); None if it may be
    elsewhere."""
    observed = NearObserved(snapshot, engine.registry, engine.group)
    return observed if _stands(observed.find(name)) else None


def owned(engine: Looking, snapshot: Snapshot, address: str, type_name: str) -> Alias | None:
    """The alias that owns *address*, read by Kernel.owners(); None if no alias that is up does: one
    that is down may have it in its record only."""
    from netalias.observed.query import lookup

    found = lookup(NearObserved(snapshot, engine.registry, engine.group), address, type_name)
    return found if found is not None and found.up and _stands(found) else None


def _stands(alias: Alias | None) -> bool:
    """Whether all of an alias was read: it is complete, and so is its name."""
    return alias is not None and alias.whole and alias.main is not None
