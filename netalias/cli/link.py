"""The verb link, and show physical: packets over tcp, udp, terminals, programs, network devices."""

from __future__ import annotations

from netalias import errors
from netalias.cli.output import narrow, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.cli import Options
    from netalias.links.runner import LinkRunner
    from netalias.links.session import Session, Terms
    from netalias.links.takeover import Received
    from netalias.runtime.links import Served
    from netalias.system.loop import Pollable
    from netalias.tunnels.tun import Tun

RUN, TAKEOVER = ACTIONS = ("run", "takeover")
EXAMPLE = "netalias link run link0 192.0.2.1:6669/udp"


class Request:
    """The words of ``link run NAME DEVICE...`` and its options, all of them checked."""

    __slots__ = ("action", "cookie", "devices", "levels", "mtu", "name", "ready", "terms")

    cookie: int
    """The cookie of the namespace, once it is known."""
    ready: Callable[[], object]
    """Called once the device is served."""

    def __init__(self, options: Options, words: Sequence[str]) -> None:
        """Raises UsageError."""
        from netalias.links import carrier, lcp, levels
        from netalias.links.devices import parse
        from netalias.links.runner import MTU_LEAST, MTU_MOST
        from netalias.links.session import Terms

        self.action = words[0] if words else ""
        if self.action not in ACTIONS:
            text = (
                f"{f'link {self.action}'.rstrip()}: there is only link {' and link '.join(ACTIONS)}"
            )
            raise errors.UsageError(text, EXAMPLE)
        if len(words) < 3:
            raise errors.UsageError(f"link {self.action} needs a name and a device", EXAMPLE)
        self.name, self.devices = words[1], list(words[2:])
        for word in self.devices:
            parse(word)
        if (options.filter or options.link_local) and not options.tap:
            raise errors.UsageError("--filter needs --tap: packets of IP have no types of Ethernet")
        if options.link_local and not options.filter:
            raise errors.UsageError("--link-local needs --filter", EXAMPLE)
        if options.filter and options.bundle:
            raise errors.UsageError("--filter --bundle: a bundle carries all frames")
        if options.detach and any(parse(word).inherited for word in self.devices):
            raise errors.UsageError("--detach: what is on a descriptor of a command ends with it")
        if options.bundle:
            from netalias.links.bundle.runner import usual_mtu
        else:
            from netalias.links.runner import usual_mtu
        self.mtu = usual_mtu(self.devices, tap=options.tap)
        if options.mtu:
            self.mtu = _number("--mtu", options.mtu, MTU_LEAST, MTU_MOST)
        content = lcp.content(tap=options.tap, bundle=options.bundle)
        self.terms: Terms = Terms(content, cd=carrier.parse(options.cd), sync=options.sync)
        self.levels = levels.parse(options.log)


def _number(option: str, text: str, least: int, most: int) -> int:
    from netalias.model import names

    found = names.number(text, len(str(most)))
    if not least <= found <= most:
        raise errors.UsageError(f"{option} {text}: a number from {least} to {most} is needed")
    return found


def link(options: Options, words: list[str]) -> int:
    """Serve one network device by one link until a signal, with --detach in a process that stays
    behind; the exit status."""
    asked = Request(options, words)
    if not options.detach:
        return _link(options, asked, lambda: None)
    from netalias.system.detached import detached

    return detached(lambda ready: _link(options, asked, ready))


def _link(options: Options, asked: Request, ready: Callable[[], object]) -> int:
    import gc

    asked.ready = ready

    gc.enable()  # the launcher disables it for short commands
    with options.engine() as engine, engine.transaction() as transaction:
        folder, asked.cookie = transaction.path, engine.kernel.cookie()
    served = _serve
    if options.bundle:
        served = __import__("netalias.cli.bundle", fromlist=["serve"]).serve
    if not options.netns:
        return served(options, asked, folder)
    from netalias.system.netns import entered

    with entered(options.netns):
        return served(options, asked, folder)


def _serve(options: Options, asked: Request, folder: str) -> int:
    import signal
    from time import monotonic

    from netalias.cli.until import Until
    from netalias.links.levels import Log
    from netalias.links.record import Recorder
    from netalias.links.runner import LinkRunner as Runner
    from netalias.links.session import Session
    from netalias.links.takeover import Giver
    from netalias.system.signals import Signals

    until = Until(options)
    if until.over:
        return errors.STATUS_OK
    held = Held(options, asked, folder)
    came = held.came
    recorder = Recorder(folder, asked.name, asked.terms.content, held.service)
    log = Log(saying(options), asked.name, asked.levels)
    runner = Runner(held.tun, held.mtu, lambda: recorder.write([session], [runner.beside.words()]))
    session = Session(asked.devices, asked.terms, log, runner.deliver, runner.changed)
    giver = Giver(held.server, held.version, runner, [session], held.service)
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps programs
        for link in came.links if came else ():
            session.adopt(link, monotonic())
        if held.resized:
            runner.fit(session)
        part = _beside(options, runner, session, folder, asked.cookie, came)
        with Signals() as signals:
            recorder.ready([session])
            asked.ready()
            runner.run(session, signals, [giver, part, *until.parts])
    finally:
        held.tun.close()
        recorder.close(given=giver.given)
        giver.close()
    return errors.STATUS_KERNEL if session.over and not session.was_open else errors.STATUS_OK


class Held:
    """A network device that is new, or was taken over: ``tun``, its ``mtu``, what ``came`` with it,
    the ``server`` at whose rendezvous it is given on, the ``version`` with which, and the
    ``service`` that this process is. ``resized``: it came, and is to get another MTU."""

    def __init__(self, options: Options, asked: Request, folder: str) -> None:
        """Raises NetaliasError."""
        from netalias import __version__
        from netalias.links import handover, takeover
        from netalias.system.sdnotify import Service, taken_over

        self.version = handover.version(__version__)
        self.came: Received | None = None
        patience = 0.0
        if asked.action == TAKEOVER:
            content, patience = asked.terms.content, takeover.PATIENCE
            self.came = takeover.receive(folder, asked.name, self.version, content)
        self.server = takeover.served(folder, asked.name, patience)
        try:
            self.tun = self.came.tun if self.came else _made(options, asked)
        except BaseException:
            self.server.close()
            raise
        self.service, self.mtu, self.resized = Service(), asked.mtu, False
        if self.came:
            self.service = taken_over(self.service, self.came.service)
            self.resized = bool(options.mtu)
            self.mtu = asked.mtu if self.resized else self.came.mtu


def _beside(
    options: Options,
    runner: LinkRunner,
    session: Session,
    folder: str,
    cookie: int,
    came: Received | None,
) -> Pollable:
    """Filters for frames of Ethernet; for IP packets the translation of former addresses."""
    if runner.tun.tap:
        from netalias.filters import serving

        held = serving.unpacked(came.filters) if came else None
        asked, link_local = options.filter, options.link_local
        return serving.Filtering(runner, session, asked=asked, link_local=link_local, held=held)
    from netalias.tunnels.translating import Translating

    return Translating(runner, folder, cookie)


def _made(options: Options, asked: Request) -> Tun:
    """A new network device, which is up. Raises NetaliasError."""
    from netalias.links import netdev
    from netalias.tunnels import tun

    device = tun.create(asked.name, tap=options.tap, offload=not options.tap)
    try:
        netdev.raise_device(asked.name, asked.mtu)
    except BaseException:
        device.close()
        raise
    return device


def saying(options: Options) -> Callable[[str, str], None]:
    """The journal for lines of a level: a phase is an event, and what is finer was asked for."""
    from netalias.links.levels import PHASE
    from netalias.system.journal import DEBUG, INFO, WARNING, Journal

    priorities = {"warning": WARNING, PHASE: INFO}
    journal = Journal(quiet=options.quiet, verbose=not options.quiet)
    return lambda level, text: journal.say(priorities.get(level, DEBUG), text)


def physical(options: Options, words: list[str]) -> int:
    """Print the links of all network devices that are served by link, or of those called *words*;
    the exit status."""
    from netalias.views import links as views

    served = recorded(options, words)
    if options.json:
        from netalias.views import json

        write(json.render(views.physical(served), pretty=options.pretty))
    elif served:
        narrow(views.HEADINGS, views.rows(served), "netalias -j show physical", views.DROPPED)
    return errors.STATUS_OK


def recorded(options: Options, words: Sequence[str]) -> list[Served]:
    """The records of all network devices that are served by link, or of those called *words*.
    Raises NoSuchDevice."""
    from netalias.runtime import links, owned

    with options.engine() as engine:
        # Anybody may read them.
        path = owned(engine.runtime.path, engine.setup.cookie or engine.kernel.cookie())
    found = links.all_served(path)
    missing = [word for word in words if word not in {one.name for one in found}]
    if missing:
        raise errors.NoSuchDevice(f"{missing[0]}: no link has this name", "netalias show physical")
    return [one for one in found if not words or one.name in words]
