"""The files of declarations that a watcher reads, again and again."""

from __future__ import annotations

from errno import EACCES, EINVAL, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, ESTALE, ETIMEDOUT
from os import path

from netalias import errors, sources, trust
from netalias.desired import declarations
from netalias.disclosure import withheld

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.desired.declarations import Declarations
    from netalias.families import Registry

PASSING = (EACCES, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, ESTALE, ETIMEDOUT)
"""Errors of reading a file that may pass without a change of the file."""
PLACES = (sources.DEFAULT, *sources.FOLDERS)
"""The files and folders of declarations that are followed when none are named."""


def passes(error: Exception) -> bool:
    """Whether the reason why a file cannot be read may pass without a change of the file."""
    return isinstance(error, MemoryError) or getattr(error, "errno", 0) in PASSING


class Files:
    """Files and folders by their ``names``, the usual ones without any; *most* is how many aliases
    they may declare. Raises UsageError for what can be read only once."""

    def __init__(self, names: Iterable[str], registry: Registry, most: int) -> None:
        self.names = [_permanent(name) for name in names]
        self._registry = registry
        self._most = most

    def content(self) -> list[tuple[str, bytes]]:
        """Name and content of each file. Raises StateError."""
        try:
            return sources.read(self.names)
        except errors.StateError as error:
            if error.errno == EINVAL:  # no regular file; standard input can be read only once
                error.hint = "watch needs files, which it reads again"
            raise

    def parsed(self, found: list[tuple[str, bytes]]) -> Declarations:
        """The declarations of such a content. Raises UsageError, StateError."""
        texts = sources.decode(found)
        declared = declarations.parse(texts, self._registry, withheld, most=self._most)
        declarations.check(declared)
        return declared


def _permanent(file: str) -> str:
    """The absolute path of a file. Raises UsageError for what can be read only once."""
    if file == sources.STDIN:
        raise errors.UsageError("-: standard input cannot be read again", "name a file")
    if trust.is_descriptor(file) and path.exists(file) and not path.isfile(file):
        raise errors.UsageError(f"{file}: a pipe cannot be read again", "name a file")
    return path.normpath(trust.absolute(file))
