"""The tokens of the agents of one network namespace: a file in its runtime directory.

An agent that is killed leaves its host registered for as long as its lease lasts, and the addresses
that it has taken in the kernel. The next one knows the key of the host for its own by the token,
and the addresses by the registration, the revision at which that key was created. A token is
written down before it is used, a registration before anything is taken by it::

    4f1a...c09b 1234
"""

from __future__ import annotations

import os

from netalias.model.names import number
from netalias.runtime import read_file, replace_file

FILE = "cluster-tokens"
KEPT = 16
"""Tokens that are kept, each with its registration: the last ones. A lease has ended long before so
many agents have."""
SIZE = 16
"""Random bytes of a token."""
DIGITS = frozenset("0123456789abcdef")


class Tokens:
    """The tokens in a runtime directory. Calling it makes one. Raises OSError."""

    def __init__(self, folder: str) -> None:
        self._path = f"{folder}/{FILE}"
        text = read_file(self._path).decode("ascii", "replace")
        found = [line.split() for line in text.splitlines()]
        self._lines = [line[:2] for line in found if line and _is_token(line[0])][-KEPT:]
        self.former = [line[0] for line in self._lines]
        """The tokens of the agents before this one, the last one at the end."""
        numbers = [number(word) for line in self._lines for word in line[1:]]
        self.registrations = [one for one in numbers if one > 0]
        """The registrations of the agents before this one."""

    def __call__(self) -> str:
        """A token that nobody else has."""
        made = os.urandom(SIZE).hex()
        self._lines = [*self._lines, [made]][-KEPT:]
        self._write()
        return made

    def register(self, registration: int) -> None:
        """The last token is that of a registration. Raises OSError."""
        self._lines[-1] = [self._lines[-1][0], str(registration)]
        self._write()

    def _write(self) -> None:
        text = "".join(" ".join(line) + "\n" for line in self._lines)
        replace_file(self._path, text.encode())


def _is_token(word: str) -> bool:
    """Whether a word is one that this module has made. The owner of the directory could have root
    write any others, and use its file as another record."""
    return len(word) == 2 * SIZE and DIGITS.issuperset(word)
