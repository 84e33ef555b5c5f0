"""Tasks that were asked for by hand: they go before those of files, until the next boot.

The first line of the file is ``namespace COOKIE``, since the directory may have belonged to a
former namespace; each other line is a task, as a file declares it. It begins with its device, or
that of a relay with its prefixes.
"""

from __future__ import annotations

from netalias import errors
from netalias.runtime import first_line, read_trusted, replace_file

FILE = "/asked"


def read(directory: str, cookie: int) -> dict[str, str]:
    """The lines by key; none without a readable record of this namespace, by root or this user."""
    if not directory:
        return {}
    try:
        text = read_trusted(directory + FILE).decode("utf-8", "surrogateescape")
    except OSError:
        return {}
    head, *lines = text.split("\n")
    return (
        {key_of(line): line for line in lines if line.strip()} if head == first_line(cookie) else {}
    )


def key_of(line: str) -> str:
    """The words that no two lines have in common: the device, the prefixes of a relay."""
    words = line.split(" ")
    return words[words[0] == "relay" and len(words) > 1]


def write(directory: str, cookie: int, device: str, line: str) -> None:
    """Set the line of a device. Raises StateError if that cannot be written."""
    _replace(directory, cookie, read(directory, cookie) | {device: line})


def forget(directory: str, cookie: int, device: str) -> bool:
    """Remove the line of a device; whether there was one. Raises StateError."""
    lines = read(directory, cookie)
    if device not in lines:
        return False
    del lines[device]
    _replace(directory, cookie, lines)
    return True


def _replace(directory: str, cookie: int, lines: dict[str, str]) -> None:
    path = directory + FILE
    try:
        text = "\n".join([first_line(cookie), *lines.values(), ""])
        replace_file(path, text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise errors.StateError(
            f"cannot save what was asked for in {path}: {error.strerror}"
        ) from None
