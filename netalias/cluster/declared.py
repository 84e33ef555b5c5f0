"""The pools of all hosts, as they stand in the keys of the hosts: what placement goes by. Pure.

Every host computes the same, so nothing counts here but what stands in the store. Hosts whose files
differ share what they have in common: an address goes only to hosts that know it.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from netalias.cluster.placement import Host, Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from netalias.cluster.records import Spread
    from netalias.cluster.view import View

POOL_MAX = 20_000
"""Addresses of a pool at most, whatever stands in the store."""


def addresses(spread: Spread) -> frozenset[str]:
    """The addresses of a pool in their usual texts; none if they cannot be read or are too many."""
    found: list[str] = []
    try:
        for first, last in spread.spans:
            family = AF_INET6 if ":" in first else AF_INET
            ends = [int.from_bytes(inet_pton(family, one), "big") for one in (first, last)]
            if not 0 <= ends[1] - ends[0] < POOL_MAX - len(found):
                return frozenset()
            size = 4 if family == AF_INET else 16
            found += [
                inet_ntop(family, one.to_bytes(size, "big")) for one in range(ends[0], ends[1] + 1)
            ]
    except OSError:
        return frozenset()
    return frozenset(found)


HOST_MAX = 100_000
"""Addresses of all pools of a host at most: further pools, by name, count for nothing there."""


def _count(spread: Spread) -> int:
    """The number of addresses of a pool; some other one if they cannot be read."""
    return sum(abs(last - first) + 1 for first, last in map(_ends, spread.spans))


def _ends(span: tuple[str, str]) -> tuple[int, int]:
    """The first and the last address of a span as numbers; twice the same for what is none."""
    family = AF_INET6 if ":" in span[0] else AF_INET
    try:
        first, last = (int.from_bytes(inet_pton(family, one), "big") for one in span)
    except (OSError, ValueError):
        return 0, 0
    return first, last


class Declared:
    """``pools`` and ``hosts`` for placement.place(), and the ``differing`` pools by name, each with
    the hosts whose lines are not as those of the first one."""

    def __init__(self) -> None:
        self.pools: list[Pool] = []
        self.hosts: list[Host] = []
        self.differing: dict[str, list[str]] = {}
        self._sets: dict[Spread, frozenset[str]] = {}
        self._made: dict[str, tuple[tuple[Spread, ...], Pool]] = {}

    def update(self, view: View) -> None:
        """Go by what stands in a view."""
        declared: dict[str, dict[str, Spread]] = {}
        self.hosts = []
        for node in sorted(view.hosts):
            host = view.hosts[node].host
            if host is None:
                continue
            pools, room = {}, HOST_MAX
            for name, spread in sorted(host.pools.items()):
                room -= _count(spread)
                if room < 0:
                    break
                pools[name] = self._set(spread)
                declared.setdefault(name, {})[node] = spread
            draining = node in view.drains
            self.hosts.append(Host(node, host.weight, draining=draining, pools=pools))
        self.pools = [self._pool(name, declared[name]) for name in sorted(declared)]
        self._made = {one.name: self._made[one.name] for one in self.pools}
        self.differing = {name: found for name, found in self.differing.items() if name in declared}
        spreads = {spread for found in declared.values() for spread in found.values()}
        self._sets = {one: found for one, found in self._sets.items() if one in spreads}

    def _set(self, spread: Spread) -> frozenset[str]:
        if spread not in self._sets:
            self._sets[spread] = addresses(spread)
        return self._sets[spread]

    def _pool(self, name: str, declared: Mapping[str, Spread]) -> Pool:
        """The pool that hosts have declared; its preference is that of the first of them."""
        spreads = tuple(dict.fromkeys(declared.values()))
        first = spreads[0]
        self.differing.pop(name, None)
        if len(spreads) > 1:
            self.differing[name] = [node for node, one in declared.items() if one != first]
        made = self._made.get(name)
        if made is None or made[0] != spreads:
            everything = frozenset().union(*map(self._set, spreads))
            prefers = dict.fromkeys(everything, first.prefers) if first.prefers else {}
            made = self._made[name] = spreads, Pool(name, everything, prefers)
        return made[1]
