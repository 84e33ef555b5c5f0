"""The list of changes that ``-j`` prints for every verb that changes something."""

from __future__ import annotations

from netalias import errors
from netalias.cli import execute
from netalias.cli.output import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options

CHANGING = (
    "", "adopt", "batch", "cluster", "confirm", "iface", "move", "pool", "publish", "reconcile",
    "relay", "renew", "rollback", "unpublish", "vif",
)  # fmt: skip
"""The verbs; the empty one stands for the name of an alias."""
ORDERS = ("drain", "undrain", "move")
"""The words after cluster that change something."""


def run(options: Options, verb: str, words: list[str]) -> int:
    """Execute a command with ``-j``, and print what it has changed, also if it is refused or
    interrupted; the exit status. Other verbs print JSON of their own."""
    if not changes(verb, words):
        return execute(options, verb, words)
    from netalias.views import json

    options.changes = []
    try:
        return execute(options, verb, words)
    finally:
        write(json.render(options.changes, pretty=options.pretty))


def changes(verb: str, words: list[str]) -> bool:
    """Whether a command changes something: a name without words shows the alias, the name of a pool
    its loans, and cluster, but with ORDERS, the cluster."""
    if verb == "iface":
        from netalias.cli.iface import changes

        return changes(words[1:])
    if verb in ("vif", "relay"):
        return len(words) > 2 or words[-1][-1] == "-"
    if verb == "cluster":
        return bool(words[1:]) and words[1] in ORDERS
    if verb == "pool":
        return words[2:3] not in ([], ["show"])
    return verb in CHANGING and (bool(verb) or len(words) > 1 or words[0][-1] == "-")


def check_line(verb: str, words: list[str], options: Options) -> None:
    """Raises UsageError for a line of ``-j batch`` that prints something of its own."""
    if options.json:
        raise errors.UsageError("-j stands before batch")
    if options.help or options.version or not (words and changes(verb, words)):
        text = " ".join(words) or "an option without a verb"
        raise errors.UsageError(f"{text}: with -j, a batch holds only what changes something")
