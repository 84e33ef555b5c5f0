"""``/etc/hostname.if`` of OpenBSD: its lines with the word ``alias``.

The model is netstart(8) of OpenBSD 7::

    inet 10.0.0.1 255.255.255.0 NONE             the own address of em0 (hostname.em0)
    inet alias 10.0.0.2 255.255.255.255          10.0.0.2/32
    inet6 alias 2001:db8::2 64                   2001:db8::2/64
    dest 10.9.0.1                                the peer of the line before

What follows an address is its mask, then its broadcast address, by position. Aliases have no names.
Devices are called otherwise on Linux.
"""

from __future__ import annotations

from posixpath import basename

from netalias.importers import Importer, ifconfig
from netalias.importers.reading import CLASSFUL, Lengths, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.importers.slots import Found

LENGTHS = Lengths(CLASSFUL, 64)
PREFIX = "hostname."
NAME = r"[A-Za-z]+[0-9]+"
"""A regular expression for the device names that netstart accepts."""
SHELL = "$`;&|<>()\"'"
"""Characters of a line that need a shell, which evaluates it."""
COMMENT = "#"
COMMAND = "!"
NONE = "NONE"
"""The broadcast address that a device has by default."""
POSITIONS = {"inet": ("netmask", "broadcast"), "inet6": ("prefixlen",)}
"""The words of ifconfig(8) before the values that stand behind an address."""


class _Line:
    """The command of one line: the label, the family and the words behind it, for ifconfig(8)."""

    __slots__ = ("family", "label", "place", "words")

    def __init__(self, label: str, family: str, words: list[str], place: str) -> None:
        self.label = label
        self.family = family
        self.words = words
        self.place = place


class HostnameIf(Importer):
    """The importer of OpenBSD's hostname.if(5)."""

    foreign = True

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files, and notes. Raises StateError."""
        from re import fullmatch

        reading = Reading(LENGTHS, marked=self.marked, opener=self.opener)
        for path in paths:
            text = reading.text(path)
            name = basename(path)
            main = name.removeprefix(PREFIX)
            if not name.startswith(PREFIX) or not fullmatch(NAME, main):
                what = f"its name is not {PREFIX} and that of a device, which ends with a number"
                reading.note(path, f"{what}: it is not read")
                continue
            for line in _lines(reading, text, path, main):
                ifconfig.add(reading, line.label, line.family, line.words, line.place)
        return reading.found, reading.notes


def _lines(reading: Reading, text: str, path: str, main: str) -> list[_Line]:
    """The commands in a file that set addresses."""
    found: list[_Line] = []
    last: _Line | None = None
    for number, line in ifconfig.lines(text):
        place = f"{path}:{number}"
        words = line.split()
        if not words or words[0].startswith(COMMENT):
            continue
        if words[0] == "dest":
            if last is not None and len(words) == 2:
                last.words.insert(1, words[1])
            continue
        last = None
        if words[0].startswith(COMMAND):
            if ifconfig.ALIAS in line or "ifconfig" in line:
                reading.note(place, f"{line}: a command is not carried over")
        elif ifconfig.ALIAS in words and any(letter in SHELL for letter in line):
            reading.note(place, f"{line}: only a shell knows what it says")
        elif len(words) > 1 and not any(word in ifconfig.REMOVING for word in words):
            last = _command(reading, words, place, main)
        found += [last] if last else []
    return found


def _command(reading: Reading, words: list[str], place: str, main: str) -> _Line | None:
    """The command for the words of a line, or None."""
    alias = ifconfig.ALIAS in words
    label = f"{main}:" if alias else main
    family = words[0]
    if family not in POSITIONS:
        # Such a line goes to ifconfig(8) as it is.
        return _Line(label, "inet", words, place) if alias else None
    rest = words[2:] if words[1] == ifconfig.ALIAS else words[1:]
    address, *values = rest or [""]
    names = POSITIONS[family]
    command = [address]
    for name, value in zip(names, values, strict=False):
        if value.startswith(COMMENT):
            if alias:
                what = f"{COMMENT} stands in the place of the {name}, and is no comment there"
                reading.note(place, f"{main}: {address} is not carried over: {what}")
            return None
        if name != "broadcast" or not value.endswith(NONE):
            command += [name, value]
    for word in values[len(names) :]:
        if word.startswith(COMMENT):
            break
        command.append(word)
    return _Line(label, family, command, place)
