"""The verb record: the service record of a device, once or for as long as the command runs."""

from __future__ import annotations

import sys

from netalias import errors
from netalias.cli.output import write
from netalias.cli.until import Until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.cli import Options
    from netalias.desired.records import RecordLine
    from netalias.engine import Engine
    from netalias.record import Record
    from netalias.record.lock import Lock
    from netalias.system.loop import Loop, Pollable
    from netalias.watch.records import Output

EXAMPLE = "netalias record tap0"
LINE_WORDS = {"file": "--file", "limit": "--limit", "clients": "--clients-file"}
"""Words of a line of a file, and the options that say the same."""
STDOUT = 1
AWAITED = "there is no such device, it is waited for"


class Once:
    """An output that keeps the record. ``record`` is the last one."""

    record: Record | None = None

    def stands(self) -> bool:
        """Always."""
        return True

    def put(self, record: Record | None) -> None:
        """Keep a record."""
        self.record = record

    def files(self) -> list[str]:
        """None."""
        return []


class Printed(Once):
    """An output that prints each record of the device *name*."""

    def __init__(self, name: str, *, json: bool) -> None:
        self._name = name
        self._json = json
        self._last = ""

    def put(self, record: Record | None) -> None:
        """Print a record, or that there is no such device."""
        from netalias.views import json
        from netalias.views import record as view

        if self._json:
            text = json.line(view.fields(record) if record else view.away(self._name))
        else:
            text = view.text(record) if record else f"{self._name}: {AWAITED}\n"
        if text != self._last:  # what has changed need not be told
            self._last = text
            write(text)
        sys.stdout.flush()


class Hangup:
    """A part of a loop that ends it when the reader of standard output has gone."""

    def wanted(self, now: float) -> dict[int, int]:
        """Standard output, for POLLERR."""
        return {STDOUT: 0}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Raises BrokenPipeError."""
        raise BrokenPipeError

    def due(self, now: float) -> None:
        """Never."""

    def tick(self, now: float) -> None:
        """Nothing."""


def record(options: Options, words: list[str]) -> int:
    """Print the record of a device, or write it to a file; the exit status. With ``--follow`` again
    whenever it changes, until a signal."""
    for word in words[1:]:
        if word in LINE_WORDS:
            hint = f"did you mean {LINE_WORDS[word]}?"
            raise errors.UsageError(f"record {words[0]}: {word} is a word of files", hint)
    if len(words) != 1:
        raise errors.UsageError("record needs the name of one device", EXAMPLE)
    if (options.until or options.exit_when_down) and not options.follow:
        raise errors.UsageError("--exit-when-down belongs to --follow")
    if options.json + options.sdp + options.txt > 1:
        raise errors.UsageError("-j, --sdp and --txt exclude each other")
    if options.sdp and not options.file and (options.follow or _is_terminal()):
        raise errors.UsageError("--sdp gives bytes, not text", "--file FILE takes them")
    line = _line(options, words[0])
    with options.engine() as engine:
        return _follow(options, engine, line) if options.follow else _once(options, engine, line)


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _write_bytes(content: bytes) -> None:
    """Raises StateError, OSError."""
    if sys.stdout is None:
        raise errors.StateError("standard output is closed")
    sys.stdout.buffer.write(content)


def _renderer(options: Options) -> Callable[[Record], bytes]:
    """The form that a record has in a file."""
    from netalias.watch.filed import as_json

    if options.sdp:
        from netalias.record.spec import sdp

        return sdp
    if options.txt:
        from netalias.record.txt import text

        return text
    return as_json


def _line(options: Options, name: str) -> RecordLine:
    """The line that says the same as the options. Raises UsageError."""
    from netalias.cli import number
    from netalias.desired.records import USUAL_LIMIT, RecordLine
    from netalias.model import names

    names.check_device(name, limit=names.ALTNAME_MAX)
    limit = number("--limit", options.limit, USUAL_LIMIT, 1)
    return RecordLine(name, options.file, limit, options.clients or "0")


def _once(options: Options, engine: Engine, line: RecordLine) -> int:
    """Print or write the present record."""
    from netalias.model.names import number
    from netalias.record.file import read
    from netalias.watch.filed import Filed

    if number(line.clients) < 0:
        read(line.clients)  # one that cannot be read is an error here, and told once
    output = Once()
    following = Following(options, engine, line, output)
    following.close(leave=True)
    found = output.record
    if found is None:
        raise errors.NoSuchDevice(f"{line.subject}: there is no such device")
    if line.file:
        Filed(line.file, _renderer(options)).put(found)
    elif options.sdp:
        _write_bytes(_renderer(options)(found))
    elif options.txt:
        write(_renderer(options)(found).decode())
    elif options.json:
        from netalias.views import json
        from netalias.views import record as view

        write(json.render([view.fields(found)], pretty=options.pretty))
    else:
        from netalias.views import record as view

        write(view.text(found))
    return errors.STATUS_OK


def _follow(options: Options, engine: Engine, line: RecordLine) -> int:
    """Let the output have every record until a signal; the exit status."""
    import gc

    gc.enable()  # the launcher disables it for short commands
    if sys.stdout is None and not line.file and not options.txt:
        raise errors.StateError("standard output is closed")
    output = _output(options, engine, line)
    until = engine.within(lambda: Until(options))
    if until.over:
        return errors.STATUS_OK
    lock = _locked(engine, line.file) if line.file else None
    try:
        following = Following(options, engine, line, output)
        printed = isinstance(output, Printed)
        try:
            if not printed:
                following.tell_absence()
            return following.run(until.parts, hangup=printed)
        finally:
            following.close(leave=printed)
    finally:
        if lock is not None:
            lock.close()


def _locked(engine: Engine, path: str) -> Lock:
    """The lock of a file, which nobody else keeps. Raises StateError."""
    from netalias.record.file import RecordFile
    from netalias.record.lock import Lock
    from netalias.runtime.tasks import carried_out

    file = RecordFile(path)
    for words in map(str.split, carried_out(engine.runtime.path)):
        if words[0] == "record" and words[3] == file.path:
            raise errors.StateError(f"{file.path}: the watcher keeps it for {words[1]}")
    return Lock(file.way())


def _output(options: Options, engine: Engine, line: RecordLine) -> Output:
    """The place of the records that follow: a file, the network, or standard output."""
    if line.file:
        from netalias.watch.filed import Filed

        return Filed(line.file, _renderer(options))
    if options.txt:
        from netalias.record.dnssd import Announced

        return Announced(engine.within)
    return Printed(line.subject, json=options.json)


class Following:
    """One record and the events that change it; its first one is put. Raises StateError,
    KernelError."""

    def __init__(self, options: Options, engine: Engine, line: RecordLine, output: Output) -> None:
        from time import monotonic

        from netalias.kernel.netlink import heard
        from netalias.kernel.netlink.ethtool import Media
        from netalias.system.journal import Journal
        from netalias.watch.records import Records

        self._clock = monotonic
        self._name = line.subject
        self._journal = Journal(quiet=options.quiet, verbose=options.verbose)
        self._monitor = engine.within(lambda: heard.monitor(media=False))
        for _ in self._monitor.start():
            pass
        self._records = Records(
            self._monitor.state,
            self._journal,
            monotonic,
            lambda: engine.within(Media),
            lambda _: output,
        )
        self._records.load([line])
        self._records.tick(monotonic())
        self._heard = heard.Heard(self._monitor, self._records.hear)
        self._status = errors.STATUS_OK

    def tell_absence(self) -> None:
        """Log that the device is waited for, where it is not there."""
        names = {
            name for one in self._monitor.state.devices() for name in (one.name, *one.altnames)
        }
        if self._name not in names:
            self._journal.info(f"{self._name}: {AWAITED}")

    def run(self, beside: Iterable[Pollable], *, hangup: bool) -> int:
        """Follow until SIGTERM, SIGINT or SIGHUP; with *hangup* until nobody reads standard output.
        *beside*: other parts of the loop. The exit status."""
        from netalias.system.loop import Loop, Reader
        from netalias.system.signals import Signals

        with Signals() as signals:
            self._loop: Loop = Loop(
                [
                    *beside,
                    Reader([signals.fileno()], lambda: self._signalled(signals.read())),
                    self._heard,
                    self._records,
                    *([Hangup()] if hangup else []),
                ],
                self._clock,
            )
            self._loop.run()
        return self._status

    def _signalled(self, numbers: set[int]) -> None:
        from signal import SIGINT

        if numbers == {SIGINT}:
            self._status = errors.STATUS_INTERRUPTED
        self._loop.end()

    def close(self, *, leave: bool = False) -> None:
        """Withdraw the record, or *leave* it, and close the sockets."""
        self._records.close(leave=leave)
        self._monitor.close()
