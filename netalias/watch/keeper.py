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
from netalias.nat import NONE
from netalias.plan.keeping import Former, Limits, decide, is_copy, is_own
from netalias.runtime import kept as record
from netalias.runtime import tasks as carried
from netalias.watch.addresses import Addresses, View
from netalias.watch.lines import Lines
from netalias.watch.repeated import LOOK, Repeated
from netalias.watch.subject import Subject
from netalias.watch.via import Via

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Protocol

    from netalias.desired.keeping import Keeping
    from netalias.desired.tasks import Task
    from netalias.desired.translating import Switch
    from netalias.engine import Engine
    from netalias.model import Address, Device
    from netalias.model.events import Event, State
    from netalias.nat import Table, Translation
    from netalias.plan.keeping import Decision, Key
    from netalias.system.journal import Journal

    Work = list[tuple[Subject, Device, Decision]]

    class Nat(Protocol):
        """nat/kernel.py."""

        def read(self) -> Mapping[int, Table]: ...

        def apply(self, wanted: Iterable[Translation]) -> Sequence[object]: ...

        def close(self) -> None: ...


LOOPBACK = 1
"""The index of lo in every namespace (LOOPBACK_IFINDEX)."""
NOTHING = Limits(0, 0)
"""Those of a device without a line."""
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
        self._here = keeping.InOurHands(folder, engine.kernel.cookie())
        self._ahead: Work | None = None
        """The work that ahead() has decided, None where that may hold no more."""
        self._subjects: dict[str, Subject] = {}
        self._leaving: list[Subject] = []
        self._declared: list[Task] = []
        self._asked: dict[str, str] = {}
        self._loaded = self._resumed = self._stands = False
        self._disabled: Switch | None = None
        self._stamp: object = None
        self._recorded_names: list[str] = []
        self._carried: list[str] = []
        self._look = self._whole = 0.0
        self._addresses = Addresses(state)
        self._via = Via(engine, state, journal)

    def close(self) -> None:
        """Close what translates; all that is kept stays, and the kernel ends it in time."""
        self._here.close()
        self._close_nat()

    def _close_nat(self) -> None:
        if self._nat is not None:
            self._nat.close()
            self._nat = None

    def _replace(self) -> None:
        """Serve the lines; what a line made that is there no more is undone."""
        from netalias.desired.keeping import OFF, Keeping
        from netalias.desired.translating import disabling

        # What was asked for by hand goes before the file, but for its line alias.
        self._ahead = None
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
        self._whole = 0.0
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
            subject.index, subject.seen = one.index, set(one.own)
            subject.keep({key: Former(*key, *times) for key, times in one.former.items()})
        return found

    # Events

    def hear(self, event: Event) -> None:
        """Take note of an event; act() is due if it concerns one of the devices."""
        if not (self._subjects or self._leaving) or event.what not in WAKING:
            return
        self._ahead = None
        if event.what == ADDRESS:
            self._addresses.note(event.key)
        if event.device is None:
            return
        if event.what == ARRIVAL:
            self._addresses.note_all(event.device)
        if event.what == ADDRESS and event.old is None and self._is_ours(event):
            return
        subject = self._subject(event.device) or self._former_subject(event.device)
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

    def _former_subject(self, device: Device) -> Subject | None:
        """The line whose device this was, by a name that it has no more."""
        found = (one for one in self._subjects.values() if one.index == device.index)
        return next(found, None)

    def _device(self, subject: Subject) -> Device | None:
        """The device of a line, None while there is none of this name."""
        found = self._found(subject)
        if found is not None:
            subject.index, subject.name = found.index, found.name
        return found

    def _found(self, subject: Subject) -> Device | None:
        name = subject.task.subject
        device = self._state.device(subject.index)
        if device is not None and name in (device.name, *device.altnames):
            return device
        found = (one for one in self._state.devices() if name in (one.name, *one.altnames))
        return next(found, None)

    # Work

    def _forget_ended(self) -> None:
        """Keep no longer what `iface` has removed: it takes it out of the record, too."""
        written = any(one.recorded for one in self._subjects.values())
        if self._stamp is None or not written:
            return
        stamp = record.stamp(self._folder)
        if stamp == self._stamp:
            return
        self._ahead = None
        recorded = record.read(self._folder, self._engine.kernel.cookie())
        for name, subject in self._subjects.items():
            if name in recorded:
                subject.forget(subject.recorded.keys() - recorded[name].former.keys())

    def ahead(self, now: float) -> None:
        """Have data planes of ours translate what is due by the events so far, before all else and
        without the lock: nobody else writes what they read. act() is due as before, and tells what
        is refused."""
        if self.wake is None or not self.wake <= now < self._whole or not self._ours():
            return
        self._ahead = self._decided(now)
        try:
            self._translate_here(self._ahead)
        except errors.StateError:
            pass  # act() tries it again

    def _ours(self) -> list[Keeping]:
        """The lines for which data planes of ours translate."""
        return [one.task for one in self._subjects.values() if one.task.in_our_hands]

    def _act(self, now: float) -> None:
        self._forget_ended()
        again = [now + LOOK] if self._subjects else []
        refused = [] if self._resumed else self._resume()
        whole, self._whole = self._whole, 0.0  # until it is known that all was done
        if now >= whole:
            self._look_anew()
            whole = now + LOOK
        work = self._decided(now) if self._ahead is None else self._ahead
        self._ahead, self._addresses.changed = None, set()
        devices = [device for _, device, _ in work]
        names = {one.index: one.name for one in (*devices, *self._loopback())}
        kernel = self._engine.kernel
        refused += self._via.lead([(subject.task, found.kept) for subject, _, found in work])
        for _, _, found in work:
            refused += keeping.add(kernel, names, found)
        refused += self._translate(work, now)
        shared = {(AF_INET6, one) for *_, found in work for one in found.old.get(AF_INET6, NONE)}
        for subject, device, found in work:
            found.remove = [one for one in found.remove if (one.family, one.local) not in shared]
            refused += keeping.remove(kernel, names, found)
            self._tell(subject, found)
            again += self._learn(subject, device, found)
        self._conclude()
        self._whole = 0.0 if refused else whole
        self._rest(refused, min(again, default=None))

    def _loopback(self) -> list[Device]:
        found = self._state.device(LOOPBACK)
        return [] if found is None else [found]

    def _look_anew(self) -> None:
        """Look at everything, and not only at what has changed since the last time."""
        self._ahead = None
        self._addresses.read()
        for subject in (*self._leaving, *self._subjects.values()):
            subject.look_anew()

    def _decided(self, now: float) -> Work:
        """The work on each device that is there."""
        asked = self._addresses.changed
        return [
            (subject, device, self._decision(subject, device, asked, now))
            for subject, device in self._present(now)
        ]

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
            device = self._found(subject)
            name = subject.name if device is None else device.name
            for family, table in tables.items():
                subject.copied |= {(family, local) for local in table.old.get(name, ())}
                if name in table.new:
                    last = subject.last
                    last.new[family] = table.new[name]
                    # Its own one, too, where the watcher was killed before it recorded that.
                    subject.seen.add((family, table.new[name]))
                    last.usable |= {key for key in subject.seen if key[0] == family}
        return []

    def _present(self, now: float) -> list[tuple[Subject, Device]]:
        """The devices that are there; what others had is kept from now on. Two lines may name one
        device, and then that with its primary name counts."""
        found: list[tuple[Subject, Device]] = []
        if self._disabled:  # what is kept stays, for as long as it lasts
            return found
        self._follow_names()
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

    def _follow_names(self) -> None:
        """Hand over what is kept on devices that have another name since to the lines of these
        names. Without one it ends there, and comes back when a device is called as before."""
        moved = []
        for subject in (*self._leaving, *self._subjects.values()):
            device = self._state.device(subject.index)
            names = () if device is None else (device.name, *device.altnames)
            if device is not None and subject.task.subject not in names:
                self._journal.notice(f"{subject.task.subject} is called {device.name} now")
                line = self._subject(device)
                moved.append((line, subject.called(device.name)))
                subject.index = 0
                if line is not None:
                    subject.clear()
        for line, found in moved:
            if line is None:
                self._leaving.append(found)
            else:
                line.inherit(found)

    def _decision(self, subject: Subject, device: Device, asked: set[Key], now: float) -> Decision:
        leaving = subject in self._leaving
        limits = NOTHING if leaving else subject.limits
        anew = subject.is_anew(device, limits)
        if anew:
            asked = {*subject.former, *subject.copied, *self._addresses.copies(device.index)}
        view = View(self._addresses, device.index, LOOPBACK, subject.knows)
        seen = () if leaving else subject.seen
        return decide(device, LOOPBACK, view, subject.last, asked, seen, limits, now, anew=anew)

    def _translate(self, work: Work, now: float) -> list[errors.NetaliasError]:
        try:
            self._translate_here(work)
            return [*self._here.refusals(), *self._translate_there(work, now)]
        except errors.StateError as error:
            return [error]

    def _translate_here(self, work: Work) -> None:
        """Have data planes of ours translate. Raises StateError."""
        self._here.tell(self._ours(), _wanted(work, in_our_hands=True))

    def _translate_there(self, work: Work, now: float) -> list[errors.NetaliasError]:
        """Have the kernel translate."""
        wanted = _wanted(work, in_our_hands=False)
        if not (wanted or self._stands):
            self._close_nat()
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
                self._close_nat()
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
            old = found.old.get(family)
            if old and (subject.last.new.get(family) != new or found.lost):
                verb = "addresses leave" if len(old) > 1 else "address leaves"
                text = f"{len(old)} former {verb} as {address_text(family, new)}"
                self._journal.notice(f"{subject.name}: {text}")

    def _learn(self, subject: Subject, device: Device, found: Decision) -> list[float]:
        """Remember what was done; when the first of the former addresses ends."""
        leaving = subject in self._leaving
        subject.learn(device, NOTHING if leaving else subject.limits, found)
        if not leaving and subject.promoted != device.index:
            keeping.promote(self._engine, device)
            subject.promoted = device.index
        first = next(iter(found.kept.values()), None)
        return [] if first is None else [first.until]

    def _record(self) -> None:
        self._stamp = None  # until it is written
        found = [subject.record() for subject in self._subjects.values()]
        record.write(self._folder, self._engine.kernel.cookie(), found)
        self._stamp = record.stamp(self._folder)
        self._recorded_names = [*self._subjects]

    def _conclude(self) -> None:
        """Write the records; when a line has gone, give back what it has set."""
        others = self._stamp is None or self._recorded_names != [*self._subjects]
        if others or any(one.unrecorded for one in self._subjects.values()):
            self._record()
        tasks = [one.task.text for one in self._subjects.values()]
        lines = [self._disabled.text, *tasks] if self._disabled else tasks
        if lines != self._carried:
            carried.write(self._folder, lines)
            self._carried = lines
        if self._leaving:
            self._leaving = []
            keeping.settle(self._engine)


def _wanted(work: Work, *, in_our_hands: bool) -> list[Translation]:
    """The translations that the kernel makes, or else data planes of ours."""
    return [
        one
        for subject, device, found in work
        if subject.task.in_our_hands == in_our_hands
        for one in keeping.translations(device.name, found)
    ]
