"""The watcher: one controller, and the parts around it, in one loop."""

from __future__ import annotations

import signal
from os import stat
from time import monotonic, sleep, time

from netalias import errors, trust
from netalias.engine.reconcile import Rules
from netalias.kernel.netlink.monitor import TURN, Monitor
from netalias.kernel.netlink.subscription import ROOM, port_id_of
from netalias.runtime import TEXTS, RuntimeDirectory
from netalias.runtime.instance import Instance
from netalias.system.bug import report
from netalias.system.guarded import Guarded
from netalias.system.inotify import Followed
from netalias.system.journal import Journal
from netalias.system.loop import Loop, Reader, Timer
from netalias.system.netns import device_table
from netalias.system.signals import DEFAULT, Signals
from netalias.watch.announcer import Announcer
from netalias.watch.checkpoint import Checkpoint
from netalias.watch.claims import Claims
from netalias.watch.controller import Controller
from netalias.watch.directory import Directory
from netalias.watch.files import Files
from netalias.watch.following import Following
from netalias.watch.health import Health, MetricsFile
from netalias.watch.keeper import Keeper, open_nat
from netalias.watch.periodic import LeaseRenewer, Reannouncer, Republisher
from netalias.watch.pools import Pools
from netalias.watch.records import kept_in
from netalias.watch.relays import Relays
from netalias.watch.release import release
from netalias.watch.reloading import Reloading, check_reload
from netalias.watch.report import report_restored
from netalias.watch.responder import Responder, served_in
from netalias.watch.settings import Settings
from netalias.watch.starter import Starter
from netalias.watch.status import Status
from netalias.watch.takeover import Beginning, Remaining, Takeover
from netalias.watch.texts import TextService

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar

    from netalias.claim.session import ClaimSession
    from netalias.desired.declarations import Declarations
    from netalias.engine import Engine
    from netalias.model.events import Event
    from netalias.system.loop import Pollable

    T = TypeVar("T")


RESTART = signal.SIGUSR1
"""The signal before a restart of the service (RestartKillSignal= of systemd.kill(5))."""


class Watcher:
    """One run. *engine* does not wait for the lock.

    Raises an error that prevents the start: UsageError, StateError, NotPermitted, LockBusy,
    KernelError.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        # Its own releases of the lock are no reason to look what others have done.
        runtime = RuntimeDirectory(engine.setup.namespace, engine.setup.wait, heard=False)
        # Without texts: see TextService.
        engine = engine.derived(texts=False, claimant=self._session, runtime=runtime)
        self.engine = engine
        self.status = errors.STATUS_OK
        self.journal = Journal(quiet=settings.quiet, verbose=settings.verbose)
        self._settings = settings
        files = Files(settings.files, engine.registry, settings.most)
        self.reloading = Reloading(files, self.journal, monotonic, self._settled, self._failed)
        self.reloading.read()
        engine.kernel.permitted()
        self._folder = self._locked(str, settings.wait)
        self._start = start = self._taken() if settings.takeover else Beginning()
        self._successor = 0
        self._reloading = self._restarting = False
        self.service = start.service
        usual = f"{self._folder}/net" if settings.private_texts else TEXTS
        self._place = trust.absolute(settings.texts or usual)
        own = port_id_of(engine.kernel.fileno())
        events = start.take("events")
        self.monitor = engine.within(
            lambda: Monitor(media=False, connected=True, latest=own, adopted=events)
        )
        self.checkpoint = Checkpoint(self._folder, self._act, self.journal.warning)
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
        self.renewer = LeaseRenewer(self.controller, start.leases)
        self._summary = Status(self.service, self.controller, monotonic())
        self.claims.checked = self.controller.checked
        self.keeper = Keeper(
            engine, self.monitor.state, self.journal, monotonic, self._folder, open_nat
        )
        self.following = Following(
            engine, state, self.journal, monotonic, self._folder, self._relayed
        )
        self.starter = Starter(start.take("alive"), start.take("lifeline"))
        self.tunnels = self.starter.tunnels(engine, self.journal, self._folder, self.relays.load)
        self.tunnels.take_over(start)
        if start.tunnels:
            self.relays.resume(self.tunnels.former())
        self.records = kept_in(engine, state, self.journal, monotonic, self._folder)
        self.pools = Pools(
            self.controller, self.claims, self.journal, monotonic, self._folder, settings.program
        )
        self.controller.hear = self._hear
        self.reannouncer = Reannouncer(
            self.controller, self.journal, self._folder, start.announced, self.claims,
            self.announcer,
        )  # fmt: skip
        self.health = Health(self.controller, start.since, self.pools.counts)
        self.controller.resume(start.healed)
        self._metrics: MetricsFile | None = None
        if settings.metrics:
            self._metrics = MetricsFile(
                self.health, engine, self.journal, trust.absolute(settings.metrics),
                settings.metrics_aliases, time,
            )  # fmt: skip

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
        """Watch until a signal, or until another watcher has taken over; the exit status."""
        lock = self._start.take("lock")
        with (
            self._start,
            Instance(self._folder, self.reloading.names, lock, self._settings.words) as instance,
            Signals((*DEFAULT, RESTART)) as signals,
        ):
            self.instance, self._signals = instance, signals
            # Children send announcements; the kernel reaps them.
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            with Followed() as files, self.checkpoint:
                self.texts = self._made_texts()
                self.takeover = Takeover(
                    self._folder, self._settings.program, self.journal, self.texts, self._give
                )
                directory = self._directory(instance)
                try:
                    self._begin(files)
                    self._serve(self._parts(signals, directory))
                    if self._successor:
                        self._serve([Remaining(self.announcer, signals, lambda: self._loop.end())])
                    else:
                        self._try(lambda: self.texts.write(monotonic()))
                finally:
                    self._close(directory)
        return self.status

    def _serve(self, parts: Iterable[Pollable]) -> None:
        self._loop = Loop([Guarded(part, monotonic, self._failed) for part in parts], monotonic)
        self._loop.run()

    def _close(self, directory: Directory) -> None:
        """Close all parts; what another watcher has, or has still, is left as it is, and before a
        restart of the service what the next one goes on with."""
        shared = bool(self._successor) or not self._start.accepted
        left = shared or self._restarting
        if self._metrics is not None and not shared:
            self._try(self._metrics.close)
        self.takeover.close(leave=shared)
        directory.close()
        self.keeper.close()
        if self._restarting:
            self._try(self.tunnels.rest)
        else:
            self.tunnels.close(leave=shared)
        self.records.close(leave=left)
        if not left:
            self._try(self.relays.close)
        giving = self._settings.release and not left
        self._try(lambda: self.pools.close(release=giving, wait=not shared))
        self.claims.close()
        self.announcer.close()
        self.responder.close()
        self.texts.close(leave=shared)
        self.monitor.close()

    def _session(self, *words: Any) -> ClaimSession:
        return self.claims.session(*words)

    def _directory(self, instance: Instance) -> Directory:
        return Directory(
            self._folder,
            instance,
            self.journal,
            make=lambda: self._locked(str, 0),
            released=self._lock_released,
            restored=self._restored,
            superseded=self._superseded,
        )

    def _restored(self) -> None:
        self.texts.restore()
        self.takeover.restore()

    def _superseded(self, error: errors.NetaliasError) -> None:
        """End: while the runtime directory was gone another watcher has begun."""
        self._failed(error)
        self.status = error.status
        self._loop.end()

    def _begin(self, files: Followed) -> None:
        self.reloading.begin(files)
        for _ in self.monitor.start():
            pass
        declared = self.reloading.declared
        self._load(declared, self.reloading.digest)
        self.controller.start()
        self.republisher.learn(self.republisher.seen())
        self._act()
        self._work()  # who starts it may ask at once
        self._read_events()  # the changes of _act() are known by their events only
        self.texts.write(monotonic())
        self._start.accept()
        self.tunnels.accepted()
        self.takeover.restore()
        self._summary.begun()
        self._settings.ready()
        self.journal.info(f"watching: {self._summary.text()}")
        if not len(declared) and not declared.tasks:
            where = " and ".join(self.reloading.names) or "the usual files"
            self.journal.warning(f"nothing is declared in {where} yet: no alias is kept")

    def _made_texts(self) -> TextService:
        namespace = self.engine.within(lambda: stat("/proc/thread-self/ns/net").st_ino)
        return TextService(
            self.controller,
            self.journal,
            monotonic,
            place=self._place,
            namespace=namespace,
            table=self.engine.within(device_table),
            wanted=bool(self._settings.texts),
            health=self.health,
            first=self.announcer.due,
            adopted=(self._start.take("claim"), self._start.take("texts")),
        )

    def _parts(self, signals: Signals, directory: Directory) -> list[Pollable]:
        summary = self._summary
        parts: list[Pollable] = [
            *self._settings.beside,  # the end comes first: a turn in a flood takes a while
            Reader([signals.fileno()], lambda: self._signalled(signals.read())),
            Reader(self.monitor.filenos(), lambda: self._read_events(TURN)),
            Timer(self.keeper.due, lambda now: self._try(lambda: self.keeper.act(now))),
            Timer(self.following.due, lambda now: self._try(lambda: self.following.act(now))),
            Timer(self._until_act, lambda now: self._act()),
            self.pools,
            self.tunnels,
            self.records,
            Timer(self.relays.due, lambda now: self._try(lambda: self.relays.act(now))),
            self.claims,
            self.announcer,
            self.responder,
            directory,
            *self.reloading.parts(),
            self.checkpoint,
            Timer(self.reannouncer.due, self._announce),
            Timer(self.renewer.due, lambda now: self._try(lambda: self._renew(now))),
            *self.texts.parts(),
            Timer(summary.due, summary.tick),
            self.takeover,
        ]
        if self._metrics is not None:
            parts.append(Timer(self._metrics.due, self._metrics.write))
        return parts

    def _signalled(self, numbers: set[int]) -> None:
        if signal.SIGHUP in numbers:
            self._reload(forced=True)
        ending = numbers & {signal.SIGTERM, signal.SIGINT, RESTART}
        if ending:
            self._loop.end()
            self.service.stopping()
            self._restarting = ending == {RESTART} and self.service.told
            if signal.SIGINT in ending and signal.SIGTERM not in ending:
                self.status = errors.STATUS_INTERRUPTED
            if self._settings.release and not self._restarting:
                found = release(self.controller, self.journal, self._locked, self._failed)
                self.status = found or self.status

    # One watcher after the other

    def _taken(self) -> Beginning:
        from netalias.watch import handing

        cookie = self.engine.kernel.cookie()
        return handing.take(self._folder, self._settings.program, self.journal, cookie)

    def _give(self, reply: socket) -> None:
        """Hand over to the process behind *reply*, or go on."""
        from netalias.watch import handing

        self._read_events()  # those that come now are the other one's
        signals = [self._signals.fileno()]
        try:
            self._successor = handing.give(reply, self, self._settings.program, signals)
        except errors.StateError as error:
            self.journal.warning(error.line())
            self.monitor.lost = True  # the other one may have read some events
            self.instance.tell()
            self.tunnels.tell()
            self._try(self.records.tell)
            self._restored()
            self._act()
            return
        self.journal.notice(f"pid {self._successor} watches from now on")
        self._loop.end()

    # Declarations

    def _load(self, declared: Declarations, digest: str) -> None:
        self.controller.load(declared, digest)
        self._summary.tasks = len(declared.tasks)
        self.keeper.load(declared.tasks)
        self.following.load(declared.tasks)
        self.tunnels.load(declared.tasks)
        self._try(lambda: self.records.load(declared.tasks))
        self.pools.load(declared.tasks)

    def _take(self, declared: Declarations, digest: str) -> None:
        """Go by declarations that were read again. Raises StateError for a loss that is no
        intention, and whatever keeps them from being taken over."""
        check_reload(self.reloading.declared, declared, self._rails)
        self._load(declared, digest)
        self.journal.info(self._summary.read_again(len(declared)))
        self._act()
        self._work()

    def _work(self) -> None:
        """Do what lines ask for that are no aliases."""
        for work in (self.keeper.act, self.following.act, self.tunnels.tick, self.records.tick):
            self._try(lambda work=work: work(monotonic()))  # type: ignore[misc]

    def _reload(self, *, forced: bool = False) -> None:
        """Read the files again."""
        self.service.reloading()
        self._reloading = False  # until all of it has been tried
        self.reloading.reload(self._take, forced=forced)
        self._reloading = True
        self._reloaded()

    def _reloaded(self) -> None:
        """Tell the end of a reload once it is one: what the files declare was brought about, or
        what of it cannot be was told. Another process may have the lock until then."""
        if self._reloading and not self.controller.waiting:
            self._reloading = False
            self._summary.begun()

    def _settled(self) -> None:
        """Read changed files again, and do what has waited for that."""
        self._reload()
        self._act()

    # Events

    def _hear(self, event: Event) -> None:
        for part in (
            self.keeper, self.following, self.tunnels, self.relays, self.records, self.pools,
        ):  # fmt: skip
            part.hear(event)

    def _read_events(self, most: int = ROOM) -> None:
        self._try(lambda: self.controller.read_events(most))
        self._try(lambda: self.keeper.ahead(monotonic()))
        self._act()

    def _act(self) -> None:
        """Act on the events, and on their effects on texts, proxy entries and announcements."""
        if self.reloading.held():
            return
        controller = self.controller
        self._try(controller.act)
        if controller.touched:
            self.texts.changed()
        if controller.touched or self.responder.active:
            self.responder.changed()
        if controller.republish:
            self._try(lambda: self.republisher.put_back(self.journal))
        if controller.linked:
            self._try(lambda: self.reannouncer.after_carrier(controller.linked))
        if controller.readdressed:
            self._try(lambda: self.reannouncer.after_mac(controller.readdressed))
        controller.touched = controller.republish = False
        controller.linked, controller.readdressed = set(), set()
        self._summary.report()
        self._reloaded()

    def _until_act(self, now: float) -> float | None:
        wake = self.controller.wake
        return None if wake is None else max(0.0, wake - now, self.reloading.hold - now)

    def _lock_released(self) -> None:
        """Another process may have released the lock."""
        self._try(lambda: self.republisher.look(self.controller, self.journal))
        self._try(self.keeper.learn)
        self._try(self.tunnels.learn)
        self._act()

    def _relayed(self) -> None:
        """Look again at the publications: those of relays may have changed."""
        self.republisher.look(self.controller, self.journal)
        self.responder.changed()

    def _renew(self, now: float) -> None:
        for failure in self.renewer.renew(now):
            self.journal.error(failure.error.line())

    def _announce(self, now: float) -> None:
        self._try(lambda: self.reannouncer.announce_due(now))

    # Reports

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
