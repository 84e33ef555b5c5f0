"""Placement: the host of each floating address, decided alike by every host. Pure.

Every host computes the same from what stands in the store, so no host leads. Hosts are ranked for
an address by rendezvous hashing (highest random weight): a score of every pair of address and host,
the same on every machine. Every host has a quota of each pool, its even or weighted share rounded
down or up. A host keeps what it holds as far as its quota goes, so that as few addresses move as
these bounds allow; of those that it holds too many of it gives up the ones that rank it lowest.
What is left goes to the hosts with room, by the stable matching of the scores. There is only one
such matching, since both sides rank by the same score.

All of it stays the same while it is carried out: a placement that is computed again when a part of
the moves is done, or an address is free on its way, says the same about the rest.
"""

from __future__ import annotations

from hashlib import blake2b
from heapq import heappush, heappushpop
from socket import AF_INET, AF_INET6, inet_pton

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Key = tuple[str, str]
"""A pool's name and an address, in its usual text."""
PRIME = (1 << 61) - 1
"""Digests are residues of this prime; a score is the product of two of them."""
NOTHING: Mapping[str, str] = {}
NO_PINS: Mapping[Key, str] = {}
NO_ADDRESSES: frozenset[str] = frozenset()


def digest(data: bytes) -> int:
    """A number from 1 to PRIME - 1 that the bytes decide."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big") % (PRIME - 1) + 1


def best(own: int, hosts: Sequence[int], below: int = PRIME) -> tuple[int, int]:
    """The highest score of an address with one of these hosts, less than *below*, and that host;
    all of them by their digests."""
    scores = [own * one % PRIME for one in hosts]
    score = max(scores) if below == PRIME else max(one for one in scores if one < below)
    return score, hosts[scores.index(score)]


class Favourites:
    """The best host of each address, remembered: among others by one, it is found by one score."""

    __slots__ = ("_best", "_hosts")

    def __init__(self) -> None:
        self._hosts: set[int] = set()
        self._best: dict[str, tuple[int, int]] = {}

    def of(
        self, addresses: Iterable[str], hosts: Sequence[int], digests: Mapping[str, int]
    ) -> Mapping[str, tuple[int, int]]:
        """The score and the host of each of these addresses; hosts go by their digests."""
        come = [one for one in hosts if one not in self._hosts]
        if 2 * len(come) > len(hosts):
            self._best.clear()
        gone = self._hosts.difference(hosts)
        self._hosts, former, self._best = set(hosts), self._best, {}
        for address in addresses:
            known, own = former.get(address), digests[address]
            if known is None or known[1] in gone:
                known = best(own, hosts)
            elif come:
                known = max(known, best(own, come))
            self._best[address] = known
        return self._best


class Pool:
    """Floating addresses under one name, in their usual texts. ``prefers`` has the node that an
    address is at whenever it can be."""

    __slots__ = ("addresses", "digests", "favourites", "name", "prefers", "salt")

    def __init__(
        self, name: str, addresses: Iterable[str], prefers: Mapping[str, str] = NOTHING
    ) -> None:
        self.name = name
        self.addresses = tuple(sorted(addresses))
        self.prefers = prefers
        self.salt = digest(name.encode())
        self.digests = {one: digest(_packed(one)) for one in self.addresses}
        self.favourites = Favourites()


class Host:
    """A host that is alive. It gets nothing while it is ``draining`` or its weight is 0, as long as
    there is another one for the address. ``pools`` has the addresses of each pool that it knows,
    None for all there are; hosts that know the same may share a set, which is quicker then."""

    __slots__ = ("digest", "draining", "name", "pools", "weight")

    def __init__(
        self,
        name: str,
        weight: int = 1,
        *,
        draining: bool = False,
        pools: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self.name = name
        self.weight = weight
        self.draining = draining
        self.pools = pools
        self.digest = digest(name.encode())


def place(
    pools: Iterable[Pool],
    hosts: Iterable[Host],
    standing: Mapping[Key, str],
    pins: Mapping[Key, str] = NO_PINS,
) -> dict[Key, str]:
    """The node of each address, by pool and address.

    *standing* has the nodes that hold addresses now, without those that are free; nodes that are
    not among *hosts* do not count. *pins* outrank what a pool prefers, and both of them the even
    share. An address that no host knows is left out.
    """
    known = sorted(hosts, key=lambda one: one.name)
    placed: dict[Key, str] = {}
    load = dict.fromkeys((one.name for one in known), 0)
    for pool in sorted(pools, key=lambda one: one.name):
        for members, addresses in _parts(pool, known):
            spread = _Spread(pool, addresses, members, standing, pins)
            for address, node in spread.nodes(load).items():
                placed[pool.name, address] = node
                load[node] += 1
    return placed


def _parts(pool: Pool, hosts: Sequence[Host]) -> Iterator[tuple[Sequence[Host], Sequence[str]]]:
    """The addresses of a pool by the hosts that know them, in the order of the first address: one
    part, unless the files of the hosts differ."""
    sets = {id(found): found for found in (_known(one, pool.name) for one in hosts)}
    if all(found is None or found.issuperset(pool.digests) for found in sets.values()):
        if hosts:
            yield hosts, pool.addresses
        return
    parts: dict[tuple[int, ...], list[str]] = {}
    for address in pool.addresses:
        having = tuple(at for at, found in sets.items() if _has(found, address))
        parts.setdefault(having, []).append(address)
    for having, addresses in parts.items():
        members = [one for one in hosts if id(_known(one, pool.name)) in having]
        if members:
            yield members, addresses


def _has(known: frozenset[str] | None, address: str) -> bool:
    return known is None or address in known


def _known(host: Host, pool: str) -> frozenset[str] | None:
    """The addresses of a pool that a host knows; None for all."""
    return None if host.pools is None else host.pools.get(pool, NO_ADDRESSES)


def _packed(address: str) -> bytes:
    return inet_pton(AF_INET6 if ":" in address else AF_INET, address)


class _Spread:
    """Addresses of a pool over the hosts that know them."""

    def __init__(
        self,
        pool: Pool,
        addresses: Sequence[str],
        members: Sequence[Host],
        standing: Mapping[Key, str],
        pins: Mapping[Key, str],
    ) -> None:
        self.pool = pool
        self.count = len(addresses)
        active = [one for one in members if one.weight > 0 and not one.draining]
        self.hosts = {one.name: one for one in active or members}
        self.weights = {one.name: max(1, one.weight) for one in active or members}
        self.held: dict[str, list[str]] = {name: [] for name in self.hosts}
        self.fixed: dict[str, str] = {}
        self.free: list[str] = []
        name, prefers, held, hosts = pool.name, pool.prefers, self.held, self.hosts
        for address in addresses:
            key = name, address
            node = standing.get(key, "")
            wanted = pins.get(key, "") if pins else ""
            if wanted not in hosts:
                # Where every host drains, an address stays where it is.
                wanted = prefers.get(address, "") if active else node
            if wanted in hosts:
                self.fixed[address] = wanted
            elif node in held:
                held[node].append(address)
            else:
                self.free.append(address)

    def nodes(self, load: Mapping[str, int]) -> dict[str, str]:
        """The node of each address; *load* has the numbers of addresses of other pools."""
        quotas = self._quotas(load)
        placed = dict(self.fixed)
        free = self.free
        room = {}
        for name, held in self.held.items():
            quota = quotas[name]
            kept = held if len(held) <= quota else self._ranked(name, held)
            placed.update(dict.fromkeys(kept[:quota], name))
            free += kept[quota:]
            if len(held) < quota:
                room[name] = quota - len(held)
        placed.update(self._matched(sorted(free), room))
        return placed

    def _ranked(self, name: str, held: Sequence[str]) -> list[str]:
        """The addresses that a host holds, those with the highest scores first."""
        digests, own = self.pool.digests, self.hosts[name].digest
        return sorted(held, key=lambda one: digests[one] * own % PRIME, reverse=True)

    def _quotas(self, load: Mapping[str, int]) -> dict[str, int]:
        """The number of addresses for each host, without the fixed ones.

        Shares that are rounded up go to hosts that hold so many already, then to those with the
        smallest load.
        """
        fixed = dict.fromkeys(self.weights, 0)
        for node in self.fixed.values():
            fixed[node] += 1
        count, weights = _level(self.count, self.weights, fixed)
        total = sum(weights.values())
        quotas = dict.fromkeys(self.weights, 0)
        extra = count
        uneven = []
        for name, weight in weights.items():
            whole, rest = divmod(count * weight, total)
            quotas[name] = whole - fixed[name]
            extra -= whole
            if rest:
                uneven.append(name)

        def rank(name: str) -> tuple[bool, float, int]:
            more = len(self.held[name]) <= quotas[name]
            burden = (load[name] + fixed[name] + quotas[name]) / self.weights[name]
            return more, burden, self.hosts[name].digest * self.pool.salt % PRIME

        for name in sorted(uneven, key=rank)[:extra]:
            quotas[name] += 1
        return quotas

    def _matched(self, free: Sequence[str], room: Mapping[str, int]) -> dict[str, str]:
        """The nodes of addresses that no host keeps: each asks the hosts with *room* from the
        highest score down, and a full host lets the lowest of its scores go."""
        hosts = {self.hosts[name].digest: name for name in room}
        order = [*hosts]
        favourites = self.pool.favourites.of(free, order, self.pool.digests)
        taken: dict[int, list[tuple[int, str]]] = {host: [] for host in hosts}
        asking = [(address, *favourites[address]) for address in reversed(free)]
        while asking:
            address, score, host = asking.pop()
            if len(taken[host]) < room[hosts[host]]:
                heappush(taken[host], (score, address))
                continue
            score, loser = heappushpop(taken[host], (score, address))
            asking.append((loser, *best(self.pool.digests[loser], order, score)))
        return {address: hosts[host] for host, found in taken.items() for _, address in found}


def _level(
    count: int, weights: Mapping[str, int], fixed: Mapping[str, int]
) -> tuple[int, dict[str, int]]:
    """Without the hosts whose fixed addresses are more than their share: the number of addresses
    that the others share, and their weights."""
    left = dict(weights)
    while True:
        total = sum(left.values())
        full = [name for name, one in left.items() if fixed[name] * total > count * one]
        if not full:
            return count, left
        for name in full:
            count -= fixed[name]
            del left[name]
