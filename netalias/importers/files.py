"""The content of a file of another program."""

from __future__ import annotations

from errno import EFBIG, EINVAL
from os import O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDONLY, fdopen, fstat, set_blocking, strerror
from os import open as os_open
from posixpath import realpath
from stat import S_ISREG

SIZE_MAX = 16 << 20
"""Longest file in bytes."""
OTHERS = ("/dev/null", "/dev/fd/", "/dev/stdin", "/proc/")
"""Beginnings of paths of what need not be a regular file: a pipe of the shell, and nothing."""


def text_of(path: str) -> str:
    """The text of the regular file or pipe at *path*; bytes beyond UTF-8 are surrogates.

    Raises OSError.
    """
    # A FIFO without a writer is not waited for.
    descriptor = os_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    with fdopen(descriptor, "rb") as file:
        if not (S_ISREG(fstat(descriptor).st_mode) or realpath(path).startswith(OTHERS)):
            raise OSError(EINVAL, "not a regular file")
        set_blocking(descriptor, True)
        content = file.read(SIZE_MAX + 1)
    if len(content) > SIZE_MAX:
        raise OSError(EFBIG, strerror(EFBIG))
    return content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
