"""An initramfs: files under their own paths, in the format newc of cpio(5).

Written here: cpio(1) reads files only from a folder that looks as the archive shall, and such a
folder, with links and owners, takes root to make.
"""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

Entry = tuple[int, int, bytes]
"""Mode, time of the last change, and the content or the target of the link."""


class Archive:
    """Entries by absolute path; the folders above each come by themselves."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._programs: dict[str, None] = {}

    def folder(self, path: str, mode: int = 0o755) -> None:
        """An empty folder; one that is there already stays as it is."""
        if path != "/" and path not in self._entries:
            self.folder(os.path.dirname(path))
            self._entries[path] = (stat.S_IFDIR | mode, 0, b"")

    def text(self, path: str, content: str, mode: int = 0o644) -> None:
        """A file with this content."""
        self._add(path, (stat.S_IFREG | mode, 0, content.encode()))

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._add(path, (stat.S_IFLNK | 0o777, 0, target.encode()))

    def file(self, source: str | Path, path: str = "") -> None:
        """A file of this machine as it is, under its own path or another; links are followed."""
        with open(source, "rb") as opened:
            content = opened.read()
            status = os.fstat(opened.fileno())
        self._add(path or str(source), (status.st_mode, int(status.st_mtime), content))
        if content.startswith(b"\x7fELF"):
            self._programs[str(source)] = None

    def tree(self, source: Path, without: tuple[str, ...] = ()) -> None:
        """All files below a folder; *without* are names of files and folders that are not taken."""
        for folder, names, files in os.walk(source):
            names[:] = [name for name in names if name not in without]
            for name in files:
                if name not in without:
                    self.file(os.path.join(folder, name))

    def libraries(self) -> None:
        """The shared libraries that the programs so far need, as ldd(1) finds them."""
        found: dict[str, None] = {}
        done = subprocess.run(
            ["ldd", *self._programs], capture_output=True, text=True, check=False
        )  # not a dynamic executable: status 1, and nothing to find
        for line in done.stdout.splitlines():
            for word in line.split():
                if line.startswith("\t") and word.startswith("/"):
                    found[word] = None
        for path in found:
            if path not in self._entries:
                self.file(path)

    def write(self, path: Path) -> None:
        """Write the archive."""
        with path.open("wb") as out:
            for number, name in enumerate(self._entries, 1):
                out.write(_newc(number, name.lstrip("/"), self._entries[name]))
            out.write(_newc(0, "TRAILER!!!", (0, 0, b"")))

    def _add(self, path: str, entry: Entry) -> None:
        path = os.path.normpath(path)
        self.folder(os.path.dirname(path))
        self._entries[path] = entry


def _newc(number: int, name: str, entry: Entry) -> bytes:
    mode, mtime, content = entry
    coded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, mtime, len(content), 0, 0, 0, 0, len(coded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + coded
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
