"""Text on standard output and standard error, with names that are not UTF-8 as their bytes."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def restart() -> None:
    """Execute this process again in Python's UTF-8 mode (PEP 540).

    The kernel's names are bytes, which are UTF-8 by custom; under another encoding, which cannot be
    changed in a running interpreter, words of the command line, paths and names of devices would
    not meet. Returns where the interpreter is unknown.
    """
    if sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def put(stream: TextIO, text: str) -> None:
    """Write *text*. Bytes that Python could not decode (PEP 383) are written as they were; what the
    encoding of *stream* lacks becomes an escape. Raises OSError."""
    buffer = getattr(stream, "buffer", None)
    if text.isascii() or buffer is None:
        stream.write(text)
        return
    encoding = stream.encoding or "utf-8"
    try:
        raw = text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode(encoding, "backslashreplace")
    stream.flush()
    buffer.write(raw)
