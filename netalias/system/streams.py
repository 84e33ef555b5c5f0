"""Text on standard output and standard error, with names that are not UTF-8 as their bytes."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

PIPE_BUF = 4096
"""Bytes that a pipe takes as one, if it has any room (linux/limits.h)."""


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
    stream.flush()
    buffer.write(_encoded(stream, text))


def _encoded(stream: TextIO, text: str) -> bytes:
    encoding = stream.encoding or "utf-8"
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace")


def offer(stream: TextIO, text: str, seconds: float) -> bool:
    """Write *text* as put() does, unless nobody takes it; whether all of it was written.

    A pipe whose reader has stopped, and a terminal that ^S has stopped, are waited for *seconds* at
    most. Raises OSError.
    """
    from select import POLLOUT, poll

    try:
        file = stream.fileno()
    except (OSError, ValueError):  # no file, but a text in memory
        put(stream, text)
        stream.flush()
        return True
    stream.flush()
    raw = memoryview(_encoded(stream, text))
    state = poll()
    state.register(file, POLLOUT)
    while raw:
        if not state.poll(seconds * 1000):
            return False
        # So much has room in what poll(2) calls writable: PIPE_BUF of pipe(7).
        raw = raw[os.write(file, raw[:PIPE_BUF]) :]
    return True
