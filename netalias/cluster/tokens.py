"""The tokens of the agents of one network namespace: a file in its runtime directory.

An agent that is killed leaves its host registered for as long as its lease lasts, and the addresses
that it has taken in the kernel. The next one knows both for its own by the token. It is written
down before it is used.
"""

from __future__ import annotations

import os

from netalias.runtime import read_file, replace_file

FILE = "cluster-tokens"
KEPT = 16
"""Tokens that are kept: the last ones. A lease has ended long before so many agents have."""
SIZE = 16
"""Random bytes of a token."""


class Tokens:
    """The tokens in a runtime directory. Calling it makes one. Raises OSError."""

    def __init__(self, folder: str) -> None:
        self._path = f"{folder}/{FILE}"
        found = read_file(self._path).decode("ascii", "replace").split()
        self.former = [one for one in found if one.isalnum()][-KEPT:]
        """Those of the agents before this one, the last one at the end."""
        self._all = [*self.former]

    def __call__(self) -> str:
        """A token that nobody else has."""
        made = os.urandom(SIZE).hex()
        self._all = [*self._all, made][-KEPT:]
        replace_file(self._path, "".join(f"{one}\n" for one in self._all).encode())
        return made
