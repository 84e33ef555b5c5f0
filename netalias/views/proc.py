"""The lines of /proc/net/aliases and /proc/net/alias_types, byte for byte.

Source: net_alias_getinfo and net_alias_types_getinfo of net/core/net_alias.c. Records have a fixed
length, so a reader finds one by its number.
"""

from __future__ import annotations

from procfs.seqfile import padded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RECORD = 64
"""Bytes of a line of the aliases text, header included."""
NAME_WIDTH = 16
"""Bytes of its first column."""
ADDRESS_WIDTH = 39
"""Bytes of its last column: the longest IPv6 text without an IPv4 tail; more is cut."""

ALIASES_HEADER = padded(b"device           family address", RECORD)
ALIAS_TYPES_HEADER = b"type    name            n_attach\n"
_ALIAS = "%-16s %-6d %-39.39s\n"
_ALIAS_TYPE = "%-7d %-15s %-7d\n"


def aliases(rows: Iterable[tuple[str, int, str]]) -> Iterator[bytes]:
    """The header, and a line of 64 bytes for each (device name, family, address text).

    Raises ValueError for a name over 16 bytes, which must not be cut, and for a newline in a text.
    """
    yield ALIASES_HEADER
    for row in rows:
        line = (_ALIAS % row).encode("utf-8", "surrogateescape")
        # One test finds all unusual rows: a long name, a newline, a character of several bytes.
        yield line if line.find(b"\n") == RECORD - 1 else _unusual(*row)


def alias_types(rows: Iterable[tuple[int, str, int]]) -> Iterator[bytes]:
    """The header of 33 bytes, and a line of 32 for each (family, name, n_attach).

    A name has at most 15 bytes.
    """
    yield ALIAS_TYPES_HEADER
    for row in rows:
        yield (_ALIAS_TYPE % row).encode("utf-8", "surrogateescape")


def _unusual(name: str, family: int, address: str) -> bytes:
    device = name.encode("utf-8", "surrogateescape")
    if len(device) > NAME_WIDTH:
        raise ValueError(f"{name}: {len(device)} bytes do not fit into the column of {NAME_WIDTH}")
    text = address.encode("utf-8", "surrogateescape")
    return padded(b"%-16b %-6d %b" % (device, family, text), RECORD)
