"""The rights of one host to addresses, by what stands in the store. Pure.

An address is ours while its key names a registration of this host: the present one, or a former one
that nobody has followed. What is ours by a former one may stand in the kernel, and is not prolonged
before a transaction has made it ours by the present one.
"""

from __future__ import annotations

from netalias.cluster import fence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cluster.membership import Membership, Settings
    from netalias.cluster.orders import Key
    from netalias.cluster.records import Owner
    from netalias.cluster.view import View

NEVER = float("inf")


class Rights:
    """The rights of a host, by a view of the store and its own registrations."""

    def __init__(self, settings: Settings, view: View, membership: Membership) -> None:
        self._node = settings.node
        self._ttl = settings.ttl
        self._view = view
        self._membership = membership

    def owner(self, key: Key) -> Owner | None:
        """The owner of an address; None where its key is absent or unreadable."""
        seen = self._view.owners.get(key)
        return seen.owner if seen is not None else None

    def ours(self, key: Key) -> bool:
        """Whether an address is ours."""
        return self.present(key) or self.former(key)

    def present(self, key: Key) -> bool:
        """Whether an address is ours by the present registration."""
        return self._registration(key) == self._membership.created

    def former(self, key: Key) -> bool:
        """Whether an address is ours by a former registration."""
        return self._registration(key) in self._membership.former and not self.present(key)

    def _registration(self, key: Key) -> int:
        """The registration of this node that holds an address; -1 for none."""
        owner = self.owner(key)
        if owner is None or not owner.held or owner.node != self._node:
            return -1
        return owner.registration

    def free(self, key: Key) -> bool:
        """Whether the holder of an address has given it up."""
        owner = self.owner(key)
        return owner is not None and not owner.held

    def unchecked(self, key: Key) -> bool:
        """Whether the link need not be asked: what was given up is gone, and what is ours may stand
        here."""
        return self.free(key) or self.former(key)

    def takeable(self, key: Key) -> float:
        """The time from which an address may be taken by a transaction; NEVER for one that somebody
        has, or whose key is unreadable."""
        if key not in self._view.owners or self.unchecked(key):
            return 0.0
        owner = self.owner(key)
        if owner is None or self._view.alive(owner):
            return NEVER
        gone = self._view.gone.get((owner.node, owner.registration), NEVER)
        return gone + fence.wait(max(self._ttl, owner.ttl))

    def lifetime(self, key: Key) -> int:
        """The seconds that are to stand in the key of an address: by a longer lifetime than the
        present one it may go on standing here."""
        owner = self.owner(key)
        if owner is None or not owner.held or owner.node != self._node:
            return self._ttl
        return max(self._ttl, owner.ttl)
