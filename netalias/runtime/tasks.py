"""The tasks that the watcher carries out: a file with one line each, as a declaration has it.

It is that of a running watcher only; what a killed one has left counts for nothing.
"""

from __future__ import annotations

from netalias import errors
from netalias.runtime import read_file, remove_file, replace_file
from netalias.runtime.instance import running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = "/tasks"


def carried_out(folder: str) -> list[str]:
    """The lines of the tasks that a running watcher carries out; none without one. *folder* is the
    runtime directory, empty for none. Raises StateError."""
    if not folder or running(folder) is None:
        return []
    try:
        text = read_file(folder + FILE).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise _refused(folder, error) from None
    return [line for line in text.split("\n") if line]


def write(folder: str, lines: Iterable[str]) -> None:
    """Write the lines of the tasks that are carried out from now on; without any, the file goes.
    Raises StateError."""
    text = "".join(f"{line}\n" for line in lines)
    try:
        if text:
            replace_file(folder + FILE, text.encode("utf-8", "surrogateescape"))
        else:
            remove_file(folder + FILE)
    except OSError as error:
        raise _refused(folder, error) from None


def _refused(folder: str, error: OSError) -> errors.StateError:
    return errors.StateError(f"{folder}{FILE}: {error.strerror}")
