"""Tunnels: their devices and sockets are held here, and each is relayed by a process of its own.

A data plane that dies, of whatever, takes neither with it: the next one goes on with the same
descriptors, and counters. A line that is removed ends its process and closes them, with which the
device goes. All that a data plane gets is descriptors and the words of its line.
"""

from __future__ import annotations

import os
import signal
from errno import EADDRINUSE, EADDRNOTAVAIL, EHOSTUNREACH, ENETUNREACH, ENODEV, ESRCH
from select import POLLIN, poll

from netalias import errors
from netalias.desired.renewal import DEVICE, NOTHING, PROCESS, SOCKET, Renewal
from netalias.desired.tunnels import WIREGUARD
from netalias.model import address_text
from netalias.model.events import ADDRESS, ARRIVAL, DEPARTURE, FLAG
from netalias.runtime import tasks as carried
from netalias.runtime import tunnels as record
from netalias.system.backoff import Backoff, RepairBackoff
from netalias.system.process import tell
from netalias.watch.carrying import KINDS, Carrying, kind
from netalias.watch.keyfiles import KeyFiles
from netalias.watch.repeated import BUSY, LOOK
from netalias.watch.resuming import Resuming

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from netalias.desired.tasks import Task
    from netalias.desired.tunnels import Tunnel
    from netalias.engine import Engine
    from netalias.engine.tunnels import Held
    from netalias.model.events import Event
    from netalias.system.journal import Journal
    from netalias.tunnels.carriage import Carriage

END = 2.0
"""Seconds that a data plane has to end by itself."""
LOST = (EADDRNOTAVAIL, EHOSTUNREACH, ENETUNREACH)
"""Errors of a socket for whose peer there is no address to send from."""
DYING = "its data planes end as soon as they have begun: the journal says why"
"""The fault of a tunnel that waits for the next one."""
WAKING = (ADDRESS, ARRIVAL, DEPARTURE, FLAG, "mtu")
"""Events that may concern a device."""


class Tunnels(Resuming):
    """The tunnels of a watcher, a part of its loop.

    *folder* is the runtime directory, *clock* is CLOCK_MONOTONIC. *start* starts a data plane with
    the words of a line, and gives its pid. *loaded* is called with the lines that hold from now on,
    *prepare* as Starter.prepare() is.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        clock: Callable[[], float],
        folder: str,
        start: Callable[[Held, list[str]], int],
        loaded: Callable[[Iterable[Tunnel]], object] = lambda tunnels: None,
        prepare: Callable[[bool | None], object] = lambda keyed: None,
    ) -> None:
        super().__init__()
        self._engine = engine
        self._journal = journal
        self._clock = clock
        self._folder = folder
        self._start = start
        self._loaded = loaded
        self._prepare = prepare
        self._declared: list[Task] = []
        self._asked: dict[str, str] = {}
        self._carried: dict[str, Carrying] = {}
        self._deaths = RepairBackoff()
        self._lines: list[str] | None = None
        self._leaving = False
        self._busy = 0.0
        self._backoff = Backoff()
        self._keys = KeyFiles(journal, self._key_changed)

    # One watcher after the other

    def _gone(self, name: str) -> None:
        self._forget_record(name)
        self._leaving = True
        if name in self._carried:
            self._carried[name].due = 0.0

    def tell(self) -> None:
        """Record the tunnels again: another process may have written the records."""
        for one in self._carried.values():
            one.written = ()
            self._write(one)

    def rest(self) -> None:
        """End all data planes, and leave the rest to the next watcher: the service manager keeps
        it. WireGuard is not kept."""
        for one in [*self._carried.values()]:
            if one.task.outer.carriage == WIREGUARD:
                self._end(self._carried.pop(one.name))
            elif one.pidfd >= 0:
                tell(one.pidfd, signal.SIGHUP)
        for one in self._carried.values():
            self._halt(one, signal.SIGHUP)
        self.close(leave=True)

    def close(self, *, leave: bool = False) -> None:
        """End all data planes; the devices go with their descriptors. *leave* all to the watcher
        that has taken them over."""
        self._keys.close()
        if leave:
            for one in self._carried.values():
                self._forget(one)
                if one.held is not None:
                    one.held.close()
            return
        for one in self._carried.values():
            if one.pidfd >= 0:  # all at once, before each is waited for
                tell(one.pidfd, signal.SIGTERM)
        for one in self._carried.values():
            self._end(one)
        if self._carried:
            self._carried = {}
            self._try_undo()

    # Lines

    def _replace(self) -> None:
        """Serve the lines; of a tunnel whose line has changed begins anew what has to
        (desired/renewal.py)."""
        tunnels = [*self._wanted()]
        self._loaded(tunnels)
        wanted = {one.name: one for one in tunnels}
        before = {*self._carried}
        for name, task in wanted.items():
            if name not in before:
                self._carried[name] = self._resumed(task)
        for name, one in [*self._carried.items()]:
            if name not in wanted or not self._goes_on(one, wanted[name]):
                self._end(self._carried.pop(name))
                self._leaving = True
        for name, task in wanted.items():
            if name not in self._carried:
                self._carried[name] = Carrying(task)
            self._carried[name].task = task
        self._keys.follow(one.outer.key for one in tunnels if one.outer.key)
        lines = [one.task.text for one in self._carried.values()]
        if lines != self._lines:
            # Beside those of before also those of a watcher that was killed.
            self._leaving |= self._lines is None and bool(lines)
            self._lines = lines
            carried.write(self._folder, lines, carried.TUNNELS)

    def _goes_on(self, one: Carrying, task: Tunnel) -> bool:
        """Whether a tunnel goes on as another line says, with its device, which keeps its flows.
        What has to begin anew is told."""
        change = Renewal(one.task, task)
        if not change.words:
            one.due = one.due if one.task.text == task.text else 0.0
            return True
        words = " and ".join(change.words)
        if one.held is None or change.part == DEVICE:
            self._journal.notice(f"{one.name}: begins anew with another {words}")
            return False
        one.former.append(one.task)
        self._renew(one, change.part, f"{words} changed")
        return True

    def _renew(self, one: Carrying, part: int, why: str) -> None:
        """Have a part of a tunnel begin anew, with tick()."""
        self._leaving = True  # there may be the rule of a former address
        one.renewed, one.due = max(one.renewed, part), 0.0
        stays = "device and socket stay" if part < SOCKET else "the device stays"
        self._journal.notice(f"{one.name}: {why}: {stays}, and so do connections")

    def _key_changed(self, path: str) -> None:
        """Another key stands in a file; data planes read it when they begin."""
        from netalias.engine.tunnels import check_key

        for one in self._carried.values():
            if one.task.outer.key != path:
                continue
            if one.held is None:  # perhaps it has waited for the key
                one.due = 0.0
                continue
            try:
                check_key(one.task)
            except errors.StateError as error:
                self._journal.warning(f"{one.name}: {error.line()}; the former key stays in use")
                continue
            if one.task.outer.carriage == WIREGUARD:
                self._journal.notice(f"{one.name}: begins anew with another key")
                self._stop(one)
                one.due = 0.0
            else:
                self._renew(one, PROCESS, "its key file changed")

    def _wanted(self) -> Iterator[Tunnel]:
        """The lines that hold; of two for a device the last. What was asked for by hand goes before
        a file. A malformed line of these, or one of another version, is ignored."""
        if not (self._declared or self._asked):
            return
        from netalias.desired.tunnels import Tunnel, tunnel_of

        yield from (one for one in self._declared if isinstance(one, Tunnel))
        yield from (one for one in map(tunnel_of, self._asked.values()) if one is not None)

    # The loop

    def hear(self, event: Event) -> None:
        """Take note of an event; tick() is due if it concerns a device of ours."""
        if self._carried and event.device is not None and event.what in WAKING:
            one = self._carried.get(event.device.name)
            if one is not None:
                one.due = 0.0
            if event.what == ADDRESS and not event.field:
                self._hear_address(event)

    def _hear_address(self, event: Event) -> None:
        """Take note of an address that has come, or that is gone and may be that of a carriage."""
        address = event.subject.address
        gone = "" if event.new is not None else address_text(address.family, address.local)
        for one in self._carried.values():
            if gone and one.held is not None and one.task.outer.peer:
                one.adrift |= one.held.carriage.local == gone
            if one.adrift:
                one.due = 0.0

    def wanted(self, now: float) -> dict[int, int]:
        """The descriptors of the data planes, each readable when its process has ended, and that of
        the key files."""
        filenos = [one.pidfd for one in self._carried.values()] + [self._keys.fileno()]
        return {fileno: POLLIN for fileno in filenos if fileno >= 0}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """A data plane has ended: the next one goes on at once, or later where they keep ending. Or
        a key file has changed."""
        if fileno == self._keys.fileno():
            self._keys.read()
            return
        for one in self._carried.values():
            if one.pidfd == fileno:
                self._forget(one)
                self._journal.error(f"{one.name}: the data plane has ended; another one goes on")
                one.due = self._deaths.undone(one.name, now)
                if one.due <= now:
                    self._run(one)
                else:
                    one.fault = DYING
                    self._write(one)

    def due(self, now: float) -> float | None:
        """Seconds until tick()."""
        times = [one.due for one in self._carried.values() if one.due is not None]
        times += [0.0] * self._leaving
        return max(0.0, min(times) - now, self._busy - now) if times else None

    def tick(self, now: float) -> None:
        """Do what is due; what fails is logged, and tried again with back-off."""
        if now < self._busy:
            return
        try:
            with self._engine.transaction():
                if self._leaving:
                    self._undo()
                for one in self._carried.values():
                    if one.due is not None and one.due <= now:
                        self._work(one, now)
            self._backoff.reset()
            self._keep()
            keys = [bool(one.task.outer.key) for one in self._carried.values()]
            self._engine.within(lambda: self._prepare(any(keys) if keys else None))
        except errors.LockBusy:
            self._busy = now + BUSY
        except errors.NetaliasError as error:
            self._busy = now + self._backoff.next()
            self._journal.error(error.line())

    def _undo(self) -> None:
        """Delete what is left in the kernel of tunnels that are no more. Raises KernelError."""
        self._leaving = False
        tasks = [one.task for one in self._carried.values()]
        for keyword in KINDS:
            mine = [one for one in tasks if one.keyword == keyword]
            for refusal in kind(keyword).undo(self._engine, mine):
                self._journal.error(refusal.line())

    def _try_undo(self) -> None:
        try:
            with self._engine.transaction():
                self._undo()
        except errors.NetaliasError as error:
            self._journal.error(error.line())

    # One tunnel

    def _work(self, one: Carrying, now: float) -> None:
        """Bring one tunnel into the state of its line."""
        one.due = now + LOOK
        faults: list[str] = []
        try:
            if one.held is None:
                one.held, one.mtu = self._hold(one.task)
            if one.renewed:
                self._begin_anew(one)
            if one.adrift:
                self._reopen(one)
            refused, notes = kind(one.task.keyword).settle(self._engine, one.task, one.mtu)
            faults = [one.named(error) for error in refused]
            if any(error.errno == ENODEV for error in refused):  # somebody has deleted the device
                self._stop(one)
        except errors.NetaliasError as error:
            faults, notes = [one.named(error)], []
        if one.held is not None and not one.pid and not one.adrift:
            self._run(one)
        if faults or one.pid:
            one.fault = "; ".join(faults)
        if faults:
            one.due = now + one.backoff.next()
        else:
            one.backoff.reset()
        self._tell(one, [*faults, *notes])
        self._write(one)

    def _begin_anew(self, one: Carrying) -> None:
        """Do what a changed line asks for, but for what follows anyway: the address of the device,
        and the next data plane. Raises KernelError."""
        from netalias.engine.tunnels import mtu_of, retire

        assert one.held is not None
        carriage = one.held.carriage
        self._halt(one, signal.SIGHUP)
        retire(self._engine, one.former, one.task)
        if one.renewed == SOCKET:
            one.adrift = True
        else:
            one.mtu = self._engine.within(lambda: mtu_of(one.task, carriage))
        one.renewed, one.former = NOTHING, []

    def _hold(self, task: Tunnel) -> tuple[Held, int]:
        from netalias.engine.tunnels import hold, mtu_of

        held = hold(self._engine, task)
        return held, self._engine.within(lambda: mtu_of(task, held.carriage))

    def _reopen(self, one: Carrying) -> None:
        """Have a carriage send from the address that leads to its peer now. The device stays, and
        so do the flows. Raises StateError while there is none."""
        assert one.held is not None
        from netalias.engine.tunnels import mtu_of

        self._halt(one, signal.SIGHUP)
        one.held.carriage.close()
        try:
            one.held.carriage = carriage = self._opened(one)
        except errors.KernelError as error:
            why = "no address leads to its peer: " if error.errno in LOST else ""
            raise errors.StateError(f"{one.name}: {why}{error}", error.hint) from None
        one.mtu = self._engine.within(lambda: mtu_of(one.task, carriage))
        one.adrift = False
        where = f"from {carriage.local}" if carriage.local else "with another socket"
        self._journal.notice(f"{one.name}: goes on {where}")

    def _opened(self, one: Carrying) -> Carriage:
        """A new socket for a tunnel. Raises as engine.tunnels.hold() does."""
        from netalias.engine.tunnels import opened

        try:
            return opened(self._engine, one.task)
        except errors.KernelError as error:
            if error.errno != EADDRINUSE or not self._has_freed(one.name):
                raise
        return opened(self._engine, one.task)

    def _run(self, one: Carrying) -> None:
        """Start the data plane of a tunnel, in its namespace: it asks for the MTU of paths."""
        held = one.held
        assert held is not None
        from netalias.engine.tunnels import words_of

        try:
            words = words_of(one.task, one.mtu)
            words += ["folder", self._folder, "cookie", str(self._engine.kernel.cookie())]
            one.pid = self._engine.within(lambda: self._start(held, words))
            one.pidfd = os.pidfd_open(one.pid)
        except OSError as error:
            # ESRCH: it has ended already, and the kernel has reaped it.
            if one.pid and error.errno != ESRCH:
                os.kill(one.pid, signal.SIGKILL)  # nobody would hear of its end
            one.pid = 0
            one.due = self._deaths.undone(one.name, self._clock())
            if error.errno != ESRCH:
                one.fault = f"no data plane: {error.strerror}"
                self._journal.error(f"{one.name}: {one.fault}")
        self._write(one)

    def _tell(self, one: Carrying, faults: list[str]) -> None:
        """Log sentences, once as long as they are the same."""
        for text in faults:
            if text not in one.faults:
                self._journal.warning(text)
        if one.pid and not faults and one.faults != ():
            self._journal.notice(f"{one.name}: all is well again")
        one.faults = tuple(faults)

    def _write(self, one: Carrying) -> None:
        """Record a tunnel where that has changed."""
        count = one.held.count.fileno() if one.held is not None else -1
        now = (one.task.text, count, one.mtu, one.pid, one.fault)
        if now == one.written:
            return
        one.written = now
        found = record.Carried(
            one.name, one.task.text, counters=count, mtu=one.mtu, plane=one.pid, fault=one.fault
        )
        try:
            record.write(self._folder, found)
        except errors.StateError as error:
            self._journal.error(error.line())

    def _forget(self, one: Carrying) -> None:
        """Forget a data plane that has ended."""
        if one.pidfd >= 0:
            os.close(one.pidfd)
        one.pid, one.pidfd = 0, -1

    def _end(self, one: Carrying) -> None:
        """End a tunnel, and forget it."""
        self._stop(one)
        self._forget_record(one.name)

    def _forget_record(self, name: str) -> None:
        try:
            record.remove(self._folder, name)
        except errors.StateError as error:
            self._journal.error(error.line())

    def _stop(self, one: Carrying) -> None:
        """End the data plane of a tunnel, and let the device go."""
        self._halt(one)
        one.adrift = False
        if one.held is not None:
            index = self._index(one.held.device.fileno())
            one.held.close()
            one.held = None
            self._let_go(one.name, index)

    def _halt(self, one: Carrying, gently: int = signal.SIGTERM) -> None:
        """End the data plane of a tunnel: by SIGHUP where another one goes on, so that the peer is
        told nothing."""
        for number in (gently, signal.SIGKILL):
            if one.pidfd >= 0:
                tell(one.pidfd, number)
                tell(one.pidfd, signal.SIGCONT)  # somebody may have stopped it
                waiting = poll()
                waiting.register(one.pidfd, POLLIN)
                if waiting.poll(int(END * 1000)):
                    self._forget(one)
