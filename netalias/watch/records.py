"""Service records that are kept: what has them gets each new one, and nothing while all is as it
was.

Devices and addresses come from the events of the watcher, media from a socket of their own, which
is open while there are lines; the number of clients comes from files that are followed. A record is
made anew whenever one of these may have changed, and compared with the last one: so it does not
matter which change it was.
"""

from __future__ import annotations

from select import POLLIN

from netalias import errors
from netalias.model.events import ADDRESS, ARRIVAL, CARRIER, LINK
from netalias.model.names import number
from netalias.runtime import tasks as carried
from netalias.system.backoff import Backoff, RepairBackoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Protocol

    from netalias.desired.records import RecordLine
    from netalias.desired.tasks import Task
    from netalias.engine import Engine
    from netalias.model import Device
    from netalias.model.events import Event, State, Word
    from netalias.record import Record
    from netalias.system.inotify import Followed
    from netalias.system.journal import Journal

    class Media(Protocol):
        """kernel/netlink/ethtool.py."""

        def fileno(self) -> int: ...

        def ask(self, index: int) -> None: ...

        def read(self) -> Iterator[Word]: ...

        def close(self) -> None: ...

    class Output(Protocol):
        """The place of the record of one line. Its methods raise StateError."""

        def stands(self) -> bool:
            """Whether it has what was put there last."""

        def put(self, record: Record | None) -> None:
            """Let it have a record; None while there is no such device."""

        def files(self) -> list[str]:
            """The files that others may change."""


KEYWORD = "record"
"""The keyword of desired/records.py, which files without such lines do not load."""
NAMING = ("name", "altname")
SOON = 0.05
"""Seconds in which changes are collected."""
REST = 3
"""The pause after work, in multiples of its time: a storm of changes on a device with thousands of
addresses leaves three quarters of the time to the others."""


class Kept:
    """One line. ``index`` is that of its device when the media were asked for, 0 for none;
    ``put``: the output has ``record``. ``complaint`` is why it has not, and ``unread`` why the
    number of clients is not known."""

    def __init__(self, line: RecordLine, output: Output) -> None:
        self.line = line
        self.output = output
        self.index = 0
        self.record: Record | None = None
        self.put = False
        self.complaint = ""
        self.unread = ""
        self.backoff = Backoff()


class Records:
    """The records of a watcher, a part of its loop.

    *clock* is that of the loop. *media* opens the socket of media, inside the namespace; *output*
    makes what has the record of a line. *note* is called with the texts of the lines that hold from
    now on; *former* are those of the watcher before.
    """

    def __init__(
        self,
        state: State,
        journal: Journal,
        clock: Callable[[], float],
        media: Callable[[], Media],
        output: Callable[[RecordLine], Output],
        note: Callable[[list[str]], object] = lambda lines: None,
        former: Iterable[str] = (),
    ) -> None:
        self._state = state
        self._journal = journal
        self._clock = clock
        self._open = media
        self._output = output
        self._note = note
        self._kept: dict[str, Kept] = {}
        self._media: Media | None = None
        self._known: dict[int, dict[str, int]] = {}
        self._followed: Followed | None = None
        self._undone = RepairBackoff()
        self._former = [*former]
        self._unseen: list[str] = []
        self._wake: float | None = None
        self._rested = self._looked = 0.0

    def load(self, tasks: Iterable[Task]) -> None:
        """Replace the lines; tick() is due. What a line made that is there no more is withdrawn.
        Raises StateError, KernelError."""
        wanted = [one for one in tasks if one.keyword == KEYWORD]
        if not (wanted or self._kept or self._former):
            return
        from netalias.desired.records import RecordLine

        before, self._kept = [*self._kept.values(), *self._left()], {}
        same = {one.line.text: one for one in before}
        for line in wanted:
            if isinstance(line, RecordLine):
                one = same.get(line.text) or Kept(line, self._output(line))
                self._kept[line.subject] = one
        files = {path for one in self._kept.values() for path in one.output.files()}
        for one in before:
            if files.isdisjoint(one.output.files()):
                self._withdraw(one)
        self._wake = 0.0
        try:
            if self._kept:
                self._begin()
            else:
                self.close(leave=True)
        finally:  # without media, or without being told of other files, they are kept all the same
            self.tell()

    def tell(self) -> None:
        """Note the lines that hold. Raises StateError."""
        self._note([one.line.text for one in self._kept.values()])

    def _left(self) -> Iterator[Kept]:
        """The lines of the watcher before, whose files are there still if it was killed."""
        from netalias.desired.records import RecordLine
        from netalias.desired.tasks import read

        former, self._former = self._former, []
        for line in former:
            try:
                one = read(line.split())
            except errors.NetaliasError:
                continue  # of another version
            if isinstance(one, RecordLine):
                yield Kept(one, self._output(one))

    def _begin(self) -> None:
        from netalias.system.inotify import Followed

        if self._media is None:
            self._media = self._open()
        if self._followed is None:
            self._followed = Followed()
        self._follow(self._followed)

    def _follow(self, followed: Followed) -> None:
        """Follow the files as they are now: a new one is another object."""
        paths = [path for one in self._kept.values() for path in one.output.files()]
        clients = [one.line.clients for one in self._kept.values()]
        problems = followed.follow([*paths, *(one for one in clients if _is_file(one))])
        for problem in problems:
            if problem not in self._unseen:
                self._journal.warning(problem)
        self._unseen = problems

    def close(self, *, leave: bool = False) -> None:
        """Withdraw all records, or *leave* them, and end."""
        kept, self._kept = [*self._kept.values()], {}
        for one in () if leave else kept:
            self._withdraw(one)
        for part in (self._media, self._followed):
            if part is not None:
                part.close()
        self._media = self._followed = self._wake = None
        self._known.clear()

    def _withdraw(self, one: Kept) -> None:
        try:
            one.output.put(None)
        except errors.NetaliasError as error:
            self._journal.error(error.line())

    # Events

    def hear(self, event: Event) -> None:
        """Take note of an event; tick() is due if it is about a device of a line."""
        device = event.device
        if not self._kept or device is None or event.key[0] not in (LINK, ADDRESS):
            return
        names = {device.name, *device.altnames}
        if event.what in NAMING:
            names.add(event.old)  # type: ignore[arg-type]
        for name in names:
            one = self._kept.get(name)
            if one is not None:
                self._soon()
                if event.what in (ARRIVAL, CARRIER):
                    one.index = 0  # its media may be others

    def wanted(self, now: float) -> dict[int, int]:
        """The socket of media, and the files that are followed, but for a while after each look:
        others can write to the file of clients, and to its folder, as fast as they like."""
        followed = self._followed if now >= self._looked else None
        return {one.fileno(): POLLIN for one in (self._media, followed) if one is not None}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Take note of media, and of files that others have changed. Raises WireError,
        KernelError."""
        if self._media is not None and fileno == self._media.fileno():
            self._read_media()
        elif self._followed is not None:
            begun = self._clock()
            if self._followed.read():
                self._follow(self._followed)
                self._soon()
            ended = self._clock()
            self._looked = ended + max(SOON, REST * (ended - begun))

    def _read_media(self) -> None:
        assert self._media is not None
        ours = {one.index for one in self._kept.values()}
        for key, values, _ in self._media.read():
            if key[1] in ours:
                self._known[key[1]] = self._known.get(key[1], {}) | values
                self._soon()

    # Work

    def _soon(self) -> None:
        """Have tick() called when this burst is over."""
        when = max(self._clock() + SOON, self._rested)
        self._wake = when if self._wake is None else min(self._wake, when)

    def due(self, now: float) -> float | None:
        """Seconds until tick()."""
        times = [] if self._wake is None else [self._wake]
        if now < self._looked:
            times.append(self._looked)
        return max(0.0, min(times) - now) if times else None

    def tick(self, now: float) -> None:
        """Let every output have the present record. Raises WireError, KernelError."""
        if not self._kept:
            return
        begun = self._clock()
        found = {name: self._device(name) for name in self._kept}
        self._ask(found)
        self._wake = None  # the answers are read already
        for name, one in self._kept.items():
            again = self._bring(one, self._record(one, found[name]), now)
            if again is not None:
                self._wake = again if self._wake is None else min(self._wake, again)
        ended = self._clock()
        self._rested = ended + REST * (ended - begun)

    def _ask(self, found: dict[str, Device | None]) -> None:
        """Ask for the media of devices that have come. The kernel answers before it returns."""
        asked = False
        for name, device in found.items():
            one = self._kept[name]
            if device is None:
                self._known.pop(one.index, None)
                one.index = 0
            elif device.index != one.index and self._media is not None:
                self._known.pop(one.index, None)
                one.index = device.index
                self._media.ask(device.index)
                asked = True
        if asked:
            self._read_media()

    def _device(self, name: str) -> Device | None:
        found = (one for one in self._state.devices() if name in (one.name, *one.altnames))
        return next(found, None)

    def _record(self, one: Kept, device: Device | None) -> Record | None:
        if device is None:
            return None
        from netalias.record import record_of

        addresses = [entry.address for _, entry in self._state.of(device.index, ADDRESS)]
        media = self._known.get(device.index, {})
        return record_of(device, addresses, media, self._clients(one), one.line.limit)

    def _clients(self, one: Kept) -> int:
        if not _is_file(one.line.clients):
            return int(one.line.clients)
        from netalias.record import clients_in
        from netalias.record.file import read

        try:
            content = read(one.line.clients, by_others=True)
            one.unread = ""
        except errors.StateError as error:
            content, before, one.unread = None, one.unread, error.line()
            if one.unread != before:
                self._journal.error(f"{one.line.title}: {one.unread}")
        return clients_in((content or b"").decode("utf-8", "replace"))

    def _bring(self, one: Kept, record: Record | None, now: float) -> float | None:
        """Let an output have a record; the time of the next try, None where none is needed."""
        try:
            if one.put and one.record == record:
                if record is None or one.output.stands():
                    return None
                when = self._undone.undone(one.line.subject, now)
                if when > now:
                    return when
            one.output.put(record)
        except errors.NetaliasError as error:
            one.put = False
            if error.line() != one.complaint:
                one.complaint = error.line()
                self._journal.error(f"{one.line.title}: {one.complaint}")
            return now + one.backoff.next()
        if one.put and (one.record is None) != (record is None):
            self._journal.info(f"{one.line.title}: the device is {'back' if record else 'gone'}")
        one.record, one.put, one.complaint = record, True, ""
        one.backoff.reset()
        return None


def kept_in(
    engine: Engine, state: State, journal: Journal, clock: Callable[[], float], folder: str
) -> Records:
    """Records in the files that their lines name; *folder* is the runtime directory."""

    def media() -> Media:
        from netalias.kernel.netlink.ethtool import Media

        return engine.within(Media)

    def output(line: RecordLine) -> Output:
        from netalias.watch.filed import Filed

        return Filed(line.file)

    def note(lines: list[str]) -> None:
        carried.write(folder, lines, carried.RECORDS)

    former = carried.left(folder, carried.RECORDS)
    return Records(state, journal, clock, media, output, note, former)


def _is_file(clients: str) -> bool:
    return number(clients) < 0
