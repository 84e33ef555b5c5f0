"""The verb monitor: what happens to main devices and aliases, line by line, as it happens."""

from __future__ import annotations

import sys
from datetime import datetime
from select import POLLIN, poll

from netalias import errors
from netalias.cli import number
from netalias.cli.output import complain
from netalias.kernel.netlink.monitor import Monitor
from netalias.model import GROUP
from netalias.model.events import DEPARTURE, FLAG
from netalias.model.names import printable
from netalias.monitor.hooks import OCCASIONS, Hooks, Occasions, start
from netalias.monitor.selection import Selection
from netalias.system.netns import entered, held
from netalias.views.events import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.cli import Options
    from netalias.model.events import Event


class EventPrinter:
    """One run. Raises BadName, UsageError, NoSuchDevice for a namespace, KernelError."""

    def __init__(self, options: Options, words: list[str]) -> None:
        self._options = options
        group = number("--group", options.group, GROUP, 1)
        self._selection = Selection(words, group)
        options.netns = options.netns and held(options.netns)
        if options.netns:
            with entered(options.netns):
                self.stream = Monitor(routes=options.details)
        else:
            self.stream = Monitor(routes=options.details)
        self._lines = Lines(self.stream.state, group)
        self._occasions = Occasions()
        scripts = {one: getattr(options, f"on_{one.replace('-', '_')}") for one in OCCASIONS}
        self._hooks = Hooks(scripts, lambda text: complain(text, "warning: "), self._spawn)
        self._done = False

    def run(self) -> int:
        """Until it ends; the exit status."""
        for event in self._picked(self.stream.start()):
            if not self._options.no_initial:
                self._tell(event, initial=True)
        waiting = poll()
        for fileno in self.stream.filenos():
            waiting.register(fileno, POLLIN)
        waiting.register(sys.stdout.fileno(), 0)  # POLLERR: who read us has gone
        while not self._done:
            running = self._hooks.pidfd
            if running >= 0:
                waiting.register(running, POLLIN)
            ready = dict(waiting.poll())
            if running >= 0:
                waiting.unregister(running)
                if running in ready:
                    self._hooks.ended()
            if sys.stdout.fileno() in ready:
                raise BrokenPipeError
            for event in self._picked(self.stream.read()):
                self._tell(event)
                self._done = self._done or self._is_end(event)
        return errors.STATUS_OK

    def _picked(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            yield from self._selection.pick(event, self.stream.state)

    def _tell(self, event: Event, *, initial: bool = False) -> None:
        now = ""
        if self._options.timestamps:
            now = datetime.now().astimezone().isoformat(timespec="microseconds")
        if self._options.json:
            from netalias.views import json

            stamp = {"time": now} if now else {}
            line = json.line(stamp | self._lines.fields(event, initial=initial))
        else:
            line = printable(" ".join([now] * bool(now) + [self._text(event, initial)])) + "\n"
        sys.stdout.write(line)
        sys.stdout.flush()
        for run in self._occasions.of(event, initial=initial):
            self._hooks.add(run)

    def _text(self, event: Event, initial: bool) -> str:
        return self._lines.text(event, initial=initial)

    def _is_end(self, event: Event) -> bool:
        if not self._options.exit_when_down or event.device is None:
            return False
        down = event.what == FLAG and event.field == "UP" and not event.new
        return (down or event.what == DEPARTURE) and self._selection.named(event.device)

    def _spawn(self, words: list[str]) -> int:
        if not self._options.netns:
            return start(words)
        with entered(self._options.netns):
            return start(words)
