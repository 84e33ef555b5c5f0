"""The keys of a cluster as they were read, kept up to date by events. Pure.

A view is what stood in the store at one revision, which may be long ago: it is a reason to ask for
a transaction, never one to believe that it will be done. One thing cannot change any more: a
registration that has gone is gone for good.
"""

from __future__ import annotations

from netalias.cluster import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.cluster.orders import Key
    from netalias.cluster.records import Host, Keys, Owner
    from netalias.cluster.store import Entry, Event, Snapshot

    Registration = tuple[str, int]
    """A node, and the revision at which its key was created."""

VALUES_MAX = 32
"""Values of owners that are remembered: all keys of a transaction have the same one."""
GONE_MAX = 1000
"""Registrations that have gone, before those that hold nothing are forgotten."""


class SeenHost:
    """The key of a host with its revisions and lease; ``host`` is None if it is unreadable."""

    __slots__ = ("created", "host", "lease", "modified")

    def __init__(self, host: Host | None, created: int, modified: int, lease: int) -> None:
        self.host = host
        self.created = created
        self.modified = modified
        self.lease = lease


class SeenOwner:
    """The key of an address, as it was *modified* last; ``owner`` is None if it is unreadable,
    ``former`` the node that it named before, empty if that is not known."""

    __slots__ = ("former", "modified", "owner")

    def __init__(self, owner: Owner | None, modified: int) -> None:
        self.owner = owner
        self.modified = modified
        self.former = ""


class View:
    """The entries below a prefix. ``revision`` is 0 before the first reading; ``gone`` has the time
    at which each registration was seen to have gone; ``told`` are the keys that are unreadable.

    *now* is read **after** the answer has come: that time counts for ``gone``.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.revision = 0
        self.hosts: dict[str, SeenHost] = {}
        self.owners: dict[Key, SeenOwner] = {}
        self.drains: set[str] = set()
        self.pins: dict[Key, str] = {}
        self.gone: dict[Registration, float] = {}
        self.unreadable: set[str] = set()
        self.changed_hosts = True
        """Whether hosts, drains or pins have changed, but for hosts that have come; whoever acts on
        it takes it back."""
        self.arrived: set[str] = set()
        """Hosts that have come; whoever acts on them takes them out."""
        self.redeclared = False
        """Whether a host has come, gone, or declared something else; whoever acts on it takes it
        back."""
        self.free: set[Key] = set()
        """The addresses that their holders have given up, and that nobody has taken yet."""
        self._by_node: dict[str, set[Key]] = {}
        self._names: dict[str, Key] = {}
        """The addresses by the texts of their keys in the store."""
        self._values: dict[bytes, Owner | None] = {}

    def held_by(self, node: str) -> set[Key]:
        """The addresses whose keys say that a node holds them."""
        return self._by_node.get(node, set())

    def alive(self, owner: Owner) -> bool:
        """Whether the registration of an owner is there."""
        seen = self.hosts.get(owner.node)
        return seen is not None and seen.created == owner.registration

    def modified(self, key: Key) -> int:
        """The revision of the last change of an address; 0 where it has no key."""
        seen = self.owners.get(key)
        return seen.modified if seen is not None else 0

    def load(self, snapshot: Snapshot, now: float) -> set[Key]:
        """Take over a reading; the addresses that are different from before. One that is older than
        what is known comes from a store that was put back: then its revisions begin anew."""
        hosts, owners = self.hosts, self.owners
        anew = snapshot.revision < self.revision
        if anew:
            hosts, self.gone = {}, {}
        self.hosts, self.owners, self._by_node, self._names = {}, {}, {}, {}
        self.drains, self.pins, self.unreadable, self.free = set(), {}, set(), set()
        for entry in snapshot.entries.values():
            self._put(entry, *(self._keys.split(entry.key) or [""]))
        for key, seen in owners.items():
            if seen.modified > snapshot.revision and not anew:  # a change of our own
                self._own(key, seen)
        self.revision = snapshot.revision
        self.changed_hosts = True
        for node, host in hosts.items():
            if node not in self.hosts or self.hosts[node].created != host.created:
                self.gone.setdefault((node, host.created), now)
        self._note_gone(self.owners, now)
        changed = {key for key in owners if self.modified(key) != owners[key].modified}
        return changed | (self.owners.keys() - owners.keys())

    def note(self, events: Iterable[Event], now: float) -> set[Key]:
        """Take over events; the addresses that they change."""
        changed: set[Key] = set()
        known = self.revision
        for event in events:
            if event.revision <= known:
                continue
            found = self._names.get(event.key)
            if found is not None and event.entry is not None:  # nearly all of them
                self.revision = event.revision
                if event.revision > self.modified(found):
                    changed.add(found)
                    self._read(event.entry, found)
                continue
            kind, *names = self._keys.split(event.key) or [""]
            if not kind:
                continue
            self.revision = event.revision
            self.redeclared |= kind == records.HOSTS
            if kind == records.OWNERS:
                key = (names[0], names[1])
                if event.revision <= self.modified(key):
                    continue
                changed.add(key)
            elif kind == records.HOSTS and event.entry is not None and names[0] not in self.hosts:
                self.arrived.add(names[0])
            else:
                self.changed_hosts = True
            self._drop(kind, names, event.entry, now)
            if event.entry is not None:
                self._put(event.entry, kind, *names)
        self._note_gone(changed, now)
        return changed

    def own(self, key: Key, owner: Owner, modified: int) -> None:
        """Note a change of our own that was done, before its event comes."""
        if modified > self.modified(key):
            self._own(key, SeenOwner(owner, modified))

    def standing(self) -> Iterator[tuple[Key, str]]:
        """The addresses that are held, each with its node."""
        for node, keys in self._by_node.items():
            for key in keys:
                yield key, node

    def _put(self, entry: Entry, kind: str, *names: str) -> None:
        if kind == records.HOSTS:
            host = records.read_host(entry.value)
            self.hosts[names[0]] = SeenHost(host, entry.created, entry.modified, entry.lease)
            readable = host is not None
        elif kind == records.OWNERS:
            self._read(entry, (names[0], names[1]))
            return
        elif kind == records.DRAINS:
            self.drains.add(names[0])
            readable = True
        elif kind == records.PINS:
            node = records.read_node(entry.value)
            self.pins[names[0], names[1]] = node
            readable = bool(node)
        else:
            readable = False
        if not readable:
            self.unreadable.add(entry.key)

    def _read(self, entry: Entry, key: Key) -> None:
        """The owner of an address is as it stands in *entry* now."""
        if entry.value not in self._values:
            if len(self._values) >= VALUES_MAX:
                self._values.clear()
            self._values[entry.value] = records.read_owner(entry.value)
        owner = self._values[entry.value]
        self._names[entry.key] = key
        self._own(key, SeenOwner(owner, entry.modified))
        (self.unreadable.discard if owner is not None else self.unreadable.add)(entry.key)

    def _own(self, key: Key, seen: SeenOwner) -> None:
        before = self.owners.get(key)
        if before is not None and before.owner is not None and seen.owner is not None:
            same = before.owner.node == seen.owner.node
            seen.former = before.former if same else before.owner.node
        self._disown(key)
        self.owners[key] = seen
        if seen.owner is not None:
            held = self._by_node.setdefault(seen.owner.node, set())
            (held if seen.owner.held else self.free).add(key)

    def _disown(self, key: Key) -> None:
        seen = self.owners.pop(key, None)
        self.free.discard(key)
        if seen is not None and seen.owner is not None:
            self._by_node.get(seen.owner.node, set()).discard(key)

    def _drop(self, kind: str, names: list[str], entry: Entry | None, now: float) -> None:
        """A key is deleted, or about to become *entry*."""
        self.unreadable.discard("/".join([self._keys.all + kind, *names]))
        if kind == records.HOSTS:
            former = self.hosts.pop(names[0], None)
            if former is not None and (entry is None or entry.created != former.created):
                self.gone.setdefault((names[0], former.created), now)
        elif kind == records.OWNERS:
            if entry is None:
                self._disown((names[0], names[1]))
                self._names.pop(self._keys.owner((names[0], names[1])), None)
        elif kind == records.DRAINS:
            self.drains.discard(names[0])
        elif kind == records.PINS:
            self.pins.pop((names[0], names[1]), None)

    def _note_gone(self, keys: Iterable[Key], now: float) -> None:
        """Note that those who hold these addresses, and are not there, have gone by now."""
        for key in keys:
            seen = self.owners.get(key)
            owner = seen.owner if seen is not None else None
            if owner is not None and owner.held and not self.alive(owner):
                self.gone.setdefault((owner.node, owner.registration), now)
        if len(self.gone) > GONE_MAX:
            holding = {
                (one.owner.node, one.owner.registration)
                for one in self.owners.values()
                if one.owner is not None and one.owner.held
            }
            self.gone = {one: at for one, at in self.gone.items() if one in holding}
