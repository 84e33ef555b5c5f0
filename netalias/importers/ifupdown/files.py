"""The files of interfaces(5): one and all that it includes by ``source``."""

from __future__ import annotations

from errno import ELOOP

from netalias import errors
from netalias.importers.files import Files
from netalias.importers.ifupdown.syntax import SOURCE, SOURCE_DIRECTORY, parse
from netalias.model import names
from netalias.trust import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.importers.files import Opener
    from netalias.importers.ifupdown.syntax import Stanza

DEPTH = 32
"""Files that include each other, one within the other."""
MATCHES = 10_000
"""Paths that one pattern matches."""
WILD = "*?["
SHELL = "$`~'\"\\(){}<>|&;\0"
"""Characters that wordexp(3) expands or refuses, apart from wildcards."""


class Seen:
    """The files that were read: ``paths`` as they were named, and ``files``."""

    __slots__ = ("files", "paths")

    def __init__(self, opener: Opener = regular) -> None:
        self.paths: set[str] = set()
        self.files = Files(opener)


def gather_all(
    paths: Iterable[str], root: str, notes: list[str], opener: Opener = regular
) -> list[Stanza]:
    """The stanzas of some files and of all that they include; see gather(). Raises StateError."""
    stanzas: list[Stanza] = []
    seen = Seen(opener)
    for path in paths:
        try:
            stanzas += gather(path, root, notes, seen)
        except OSError as error:
            raise errors.StateError(f"{names.printable(path)}: {error.strerror}") from None
    return stanzas


def gather(
    path: str, root: str, notes: list[str], seen: Seen, above: tuple[str, ...] = ()
) -> Iterator[Stanza]:
    """The stanzas of a file, with those of included files in place. Raises OSError, also where
    there are too many files, or too much text in them.

    *root* is put before every path that is opened. ifup(8) reads no file of *seen* a second time.
    """
    seen.paths.add(path)
    if len(above) >= DEPTH:
        raise OSError(ELOOP, f"more than {DEPTH} files that include each other")
    text = seen.files.text(root + path, again=False)
    chain = (*above, path)
    for stanza in parse(text, path):
        if stanza.word != SOURCE and not stanza.word.startswith(SOURCE_DIRECTORY):
            yield stanza
            continue
        for included in _included(stanza, path, root, notes):
            if included in chain:
                notes.append(f"{stanza.place}: {names.printable(included)} includes itself")
            if included in seen.paths:
                continue
            try:
                yield from gather(included, root, notes, seen, chain)
            except OSError as error:
                what = f"{names.printable(included)}: {error.strerror}"
                notes.append(f"{stanza.place}: {what}")


def _included(stanza: Stanza, path: str, root: str, notes: list[str]) -> Iterator[str]:
    """The paths that ``source`` or ``source-directory`` includes, in order."""
    from os.path import basename, dirname, join, normpath

    for word in stanza.words:
        if any(letter in SHELL for letter in word):
            what = names.printable(word)
            notes.append(f"{stanza.place}: {what}: not read, since only a shell can expand it")
            continue
        pattern = normpath(join(dirname(path), word))
        found = _expanded(pattern, root)
        if len(found) > MATCHES:
            del found[MATCHES:]
            what = f"it matches more than {MATCHES} files"
            notes.append(f"{stanza.place}: {names.printable(word)}: {what}")
        if stanza.word == SOURCE:
            yield from found
            continue
        for folder in found:
            inside = _expanded(join(folder, "*"), root)
            yield from (name for name in inside if _is_plain(basename(name)))


def _expanded(pattern: str, root: str) -> list[str]:
    """The existing paths that match, one more than MATCHES at most; a pattern without wildcards is
    itself, even if missing."""
    from glob import escape, iglob
    from itertools import islice

    if not any(letter in WILD for letter in pattern):
        return [pattern]
    some = islice(iglob(escape(root) + pattern), MATCHES + 1)
    return sorted(name[len(root) :] for name in some)


def _is_plain(name: str) -> bool:
    """Whether source-directory reads a file of this name: ``^[a-zA-Z0-9_-]+$``."""
    return name.isascii() and name.replace("_", "a").replace("-", "a").isalnum()
