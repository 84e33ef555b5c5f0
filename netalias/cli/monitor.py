"""The verb monitor."""

from __future__ import annotations

import gc
import sys

from netalias import errors
from netalias.cli import number
from netalias.cli.output import complain, interrupted
from netalias.model import GROUP
from netalias.monitor import EventPrinter, Settings
from netalias.monitor.hooks import OCCASIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options


def monitor(options: Options, words: list[str]) -> int:
    """Print the present aliases and then events; the exit status. It ends if interrupted, if the
    reader closes the pipe, or with ``--exit-when-down`` if a named device goes down."""
    if options.until:
        raise errors.UsageError("--exit-when-down is about the devices that monitor is told")
    if options.exit_when_down and not words:
        raise errors.UsageError("--exit-when-down needs the name of a device")
    if sys.stdout is None:
        raise errors.StateError("standard output is closed")
    gc.enable()  # the launcher disables it for short commands
    settings = Settings(
        words,
        group=number("--group", options.group, GROUP, 1),
        netns=options.netns,
        scripts={one: getattr(options, f"on_{one.replace('-', '_')}") for one in OCCASIONS},
        routes=options.details,
        json=options.json,
        timestamps=options.timestamps,
        initial=not options.no_initial,
        exit_when_down=options.exit_when_down,
        if_up=options.if_up,
    )
    try:
        return EventPrinter(settings, lambda text: complain(text, "warning: ")).run()
    except KeyboardInterrupt as error:
        return interrupted(error)
