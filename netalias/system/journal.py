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
from netalias.system.streams import put

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

# What follows it: by priority, and of all others.
BEGIN = {WARNING: "netalias: warning: "}
PLAIN = "netalias: "


class Journal:
    """A log on *stream*, by default standard error.

    *quiet* drops INFO and DEBUG, *verbose* writes DEBUG too. *environ* is that of the process;
    *now* tells the time as a line begins with it.
    """

    __slots__ = ("_lowest", "_now", "_prefixed", "_stream")

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
        """Write one line. Errors are ignored: there is no other place to report them."""
        if priority > self._lowest or self._stream is None:
            return
        begin = f"<{priority}>"
        if not self._prefixed:
            begin = self._now() + BEGIN.get(priority, PLAIN)
        try:
            put(self._stream, f"{begin}{printable(text)}\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass


def _place(stream: TextIO | None) -> str:
    """``DEVICE:INODE`` of the file of *stream*; empty without one."""
    try:
        status = os.fstat(stream.fileno()) if stream is not None else None
    except (OSError, ValueError):
        return ""
    return f"{status.st_dev}:{status.st_ino}" if status is not None else ""
