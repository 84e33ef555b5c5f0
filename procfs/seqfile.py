"""A read-only text that is rendered when opened, in the manner of fs/seq_file.c.

Since Linux 2.0 a /proc text is made anew for every read, so that a reader of two pages may miss
or repeat a record.  Here one handle is one snapshot: rendered whole at open, then only sliced.
"""

from __future__ import annotations

import errno
import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn

    from _typeshed import ReadableBuffer, WriteableBuffer

PERMISSIONS = 0o444


def padded(line: bytes, width: int) -> bytes:
    """Return `line` as a record of exactly `width` bytes, the last one a newline.

    Short lines are filled with blanks; bytes beyond `width - 1` are cut, since the width is
    fixed (net/core/net_alias.c).  ValueError: `width` below 1, or a newline
    within the line, which would make two records of one.
    """
    if width < 1:
        raise ValueError(f"a record needs room for its newline, not width {width}")
    if b"\n" in line:
        raise ValueError(f"newline within a record: {line!r}")
    return line[: width - 1].ljust(width - 1) + b"\n"


class TextFile:
    """A text that `show` renders whenever it is opened.

    `show()` gives the lines in order, the header first, each with its own newline; they are
    joined as they are.
    """

    __slots__ = ("_show",)

    mode = PERMISSIONS

    def __init__(self, show: Callable[[], Iterable[bytes]]) -> None:
        self._show = show

    def render(self) -> bytes:
        """Return the text of this moment, whole.  Exceptions of `show` are passed on."""
        return b"".join(self._show())

    def open(self, mode: str = "r") -> TextHandle:
        """Return a handle on the text of this moment; `mode` is "r" or "rb", both give bytes.

        PermissionError (EACCES): a mode that could write.  ValueError: no mode at all.
        """
        if not set(mode).isdisjoint("wax+"):
            raise _read_only()
        if mode not in ("r", "rb"):
            raise ValueError(f"invalid mode: {mode!r}")
        return TextHandle(self.render())


class TextHandle(io.RawIOBase):
    """One snapshot as a binary file: seekable, never writable.

    It stands under io.BufferedReader and io.TextIOWrapper as any raw file does.  Offsets and
    sizes are bytes.  ValueError: the handle is closed.
    """

    mode = PERMISSIONS

    def __init__(self, text: bytes) -> None:
        super().__init__()
        self._text = text
        self._position = 0

    def pread(self, size: int, offset: int) -> bytes:
        """Return up to `size` bytes from `offset`, b"" past the end; the position stays.

        OSError (EINVAL): `size` or `offset` is negative.
        """
        self._refuse_closed()
        if size < 0 or offset < 0:
            raise _invalid(f"size {size}, offset {offset}")
        return self._text[offset : offset + size]

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes from the position, all the rest for -1 or None.

        OSError (EINVAL): any other negative size.
        """
        if size is None or size == -1:
            size = len(self._text)
        piece = self.pread(size, self._position)
        self._position += len(piece)
        return piece

    def readall(self) -> bytes:
        """Return the rest of the text."""
        return self.read()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill `buffer` from the position; return how many bytes were put there."""
        target = memoryview(buffer).cast("B")
        piece = self.read(len(target))
        target[: len(piece)] = piece
        return len(piece)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the line at the position, of at most `size` bytes unless -1 or None.

        OSError (EINVAL): any other negative size.
        """
        # io.IOBase would read byte by byte
        stop = self._text.find(b"\n", self._position) + 1 or len(self._text)
        line = max(stop - self._position, 0)
        return self.read(line if size is None or size == -1 else min(size, line))

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to `offset` from the start (0), the position (1) or the end (2); return where.

        Past the end is allowed.  OSError (EINVAL): before the start, or another `whence`.
        """
        self._refuse_closed()
        if whence not in (io.SEEK_SET, io.SEEK_CUR, io.SEEK_END):
            raise _invalid(f"whence {whence}")
        position = offset + (0, self._position, len(self._text))[whence]
        if position < 0:
            raise _invalid(f"position {position}")
        self._position = position
        return position

    def tell(self) -> int:
        """Return the position in bytes from the start."""
        self._refuse_closed()
        return self._position

    def readable(self) -> bool:
        """Return True."""
        self._refuse_closed()
        return True

    def seekable(self) -> bool:
        """Return True."""
        self._refuse_closed()
        return True

    def writable(self) -> bool:
        """Return False."""
        self._refuse_closed()
        return False

    def write(self, data: ReadableBuffer, /) -> NoReturn:
        """Raise PermissionError (EACCES)."""
        raise _read_only()

    def writelines(self, lines: Iterable[ReadableBuffer], /) -> NoReturn:
        """Raise PermissionError (EACCES), for no lines too."""
        raise _read_only()

    def truncate(self, size: int | None = None, /) -> NoReturn:
        """Raise PermissionError (EACCES)."""
        raise _read_only()

    def _refuse_closed(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


def _invalid(what: str) -> OSError:
    return OSError(errno.EINVAL, f"invalid argument: {what}")


def _read_only() -> PermissionError:
    return PermissionError(errno.EACCES, "the text can only be read")
