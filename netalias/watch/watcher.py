"""The watcher: one controller, and the parts around it, in one loop."""

from __future__ import annotations

import signal
from errno import EACCES, EINVAL, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, ESTALE, ETIMEDOUT
from os import path, stat
from time import monotonic, sleep, time

from netalias import errors, sources, trust
from netalias.desired import declarations
from netalias.desired.declarations import counted
from netalias.disclosure import withheld
from netalias.engine.reconcile import Rules, check_reload, remove
from netalias.kernel.netlink.monitor import TURN, Monitor
from netalias.kernel.netlink.subscription import ROOM, port_id_of
from netalias.plan.diff import REMOVED
from netalias.runtime import TEXTS
from netalias.runtime.instance import Instance
from netalias.sources import configuration
from netalias.system.backoff import Backoff, Debounce
from netalias.system.bug import report
from netalias.system.guarded import Guarded
from netalias.system.inotify import Followed
from netalias.system.journal import Journal
from netalias.system.loop import Loop, Reader, Timer
from netalias.system.sdnotify import Service
from netalias.system.signals import Signals
from netalias.watch.announcer import Announcer
from netalias.watch.checkpoint import Checkpoint
from netalias.watch.claims import Claims
from netalias.watch.controller import Controller
from netalias.watch.directory import Directory
from netalias.watch.health import Health, MetricsFile
from netalias.watch.keeper import Keeper, open_nat
from netalias.watch.periodic import LeaseRenewer, Reannouncer, Republisher
from netalias.watch.relays import Relays
from netalias.watch.report import report_restored
from netalias.watch.responder import Responder, served_in
from netalias.watch.settings import Settings
from netalias.watch.texts import TextService
from netalias.watch.tunnels import Starter, Tunnels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from netalias.claim.session import ClaimSession
    from netalias.desired.declarations import Declarations
    from netalias.engine import Engine
    from netalias.engine.reconcile import Outcome
    from netalias.model.events import Event
    from netalias.system.loop import Pollable

    T = TypeVar("T")

RELEASE = 0.5
"""Seconds that the end waits for it: a service that does not stop is killed."""
HOLD = 1.0
"""Seconds that repairs wait at most for files that were changed a moment ago to be read."""
PASSING = (EACCES, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, ESTALE, ETIMEDOUT)
"""Errors of reading a file that may pass without a change of the file."""
PLACES = (sources.DEFAULT, *sources.FOLDERS)
"""The files and folders of declarations that are followed when none are named."""


def _permanent(file: str) -> str:
    """The absolute path of a file. Raises UsageError for what can be read only once."""
    if file == sources.STDIN:
        raise errors.UsageError("-: standard input cannot be read again", "name a file")
    if trust.is_descriptor(file) and path.exists(file) and not path.isfile(file):
        raise errors.UsageError(f"{file}: a pipe cannot be read again", "name a file")
    return path.normpath(trust.absolute(file))


class Watcher:
    """One run. *engine* does not wait for the lock.

    Raises an error that prevents the start: UsageError, StateError, NotPermitted, LockBusy,
    KernelError.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        engine = engine.derived(texts=False, claimant=self._session)  # see TextService
        self.engine = engine
        self.status = errors.STATUS_OK
        self.journal = Journal(quiet=settings.quiet, verbose=settings.verbose)
        self.service = Service()
        self._settings = settings
        self._files = [_permanent(file) for file in settings.files]
        self._read()
        engine.kernel.permitted()
        self._folder = self._locked(str, settings.wait)
        usual = f"{self._folder}/net" if settings.private_texts else TEXTS
        self._place = trust.absolute(settings.texts or usual)
        own = port_id_of(engine.kernel.fileno())
        self.monitor = engine.within(lambda: Monitor(media=False, connected=True, latest=own))
        self.checkpoint = Checkpoint(self._folder, self._act)
        self.announcer = Announcer(engine, self.monitor.state, self.journal, monotonic)
        self.claims = Claims(self.monitor.state, self.announcer, monotonic)
        self.controller = Controller(
            engine,
            self.monitor,
            self.journal,
            monotonic,
            self.checkpoint,
            on_down=settings.on_down,
            allow_empty=settings.allow_empty,
            allow_shrink=settings.allow_shrink,
        )
        self._rails = Rules(allow_empty=settings.allow_empty, allow_shrink=settings.allow_shrink)
        self.republisher = Republisher(engine, self.monitor.state, self._folder)
        state = self.monitor.state
        self.relays = Relays(engine, state, self.journal, monotonic, self._relayed)
        self.responder = Responder(
            lambda: served_in(state, engine, self.relays.served()),
            self.journal,
            engine.within,
            monotonic,
        )
        self._alive = monotonic()
        self.renewer = LeaseRenewer(self.controller, self._alive)
        self.claims.checked = self.controller.checked
        self.keeper = Keeper(
            engine, self.monitor.state, self.journal, monotonic, self._folder, open_nat
        )
        self.tunnels = Tunnels(
            engine, self.journal, monotonic, self._folder, Starter(), self.relays.load
        )
        self.controller.hear = self._hear
        self.reannouncer = Reannouncer(
            self.controller, self.journal, self._folder, self._alive, self.claims, self.announcer
        )
        self.health = Health(self.controller, time())
        self._metrics: MetricsFile | None = None
        if settings.metrics:
            self._metrics = MetricsFile(
                self.health, engine, self.journal, trust.absolute(settings.metrics),
                settings.metrics_aliases, time,
            )  # fmt: skip
        self._burst = Debounce()
        self._hold = 0.0
        self._followed: Followed | None = None
        self._patience = Backoff()
        self._counted: tuple[object, int] | None = None
        self._status = ""
        self._unseen: list[str] = []
        self._complaint = ""

    def _locked(self, work: Callable[[str], T], wait: float) -> T:
        """The result of *work* with the runtime directory, under the lock; waits *wait* seconds."""
        end = monotonic() + wait
        while True:
            try:
                with self.engine.transaction() as transaction:
                    report_restored(self.journal, transaction.restored)
                    return work(transaction.path)
            except errors.LockBusy:
                if monotonic() >= end:
                    raise
                sleep(0.01)

    # Start and end

    def run(self) -> int:
        """Watch until a signal; the exit status."""
        with Instance(self._folder, self._files) as instance, Signals() as signals:
            # Children send announcements; the kernel reaps them.
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            with Followed() as files, self.checkpoint:
                self.texts = self._made_texts()
                directory = self._directory(instance)
                try:
                    self._begin(files)
                    parts = self._parts(signals, files, directory)
                    guarded = [Guarded(part, monotonic, self._failed) for part in parts]
                    self._loop = Loop(guarded, monotonic)
                    self._loop.run()
                    self._try(lambda: self.texts.write(monotonic()))
                finally:
                    if self._metrics is not None:
                        self._try(self._metrics.close)
                    directory.close()
                    self.keeper.close()
                    self.tunnels.close()
                    self._try(self.relays.close)
                    self.claims.close()
                    self.announcer.close()
                    self.responder.close()
                    self.texts.close()
                    self.monitor.close()
        return self.status

    def _session(self, *words: Any) -> ClaimSession:
        return self.claims.session(*words)

    def _directory(self, instance: Instance) -> Directory:
        return Directory(
            self._folder,
            instance,
            self.journal,
            make=lambda: self._locked(str, 0),
            released=self._lock_released,
            restored=self.texts.restore,
            superseded=self._superseded,
        )

    def _superseded(self, error: errors.NetaliasError) -> None:
        """End: while the runtime directory was gone another watcher has begun."""
        self._failed(error)
        self.status = error.status
        self._loop.end()

    def _begin(self, files: Followed) -> None:
        self._follow(files)
        self._read()  # they may have changed before they were followed
        for _ in self.monitor.start():
            pass
        self.controller.load(self._declared, self._digest)
        self._load_tasks(self._declared)
        self.controller.start()
        self.republisher.learn(self.republisher.seen())
        self._act()
        self._try(lambda: self.keeper.act(monotonic()))  # who starts it may ask at once
        self._try(lambda: self.tunnels.tick(monotonic()))
        self._read_events()  # the changes of _act() are known by their events only
        self.texts.write(monotonic())
        self.service.ready(self._summary())
        self.journal.info(f"watching: {self._summary()}")
        if not len(self._declared) and not self._declared.tasks:
            where = " and ".join(self._files) or "the usual files"
            self.journal.warning(f"nothing is declared in {where} yet: no alias is kept")

    def _made_texts(self) -> TextService:
        namespace = self.engine.within(lambda: stat("/proc/thread-self/ns/net").st_ino)
        return TextService(
            self.controller,
            self.journal,
            monotonic,
            place=self._place,
            namespace=namespace,
            wanted=bool(self._settings.texts),
            health=self.health,
            first=self.announcer.due,
        )

    def _parts(self, signals: Signals, files: Followed, directory: Directory) -> list[Pollable]:
        parts: list[Pollable] = [
            Reader(self.monitor.filenos(), lambda: self._read_events(TURN)),
            Timer(self.keeper.due, lambda now: self._try(lambda: self.keeper.act(now))),
            Timer(self._until_act, lambda now: self._act()),
            self.tunnels,
            Timer(self.relays.due, lambda now: self._try(lambda: self.relays.act(now))),
            self.claims,
            self.announcer,
            self.responder,
            Reader([signals.fileno()], lambda: self._signalled(signals.read())),
            directory,
            Reader([files.fileno()], lambda: self._files_changed(files)),
            self.checkpoint,
            Timer(self._until_settled, lambda now: self._files_settled(files, now)),
            Timer(self.reannouncer.due, self._announce),
            Timer(self.renewer.due, lambda now: self._try(lambda: self._renew(now))),
            *self.texts.parts(),
        ]
        self._followed = files
        if self._metrics is not None:
            parts.append(Timer(self._metrics.due, self._metrics.write))
        if self.service.watchdog is not None:
            parts.append(Timer(self._until_alive, self._report_alive))
        return parts

    def _signalled(self, numbers: set[int]) -> None:
        if signal.SIGHUP in numbers:
            assert self._followed is not None
            self._reload(self._followed, forced=True)
        if not numbers.isdisjoint((signal.SIGTERM, signal.SIGINT)):
            self._loop.end()
            self.service.stopping()
            if signal.SIGTERM not in numbers:
                self.status = errors.STATUS_INTERRUPTED
            if self._settings.release:
                self._release()

    def _release(self) -> None:
        """Remove the declared aliases."""
        try:
            outcome = self._locked(lambda _: self._remove_declared(), RELEASE)
            self.controller.read_events()
        except Exception as error:
            self._failed(error)
            self.status = getattr(error, "status", errors.STATUS_BUG)
            return
        for item in outcome.failed:
            assert item.error is not None
            self.journal.error(item.error.line())
        if outcome.failed:
            self.status = errors.STATUS_KERNEL
        gone = sum(item.sign == REMOVED for item in outcome.done)
        self.journal.notice(f"{counted(gone, 'alias')} released")

    def _remove_declared(self) -> Outcome:
        observed = self.engine.observe()
        leaving = [one for one in observed.aliases if one.ours and self.controller.wish(one)]
        return remove(self.engine, observed, leaving)

    # Declarations

    def _load_tasks(self, declared: Declarations) -> None:
        self.keeper.load(declared.tasks)
        self.tunnels.load(declared.tasks)

    def _content(self) -> list[tuple[str, bytes]]:
        """Name and content of each file. Raises StateError."""
        try:
            return sources.read(self._files)
        except errors.StateError as error:
            if error.errno == EINVAL:  # no regular file; standard input can be read only once
                error.hint = "watch needs files, which it reads again"
            raise

    def _read(self) -> None:
        found = self._content()
        self._digest = configuration(found)
        self._declared = self._parsed(found)

    def _parsed(self, found: list[tuple[str, bytes]]) -> Declarations:
        texts, most = sources.decode(found), self._settings.most
        declared = declarations.parse(texts, self.engine.registry, withheld, most=most)
        declarations.check(declared)
        return declared

    def _files_changed(self, files: Followed) -> None:
        """Note a change; a writer may not have finished yet."""
        if files.read():
            now = monotonic()
            self._burst.changed(now, unfinished=files.unfinished)
            self._hold = self._hold or now + HOLD

    def _files_settled(self, files: Followed, now: float) -> None:
        if self._burst.over(now):
            held, self._hold = self._hold, 0.0
            self._reload(files)
            if held:
                self._act()

    def _is_held(self) -> bool:
        """Whether files were changed a moment ago: what differs may be what they say now."""
        if self._hold:
            if monotonic() < self._hold:
                return True
            self._hold = 0.0
        elif self._followed is not None:
            followed = self._followed
            self._try(lambda: self._files_changed(followed))
        return bool(self._hold)

    def _until_settled(self, now: float) -> float | None:
        due = self._burst.due
        return None if due is None else max(0.0, due - now)

    def _follow(self, files: Followed) -> None:
        """Follow the files. Changes that cannot be seen are looked for later."""
        problems = files.follow(self._files or PLACES)
        for problem in problems:
            if problem not in self._unseen:
                self.journal.warning(problem)
        self._unseen = problems
        if problems:
            self._read_later()

    def _read_later(self) -> None:
        self._burst.changed(monotonic() + self._patience.next())

    def _reload(self, files: Followed, *, forced: bool = False) -> None:
        """Read the files again; with an error in them the declarations of before stay. A file that
        cannot be read for a reason that may pass is read again later."""
        self.service.reloading()
        try:
            self._follow(files)
            found = self._content()
            digest = configuration(found)
            if forced or digest != self._digest:
                declared = self._parsed(found)
                check_reload(len(self._declared), len(declared), self._rails)
                self.controller.load(declared, digest)
                self._load_tasks(declared)
                self._declared, self._digest = declared, digest
                self.journal.info(f"read again: {counted(len(declared), 'alias')} declared")
                self._act()
            self._complaint = ""
            if not self._unseen:
                self._patience.reset()
        except Exception as error:  # of the files, or a bug: neither may end the watcher
            passing = isinstance(error, MemoryError) or getattr(error, "errno", 0) in PASSING
            before, self._complaint = self._complaint, str(error) or "memory" if passing else ""
            if forced or not passing or self._complaint != before:
                self._failed(error)
                self.journal.error("the previous declarations stay in force")
            if passing:
                self._read_later()
        self.service.ready(self._summary())

    # Events

    def _hear(self, event: Event) -> None:
        self.keeper.hear(event)
        self.tunnels.hear(event)
        self.relays.hear(event)

    def _read_events(self, most: int = ROOM) -> None:
        self._try(lambda: self.controller.read_events(most))
        self._act()

    def _act(self) -> None:
        """Act on the events, and on their effects on texts, proxy entries and announcements."""
        if self._is_held():
            return
        controller = self.controller
        self._try(controller.act)
        if controller.touched:
            self.texts.changed()
        if controller.touched or self.responder.active:
            self.responder.changed()
        if controller.republish:
            self._try(self._republish)
        if controller.linked:
            self._try(lambda: self.reannouncer.after_carrier(controller.linked))
        if controller.readdressed:
            self._try(lambda: self.reannouncer.after_mac(controller.readdressed))
        controller.touched = controller.republish = False
        controller.linked, controller.readdressed = set(), set()
        self._report_status()

    def _until_act(self, now: float) -> float | None:
        wake = self.controller.wake
        return None if wake is None else max(0.0, wake - now, self._hold - now)

    def _lock_released(self) -> None:
        """Another process may have released the lock."""
        self._try(self._learn_published)
        self._try(self.keeper.learn)
        self._try(self.tunnels.learn)
        self._act()

    def _learn_published(self) -> None:
        """Learn what is published, and restore what the kernel has dropped meanwhile."""
        seen = self.republisher.seen()
        self.controller.read_events()
        # A device that came up after an unread event has lost entries that only the kernel had.
        self.republisher.learn(None if self.controller.republish else seen)
        self._republish()

    def _relayed(self) -> None:
        """What relays publish may have changed."""
        self._learn_published()
        self.responder.changed()

    def _republish(self) -> None:
        done, failures = self.republisher.restore()
        for failure in failures:
            self.journal.error(failure.error.line())
        if done:
            self.journal.info(f"{counted(done, 'address')} published again")

    def _renew(self, now: float) -> None:
        for failure in self.renewer.renew(now):
            self.journal.error(failure.error.line())

    def _announce(self, now: float) -> None:
        self._try(lambda: self.reannouncer.announce_due(now))

    # Reports

    def _summary(self) -> str:
        wished, healed = self.controller.wished, self.controller.healed
        text = f"{counted(len(wished), 'alias')} declared on {counted(len(wished.mains), 'device')}"
        if self._declared.tasks:
            text += f"; {counted(len(self._declared.tasks), 'line')} beside them"
        return f"{text}; {healed} put right" if healed else text

    def _report_status(self) -> None:
        """Send the summary to the service manager when it has changed."""
        counted = self.controller.wished, self.controller.healed
        if counted == self._counted:
            return
        self._counted = counted
        before, self._status = self._status, self._summary()
        if self._status != before:
            self.service.status(self._status)

    def _until_alive(self, now: float) -> float | None:
        assert self.service.watchdog is not None
        return max(0.0, self._alive + self.service.watchdog - now)

    def _report_alive(self, now: float) -> None:
        self._alive = now
        self.service.alive()

    def _try(self, work: Callable[[], object]) -> None:
        """Call *work*; an error, or a bug, is logged and ends nothing."""
        try:
            work()
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, errors.NetaliasError):
            self.journal.error(report(error))
            return
        for detail in error.details:
            self.journal.error(detail)
        self.journal.error(error.line())
