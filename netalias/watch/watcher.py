"""The watcher: its parts, and what they have to do with each other."""

from __future__ import annotations

import signal
from os import stat
from os.path import abspath
from time import monotonic, sleep

from netalias import errors, sources
from netalias.desired import ON_DOWN, choice, declarations
from netalias.desired.declarations import counted
from netalias.desired.index import FREE
from netalias.engine import checkpoint
from netalias.engine import reconcile as engine_room
from netalias.kernel.netlink.monitor import TURN, Monitor
from netalias.kernel.netlink.subscription import ROOM
from netalias.plan.diff import REMOVED
from netalias.runtime import TEXTS
from netalias.runtime.instance import Instance
from netalias.sources import configuration
from netalias.system.backoff import Debounce
from netalias.system.inotify import Followed
from netalias.system.journal import Journal
from netalias.system.loop import Loop, Reader, Timer
from netalias.system.sdnotify import Service
from netalias.system.signals import Signals
from netalias.watch.controller import Controller
from netalias.watch.periodic import LeaseRenewer, Reannouncer, Republisher
from netalias.watch.texts import TextService

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from netalias.claim.session import Segment
    from netalias.cli import Options
    from netalias.desired.declarations import Declarations
    from netalias.engine import Engine
    from netalias.engine.reconcile import Outcome
    from netalias.system.loop import Pollable

    T = TypeVar("T")

LOCKED = 10
"""Seconds that another run is waited for at the beginning."""
PLACES = (sources.DEFAULT, *sources.FOLDERS)
"""The files and folders of declarations that are followed when none are named."""
RELEASE = 0.5
"""Seconds that it is waited for at the end: a service that does not stop is killed."""


class Watcher:
    """One run. *engine* does not wait for the lock; *wait* is in seconds, for it at the beginning.

    Raises what keeps it from beginning: UsageError, StateError, NotPermitted, LockBusy,
    KernelError.
    """

    def __init__(
        self, options: Options, engine: Engine, words: list[str], wait: float = LOCKED
    ) -> None:
        self.engine = engine
        self.status = errors.STATUS_OK
        self.journal = Journal(quiet=options.quiet, verbose=options.verbose)
        self.service = Service()
        self._options = options
        engine.texts = False  # what it changes it writes itself
        self._files = words
        on_down = choice("--on-down", options.on_down or FREE, ON_DOWN)
        if sources.STDIN in words:
            raise errors.UsageError("-: standard input cannot be read again", "name a file")
        self._take()
        engine.kernel.permitted()
        self._folder = self._locked(str, wait)
        # The usual place belongs to the namespace that commands without -n work in.
        usual = f"{self._folder}/net" if options.netns else TEXTS
        self._place = abspath(options.texts or usual)
        self.stream = engine.within(lambda: Monitor(media=False))
        self.controller = Controller(
            engine,
            self.stream,
            self.journal,
            monotonic,
            on_down=on_down,
            allow_empty=options.allow_empty,
            allow_shrink=options.allow_shrink,
            paused=self._paused,
        )
        self.republisher = Republisher(engine, self.stream.state)
        self._alive = monotonic()
        self.renewer = LeaseRenewer(self.controller, self._alive)
        self.reannouncer = Reannouncer(self.controller, self.journal, self._folder, self._alive)
        self._pause = Debounce()
        self._told = ""

    def _locked(self, work: Callable[[str], T], wait: float) -> T:
        """Do it under the lock, with the folder of that; a run that holds it is waited for."""
        end = monotonic() + wait
        while True:
            try:
                with self.engine.locked() as lock:
                    return work(lock.folder)
            except errors.LockBusy:
                if monotonic() >= end:
                    raise
                sleep(0.01)

    # From the beginning to the end

    def run(self) -> int:
        """Until a signal ends it; the exit status."""
        with Instance(self._folder, self._files), Signals() as signals:
            # Who announces is a child, and nobody waits for it.
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            self._let_interrupt(signals)
            with Followed() as files, Followed() as lock:
                self.texts = self._shown()
                try:
                    self._begin(files, lock)
                    self._loop = Loop(self._parts(signals, files, lock), monotonic)
                    self._loop.run()
                    self.texts.write(monotonic())
                finally:
                    self.texts.close()
                    self.stream.close()
        return self.status

    def _let_interrupt(self, signals: Signals) -> None:
        """Who waits for other hosts, seconds long, does not keep a signal waiting."""
        made = self.engine.segment
        if made is None:
            return

        def segment() -> Segment:
            found = made()
            found.waiting = signals.interruptible
            return found

        self.engine.segment = segment

    def _begin(self, files: Followed, lock: Followed) -> None:
        self._look_at(files)
        self._take()  # they may have changed before they were followed
        lock.follow([f"{self._folder}/lock"])
        for _ in self.stream.start():
            pass
        self.controller.load(self._declared)
        self.controller.settle()
        self.republisher.learn(self.republisher.read())
        self._act()
        self._hear()  # what was done by that is known by its events only
        self.texts.write(monotonic())
        self.service.ready(self._summary())
        self.journal.info(f"watching: {self._summary()}")

    def _shown(self) -> TextService:
        namespace = self.engine.within(lambda: stat("/proc/thread-self/ns/net").st_ino)
        return TextService(
            self.controller,
            self.journal,
            monotonic,
            place=self._place,
            namespace=namespace,
            wanted=bool(self._options.texts),
        )

    def _parts(self, signals: Signals, files: Followed, lock: Followed) -> list[Pollable]:
        parts: list[Pollable] = [
            Reader(self.stream.filenos(), lambda: self._hear(TURN)),
            Timer(self._wake, lambda now: self._act()),
            Reader([signals.fileno()], lambda: self._signalled(signals.read())),
            Reader([lock.fileno()], lambda: self._let_go(lock)),
            Reader([files.fileno()], lambda: self._written(files)),
            Timer(self._settled, lambda now: self._read(files, now)),
            Timer(self.reannouncer.due, self._announce_again),
            Timer(self.renewer.due, self._renew),
            *self.texts.parts(),
        ]
        self._followed = files
        if self.service.watchdog is not None:
            parts.append(Timer(self._next_sign, self._give_sign))
        return parts

    def _signalled(self, numbers: set[int]) -> None:
        if signal.SIGHUP in numbers:
            self._reload(self._followed, forced=True)
        if not numbers.isdisjoint((signal.SIGTERM, signal.SIGINT)):
            self.service.stopping()
            if self._options.release:
                self._release()
            if signal.SIGTERM not in numbers:
                self.status = errors.STATUS_INTERRUPTED
            self._loop.end()

    def _release(self) -> None:
        """Take the declared aliases away."""
        try:
            outcome = self._locked(lambda _: self._taken_away(), RELEASE)
            self.controller.hear()
        except errors.NetaliasError as error:
            self._failed(error)
            self.status = error.status
            return
        for item in outcome.failed:
            assert item.error is not None
            self.journal.error(item.error.line())
        if outcome.failed:
            self.status = errors.STATUS_KERNEL
        gone = sum(item.sign == REMOVED for item in outcome.done)
        self.journal.notice(f"{counted(gone, 'alias')} released")

    def _taken_away(self) -> Outcome:
        observed = self.engine.observe()
        leaving = [one for one in observed.aliases if one.ours and self.controller.wish(one)]
        return engine_room.remove(self.engine, observed, leaving)

    # What is wished

    def _take(self) -> None:
        found = sources.read(self._files)
        self._configuration = configuration(found)
        self._declared = self._parsed(found)

    def _parsed(self, found: list[tuple[str, bytes]]) -> Declarations:
        declared = declarations.parse(sources.decode(found), self.engine.registry)
        declarations.check(declared)
        return declared

    def _written(self, files: Followed) -> None:
        """A file may be another one now; whoever writes it may not be ready yet."""
        if files.read():
            self._pause.changed(monotonic(), unfinished=files.unfinished)

    def _read(self, files: Followed, now: float) -> None:
        if self._pause.over(now):
            self._reload(files)

    def _look_at(self, files: Followed) -> None:
        for problem in files.follow(self._files or PLACES):
            self.journal.warning(problem)

    def _reload(self, files: Followed, *, forced: bool = False) -> None:
        """Read the files again; where something is wrong with them what was wished stays wished."""
        self.service.reloading()
        try:
            self._look_at(files)
            found = sources.read(self._files)
            if forced or configuration(found) != self._configuration:
                declared = self._parsed(found)
                self._configuration = configuration(found)
                self.controller.load(declared)
                self.journal.info(f"read again: {counted(len(declared), 'alias')} declared")
                self._act()
        except errors.NetaliasError as error:
            self._failed(error)
            self.journal.error("what was declared before stays")
        self.service.ready(self._summary())

    def _paused(self) -> str:
        """Why nothing may be changed: what waits for its confirmation is not to be undone, and what
        was not confirmed not to be done."""
        waiting = checkpoint.pending(self._folder)
        if waiting is not None and waiting.digest != self._configuration:
            return f"a change waits for its confirmation since {waiting.since}: nothing is kept"
        if checkpoint.rejected(self._folder) == self._configuration:
            return "this configuration was not confirmed when it was tried: it is not kept"
        return ""

    # What happens

    def _hear(self, most: int = ROOM) -> None:
        self._try(lambda: self.controller.hear(most))
        self._act()

    def _act(self) -> None:
        """Do what follows from what was heard."""
        controller = self.controller
        try:
            self._try(controller.act)
        except KeyboardInterrupt:
            return  # what is told by the signals is next
        if controller.touched:
            self.texts.changed()
        if controller.raised:
            self._try(self._publish)
        if controller.linked:
            self._try(lambda: self.reannouncer.back(controller.linked))
        controller.touched = controller.raised = False
        controller.linked = set()
        self._tell_status()

    def _wake(self, now: float) -> float | None:
        wake = self.controller.wake
        return None if wake is None else max(0.0, wake - now)

    def _let_go(self, lock: Followed) -> None:
        """Another run may have let go of the lock."""
        if lock.read():
            self._try(self._learn)
            self._act()

    def _learn(self) -> None:
        """What is published now. A device that has just come up has forgotten what it was."""
        found = self.republisher.read()
        self.controller.hear()
        if not self.controller.raised:
            self.republisher.learn(found)

    def _publish(self) -> None:
        done, failures = self.republisher.again()
        for failure in failures:
            self.journal.error(failure.error.line())
        if done:
            self.journal.info(f"{counted(done, 'address')} published again")

    def _renew(self, now: float) -> None:
        try:
            failures = self.renewer.renew(now)
        except errors.NetaliasError as error:
            self._failed(error)
            return
        for failure in failures:
            self.journal.error(failure.error.line())

    def _announce_again(self, now: float) -> None:
        self._try(lambda: self.reannouncer.again(now))

    # What is shown

    def _summary(self) -> str:
        wished, healed = self.controller.wished, self.controller.healed
        text = f"{counted(len(wished), 'alias')} declared on {counted(len(wished.mains), 'device')}"
        return f"{text}; {healed} put right" if healed else text

    def _tell_status(self) -> None:
        summary = self._summary()
        if summary != self._told:
            self._told = summary
            self.service.status(summary)

    def _next_sign(self, now: float) -> float | None:
        assert self.service.watchdog is not None
        return max(0.0, self._alive + self.service.watchdog - now)

    def _give_sign(self, now: float) -> None:
        self._alive = now
        self.service.alive()

    def _settled(self, now: float) -> float | None:
        due = self._pause.due
        return None if due is None else max(0.0, due - now)

    def _try(self, work: Callable[[], object]) -> None:
        """Do it; what is wrong is told, and ends nothing."""
        try:
            work()
        except errors.NetaliasError as error:
            self._failed(error)

    def _failed(self, error: errors.NetaliasError) -> None:
        for detail in error.details:
            self.journal.error(detail)
        self.journal.error(error.line())
