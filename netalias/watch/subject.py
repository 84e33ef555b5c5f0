"""A device whose former addresses are kept, as a watcher knows it (keeper.py).

A change beside a thousand kept addresses looks at each of them as little as can be: what is the
same object as the last time is known.
"""

from __future__ import annotations

from netalias.model import AF_INET
from netalias.plan.keeping import Former, Limits, in_order, is_copy, rated, within
from netalias.runtime.kept import Kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeVar

    from netalias.desired.keeping import Keeping
    from netalias.model import Device
    from netalias.model.events import Entry
    from netalias.model.events import Key as Place
    from netalias.plan.keeping import Key

    K = TypeVar("K")
    V = TypeVar("V")


class Subject:
    """A device by the name in its line. ``name`` is its primary one, as it was last seen; ``seen``
    are addresses of it that are gone, or may be; ``former`` those that are kept; ``new`` the one
    that the others leave with, by family, and ``usable`` those that were there for that;
    ``copied`` are former ones that were translated when this watcher began;
    ``promoted`` the index of the device whose sysctl was set.
    """

    def __init__(self, task: Keeping) -> None:
        self.task = task
        self.name = task.subject
        self.index = 0
        self.seen: set[Key] = set()
        self.former: dict[Key, Former] = {}
        self.new: dict[int, bytes] = {}
        self.usable: set[Key] = set()
        self.copied: set[Key] = set()
        self.promoted = 0
        self._called = ""
        self._entries: dict[Place, Entry] = {}
        self._others: dict[Place, Entry] = {}
        self._copies: dict[Key, Entry] = {}
        self._record = Kept()
        self._noted: dict[Key, Former] = {}

    def parted(
        self, device: Device, entries: Iterable[tuple[Place, Entry]]
    ) -> tuple[list[Entry], dict[Key, Entry]]:
        """The addresses of the device, and the copies of IPv4 that are among them."""
        if self._called != device.name:  # the label of a copy has it
            self._called = device.name
            self._entries, self._others, self._copies = {}, {}, {}
        now = dict(entries)
        gone, come = changes(self._entries, now)
        for place, one in gone:
            if place not in now:
                self._others.pop(place, None)
            if self._copies.get(_key(one)) is one:
                del self._copies[_key(one)]
        for place, one in come:
            if one.address.family == AF_INET and is_copy(one.address, device):
                if _key(one) in self._copies:
                    self._called = ""  # two with other peers: all are looked at the next time
                self._copies[_key(one)] = one
                self._others.pop(place, None)
            else:
                self._others[place] = one
        self._entries = now
        return [*self._others.values()], self._copies.copy()

    @property
    def limits(self) -> Limits:
        """Those of its line."""
        return Limits(self.task.keep, self.task.most)

    def inherit(self, other: Subject) -> None:
        """Take over what another line of the same device knows."""
        self.seen |= other.seen
        self.former = in_order(other.former | self.former)
        self.copied |= other.copied
        other.seen, other.former, other.copied = set(), {}, set()

    def away(self, now: float) -> None:
        """Note that there is no such device at this time: what it had is kept from now on."""
        limits = self.limits
        lost = {key: Former(*key, now, now + limits.keep) for key in sorted(self.seen)}
        former = {key: rated(one, limits) for key, one in (lost | self.former).items()}
        self.former = within(in_order(former), limits, now)
        self.seen = set()

    def record(self) -> Kept:
        """The record for a watcher after this one."""
        gone, come = changes(self._noted, self.former)
        for key, _ in gone:
            self._record.end(key)
        for key, one in come:
            self._record.keep(key, max(int(one.since), 0), max(int(one.until), 0))
        self._noted = dict(self.former)
        self._record.own = self.seen
        return self._record


def changes(
    before: Mapping[K, V], now: Mapping[K, V]
) -> tuple[list[tuple[K, V]], list[tuple[K, V]]]:
    """The items of *before* that are not in *now*, and those of *now* that were not in *before*; in
    both lists those whose value is another object."""
    come = [(key, one) for key, one in now.items() if before.get(key) is not one]
    if len(now) - len(come) == len(before):  # all the others were there
        return [], come
    return [(key, one) for key, one in before.items() if now.get(key) is not one], come


def _key(entry: Entry) -> Key:
    return entry.address.family, entry.address.local
