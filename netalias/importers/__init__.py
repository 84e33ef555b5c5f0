"""Importers: files of other programs as lines of netalias.conf(5).

The interface of every importer stands here; each format has a file or a folder of its own, loaded
when it is needed. A new format is a subclass of Importer there, and one line in FORMATS. It finds
addresses and what they are called; slots.py gives them names of ours.
"""

from __future__ import annotations

from os.path import exists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from netalias.importers.slots import Found
    from netalias.model.names import AliasName

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

    def read(self, path: str) -> tuple[list[Found], list[str]]:
        """The addresses in a file and in all that it includes, and notes. Raises StateError.

        An included file that cannot be read is a note.
        """
        raise NotImplementedError


def get(name: str) -> Importer:
    """The importer of the format *name*, a key of FORMATS."""
    module, of = FORMATS[name]
    found: Importer = getattr(__import__(f"netalias.importers.{module}", fromlist=[of]), of)()
    return found


def read(path: str = "", taken: Collection[AliasName] = (), more: Sequence[Found] = ()) -> Imported:
    """The aliases in the file at *path*, without a path in the usual files that exist, and *more*.

    *taken* are names for none but those whom the file calls so. Raises StateError.
    """
    from netalias.importers import slots

    importers = [get(name) for name in FORMATS]
    if path:
        one = next((one for one in importers if one.claims(path)), importers[0])
        readings = [one.read(path)]
    else:
        readings = [one.read(one.usual) for one in importers if exists(one.usual)]
    notes = [note for _, some in readings for note in some]
    found = [address for some, _ in readings for address in some] + [*more]
    return Imported(slots.lines(found, notes, taken), notes)
