"""Published addresses, as they were ordered: a record in the runtime directory.

The kernel drops proxy entries without announcing it, when their device goes down or loses its last
IPv4 address (pneigh_ifdown), so a program that restores them needs to know what was published.

The first line of the file is ``namespace COOKIE``, since the directory may have belonged to a
former namespace; each other line is ``IFINDEX DEVICE ADDRESS``. The index finds a device that was
renamed, the name one that was made again. Those that relays, or lines proxy, have published and
take back at their end stand in a second file too.
"""

from __future__ import annotations

from socket import inet_pton

from netalias import errors
from netalias.model import AF_INET, AF_INET6, PROTOCOL
from netalias.model.names import number
from netalias.model.neighbours import Proxy
from netalias.runtime import first_line, read_file, remove_file, replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.model import Device

    Published = tuple[str, Proxy]
    """The name of the device, and the entry."""

FILE = "/published"
RELAYED = "/published.relays"
"""The file with those of relays."""
PEERS = "/published.peers"
"""The file with those of lines proxy."""


def read(directory: str, cookie: int, file: str = FILE) -> list[Published]:
    """The published addresses; none without a readable record of this namespace.

    A malformed line is ignored: nothing is published by a guess.
    """
    try:
        text = read_file(directory + file).decode("utf-8", "surrogateescape")
    except OSError:
        return []
    head, *lines = text.split("\n")
    if head != first_line(cookie):
        return []
    return [one for one in map(_parsed, lines) if one is not None]


def write(directory: str, cookie: int, published: Iterable[Published], file: str = FILE) -> None:
    """Replace the record. Raises StateError if it cannot be written."""
    lines = [f"{one.index} {device} {one.text}\n" for device, one in published]
    path = directory + file
    try:
        if lines:
            text = "".join([first_line(cookie), "\n", *lines])
            replace_file(path, text.encode("utf-8", "surrogateescape"))
        else:
            remove_file(path)
    except OSError as error:
        raise errors.StateError(
            f"cannot save the published addresses in {path}: {error.strerror}"
        ) from None


def located(published: Iterable[Published], devices: Iterable[Device]) -> list[Published]:
    """The entries with the present name and index of their devices: the device of that name, else
    the one of that index. An entry without a device keeps what it has."""
    by_index = {device.index: device for device in devices}
    by_name = {device.name: device for device in by_index.values()}
    found = []
    for name, one in published:
        device = by_name.get(name) or by_index.get(one.index)
        if device is None:
            found.append((name, one))
        else:
            now = Proxy(device.index, one.family, one.local, one.protocol, one.flags)
            found.append((device.name, now))
    return found


def _parsed(line: str) -> Published | None:
    words = line.split(" ")
    if len(words) != 3 or number(words[0]) < 0:
        return None
    family = AF_INET6 if ":" in words[2] else AF_INET
    try:
        local = inet_pton(family, words[2])
    except (OSError, ValueError):
        return None
    return words[1], Proxy(number(words[0]), family, local, PROTOCOL)
