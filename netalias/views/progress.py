"""The progress of work that takes longer than a second: a bar (rich), and a line of a probe."""

from __future__ import annotations

import sys
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from rich.progress import Progress as Bar

DELAY = 1.0
"""Seconds before the bar appears."""


class Progress:
    """A progress bar on *stream*; *total* is the number of steps."""

    def __init__(self, total: int, stream: TextIO) -> None:
        self._total = total
        self._stream = stream
        self._begun = monotonic()
        self._delay = DELAY
        self._done = 0
        self._bar: Bar | None = None

    def advance(self, count: int) -> None:
        """Count *count* more steps; draw the bar once the work has taken DELAY seconds."""
        self._done += count
        if self._bar is None and monotonic() - self._begun > self._delay:
            self._draw()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done)
            if self._done >= self._total:
                self.stop()

    def _draw(self) -> None:
        """Draw the bar; a failure to draw must not stop the work."""
        try:
            self._bar = _bar(self._total, self._stream)
        except (ImportError, OSError):
            self._delay = float("inf")

    def stop(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            self._total = self._done + 1


def _bar(total: int, stream: TextIO) -> Bar:
    from rich.console import Console
    from rich.progress import Progress as Bar

    bar = Bar(console=Console(file=stream), transient=True, auto_refresh=False)
    bar.add_task("aliases", total=total)
    bar.start()
    return bar


class Probing:
    """A line on a terminal that tells for how long addresses have been probed for."""

    def __init__(self) -> None:
        self._begun = 0.0

    def __call__(self, count: int) -> None:
        """Write the line for *count* addresses; 0 removes it."""
        stream = sys.stderr
        if stream is None or not stream.isatty():
            return
        now = monotonic()
        self._begun = (self._begun or now) if count else 0.0
        text = ""
        if count:
            what = "1 address" if count == 1 else f"{count} addresses"
            text = f"netalias: probing for {what}: {now - self._begun:.0f} s"
        stream.write(f"\r{text}\x1b[K")
        stream.flush()


probing = Probing()
"""That of this process."""
