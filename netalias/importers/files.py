"""The content of files of other programs, all of them together within bounds."""

from __future__ import annotations

from errno import EFBIG, EINVAL, EMFILE
from os import O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDONLY, fdopen, fstat, set_blocking
from os import open as os_open
from posixpath import realpath
from stat import S_ISREG

SIZE_MAX = 16 << 20
"""Bytes of all files together."""
FILES = 1000
"""Files that are read."""
OTHERS = ("/dev/null", "/dev/fd/", "/dev/stdin", "/proc/")
"""Beginnings of paths of what need not be a regular file: a pipe of the shell, and nothing."""


class Files:
    """The files that were read, by device and inode, since one file may have any number of paths.

    ``left`` is the number of bytes that may still be read.
    """

    __slots__ = ("left", "seen")

    def __init__(self) -> None:
        self.seen: set[tuple[int, int]] = set()
        self.left = SIZE_MAX

    def text(self, path: str, *, again: bool = True) -> str:
        """The text of the regular file or pipe at *path*; bytes beyond UTF-8 are surrogates.

        Without *again* it is empty for a file that was read before. Raises OSError, also where
        there are too many files, or too much text in them.
        """
        # A FIFO without a writer is not waited for.
        descriptor = os_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        with fdopen(descriptor, "rb") as file:
            status = fstat(descriptor)
            if not (S_ISREG(status.st_mode) or realpath(path).startswith(OTHERS)):
                raise OSError(EINVAL, "not a regular file")
            key = status.st_dev, status.st_ino
            if key in self.seen and not again:
                return ""
            if len(self.seen) >= FILES:
                raise OSError(EMFILE, f"more than {FILES} files")
            self.seen.add(key)
            set_blocking(descriptor, True)
            content = file.read(self.left + 1)
        if len(content) > self.left:
            raise OSError(EFBIG, f"all files together are longer than {SIZE_MAX >> 20} MiB")
        self.left -= len(content)
        return content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
