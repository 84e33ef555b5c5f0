"""The content of files of other programs, all of them together within bounds."""

from __future__ import annotations

from errno import EFBIG, EMFILE
from os import O_RDONLY, fdopen, fstat

from netalias.trust import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Opener = Callable[[str, int], int]
    """Opens a file: path and flags -> descriptor."""

SIZE_MAX = 16 << 20
"""Bytes of all files together."""
FILES = 1000
"""Files that are read."""


class Files:
    """The files that were read, by device and inode, since one file may have any number of paths.

    ``left`` is the number of bytes that may still be read.
    """

    __slots__ = ("left", "opener", "seen")

    def __init__(self, opener: Opener = regular) -> None:
        self.opener = opener
        self.seen: set[tuple[int, int]] = set()
        self.left = SIZE_MAX

    def text(self, path: str, *, again: bool = True) -> str:
        """The text of the file at *path*; bytes beyond UTF-8 are surrogates.

        Without *again* it is empty for a file that was read before. Raises OSError, also where
        there are too many files, or too much text in them.
        """
        with fdopen(self.opener(path, O_RDONLY), "rb") as file:
            status = fstat(file.fileno())
            key = status.st_dev, status.st_ino
            if key in self.seen and not again:
                return ""
            if len(self.seen) >= FILES:
                raise OSError(EMFILE, f"more than {FILES} files")
            self.seen.add(key)
            content = file.read(self.left + 1)
        if len(content) > self.left:
            raise OSError(EFBIG, f"all files together are longer than {SIZE_MAX >> 20} MiB")
        self.left -= len(content)
        return content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
