"""The verb monitor."""

from __future__ import annotations

import gc
import sys

from netalias import errors
from netalias.monitor import EventPrinter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options


def monitor(options: Options, words: list[str]) -> int:
    """Print what is there and what happens, until it is interrupted, nobody reads any more, or,
    with ``--exit-when-down``, a named device goes down."""
    if options.exit_when_down and not words:
        raise errors.UsageError("--exit-when-down needs the name of a device")
    if sys.stdout is None:
        raise errors.StateError("standard output is closed")
    gc.enable()  # the launcher switches it off, for commands that live for milliseconds
    try:
        return EventPrinter(options, words).run()
    except KeyboardInterrupt:
        return errors.STATUS_INTERRUPTED
