"""The places of addresses that float: which ones are declared, on which device and slot each of
them is to stand, and the aliases that have them."""

from __future__ import annotations

from netalias.desired.floats import floats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netalias.cluster.orders import Key
    from netalias.desired.floats import Float
    from netalias.desired.tasks import Task
    from netalias.model import Alias
    from netalias.observed import Observed


class Places:
    """The declared ``pools`` by name, and their ``addresses``, each packed with its key. ``held``
    are the pool and the packed form of each address of ours, as they were declared when it was
    taken; ``leaving`` the packed forms of addresses that are to go, whether lines still tell of
    them or not."""

    def __init__(self) -> None:
        self.pools: dict[str, Float] = {}
        self.addresses: dict[bytes, Key] = {}
        self.held: dict[Key, tuple[Float, bytes]] = {}
        self.leaving: dict[Key, bytes] = {}

    def load(self, tasks: Iterable[Task]) -> None:
        """Replace the lines."""
        self.pools = {one.name: one for one in floats(tasks)}
        self.addresses = {
            packed: (one.name, one.spelled(packed))
            for one in self.pools.values()
            for packed in one.addresses
        }

    def find(self, key: Key) -> tuple[Float, bytes] | None:
        """The pool and the packed form of an address; None for one that is not declared."""
        pool = self.pools.get(key[0])
        packed = pool.packed(key[1]) if pool is not None else None
        return (pool, packed) if pool is not None and packed is not None else None

    def present(self, observed: Observed) -> dict[bytes, list[Alias]]:
        """The aliases that have an address of a pool, or one that is leaving, by its packed form,
        whatever the names of their devices are by now. One without an end that is in no pool any
        more belongs to another line."""
        former = {packed for _, packed in self.held.values()}
        former.update(self.leaving.values())
        found: dict[bytes, list[Alias]] = {}
        for alias in observed.aliases:
            known = alias.address in self.addresses or (alias.lease and alias.address in former)
            if known and alias.ours and alias.entry is not None:
                found.setdefault(alias.address, []).append(alias)
        return found

    def standing(self, observed: Observed) -> Mapping[Key, Alias]:
        """The aliases of them that stand where their lines say."""
        known = {packed: key for key, (_, packed) in self.held.items()} | self.addresses
        found = {}
        for alias in (one for aliases in self.present(observed).values() for one in aliases):
            key = known.get(alias.address)
            one = (self.held.get(key) or self.find(key)) if key is not None else None
            if key is not None and one is not None and _is_at(alias, *one):
                found[key] = alias
        return found


def _is_at(alias: Alias, pool: Float, packed: bytes) -> bool:
    """Whether an alias is on the device and the slot that a pool has for an address."""
    names = (alias.main.name, *alias.main.altnames) if alias.main is not None else ()
    return pool.main in names and pool.places[packed] == alias.name.slot
