"""A device whose former addresses are kept, as a watcher knows it (keeper.py)."""

from __future__ import annotations

from netalias.plan.keeping import Decision, Former, Limits, ended, in_order, rated
from netalias.runtime.kept import Kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netalias.desired.keeping import Keeping
    from netalias.model import Device
    from netalias.plan.keeping import Key


class Subject:
    """A device by the name in its line. ``name`` is its primary one, and ``index`` its index, as it
    was last seen, 0 for none; ``seen`` are addresses of it that are gone, or may be; ``last`` is
    what was decided last, with the ``former`` ones that are kept;
    ``copied`` are former ones that were translated when this watcher began;
    ``promoted`` the index of the device whose sysctl was set.
    """

    def __init__(self, task: Keeping) -> None:
        self.task = task
        self.name = task.subject
        self.index = 0
        self.seen: set[Key] = set()
        self.last = Decision()
        self.copied: set[Key] = set()
        self.promoted = 0
        self._decided: tuple[int, Limits] | None = None
        self._record = Kept(task.subject)
        self._changed: dict[Key, None] | None = None
        """Addresses whose lines of the record are to be made, None for all."""

    @property
    def former(self) -> Mapping[Key, Former]:
        """The former addresses that are kept."""
        return self.last.kept

    @property
    def limits(self) -> Limits:
        """Those of its line."""
        return Limits(self.task.keep, self.task.most)

    def knows(self, key: Key) -> bool:
        """Whether an address is, or was, a former one of this device."""
        return key in self.former or key in self.copied

    # What is kept

    def keep(self, former: dict[Key, Former]) -> None:
        """Keep exactly these, which are in_order(); what follows is to be decided anew."""
        self.last.kept = former
        self._changed = None
        self.look_anew()

    def forget(self, keys: Iterable[Key]) -> None:
        """Keep these no longer."""
        gone = {*keys}
        if gone:
            self.copied -= gone
            self.keep({key: one for key, one in self.former.items() if key not in gone})

    def look_anew(self) -> None:
        """Have the next decision look at everything."""
        self._decided = None

    def is_anew(self, device: Device, limits: Limits) -> bool:
        """Whether the next decision has to look at everything."""
        return self._decided != (device.index, limits)

    def learn(self, device: Device, limits: Limits, found: Decision) -> None:
        """Take note of a decision that was carried out."""
        self.last = found
        self.seen = set(found.own)
        self._decided = device.index, limits
        if found.changed is None:
            self._changed = None
        elif self._changed is not None:
            self._changed.update(dict.fromkeys(found.changed))

    def inherit(self, other: Subject) -> None:
        """Take over what another line, or another name, of the same device knows."""
        if other.seen or other.copied or other.former:
            self.seen |= other.seen
            self.copied |= other.copied
            self.keep(in_order({**other.former, **self.former}))
            if not self.last.new:
                self.last.new, self.last.usable = {**other.last.new}, {*other.last.usable}
            other.clear()

    def clear(self) -> None:
        """Know nothing of any device."""
        self.index, self.seen, self.copied = 0, set(), set()
        self.last = Decision()
        self.keep({})

    def called(self, name: str) -> Subject:
        """The same of its device by another name."""
        other = Subject(self.task.of(name))
        other.index, other.seen, other.copied = self.index, {*self.seen}, {*self.copied}
        other.keep(dict(self.former))
        other.last.new, other.last.usable = {**self.last.new}, {*self.last.usable}
        return other

    def away(self, now: float) -> None:
        """Note that there is no such device at this time: what it had is kept from now on."""
        self.index = 0
        limits = self.limits
        lost = {key: Former(*key, now, now + limits.keep) for key in sorted(self.seen)}
        former = {key: rated(one, limits) for key, one in (lost | self.last.kept).items()}
        found = in_order(former)
        for key in ended(found, limits, now):
            del found[key]
        if found != self.former:
            self.keep(found)
        self.seen = set()
        self.look_anew()

    # The record

    @property
    def recorded(self) -> Mapping[Key, tuple[int, int]]:
        """The former addresses as they were last recorded."""
        return self._record.former

    @property
    def unrecorded(self) -> bool:
        """Whether the record is another one than the last one."""
        there = self._record.own == self.seen and self._record.index == self.index
        return self._changed is None or bool(self._changed) or not there

    def record(self) -> Kept:
        """The record for a watcher after this one; only lines that changed are made."""
        if self._changed is None:
            self._record, self._changed = Kept(self.task.subject), dict.fromkeys(self.former)
        for key in self._changed:
            one = self.former.get(key)
            if one is None:
                self._record.end(key)
            else:
                self._record.keep(key, max(int(one.since), 0), max(int(one.until), 0))
        self._changed = {}
        self._record.own, self._record.index = set(self.seen), self.index
        return self._record
