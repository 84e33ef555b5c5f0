"""Former addresses of devices: kept when they go, whoever has taken them away.

What is done follows from what is there (plan/keeping.py), so it does not matter how often, or in
which order, the kernel tells of a change. Two facts are not there any more and are remembered: the
addresses that a device had, and since when a former one is kept; runtime/kept.py has both, for the
watcher that comes after this one.
"""

from __future__ import annotations

from netalias import errors
from netalias.engine import keeping
from netalias.model import AF_INET6, address_text
from netalias.model.events import ADDRESS, ARRIVAL, DEPARTURE, FLAG
from netalias.plan.keeping import Former, Limits, decide, is_copy, is_own
from netalias.runtime import kept as record
from netalias.runtime import tasks as carried
from netalias.watch.lines import Lines
from netalias.watch.repeated import LOOK, Repeated
from netalias.watch.subject import Subject
from netalias.watch.via import Via

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Protocol

    from netalias.desired.tasks import Task
    from netalias.desired.translating import Switch
    from netalias.engine import Engine
    from netalias.model import Address, Device
    from netalias.model.events import Event, State
    from netalias.nat import Table, Translation
    from netalias.plan.keeping import Decision, Key
    from netalias.system.journal import Journal

    Written = dict[str, tuple[frozenset[Key], list[Former]]]
    """By the name of each device its own addresses, and the former ones."""

    class Nat(Protocol):
        """nat/kernel.py."""

        def read(self) -> Mapping[int, Table]: ...

        def apply(self, wanted: Iterable[Translation]) -> Sequence[object]: ...

        def close(self) -> None: ...


LOOPBACK = 1
"""The index of lo in every namespace (LOOPBACK_IFINDEX)."""
WAKING = (ADDRESS, ARRIVAL, DEPARTURE, FLAG, "name", "altname")
"""Events that may concern a device."""


def open_nat() -> Nat:
    """The translator, opened inside the namespace. Raises StateError where the kernel cannot."""
    from netalias.nat.kernel import KernelNat

    return KernelNat()


class Keeper(Lines, Repeated):
    """The devices whose former addresses are kept.

    *folder* is the runtime directory, *open_nat* opens what translates, inside the namespace;
    *clock* is CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        engine: Engine,
        state: State,
        journal: Journal,
        clock: Callable[[], float],
        folder: str,
        open_nat: Callable[[], Nat],
    ) -> None:
        super().__init__(engine, state, journal, clock)
        self._folder = folder
        self._open = open_nat
        self._nat: Nat | None = None
        self._here: keeping.InOurHands | None = None
        self._subjects: dict[str, Subject] = {}
        self._leaving: list[Subject] = []
        self._declared: list[Task] = []
        self._asked: dict[str, str] = {}
        self._loaded = self._resumed = self._stands = False
        self._disabled: Switch | None = None
        self._written: Written | None = None
        self._stamp: object = None
        self._carried: list[str] = []
        self._look = 0.0
        self._via = Via(engine, state, journal)

    def close(self) -> None:
        """Close what translates; all that is kept stays, and the kernel ends it in time."""
        if self._nat is not None:
            self._nat.close()
            self._nat = None

    def _replace(self) -> None:
        """Serve the lines; what a line made that is there no more is undone."""
        from netalias.desired.keeping import OFF, Keeping
        from netalias.desired.translating import disabling

        # What was asked for by hand goes before the file, but for its line alias.
        self._disabled = disabling(self._declared)
        tasks = [] if self._disabled else [*self._declared, *self._by_hand()]
        last = {one.subject: one for one in tasks if isinstance(one, Keeping)}
        lines = {name: one for name, one in last.items() if one.mode != OFF}
        before, self._subjects = self._subjects, {}
        if not self._loaded:
            self._loaded = True
            before = self._recorded()
            carried.write(self._folder, [])  # those of a watcher that was killed
        for name, one in lines.items():
            self._subjects[name] = found = before.pop(name, None) or Subject(one)
            found.task = one
        self._leaving += before.values()
        if self._subjects or self._leaving or self._disabled or self._carried:
            self.wake = 0.0

    def _by_hand(self) -> Iterator[Task]:
        """The tasks that were asked for by hand. A malformed line, or one of another version, is
        ignored."""
        from netalias.desired.tasks import read

        for line in self._asked.values():
            try:
                yield read(line.split())
            except errors.NetaliasError:
                continue

    def _recorded(self) -> dict[str, Subject]:
        """The records that an earlier watcher has left, by the name of the device."""
        from netalias.desired.keeping import KERNEL, Keeping

        found = {}
        recorded = record.read(self._folder, self._engine.kernel.cookie())
        for name, one in recorded.items():
            found[name] = subject = Subject(Keeping(name, KERNEL))
            subject.seen = set(one.own)
            subject.former = {key: Former(*key, *times) for key, times in one.former.items()}
        return found

    # Events

    def hear(self, event: Event) -> None:
        """Take note of an event; act() is due if it concerns one of the devices."""
        if not self._subjects or event.what not in WAKING or event.device is None:
            return
        if event.what == ADDRESS and event.old is None and self._is_ours(event):
            return
        subject = self._subject(event.device)
        gone = event.what == ADDRESS and event.new is None and not event.field
        if subject is None:
            if self._via.named(event.device.name) and event.what in (ARRIVAL, DEPARTURE, FLAG):
                self.wake = 0.0
            # A copy of IPv6 is on lo; and who gives an address to another device needs it.
            if event.what == ADDRESS and self._keeps(event.subject.address):
                self.wake = 0.0
            return
        self.wake = 0.0
        if gone:
            address = event.subject.address
            if is_own(address, event.device):
                subject.seen.add((address.family, address.local))

    def _is_ours(self, event: Event) -> bool:
        """Whether an address that has come is the copy of one that is kept: it is there as it was
        decided."""
        address, device = event.subject.address, event.device
        return device is not None and is_copy(address, device) and self._keeps(address)

    def _keeps(self, address: Address) -> bool:
        key = address.family, address.local
        return any(key in one.former for one in self._subjects.values())

    def _subject(self, device: Device) -> Subject | None:
        for name in (device.name, *device.altnames):
            if name in self._subjects:
                return self._subjects[name]
        return None

    def _device(self, subject: Subject) -> Device | None:
        """The device of a line, None while there is none of this name."""
        names = subject.task.subject
        device = self._state.device(subject.index)
        if device is not None and names in (device.name, *device.altnames):
            return device
        for one in self._state.devices():
            if names in (one.name, *one.altnames):
                subject.index, subject.name = one.index, one.name
                return one
        return None

    # Work

    def _forget_ended(self) -> None:
        """Keep no longer what `iface` has removed: it takes it out of the record, too."""
        written = self._written or {}
        if not any(former for _, former in written.values()):
            return
        stamp = record.stamp(self._folder)
        if stamp == self._stamp:
            return
        recorded = record.read(self._folder, self._engine.kernel.cookie())
        for name, (_, former) in written.items():
            one, subject = recorded.get(name), self._subjects.get(name)
            if one is None or subject is None:
                continue
            for key in {former.key for former in former} - one.former.keys():
                subject.former.pop(key, None)
                subject.copied.discard(key)

    def _act(self, now: float) -> None:
        self._forget_ended()
        again = [now + LOOK] if self._subjects else []
        refused = [] if self._resumed else self._resume()
        work: list[tuple[Subject, Device, Decision]] = []
        names = {one.index: one.name for one in self._state.devices()}
        kernel = self._engine.kernel
        for subject, device in self._present(now):
            work.append((subject, device, self._decision(subject, device, now)))
        refused += self._via.lead([(subject.task, found.kept) for subject, _, found in work])
        for _, _, found in work:
            refused += keeping.add(kernel, names, found)
        refused += self._translate(work, now)
        shared = {(AF_INET6, one) for _, _, found in work for one in found.old(AF_INET6)}
        for subject, device, found in work:
            found.remove = [one for one in found.remove if (one.family, one.local) not in shared]
            refused += keeping.remove(kernel, names, found)
            self._tell(subject, found)
            again += self._learn(subject, device, found)
        self._conclude()
        self._rest(refused, min(again, default=None))

    def _resume(self) -> list[errors.NetaliasError]:
        """Take over what an earlier watcher has left in the tables."""
        self._resumed = True
        try:
            self._nat = self._engine.within(self._open)
            tables = self._nat.read()
        except errors.NetaliasError as error:
            return [error]
        self._stands = bool(tables)
        for subject in [*self._subjects.values(), *self._leaving]:
            device = self._device(subject)
            name = subject.name if device is None else device.name
            for family, table in tables.items():
                subject.copied |= {(family, local) for local in table.old.get(name, ())}
                if name in table.new:
                    subject.new[family] = table.new[name]
                    subject.usable.add((family, table.new[name]))
                    subject.usable |= {key for key in subject.seen if key[0] == family}
        return []

    def _present(self, now: float) -> list[tuple[Subject, Device]]:
        """The lines whose device is there. Of two that name the same device by two names one
        counts, or each would take away what the other keeps."""
        found: list[tuple[Subject, Device]] = []
        if self._disabled:  # what is kept stays, for as long as it lasts
            return found
        for subject in [*self._leaving, *self._subjects.values()]:
            device = self._device(subject)
            chosen = None if device is None else self._subject(device)
            if device is None:
                subject.away(now)
            elif chosen in (None, subject):
                found.append((subject, device))
            else:
                chosen.inherit(subject)
        return found

    def _decision(self, subject: Subject, device: Device, now: float) -> Decision:
        leaving = subject in self._leaving
        loopback = self._state.device(LOOPBACK)
        entries, copies = subject.parted(device, self._state.of(device.index, ADDRESS))
        if loopback is not None:
            for _, one in self._state.of(LOOPBACK, ADDRESS):
                key = one.address.family, one.address.local
                known = key in subject.former or key in subject.copied
                if known and is_copy(one.address, loopback):
                    copies[key] = one  # of IPv6
        there = {(one.address.family, one.address.local) for one in entries}
        there = {key for key in there if key not in copies}
        lost = set() if leaving else subject.seen - there
        elsewhere = self._elsewhere((lost, subject.former, copies), device)
        return decide(
            device,
            LOOPBACK,
            entries,
            copies,
            subject.former,
            lost,
            elsewhere,
            (subject.new, subject.usable),
            Limits(0, 0) if leaving else subject.limits,
            now,
        )

    def _elsewhere(self, sought: Sequence[Collection[Key]], device: Device) -> set[Key]:
        """Those of the addresses that are on another device now."""
        found = set()
        for other in self._state.devices() if any(sought) else ():
            if other.index != device.index:
                for _, one in self._state.of(other.index, ADDRESS):
                    key = one.address.family, one.address.local
                    if any(key in some for some in sought) and not is_copy(one.address, other):
                        found.add(key)
        return found

    def _translate(
        self, work: list[tuple[Subject, Device, Decision]], now: float
    ) -> list[errors.NetaliasError]:
        wanted: list[Translation] = []
        ours: list[Translation] = []
        for subject, device, found in work:
            subject.name = device.name
            made = keeping.translations(device.name, found)
            (ours if subject.task.in_our_hands else wanted).extend(made)
        try:
            refused = self._translate_here(ours)
            return [*refused, *self._translate_there(wanted, now)]
        except errors.StateError as error:
            return [error]

    def _translate_here(self, wanted: list[Translation]) -> list[errors.NetaliasError]:
        """Have data planes of ours translate. Raises StateError."""
        tasks = [one.task for one in self._subjects.values() if one.task.in_our_hands]
        if self._here is None:
            self._here = keeping.InOurHands(self._folder, self._engine.kernel.cookie())
        return self._here.apply(tasks, wanted)

    def _translate_there(self, wanted: list[Translation], now: float) -> list[errors.NetaliasError]:
        """Have the kernel translate."""
        if not (wanted or self._stands):
            self.close()
            return []
        try:
            if self._nat is None:
                self._nat = self._engine.within(self._open)
                self._look = 0.0
            if now >= self._look:
                for table in self._nat.read().values():
                    for line in table.odd:
                        self._journal.warning(f"the table netalias was changed: {line}")
                self._look = now + LOOK
            self._nat.apply(wanted)
            self._stands = bool(wanted)
            if not wanted:
                self.close()
        except errors.NetaliasError as error:
            self._look = 0.0
            return [error]
        return []

    def _tell(self, subject: Subject, found: Decision) -> None:
        for family, local in found.lost:
            self._journal.notice(f"{subject.name}: {address_text(family, local)} is kept")
        for family, local in found.returned:
            self._journal.notice(f"{subject.name}: {address_text(family, local)} is back")
        for family, new in found.new.items():
            old = found.old(family)
            if old and (subject.new.get(family) != new or found.lost):
                verb = "addresses leave" if len(old) > 1 else "address leaves"
                text = f"{len(old)} former {verb} as {address_text(family, new)}"
                self._journal.notice(f"{subject.name}: {text}")

    def _learn(self, subject: Subject, device: Device, found: Decision) -> list[float]:
        """Remember what was done; when the first of the former addresses ends."""
        subject.former, subject.new, subject.usable = found.kept, found.new, found.usable
        subject.seen = set(found.own)
        if subject not in self._leaving and subject.promoted != device.index:
            keeping.promote(self._engine, device)
            subject.promoted = device.index
        first = next(iter(found.kept.values()), None)
        return [] if first is None else [first.until]

    def _record(self) -> None:
        devices = {name: subject.record() for name, subject in self._subjects.items()}
        record.write(self._folder, self._engine.kernel.cookie(), devices)
        self._stamp = record.stamp(self._folder)

    def _conclude(self) -> None:
        """Write the records; when a line has gone, give back what it has set."""
        written = {
            name: (frozenset(subject.seen), [*subject.former.values()])
            for name, subject in self._subjects.items()
        }
        if written != self._written:
            self._record()
            self._written = written
        tasks = [one.task.text for one in self._subjects.values()]
        lines = [self._disabled.text, *tasks] if self._disabled else tasks
        if lines != self._carried:
            carried.write(self._folder, lines)
            self._carried = lines
        if self._leaving:
            self._leaving = []
            keeping.settle(self._engine)
