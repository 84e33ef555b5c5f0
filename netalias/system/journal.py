"""Lines of a service on standard error: with their priority where the journal reads them.

sd-daemon(3): a line that begins with ``<N>`` has the priority N of syslog(3). The journal reads
standard error when that is the file which JOURNAL_STREAM names (systemd.exec(5)).
"""

from __future__ import annotations

import os
import sys

from netalias.model.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

ERROR, WARNING, NOTICE, INFO, DEBUG = 3, 4, 5, 6, 7
"""syslog.h: LOG_ERR to LOG_DEBUG."""
STREAM = "JOURNAL_STREAM"

BEGIN = {WARNING: "netalias: warning: "}
PLAIN = "netalias: "
"""How a line begins where people read it."""


class Journal:
    """One line an event. *quiet* drops INFO and what is below, *verbose* lets DEBUG through."""

    __slots__ = ("_lowest", "_prefixed", "_stream")

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        stream: TextIO | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._lowest = NOTICE if quiet else DEBUG if verbose else INFO
        place = (os.environ if environ is None else environ).get(STREAM, "")
        self._prefixed = bool(place) and place == _place(self._stream)

    def error(self, text: str) -> None:
        """What failed."""
        self.say(ERROR, text)

    def warning(self, text: str) -> None:
        """What somebody should look at."""
        self.say(WARNING, text)

    def notice(self, text: str) -> None:
        """What happened, and does not happen every day."""
        self.say(NOTICE, text)

    def info(self, text: str) -> None:
        """What happened."""
        self.say(INFO, text)

    def debug(self, text: str) -> None:
        """What was done."""
        self.say(DEBUG, text)

    def say(self, priority: int, text: str) -> None:
        """One line; what does not go out is lost, since there is nobody else to tell."""
        if priority > self._lowest or self._stream is None:
            return
        begin = f"<{priority}>" if self._prefixed else BEGIN.get(priority, PLAIN)
        try:
            self._stream.write(f"{begin}{printable(text)}\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass


def _place(stream: TextIO | None) -> str:
    """``DEVICE:INODE`` of the file behind, or empty."""
    try:
        status = os.fstat(stream.fileno()) if stream is not None else None
    except (OSError, ValueError):
        return ""
    return f"{status.st_dev}:{status.st_ino}" if status is not None else ""
