"""The former addresses that a watcher keeps: a record in the runtime directory.

Copies in the kernel carry our mark; the record knows what the kernel does not: since when, the
addresses of a device that is away, and which index and addresses a device had when the watcher was
last there: one that has another name since is found by its index.

The first line of the file is ``namespace COOKIE``, since the directory may have belonged to a
former namespace; the others are, with times in seconds since the boot::

    on DEVICE
    at DEVICE INDEX
    own DEVICE ADDRESS
    kept DEVICE ADDRESS SINCE UNTIL
"""

from __future__ import annotations

from os import stat
from socket import inet_pton

from netalias import errors
from netalias.model import AF_INET, AF_INET6, address_text
from netalias.model.names import number
from netalias.runtime import first_line, read_file, remove_file, replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    Key = tuple[int, bytes]
    """Family and packed address."""

FILE = "/kept"


class Kept:
    """The record of the device of this name: its ``index``, 0 for none, the addresses that it had,
    and the ``former`` ones with the times since when and until when they are kept, which are
    changed by keep() and end()."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.index = 0
        self.own: set[Key] = set()
        self.former: dict[Key, tuple[int, int]] = {}
        self._lines: dict[Key, str] = {}

    def keep(self, key: Key, since: int, until: int) -> None:
        """Note a former address, behind all others."""
        self.end(key)
        self.former[key] = since, until
        self._lines[key] = f"kept {self.device} {address_text(*key)} {since} {until}"

    def end(self, key: Key) -> None:
        """Forget a former address, if it is there."""
        if self.former.pop(key, None) is not None:
            del self._lines[key]

    def lines(self) -> list[str]:
        """The lines of the file on this device."""
        at = [f"at {self.device} {self.index}"] if self.index else []
        own = [f"own {self.device} {address_text(*key)}" for key in sorted(self.own)]
        return [f"on {self.device}", *at, *own, *self._lines.values()]


def read(directory: str, cookie: int) -> dict[str, Kept]:
    """The record by name of the device; empty without a readable one of this namespace.

    A malformed line is ignored: nothing is kept by a guess.
    """
    found: dict[str, Kept] = {}
    try:
        text = read_file(directory + FILE).decode("utf-8", "surrogateescape") if directory else ""
    except OSError:
        return found
    head, *lines = text.split("\n")
    if head != first_line(cookie):
        return found
    for line in lines:
        words = line.split(" ")
        take = TAKE.get(words[0])
        if take is not None and len(words) == take[0]:
            take[1](found.setdefault(words[1], Kept(words[1])), words)
    return found


def stamp(directory: str) -> tuple[int, int]:
    """The file as it is now: another one than before if somebody has written the record since."""
    try:
        found = stat(directory + FILE)
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def _own(one: Kept, words: list[str]) -> None:
    key = _key(words[2])
    if key is not None:
        one.own.add(key)


def _kept(one: Kept, words: list[str]) -> None:
    key, since, until = _key(words[2]), number(words[3]), number(words[4])
    if key is not None and 0 <= since <= until:
        one.keep(key, since, until)


def _at(one: Kept, words: list[str]) -> None:
    one.index = max(number(words[2]), 0)


def _nothing(one: Kept, words: list[str]) -> None:
    """The device alone."""


TAKE: dict[str, tuple[int, Callable[[Kept, list[str]], None]]] = {
    "on": (2, _nothing), "at": (3, _at), "own": (3, _own), "kept": (5, _kept),
}  # fmt: skip
"""First word of a line: the number of its words, and what takes it."""


def write(directory: str, cookie: int, devices: Collection[Kept]) -> None:
    """Replace the record, which goes where there are no devices. Raises StateError if it cannot be
    written."""
    lines = [first_line(cookie)]
    for one in devices:
        lines += one.lines()
    path = directory + FILE
    try:
        if devices:
            replace_file(path, "\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))
        else:
            remove_file(path)
    except OSError as error:
        raise errors.StateError(
            f"cannot save the kept addresses in {path}: {error.strerror}"
        ) from None


def _key(text: str) -> Key | None:
    family = AF_INET6 if ":" in text else AF_INET
    try:
        return family, inet_pton(family, text)
    except (OSError, ValueError):
        return None
