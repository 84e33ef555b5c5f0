"""The tasks that the watcher carries out: files with one line each, as a declaration has it.

Each part of the watcher has a file of its own. They are those of a running watcher only; what a
killed one has left counts for nothing.
"""

from __future__ import annotations

from netalias import errors
from netalias.runtime import read_file, remove_file, replace_file
from netalias.runtime.instance import running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = "/tasks"
TUNNELS = "/tunnels"
FLOATS = "/floats"
"""The lines of a cluster: the addresses that they name run out when nobody holds them any more."""
RECORDS = "/records"
FOLLOWING = "/following"
FILES = (FILE, TUNNELS, FLOATS, RECORDS, FOLLOWING)


def carried_out(folder: str) -> list[str]:
    """The lines of the tasks that a running watcher carries out; none without one. *folder* is the
    runtime directory, empty for none. Raises StateError."""
    if not folder or running(folder) is None:
        return []
    return [line for file in FILES for line in left(folder, file)]


def left(folder: str, file: str) -> list[str]:
    """The lines in one of FILES, whoever has left them. Raises StateError."""
    return [line for line in _read(folder + file).split("\n") if line]


def _read(path: str) -> str:
    try:
        return read_file(path).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise _refused(path, error) from None


def write(folder: str, lines: Iterable[str], file: str = FILE) -> None:
    """Write the lines of the tasks in one of FILES that are carried out from now on; without any,
    the file goes. Raises StateError."""
    text = "".join(f"{line}\n" for line in lines)
    try:
        if text:
            replace_file(folder + file, text.encode("utf-8", "surrogateescape"))
        else:
            remove_file(folder + file)
    except OSError as error:
        raise _refused(folder + file, error) from None


def _refused(path: str, error: OSError) -> errors.StateError:
    return errors.StateError(f"{path}: {error.strerror}")
