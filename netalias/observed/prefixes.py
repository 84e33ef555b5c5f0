"""Prefixes: aliases that are local routes of a main device, without a device of their own."""

from __future__ import annotations

from netalias.kinds import PREFIX
from netalias.model import Alias, is_scratch, prefix
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.model import Snapshot


def prefixes(snapshot: Snapshot, group: int) -> list[Alias]:
    """The prefixes in *snapshot*, by slot: the kernel lists routes in an order of its own. *group*
    is the mark of alias devices, which have none."""
    found = []
    for route in sorted(snapshot.local_routes, key=lambda route: route.slot):
        main = snapshot.devices.get(route.index)
        if main is None or main.group == group or is_scratch(main.group, group):
            continue
        alias = Alias(
            AliasName(main.name, route.slot),
            PREFIX,
            family=route.family,
            address=route.network,
            prefixlen=route.prefixlen,
            main=main,
        )
        found.append(alias)
    return found


def longest(aliases: Iterable[Alias], packed: bytes) -> list[Alias]:
    """Of the prefixes among *aliases* that contain an address those with the longest length."""
    found = [
        alias
        for alias in aliases
        if alias.kind == PREFIX and prefix.contains(alias.address, alias.prefixlen, packed)
    ]
    most = max((alias.prefixlen for alias in found), default=0)
    return [alias for alias in found if alias.prefixlen == most]
