"""Importers: files of other programs as lines of netalias.conf(5).

The interface of every importer stands here; each format has a file of its own, loaded when it is
needed. A new format is one new file with a subclass of Importer, and one line in FORMATS.
"""

from __future__ import annotations

from os.path import exists

FORMATS = {
    "interfaces": ("ifupdown", "Interfaces"),
}
"""Format by name: the module and the class in it. A file that no importer claims has the first."""


class Imported:
    """Aliases from a file: ``lines`` of netalias.conf(5), and ``notes`` on lost options.

    A note begins with ``file:line``.
    """

    __slots__ = ("lines", "notes")

    def __init__(self, lines: list[str], notes: list[str]) -> None:
        self.lines = lines
        self.notes = notes


class Importer:
    """One format; ``usual`` is the file that is read when none is named."""

    usual = ""

    def claims(self, path: str) -> bool:
        """Whether a file at *path* has this format, judged by its path alone."""
        return path == self.usual

    def read(self, path: str) -> Imported:
        """The aliases in a file and in all that it includes. Raises StateError.

        An included file that cannot be read is a note.
        """
        raise NotImplementedError


def get(name: str) -> Importer:
    """The importer of the format *name*, a key of FORMATS."""
    module, of = FORMATS[name]
    found: Importer = getattr(__import__(f"netalias.importers.{module}", fromlist=[of]), of)()
    return found


def read(path: str = "") -> Imported:
    """The aliases in the file at *path*; without a path, in the usual files that exist.

    Raises StateError.
    """
    importers = [get(name) for name in FORMATS]
    if path:
        return next((one for one in importers if one.claims(path)), importers[0]).read(path)
    found = [one.read(one.usual) for one in importers if exists(one.usual)]
    return Imported(
        [line for one in found for line in one.lines],
        [note for one in found for note in one.notes],
    )
