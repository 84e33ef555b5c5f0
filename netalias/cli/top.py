"""The verb top: the traffic of aliases, on a screen of its own or as plain text."""

from __future__ import annotations

import gc
import os
import signal
import sys
from select import POLLIN, poll
from time import monotonic, sleep, strftime

from netalias import errors
from netalias.cli import number
from netalias.cli.output import abandon, width
from netalias.cli.show import colors, draws, named
from netalias.model.names import printable
from netalias.system.signals import DEFAULT, Signals
from netalias.views import traffic
from netalias.views.columns import fitted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options
    from netalias.engine import Engine
    from netalias.system.terminal import Screen
    from netalias.views.traffic import Row

INTERVAL = 2.0
SHORTEST, LONGEST = 0.1, 86400.0
"""Seconds between two readings: usual, least and most."""
FRAME = 2
"""Lines above the rows but for text: the headings, and the rule below them."""
ROOM = 12
"""Lines of a terminal on which the text above the rows may go on in further lines; it is cut on a
lower one."""
HELP = "b both, r RX, t TX, p packets, c total, n name, R reverse, q quit"


def top(options: Options, words: list[str]) -> int:
    """Show the traffic of aliases until it is interrupted; the exit status."""
    if sys.stdout is None:
        raise errors.StateError("standard output is closed")
    interval = _seconds(options.interval)
    count = 1 if options.once else number("--count", options.count, 0, 1)
    gc.enable()  # the launcher disables it for short commands
    with options.engine() as engine:
        meter = Meter(engine, words, options.family)
        meter.read()
        if options.json or options.once or not (draws(options) and sys.stdout.isatty()):
            return _printed(options, meter, interval, count)
        return Live(options, meter, interval, count).run()


def _seconds(text: str) -> float:
    """The seconds of --interval. Raises UsageError."""
    if not text:
        return INTERVAL
    try:
        found = float(text) if text.isascii() and text[0].isdigit() else 0.0
    except ValueError:
        found = 0.0
    if not SHORTEST <= found <= LONGEST:
        raise errors.UsageError(
            f"--interval {text}: seconds from {SHORTEST} to {LONGEST:.0f} are needed"
        )
    return found


class Meter:
    """The readings of the aliases that *words* select, of an address *family*, 0 for all."""

    def __init__(self, engine: Engine, words: list[str], family: int) -> None:
        self._engine = engine
        self._words = named(words)
        self._family = family
        self._now: traffic.Reading | None = None
        self.registry = engine.registry
        self.seconds = 0.0
        self.rows: list[Row] = []

    def read(self) -> None:
        """Read the kernel once more. The first time raises NoSuchDevice, BadName; later on a name
        may come and go."""
        from netalias.observed.query import select

        observed = self._engine.observe()
        try:
            aliases = select(observed, self._words)
        except errors.NoSuchDevice:
            if self._now is None:
                raise
            aliases = []
        if self._family:
            aliases = [alias for alias in aliases if alias.family == self._family]
        before, self._now = self._now, traffic.Reading(monotonic(), aliases)
        self.seconds = self._now.time - before.time if before is not None else 0.0
        self.rows = traffic.rows(before, self._now)


def _printed(options: Options, meter: Meter, interval: float, count: int) -> int:
    """Print the traffic of *count* intervals, 0 for all to come; the exit status."""
    try:
        shown = 0
        while not count or shown < count:
            sleep(interval)
            meter.read()
            between = "\n" if shown and not options.json else ""
            sys.stdout.write(between + _text(options, meter))
            sys.stdout.flush()
            shown += 1
    except KeyboardInterrupt:
        return errors.STATUS_INTERRUPTED
    except BrokenPipeError:
        abandon()
    return errors.STATUS_OK


def _text(options: Options, meter: Meter) -> str:
    if options.json:
        from netalias.views import json

        rows = traffic.ordered(meter.rows, "b")
        found = traffic.objects(rows, meter.registry, meter.seconds)
        return json.render(found, pretty=options.pretty)
    texts = _texts(traffic.ordered(traffic.folded(meter.rows), "b"), meter)
    room = width() if sys.stdout.isatty() else 0
    return fitted(traffic.HEADINGS, texts, room, traffic.DROPPED, where="netalias -j top")


def _texts(rows: list[Row], meter: Meter) -> list[tuple[str, ...]]:
    return [tuple(map(printable, traffic.texts(row, meter.registry))) for row in rows]


class Live:
    """The screen, drawn after each reading, each key, and each change of its size."""

    def __init__(self, options: Options, meter: Meter, interval: float, count: int) -> None:
        self._meter = meter
        self._interval = interval
        self._left = count or -1
        self._color = colors(options)
        self._order = "b"
        self._reverse = False

    def run(self) -> int:
        """Show it until q, a signal or the end of the intervals; the exit status."""
        from netalias.system.terminal import Screen

        keyboard = 0 if sys.stdin is not None and sys.stdin.isatty() else -1
        noted = (*DEFAULT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH)
        with Signals(noted) as signals, Screen(sys.stdout.fileno(), keyboard) as screen:
            return self._loop(signals, screen)

    def _loop(self, signals: Signals, screen: Screen) -> int:
        waiting = poll()
        waiting.register(signals.fileno(), POLLIN)
        if screen.keyboard >= 0:
            waiting.register(screen.keyboard, POLLIN)
        due = monotonic() + self._interval
        while True:
            self._draw(screen)
            ready = dict(waiting.poll(max(0.0, due - monotonic()) * 1000))
            if signals.fileno() in ready:
                ended = self._signalled(signals.read(), screen)
                if ended:
                    return 128 + ended
            if screen.keyboard in ready:
                keys = screen.keys()
                if not keys:
                    waiting.unregister(screen.keyboard)
                if self._pressed(keys):
                    return errors.STATUS_OK
            if monotonic() >= due:
                due = monotonic() + self._interval
                self._meter.read()
                self._left -= 1
                if not self._left:
                    self._draw(screen)
                    return errors.STATUS_OK

    def _signalled(self, came: set[int], screen: Screen) -> int:
        """The signal that ends it, 0 for none; SIGTSTP stops it with the terminal as it was."""
        if signal.SIGTSTP in came:
            screen.leave()
            os.kill(os.getpid(), signal.SIGSTOP)
            screen.enter()
        return min(came - {signal.SIGTSTP, signal.SIGWINCH}, default=0)

    def _pressed(self, keys: str) -> bool:
        """Note the keys; whether one of them ends it."""
        for key in keys:
            if key == "q":
                return True
            if key == "R":
                self._reverse = not self._reverse
            elif key in traffic.ORDERS:
                self._order = key
        return False

    def _draw(self, screen: Screen) -> None:
        from netalias.views.table import render

        columns, lines = screen.size()
        meter = self._meter
        rows = traffic.ordered(traffic.folded(meter.rows), self._order, reverse=self._reverse)
        head = self._head(columns, lines)
        room = lines - FRAME - len(head)
        if len(rows) > room:
            room = max(room - 1, 1)
        texts = _texts(rows[:room], meter)
        table = render(
            traffic.HEADINGS,
            texts,
            sys.stdout,
            color=self._color,
            width=columns,
            dropped=traffic.DROPPED,
        )
        table = table or fitted(traffic.HEADINGS, texts, columns, traffic.DROPPED)
        shown = [
            *head,
            *(line for line in table.split("\n") if not line.isspace() and line),
        ]
        if len(rows) > room:
            shown.append(f"and {len(rows) - room} more")
        screen.draw(shown[:lines])

    def _head(self, columns: int, lines: int) -> list[str]:
        """The lines of text above the rows."""
        from textwrap import wrap

        order = traffic.ORDERS[self._order][0] + (" reversed" if self._reverse else "")
        texts = (
            f"netalias top  {strftime('%H:%M:%S')}  {traffic.summary(self._meter.rows)}",
            f"by {order}; {HELP}",
        )
        if lines < ROOM:
            return [text[:columns] for text in texts]
        return [line for text in texts for line in wrap(text, columns)]
