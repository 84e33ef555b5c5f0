"""Manual addresses, in the order in which they were added: a record in the runtime directory.

Linux cannot insert an address at a place of the list, so the order is kept here. Before Linux 5.18
addresses have no mark, and the record tells as well which of them are manual.

The first line of the file is ``namespace COOKIE``, since the directory may have belonged to a
former namespace; each other line is ``IFINDEX ADDRESS/LEN PEER``, with ``-`` for no peer.
"""

from __future__ import annotations

from _socket import inet_pton

from netalias import errors
from netalias.model import AF_INET, AF_INET6, Address, address_text
from netalias.model.iface import MANUAL
from netalias.model.names import number
from netalias.runtime import first_line, read_file, remove_file, replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = "/iface"
NONE = "-"


def read(directory: str, cookie: int) -> list[Address]:
    """The manual addresses of all devices, in order; none without a readable record of this
    namespace. A malformed line is ignored."""
    try:
        text = read_file(directory + FILE).decode("ascii")
    except (OSError, UnicodeDecodeError):
        return []
    head, *lines = text.split("\n")
    if head != first_line(cookie):
        return []
    return [one for one in map(_parsed, lines) if one is not None]


def write(directory: str, cookie: int, manual: Iterable[Address]) -> None:
    """Replace the record. Raises StateError if it cannot be written."""
    lines = [_line(entry) for entry in manual]
    path = directory + FILE
    try:
        if lines:
            replace_file(path, "\n".join([first_line(cookie), *lines, ""]).encode("ascii"))
        else:
            remove_file(path)
    except OSError as error:
        raise errors.StateError(
            f"cannot save the order of the addresses in {path}: {error.strerror}"
        ) from None


def _line(entry: Address) -> str:
    local = address_text(entry.family, entry.local)
    peer = address_text(entry.family, entry.peer) if entry.peer else NONE
    return f"{entry.index} {local}/{entry.prefixlen} {peer}"


def _parsed(line: str) -> Address | None:
    words = line.split(" ")
    if len(words) != 3:
        return None
    text, _, length = words[1].partition("/")
    family = AF_INET6 if ":" in text else AF_INET
    index, prefixlen = number(words[0]), number(length, 3)
    try:
        local = inet_pton(family, text)
        peer = b"" if words[2] == NONE else inet_pton(family, words[2])
    except (OSError, ValueError):
        return None
    if index < 1 or not 0 <= prefixlen <= 8 * len(local):
        return None
    return Address(index, family, local, prefixlen, peer=peer, protocol=MANUAL)
