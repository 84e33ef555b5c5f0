"""The condition of the store of a cluster, as the agent of a running watcher last knew it: nothing
while all is well, else why it decides nothing here, and when the addresses that float have gone.

It counts for as long as that watcher has lines of a cluster (runtime/tasks.py). The watcher notes
UNKNOWN before it takes such lines: at no time does all seem well because nothing was asked.

::

    1234.567 https://a:2379: Connection refused
"""

from __future__ import annotations

from netalias import errors
from netalias.runtime import read_file, remove_file, replace_file, tasks
from netalias.runtime.instance import running
from netalias.runtime.loans import now

FILE = "/store"
UNKNOWN = "nothing is known of it yet"
"""The reason of an agent that has not read the store."""
OUTSIDE = "this host is not in the cluster yet"
"""The reason of one that has, and has no key there."""


class Condition:
    """The *reason*, and the time of CLOCK_BOOTTIME *until* which addresses may stand, which has
    passed where none does."""

    __slots__ = ("reason", "until")

    def __init__(self, until: float, reason: str) -> None:
        self.until = until
        self.reason = reason

    def sentence(self) -> str:
        """The reason, and the consequence for the addresses that stand, in a line."""
        left = self.until - now()
        held = f"what is held stands for {left:.0f} s at most" if left > 0 else "nothing is held"
        return f"the store of the cluster: {self.reason}; {held}, and nothing is taken"


def note(folder: str, condition: Condition | None) -> None:
    """Write a condition down; None while all is well. Raises OSError."""
    if condition is None:
        remove_file(folder + FILE)
    else:
        text = f"{condition.until:.3f} {condition.reason}\n"
        replace_file(folder + FILE, text.encode("utf-8", "surrogateescape"))


def found(folder: str) -> Condition | None:
    """The condition that a running watcher has noted; None for all is well, or for no watcher of a
    cluster. *folder* is the runtime directory, empty for none."""
    if not folder or running(folder) is None:
        return None
    try:
        if not tasks.left(folder, tasks.FLOATS):
            return None
        text = read_file(folder + FILE).decode("utf-8", "surrogateescape")
    except (OSError, errors.StateError):
        return None
    until, _, reason = text.strip().partition(" ")
    try:
        return Condition(float(until), reason) if reason else None
    except ValueError:
        return None
