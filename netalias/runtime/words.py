"""Records of a process in the runtime directory: lines of a word and its value, ``pid`` first.

Who owns the directory can write such a file about any process, and can give a file of root another
name. So ``pid`` has to come first, which no other file of root begins with, and a reader looks at
the owner before it acts by what is said.
"""

from __future__ import annotations

from netalias.runtime import read_with_owner

FIRST = "pid "


def read(path: str) -> tuple[list[tuple[str, str]], int]:
    """The words with their values, and the user who owns the file; none, and -1, without one of
    this form. Raises OSError."""
    content, owner = read_with_owner(path)
    text = content.decode("utf-8", "surrogateescape")
    if not text.startswith(FIRST):
        return [], -1
    pairs = (line.partition(" ") for line in text.split("\n") if line)
    return [(word, value) for word, _, value in pairs], owner
