"""``link run --bundle``: one network device over several links at once; and show bundle."""

from __future__ import annotations

from netalias import errors
from netalias.cli.output import narrow, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options
    from netalias.cli.link import Request
    from netalias.links.bundle.runner import BundleRunner
    from netalias.links.record import Recorder
    from netalias.links.session import Session


def serve(options: Options, asked: Request, folder: str) -> int:
    """Serve one network device by links over all devices at once, until a signal; the exit
    status."""
    import signal
    from time import monotonic

    from netalias.cli.link import Held
    from netalias.cli.until import Until
    from netalias.links.bundle.runner import BundleRunner
    from netalias.links.record import Recorder
    from netalias.links.takeover import Giver
    from netalias.system.signals import Signals

    until = Until(options)
    if until.over:
        return errors.STATUS_OK
    held = Held(options, asked, folder)
    recorder = Recorder(folder, asked.name, asked.terms.content, held.service)
    runner = BundleRunner(held.tun, held.mtu, asked.devices, lambda: _record(recorder, runner))
    sessions = _sessions(options, asked, runner)
    giver = Giver(held.server, held.version, runner, sessions, held.service)
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps programs
        if held.came:
            runner.adopt(held.came.bundle, held.came.links, sessions, monotonic())
        if held.resized:
            runner.fit()
        with Signals() as signals:
            recorder.ready(sessions)
            asked.ready()
            runner.run(sessions, signals, [giver, *until.parts])
    finally:
        held.tun.close()
        recorder.close(given=giver.given)
        giver.close()
    return errors.STATUS_OK


def _sessions(options: Options, asked: Request, runner: BundleRunner) -> list[Session]:
    """One for each device, with the word of the device in its lines of the log."""
    from netalias.cli.link import saying
    from netalias.links.levels import Log
    from netalias.links.session import Session

    say = saying(options)
    return [
        Session(
            [word],
            asked.terms,
            Log(say, f"{asked.name}: {word}", asked.levels),
            runner.received(index),
            runner.changed(index),
        )
        for index, word in enumerate(asked.devices)
    ]


def _record(recorder: Recorder, runner: BundleRunner) -> None:
    from netalias.links.bundle.record import about, each

    recorder.write(runner.sessions, each(runner.bundle), about(runner.bundle, runner.dropped))


def show(options: Options, words: list[str]) -> int:
    """Print the bundles that are served, or those called *words*; the exit status."""
    from netalias.cli.link import recorded
    from netalias.views import bundles

    served = [one for one in recorded(options, words) if one.content == "bundle"]
    missing = set(words) - {one.name for one in served}
    if missing:
        raise errors.NoSuchDevice(f"{min(missing)}: it is no bundle", "netalias show bundle")
    if options.json:
        from netalias.views import json

        write(json.render(bundles.objects(served), pretty=options.pretty))
    elif served:
        narrow(bundles.HEADINGS, bundles.rows(served), "netalias -j show bundle", bundles.DROPPED)
    return errors.STATUS_OK
