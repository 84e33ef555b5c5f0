"""The agents of a cluster that ran in a namespace: the tokens by which the store knows them.

The next one may end what is left of them there, for they run no more.
"""

from __future__ import annotations

from netalias.runtime import owned, read_file, replace_file

FILE = "/agents"
MOST = 16
"""Tokens that are kept: the store has forgotten older ones long ago."""


def read(folder: str, cookie: int) -> list[str]:
    """The tokens, the oldest first; none in a folder of another namespace."""
    try:
        text = read_file(folder + FILE).decode("ascii", "replace") if owned(folder, cookie) else ""
    except OSError:
        return []
    return text.split()[-MOST:]


def note(folder: str, cookie: int, token: str) -> None:
    """Note a token, before the store gets it. Raises OSError."""
    tokens = [*read(folder, cookie), token][-MOST:]
    replace_file(folder + FILE, "".join(f"{one}\n" for one in tokens).encode("ascii"))
