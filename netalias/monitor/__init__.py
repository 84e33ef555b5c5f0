"""Events of main devices and aliases, printed line by line as they happen."""

from __future__ import annotations

import sys
from datetime import datetime
from select import POLLIN, poll

from netalias import errors
from netalias.kernel.netlink.monitor import Monitor
from netalias.model import GROUP
from netalias.model.events import DEPARTURE, FLAG
from netalias.model.names import printable
from netalias.monitor.ending import Ending
from netalias.monitor.hooks import Hooks, Occasions, check, start
from netalias.monitor.selection import Selection
from netalias.system.netns import entered, held
from netalias.views.events import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from netalias.model.events import Event


class Settings:
    """Settings of a printer of events.

    ``names`` are those of main devices and aliases, none for all; ``group`` is the mark of our
    devices (IFLA_GROUP). ``netns`` is a network namespace by name or path, empty for that of the
    caller. ``scripts`` has a path by occasion (hooks.OCCASIONS). With ``initial`` the objects that
    exist already come first; with ``exit_when_down`` a named device that goes down or away ends it,
    and with ``if_up`` it ends at the beginning where no named device is up.
    """

    __slots__ = (
        "exit_when_down", "group", "if_up", "initial", "json", "names", "netns", "routes",
        "scripts", "timestamps",
    )  # fmt: skip

    def __init__(
        self,
        names: Sequence[str] = (),
        *,
        group: int = GROUP,
        netns: str = "",
        scripts: Mapping[str, str] | None = None,
        routes: bool = False,
        json: bool = False,
        timestamps: bool = False,
        initial: bool = True,
        exit_when_down: bool = False,
        if_up: bool = False,
    ) -> None:
        self.names = names
        self.group = group
        self.netns = netns
        self.scripts = scripts or {}
        self.routes = routes
        self.json = json
        self.timestamps = timestamps
        self.initial = initial
        self.exit_when_down = exit_when_down
        self.if_up = if_up


class EventPrinter:
    """Events on standard output, and the scripts that they start.

    *warn* is called with a sentence for each script that cannot be started. Raises BadName,
    UsageError, NoSuchDevice for an unknown namespace, StateError for a script that is missing or
    not trusted, KernelError.
    """

    def __init__(self, settings: Settings, warn: Callable[[str], None]) -> None:
        scripts = check(settings.scripts)
        self._settings = settings
        self._selection = Selection(settings.names, settings.group)
        self._netns = settings.netns and held(settings.netns)
        if self._netns:
            with entered(self._netns):
                self._monitor = Monitor(routes=settings.routes)
        else:
            self._monitor = Monitor(routes=settings.routes)
        self._lines = Lines(self._monitor.state, settings.group)
        self._occasions = Occasions()
        self._hooks = Hooks(scripts, warn, self._spawn)
        self._done = False

    def run(self) -> int:
        """Print events until the end; the exit status.

        Scripts that wait are run to the end with ``exit_when_down``. KeyboardInterrupt ends them,
        and so do SIGTERM and SIGHUP, which then end the process as usual.
        """
        ending = Ending()
        try:
            try:
                self._follow(ending)
                while self._hooks.pidfd >= 0:
                    self._wait([ending.fileno(), self._hooks.pidfd])
            finally:
                ending.hold()
                self._hooks.close()
        finally:
            ending.close()
        return errors.STATUS_OK

    def _follow(self, ending: Ending) -> None:
        """Print events until a named device goes down."""
        for event in self._picked(self._monitor.start()):
            if self._settings.initial:
                self._print(event, initial=True)
        up = any(one.up and self._selection.named(one) for one in self._monitor.state.devices())
        self._done = self._settings.if_up and not up
        reading = [ending.fileno(), *self._monitor.filenos()]
        while not self._done:
            hooks = [self._hooks.pidfd] if self._hooks.pidfd >= 0 else []
            self._wait([*reading, *hooks])
            for event in self._picked(self._monitor.read()):
                self._print(event)
                self._done = self._done or self._is_end(event)

    def _wait(self, filenos: Iterable[int]) -> None:
        """Wait until one of some descriptors is readable. The end of a script is noted. Raises
        BrokenPipeError if the reader of standard output has gone."""
        waiting = poll()
        for fileno in filenos:
            waiting.register(fileno, POLLIN)
        waiting.register(sys.stdout.fileno(), 0)  # POLLERR
        ready = {fileno for fileno, _ in waiting.poll()}
        if self._hooks.pidfd in ready:
            self._hooks.ended()
        if sys.stdout.fileno() in ready:
            raise BrokenPipeError

    def _picked(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            yield from self._selection.pick(event, self._monitor.state)

    def _print(self, event: Event, *, initial: bool = False) -> None:
        now = ""
        if self._settings.timestamps:
            now = datetime.now().astimezone().isoformat(timespec="microseconds")
        if self._settings.json:
            from netalias.views import json

            stamp = {"time": now} if now else {}
            line = json.line(stamp | self._lines.fields(event, initial=initial))
        else:
            text = self._lines.text(event, initial=initial)
            line = printable(f"{now} {text}" if now else text) + "\n"
        sys.stdout.write(line)
        sys.stdout.flush()
        for run in self._occasions.of(event, initial=initial):
            self._hooks.add(run)

    def _is_end(self, event: Event) -> bool:
        if not self._settings.exit_when_down or event.device is None:
            return False
        down = event.what == FLAG and event.field == "UP" and not event.new
        return (down or event.what == DEPARTURE) and self._selection.named(event.device)

    def _spawn(self, words: list[str]) -> int:
        if not self._netns:
            return start(words)
        with entered(self._netns):
            return start(words)
