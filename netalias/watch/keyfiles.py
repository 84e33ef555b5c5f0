"""The key files of tunnels: a key that is changed on disk is used from then on."""

from __future__ import annotations

from hashlib import sha256

from netalias import errors
from netalias.system.inotify import Followed
from netalias.tunnels import keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.system.journal import Journal


class KeyFiles:
    """The files that are followed. *changed* is called with the path of one whose content is
    another than before; one that others may read is logged, and changes nothing."""

    def __init__(self, journal: Journal, changed: Callable[[str], object]) -> None:
        self._journal = journal
        self._changed = changed
        self._files: Followed | None = None
        self._known: dict[str, bytes] = {}
        """Digests by path, so that no secret is kept; empty where there was no key."""

    def fileno(self) -> int:
        """Readable after a change; -1 while there is no file."""
        return self._files.fileno() if self._files is not None else -1

    def follow(self, paths: Iterable[str]) -> None:
        """Follow these files, and no others any more. What cannot be followed is logged."""
        wanted = {*paths}
        if wanted == self._known.keys():
            return
        self._known = {path: self._known.get(path) or _known(path) for path in wanted}
        if not wanted:
            self.close()
            return
        try:
            self._files = self._files or Followed()
        except errors.StateError as error:
            self._journal.warning(error.line())
            return
        for problem in self._files.follow(wanted):
            self._journal.warning(problem)

    def read(self) -> None:
        """Look at what has changed, once whoever writes has closed the file."""
        if self._files is None or not self._files.read() or self._files.unfinished:
            return
        self._files.follow(self._known)  # a file in the place of another is followed from now on
        for path, before in [*self._known.items()]:
            try:
                now = _digest(path)
            except errors.StateError as error:
                self._journal.warning(f"{error.line()}; the former key stays in use")
                continue
            if now != before:
                self._known[path] = now
                self._changed(path)

    def close(self) -> None:
        """Follow nothing any more."""
        if self._files is not None:
            self._files.close()
            self._files = None


def _digest(path: str) -> bytes:
    """The digest of a file, of whatever form its key is. Raises StateError where others may read
    it."""
    return sha256(keys.content(path)).digest()


def _known(path: str) -> bytes:
    try:
        return _digest(path)
    except errors.StateError:
        return b""
