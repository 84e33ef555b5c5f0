"""Importers: files of other programs as lines of netalias.conf(5).

::

    formats.py   the table of formats; how a file tells which of them it has
    reading.py   the addresses and notes of a reading, which every format fills
    notes.py     which notes come first
    addresses.py an address -> words of a line
    documents.py files in YAML; sections.py files of sections
    whose.py     own addresses of main devices, and names of devices of other systems
    asked.py     what was asked for and cannot be had
    slots.py     a name for every alias
    lines.py     the lines
    sections.py, assignments.py    syntaxes that several formats have

Each format has a file or a folder of its own, loaded when it is needed. A new format is a subclass
of Importer there, and one entry in FORMATS. It finds addresses and what they are called; all else
is common. Nothing that stands in a file is ever executed.
"""

from __future__ import annotations

from os.path import isdir

from netalias import errors
from netalias.importers.formats import FORMATS, automatic, existing, inside
from netalias.model import names
from netalias.trust import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netalias.importers.asked import Given
    from netalias.importers.files import Opener
    from netalias.importers.slots import Found, Row, Taken

__all__ = ["FORMATS", "Imported", "Importer", "get", "read"]


class Imported:
    """Aliases from files: ``rows`` in order, and ``notes`` on what they do not say, worst first.

    A note begins with ``file:line``. ``formats`` are the formats that were read, and ``files``
    counts their files. ``unused`` are notes on main devices of the mapping that were not found.
    """

    __slots__ = ("files", "formats", "notes", "rows", "unused")

    def __init__(
        self, rows: Sequence[Row], notes: list[str], formats: Sequence[str] = (), files: int = 0
    ) -> None:
        self.rows = rows
        self.notes = notes
        self.formats = formats
        self.files = files
        self.unused: list[str] = []

    @property
    def lines(self) -> list[str]:
        """Lines of netalias.conf(5), one for each alias, with its place."""
        from netalias.importers.lines import detailed

        return detailed(self.rows)

    @property
    def folded(self) -> list[str]:
        """The same with ranges, under the names of the files."""
        from netalias.importers.lines import folded

        return folded(self.rows)

    @property
    def objects(self) -> list[dict[str, object]]:
        """The same with the fields of ``save -j``, without those that are asleep."""
        from netalias.importers.lines import objects

        return objects(self.rows)


class Importer:
    """One format. ``marked``: its files tell aliases from own addresses. ``shared``: another host
    may have its addresses. ``foreign``: the names of its devices are those of another system.

    *opener* is that of open() for all files.
    """

    marked = True
    shared = False
    foreign = False

    def __init__(self, opener: Opener = regular) -> None:
        self.opener = opener

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files and in all that they include, and notes. Raises StateError.

        An included file that cannot be read is a note.
        """
        raise NotImplementedError


def get(name: str, opener: Opener = regular) -> Importer:
    """The importer of the format *name*, a key of FORMATS."""
    module, _, of = FORMATS[name].place.rpartition(".")
    found = getattr(__import__(f"netalias.importers.{module}", fromlist=[of]), of)
    importer: Importer = found(opener)
    return importer


def read(
    paths: Sequence[str] = (),
    format: str = "",
    *,
    every: bool = False,
    kind: str = "",
    mapping: Mapping[str, str] | None = None,
    more: Sequence[Found] = (),
    given: Mapping[str, bytes] | None = None,
    taken: Taken | None = None,
) -> Imported:
    """The aliases in files and folders, without *paths* in the usual files that exist, and *more*.

    *format* is a key of FORMATS; without it each file tells. *every*: import what has no mark of an
    alias too. *kind* replaces that of all lines. *mapping* gives main devices other names. *given*
    are the contents of *paths* that are no files, *taken* the names in use on this host. Raises
    StateError.
    """
    from netalias.disclosure import Reading
    from netalias.importers import asked, slots, whose
    from netalias.importers.notes import worst_first

    found: list[Found] = []
    notes: list[str] = []
    reading = Reading()
    opener = asked.Given(reading.opener, given or {})
    sources = _sources(paths, format, opener, notes)
    unused = dict(mapping or {})
    for name, files in sources.items():
        importer = get(name, opener)
        some, said = importer.read(files)
        if not importer.marked:
            whose.take_further(some, said, every=every)
        if importer.shared:
            whose.take_shared(some, said, every=every)
        unused = {old: unused[old] for old in unused.keys() - {one.main for one in some}}
        whose.rename(some, mapping or {}, foreign=importer.foreign)
        found += some
        notes += said
    found += more
    if kind:
        _make(kind, found, notes)
    rows = slots.rows(found, notes, taken)
    shown = [reading.shown(note) for note in worst_first(notes)]
    imported = Imported(rows, shown, list(sources), sum(map(len, sources.values())))
    imported.unused = asked.unused(unused, notes)
    return imported


def _sources(
    paths: Sequence[str], format: str, opener: Given, notes: list[str]
) -> dict[str, list[str]]:
    """The files by format, in order; those that cannot be had are in *notes*. Raises StateError."""
    from netalias.importers import asked

    found: dict[str, list[str]] = {}
    if not paths:
        usual = {format: existing(format)} if format else automatic()
        found, said = asked.readable(usual, opener)
        notes += said
    for path in paths:
        for file in [path] if path in opener.texts else _files(path, format):
            name = format or _format_of(file, opener, notes)
            if name:
                found.setdefault(name, []).append(file)
    return found


def _files(path: str, format: str) -> list[str]:
    """The file at *path*, or those in the folder there. Raises StateError."""
    try:
        return inside(path, format) if isdir(path) else [path]
    except OSError as error:
        raise errors.StateError(f"{names.printable(path)}: {error.strerror}") from None


def _format_of(path: str, opener: Opener, notes: list[str]) -> str:
    """The name of the format of the file at *path*. Raises StateError."""
    from netalias.importers.asked import format_of
    from netalias.importers.reading import Reading

    return format_of(path, Reading(opener=opener).text(path), notes)


def _make(kind: str, found: Sequence[Found], notes: list[str]) -> None:
    """Make *kind* that of all aliases; what it cannot be is left out, with a note."""
    from netalias import desired, families

    registry = families.lazy()
    for one in found:
        if ":" not in one.label or "kind" not in one.words:
            continue
        words = list(one.words)
        words[words.index("kind") + 1] = kind
        try:
            desired.parse([f"{one.main}:0", *words], registry)
        except errors.NetaliasError as error:
            notes.append(f"{one.place}: {names.printable(one.label)}: {error.line()}")
            words = []
        one.words = words
