"""Log lines on standard error, with a priority where the journal of systemd reads them, else with
the time.

sd-daemon(3): a line that begins with ``<N>`` has the priority N of syslog(3). The journal reads
standard error when JOURNAL_STREAM names its file (systemd.exec(5)).
"""

from __future__ import annotations

import os
import sys
from time import strftime

from netalias.model.names import printable
from netalias.system.streams import offer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

# Priorities of syslog.h: LOG_ERR to LOG_DEBUG.
ERROR, WARNING, NOTICE, INFO, DEBUG = 3, 4, 5, 6, 7
STREAM = "JOURNAL_STREAM"
"""An environment variable: DEVICE:INODE of the standard error that the journal reads."""

NOW = "%Y-%m-%dT%H:%M:%S%z "
"""Local time and its offset (ISO 8601): what a line outside the journal begins with."""

PATIENCE = 0.1
"""Seconds that a line waits for somebody who reads slowly. One who does not read is not waited for
again: a service goes on without him."""

# What follows it: by priority, and of all others.
BEGIN = {WARNING: "netalias: warning: "}
PLAIN = "netalias: "


class Journal:
    """A log on *stream*, by default standard error.

    *quiet* drops INFO and DEBUG, *verbose* writes DEBUG too. *environ* is that of the process;
    *now* tells the time as a line begins with it.
    """

    __slots__ = ("_lost", "_lowest", "_now", "_prefixed", "_stream")

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        stream: TextIO | None = None,
        environ: Mapping[str, str] | None = None,
        now: Callable[[], str] = lambda: strftime(NOW),
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._now = now
        self._lowest = NOTICE if quiet else DEBUG if verbose else INFO
        place = (os.environ if environ is None else environ).get(STREAM, "")
        self._prefixed = bool(place) and place == _place(self._stream)
        self._lost = 0

    def error(self, text: str) -> None:
        """Log a failure."""
        self.say(ERROR, text)

    def warning(self, text: str) -> None:
        """Log a condition that needs attention."""
        self.say(WARNING, text)

    def notice(self, text: str) -> None:
        """Log a significant event."""
        self.say(NOTICE, text)

    def info(self, text: str) -> None:
        """Log an event."""
        self.say(INFO, text)

    def debug(self, text: str) -> None:
        """Log a detail."""
        self.say(DEBUG, text)

    def say(self, priority: int, text: str) -> None:
        """Write one line. Errors are ignored: there is no other place to report them. A line that
        nobody reads is lost, and the next one that somebody does tells how many were."""
        if priority > self._lowest or self._stream is None:
            return
        line = self._line(priority, text)
        if self._lost:
            lost = "1 line" if self._lost == 1 else f"{self._lost} lines"
            line = self._line(WARNING, f"{lost} lost before this: nobody has read them") + line
        try:
            if offer(self._stream, line, 0.0 if self._lost else PATIENCE):
                self._lost = 0
            else:
                self._lost += 1
        except (OSError, ValueError):
            pass

    def _line(self, priority: int, text: str) -> str:
        begin = f"<{priority}>"
        if not self._prefixed:
            begin = self._now() + BEGIN.get(priority, PLAIN)
        return f"{begin}{printable(text)}\n"


def _place(stream: TextIO | None) -> str:
    """``DEVICE:INODE`` of the file of *stream*; empty without one."""
    try:
        status = os.fstat(stream.fileno()) if stream is not None else None
    except (OSError, ValueError):
        return ""
    return f"{status.st_dev}:{status.st_ino}" if status is not None else ""
