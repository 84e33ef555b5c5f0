"""A progress bar for work that takes longer than a second (rich)."""

from __future__ import annotations

from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from rich.progress import Progress as Bar

PATIENCE = 1.0
"""Seconds before anything is shown."""


class Progress:
    """``advance`` is called with the number of steps that were done; *total* are all."""

    def __init__(self, total: int, stream: TextIO) -> None:
        self._total = total
        self._stream = stream
        self._begun = monotonic()
        self._patience = PATIENCE
        self._done = 0
        self._bar: Bar | None = None

    def advance(self, count: int) -> None:
        """Count, and draw once it has taken long enough."""
        self._done += count
        if self._bar is None and monotonic() - self._begun > self._patience:
            self._draw()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done)
            if self._done >= self._total:
                self.stop()

    def _draw(self) -> None:
        """Nothing that has to do with drawing may stop the work."""
        try:
            self._bar = _bar(self._total, self._stream)
        except (ImportError, OSError):
            self._patience = float("inf")

    def stop(self) -> None:
        """Take the bar away."""
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
