"""``--exit-when-down DEV`` and ``--if-up`` of all commands that stay but monitor."""

from __future__ import annotations

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options
    from netalias.monitor.down import Down

OPTION = "--exit-when-down"


class Until:
    """The part of a loop that ends the command, none without the option.

    ``over``: with ``--if-up`` the device is down already, so that there is nothing to do. The
    namespace is that of the calling thread. Raises UsageError, BadName, KernelError.
    """

    def __init__(self, options: Options) -> None:
        check(options)
        self.parts: list[Down] = []
        self.over = False
        if options.until:
            from netalias.monitor.down import Down

            found = Down(options.until)
            self.parts = [found]
            self.over = options.if_up and not found.up


def check(options: Options) -> None:
    """Check that the option names a device. Raises UsageError."""
    if options.exit_when_down:
        raise errors.UsageError(f"{OPTION} needs the name of a device")
