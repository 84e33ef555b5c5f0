"""Requests that cannot be met: a file that cannot be read, a format that nothing tells, a main
device that nothing is on; and texts that stand in no file."""

from __future__ import annotations

from os import O_RDONLY, close
from os.path import abspath

from netalias.importers.formats import FALLBACK, claimed
from netalias.model import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netalias.importers.files import Opener

CONTENT = r"^[ \t]*[^#\s]"
"""Any line that is no comment."""
INCLUDES = r"^[ \t]*source(-directory)?[ \t]"
"""A line of interfaces(5) that other files may have, too."""


class Given:
    """An opener for texts that stand in no file, by the names that they are given; all other files
    are opened by *opener*."""

    def __init__(self, opener: Opener, texts: Mapping[str, bytes]) -> None:
        self._opener = opener
        self.texts = texts

    def __call__(self, path: str, flags: int) -> int:
        if path not in self.texts:
            return self._opener(path, flags)
        from os import MFD_CLOEXEC, SEEK_SET, lseek, memfd_create, write

        file = memfd_create("given", MFD_CLOEXEC)
        rest = memoryview(self.texts[path])
        while rest:
            rest = rest[write(file, rest) :]
        lseek(file, 0, SEEK_SET)
        return file


def readable(
    sources: Mapping[str, list[str]], opener: Opener
) -> tuple[dict[str, list[str]], list[str]]:
    """The files of *sources* that can be opened, and a note on each other one: nobody has named
    them."""
    found: dict[str, list[str]] = {}
    notes: list[str] = []
    for format, files in sources.items():
        for path in files:
            try:
                close(opener(path, O_RDONLY))
            except OSError as error:
                notes.append(f"{names.printable(path)}: skipped: {error.strerror}")
            else:
                found.setdefault(format, []).append(path)
    return found, notes


def format_of(path: str, text: str, notes: list[str]) -> str:
    """The format of a file that was named, with this *text*; empty, and a note, where nothing tells
    it."""
    from re import MULTILINE, search

    found = claimed(abspath(path), text, "")
    if not found and search(CONTENT, text, MULTILINE) and not search(INCLUDES, text, MULTILINE):
        said = f"{names.printable(path)}: skipped: its format is not recognised"
        notes.append(f"{said} (--from FORMAT says it)")
        return ""
    return found or FALLBACK


def unused(mapping: Mapping[str, str], notes: Iterable[str]) -> list[str]:
    """A note on each main device of *mapping*, for which nothing was found, that no other of the
    *notes* is about."""
    said = "\n".join(notes)
    return [
        f"--map {names.printable(old)}={new}: there is no address on {names.printable(old)}"
        for old, new in mapping.items()
        if old not in said
    ]
