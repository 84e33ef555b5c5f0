"""Files of one format in a folder, and what is imported from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netalias.desired.declarations import parse as declared
from netalias.families import lazy
from netalias.importers import Imported, read


class Import:
    """The import of some files. ``lines`` are folded, with single blanks; paths in them and in
    ``notes`` are relative to the folder."""

    def __init__(
        self,
        folder: Path,
        format: str,
        files: Mapping[str, str],
        *,
        every: bool = False,
        kind: str = "",
        mapping: Mapping[str, str] | None = None,
    ) -> None:
        paths = []
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8", "surrogateescape")
            paths.append(str(path))
        self.found: Imported = read(paths, format, every=every, kind=kind, mapping=mapping)
        self._folder = f"{folder}/"
        self.lines = [self._plain(line) for line in self.found.folded]
        self.notes = [self._plain(note) for note in self.found.notes]
        for text in (self.found.folded, self.found.lines):
            assert declared([("f", "\n".join(text))], lazy()).errors == []
            for line in text:
                assert "\n" not in line

    def _plain(self, text: str) -> str:
        return " ".join(text.replace(self._folder, "").split())

    @property
    def aliases(self) -> list[str]:
        """The lines without the headings of blocks, which have one word."""
        return [line for line in self.lines if len(line.split()) > 2]
