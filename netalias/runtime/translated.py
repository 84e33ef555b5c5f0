"""The translations that data planes of ours make: written by the watcher, read by each of them.

The first line of the file is ``namespace COOKIE``, since the directory may have belonged to a
former namespace; each other is the wish for one device and family, NEW is ``-`` where there is no
address to leave with, and ``deny`` that nothing comes in unasked::

    translate DEVICE NEW OLD...
    deny DEVICE
    change DEVICE FAMILY NEW [+OLD | -OLD]...

``change`` is about a line before it. So a change of address is one line behind all others, however
many old ones there are; now and then a file without changes takes the place of this one. What
stands behind the last end of a line counts for nothing.
"""

from __future__ import annotations

import os
from errno import ENOSPC
from socket import inet_pton

from netalias import errors
from netalias.model import AF_INET, AF_INET6, address_text
from netalias.runtime import (
    NOFOLLOW,
    SIZE_MAX,
    check_regular,
    first_line,
    opened_file,
    remove_file,
    replace_file,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    Wish = tuple[bytes | None, frozenset[bytes]]
    """The new address, None for none, and the old ones."""

FILE = "/translated"
CHUNK = 65536
SPARE = 64
"""Changes that a file has, beside as many as it has addresses, before another one replaces it."""
FAMILIES = {"inet": AF_INET, "inet6": AF_INET6}
_WORDS = {family: word for word, family in FAMILIES.items()}
_NOTHING = "-"


class Translated:
    """The wish for a device: by family the new address, None for none, and the old ones."""

    def __init__(self) -> None:
        self.families: dict[int, Wish] = {}
        self.deny = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Translated) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def copy(self) -> Translated:
        """Another object with the same wish."""
        other = Translated()
        other.families, other.deny = dict(self.families), self.deny
        return other


class Reader:
    """The wishes by device as the file in *directory* has them, in ``devices``; none without a
    readable file of this namespace. A malformed line is ignored. Ended by close()."""

    def __init__(self, directory: str, cookie: int) -> None:
        self.devices: dict[str, Translated] = {}
        self._directory = directory
        self._head = first_line(cookie)
        self._file = -1
        self._inode = (0, 0)
        self._rest = b""
        self._counts: bool | None = None
        """Whether the first line is that of this namespace, None before it is read."""

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def load(self) -> bool:
        """Bring ``devices`` up to date; whether it is another file than the last time, which may
        have become longer before it could be followed."""
        fresh = not self._is_there()
        try:
            if fresh:
                self._open()
            self._read()
        except OSError:
            self.close()
            self.devices = {}
        return fresh and self._file >= 0

    def _is_there(self) -> bool:
        """Whether the open file still has its name."""
        if self._file < 0:
            return False
        try:
            return _inode(os.lstat(self._directory + FILE)) == self._inode
        except OSError:
            return False

    def _open(self) -> None:
        self.close()
        self.devices, self._rest, self._counts = {}, b"", None
        self._file = opened_file(self._directory, FILE[1:])
        check_regular(self._file, self._directory + FILE)
        self._inode = _inode(os.fstat(self._file))

    def _read(self) -> None:
        for _ in range(SIZE_MAX // CHUNK):
            data = os.read(self._file, CHUNK)
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._take(line.decode("utf-8", "surrogateescape"))
            if len(data) < CHUNK:
                return

    def _take(self, line: str) -> None:
        if self._counts is None:
            self._counts = line == self._head
        elif self._counts:
            verb, *words = line.split(" ")
            try:
                _TAKE[verb](self.devices, words)
            except (LookupError, OSError, ValueError):
                pass


def _deny(devices: dict[str, Translated], words: list[str]) -> None:
    (device,) = words
    devices.setdefault(device, Translated()).deny = True


def _translate(devices: dict[str, Translated], words: list[str]) -> None:
    device, new, first, *others = words
    family = AF_INET6 if ":" in first else AF_INET
    old = frozenset(inet_pton(family, one) for one in (first, *others))
    devices.setdefault(device, Translated()).families[family] = _packed(family, new), old


def _change(devices: dict[str, Translated], words: list[str]) -> None:
    device, word, new, *changes = words
    family, families = FAMILIES[word], devices[device].families
    come = {inet_pton(family, one[1:]) for one in changes if one[0] == "+"}
    gone = {inet_pton(family, one[1:]) for one in changes if one[0] == "-"}
    families[family] = _packed(family, new), (families[family][1] - gone) | come


_TAKE = {"deny": _deny, "translate": _translate, "change": _change}
"""First word of a line: what takes the others."""


def _packed(family: int, new: str) -> bytes | None:
    return None if new == _NOTHING else inet_pton(family, new)


class Record:
    """The file in *directory* as its only writer has it. Ended by close()."""

    def __init__(self, directory: str, cookie: int) -> None:
        self._directory = directory
        self._cookie = cookie
        self._devices: Mapping[str, Translated] | None = None
        """As they stand in the file, None for unknown."""
        self._file = -1
        self._inode = (0, 0)
        self._size = self._spare = 0

    def close(self) -> None:
        """Close the file, which stays."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def write(self, devices: Mapping[str, Translated]) -> None:
        """Have the file say exactly this, and have none without devices. Raises StateError if it
        cannot be written; what stands in it is unknown then."""
        if devices == self._devices:
            return
        before, self._devices = self._devices, None
        try:
            if not self._append(_changes(before or {}, devices)):
                self._replace(devices)
        except OSError as error:
            path = self._directory + FILE
            raise errors.StateError(f"cannot save what {path} says: {error.strerror}") from None
        self._devices = devices

    def _append(self, changes: Collection[str] | None) -> bool:
        """Whether changes have been added to the file. Raises OSError."""
        if not changes or self._file < 0:
            return False
        self._spare -= sum(line.count(" ") for line in changes)
        if self._spare < 0 or not self._is_own():
            return False
        data = "".join(changes).encode("utf-8", "surrogateescape")
        written = os.write(self._file, data)
        self._size += written
        if written < len(data):  # the end of the file system is near
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        return True

    def _is_own(self) -> bool:
        """Whether the open file is what this one has written, and has its name."""
        try:
            found = os.lstat(self._directory + FILE)
        except OSError:
            return False
        return found.st_size == self._size and _inode(found) == self._inode

    def _replace(self, devices: Mapping[str, Translated]) -> None:
        self.close()
        path = self._directory + FILE
        if not devices:
            remove_file(path)
            return
        lines = [f"{first_line(self._cookie)}\n", *_lines(devices)]
        content = "".join(lines).encode("utf-8", "surrogateescape")
        replace_file(path, content)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | NOFOLLOW)
        self._inode = _inode(os.fstat(self._file))
        self._size = len(content)
        self._spare = SPARE + sum(line.count(" ") for line in lines)


def _inode(status: os.stat_result) -> tuple[int, int]:
    """The file system and the inode of a file: another file has others as long as it is open."""
    return status.st_dev, status.st_ino


def _lines(devices: Mapping[str, Translated]) -> Iterator[str]:
    """The lines of a file without changes."""
    for device, one in devices.items():
        if one.deny:
            yield f"deny {device}\n"
        for family, (new, old) in one.families.items():
            texts = (address_text(family, address) for address in sorted(old))
            yield f"translate {device} {_text(family, new)} {' '.join(texts)}\n"


def _changes(before: Mapping[str, Translated], after: Mapping[str, Translated]) -> list[str] | None:
    """The lines that make one wish of another; None where more than addresses has changed."""
    if before.keys() != after.keys():
        return None
    found = []
    for device, one in after.items():
        last = before[device]
        if one.deny != last.deny or one.families.keys() != last.families.keys():
            return None
        for family, wish in one.families.items():
            if wish != last.families[family]:
                found.append(_line(device, family, last.families[family], wish))
    return found


def _line(device: str, family: int, before: Wish, after: Wish) -> str:
    words = ["change", device, _WORDS[family], _text(family, after[0])]
    for sign, some in (("+", after[1] - before[1]), ("-", before[1] - after[1])):
        words += [sign + address_text(family, one) for one in sorted(some)]
    return " ".join(words) + "\n"


def _text(family: int, new: bytes | None) -> str:
    return _NOTHING if new is None else address_text(family, new)
