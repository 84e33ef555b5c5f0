"""ifconfig.if(5) and ifaliases(5) of NetBSD: lines with the word ``alias``, and lists of aliases.

The model is rc.d/network of NetBSD 10::

    /etc/ifconfig.re0  inet 10.0.0.1 netmask 255.255.255.0         the own address of re0
                       inet 10.0.0.2 netmask 0xffffffff alias      10.0.0.2/32
    /etc/rc.conf       ifconfig_re1="inet 10.1.0.1/24; inet 10.1.0.2/32 alias"
                       ifaliases_re0="10.0.0.3 255.255.255.255"    10.0.0.3/32
    /etc/ifaliases     10.0.0.4 re0 255.255.255.255                10.0.0.4/32

Aliases have no names. Devices are called otherwise on Linux.
"""

from __future__ import annotations

from posixpath import basename

from netalias.importers import Importer, ifconfig
from netalias.importers.assignments import variables
from netalias.importers.reading import CLASSFUL, Lengths, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.importers.slots import Found

LENGTHS = Lengths(CLASSFUL, 64)
PREFIX = "ifconfig."
ALIASES = "ifaliases"
VARIABLES = ("ifconfig_", "ifaliases_")
"""Beginnings of names in rc.conf: lines of such a file, and pairs of address and mask."""
BY_CLASS = "-"
"""A mask that is that of the class of the address."""
SHELL = "$`&|<>();"
"""The characters that only a shell understands: a line with one is evaluated by a shell."""
COMMENT = "#"
COMMAND = "!"


class IfconfigIf(Importer):
    """The importer of NetBSD's ifconfig.if(5), ifaliases(5) and rc.conf(5)."""

    foreign = True

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files, and notes. Raises StateError."""
        reading = Reading(LENGTHS, marked=self.marked, opener=self.opener)
        # ifaliases is the last one to be read at boot.
        for path in sorted(paths, key=lambda path: basename(path) == ALIASES):
            text = reading.text(path)
            name = basename(path)
            if name.startswith(PREFIX):
                for number, line in ifconfig.lines(text):
                    _line(reading, name.removeprefix(PREFIX), line, f"{path}:{number}")
            elif name == ALIASES:
                for number, line in enumerate(text.split("\n"), 1):
                    _triple(reading, line.split(), f"{path}:{number}")
            else:
                _variables(reading, text, path)
        return reading.found, reading.notes


def _line(reading: Reading, main: str, line: str, place: str) -> None:
    """Add the address of a line, if it has one."""
    words = line.split()
    if not words or words[0].startswith(COMMENT):
        return
    if words[0].startswith(COMMAND):
        if ifconfig.ALIAS in line or "ifconfig" in line:
            reading.note(place, f"{line}: a command is not carried over")
        return
    alias = ifconfig.ALIAS in words
    if alias and any(letter in SHELL for letter in line):
        reading.note(place, f"{line}: only a shell knows what it says")
        return
    if any(word in ifconfig.REMOVING for word in words):
        return
    family, rest = ("inet", words) if words[0] not in ifconfig.FAMILIES else (words[0], words[1:])
    if alias or words[0] in ifconfig.FAMILIES:
        ifconfig.add(reading, f"{main}:" if alias else main, family, rest, place)


def _triple(reading: Reading, words: list[str], place: str) -> None:
    """Add the alias of a line of ifaliases(5): address, device, mask."""
    if words and not words[0].startswith(COMMENT):
        address, main, mask = [*words, "", ""][:3]
        if main:
            _pair(reading, main, address, mask, place)
        else:
            reading.note(place, f"{address} is not carried over: there is no device")


def _pair(reading: Reading, main: str, address: str, mask: str, place: str) -> None:
    """Add an alias, which is one of IPv4."""
    words = [address] if mask in ("", BY_CLASS) else [address, "netmask", mask]
    ifconfig.add(reading, f"{main}:", "inet", words, place)


def _variables(reading: Reading, text: str, path: str) -> None:
    """Add the addresses of a file like rc.conf(5)."""
    found = variables(text, path, reading.note, lambda name: name.startswith(VARIABLES))
    lines, pairs = VARIABLES
    for name, variable in found.items():
        if name.startswith(lines):
            for line in variable.text.replace(";", "\n").split("\n"):
                _line(reading, name.removeprefix(lines), line.strip(), variable.place)
    for name, variable in found.items():
        if name.startswith(pairs):
            main = name.removeprefix(pairs)
            words = variable.text.split()
            for address, mask in zip(words[::2], words[1::2], strict=False):
                _pair(reading, main, address, mask, variable.place)
            if len(words) % 2:
                what = f"{words[-1]} is not carried over: a mask must follow it"
                reading.note(variable.place, f"{main}: {what}")
