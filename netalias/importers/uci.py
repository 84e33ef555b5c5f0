"""The file network of UCI: the static addresses of netifd, OpenWrt's network daemon.

The model is netifd of 2026, with the parser and the lists of libuci::

    config interface 'lan'
        option device 'br-lan'
        option proto 'static'
        list ipaddr '10.0.0.1/24'      the own address of br-lan
        list ipaddr '10.0.0.2/24'      an alias, where all addresses are asked for
    config alias
        option interface 'lan'
        option proto 'static'
        option ipaddr '10.1.0.1'       br-lan:0  10.1.0.1/24  kind label -broadcast
        option netmask '255.255.255.0'

A section ``alias``, and an interface whose device is ``@lan``, stand on the device of another
interface: their addresses are aliases. netifd sets no broadcast address unasked.
"""

from __future__ import annotations

from netalias.importers import Importer
from netalias.importers.reading import Reading
from netalias.importers.sections import Section
from netalias.model import AF_INET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from re import Match

    from netalias.importers.addresses import Assignment
    from netalias.importers.slots import Found

TOKEN = (
    r"(?P<blank>(?:[ \t\r\f\v]|\\\r?\n)+)|(?P<end>[\n;]|#[^\n]*)"
    r"""|(?P<word>(?:'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\\.|[^\s'"\\#;])+)"""
)
PIECE = r"""'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\\(.)|([^'"\\]+)"""
TRUE = ("1", "true")
"""Texts of a switch that is on."""
FALSE = ("0", "false")
STATIC = "static"
REFUSED = "netifd refuses the file"
TYPES = ("interface", "alias")
"""The types of sections, in the order in which netifd reads them."""
ABOVE = "@"
"""The first letter of a device that is that of another interface."""


class Uci(Importer):
    """The importer of /etc/config/network."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files, and notes. Raises StateError."""
        reading = Reading(marked=self.marked, opener=self.opener)
        for path in paths:
            found = _sections(reading, path)
            devices = _devices(found)
            for type in TYPES:
                for name, one in found.items():
                    if one.name == type and one.last("proto") == STATIC:
                        _addresses(reading, name, one, devices)
        return reading.found, reading.notes


def _sections(reading: Reading, path: str) -> dict[str, Section]:
    """The sections by name, those without one by their place; a name that is said again goes on."""
    found: dict[str, Section] = {}
    current: Section | None = None
    for number, (keyword, *words) in _commands(reading, path):
        place = f"{path}:{number}"
        if keyword == "package":
            continue
        if keyword == "config" and 1 <= len(words) <= 2:
            current = found.setdefault(words[-1] if words[1:] else place, Section("", place))
            current.name = words[0]
        elif keyword in ("option", "list") and 1 <= len(words) <= 2 and current:
            _value(current, keyword, words, place)
        else:
            reading.note(place, f"{keyword}: {REFUSED}")
    return found


def _value(section: Section, keyword: str, words: list[str], place: str) -> None:
    """Set an option, or add to a list; an option with blanks is a list too."""
    key, value = (*words, "")[:2]
    if keyword == "option":
        section.values = [one for one in section.values if one[0] != key]
    lists = keyword == "option" and key in ("ipaddr", "ip6addr")
    for one in value.split() if lists else (value,):
        section.values.append((key, one, place))


def _commands(reading: Reading, path: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and words of each command; what cannot be split is noted, and ends the file."""
    import re

    text = reading.text(path)
    words: list[str] = []
    line, begin, end = 1, 1, 0
    for match in re.finditer(TOKEN, f"{text}\n"):
        if match.start() != end:
            break
        end = match.end()
        if match["word"]:
            begin = begin if words else line
            words.append("".join(map(_text, re.finditer(PIECE, match["word"]))))
        elif match["end"] and words:
            yield begin, words
            words = []
        line += match[0].count("\n")
    if end <= len(text):
        reading.note(f"{path}:{line}", f"a quote without an end: {REFUSED}")


def _text(piece: Match[str]) -> str:
    """The text of a part of a word."""
    import re

    single, double, escaped, bare = piece.groups()
    if double is not None:
        return re.sub(r"\\(\r?\n|[\s\S])", lambda one: one[1].strip("\r\n"), double)
    return single or escaped or bare or ""


def _devices(found: dict[str, Section]) -> dict[str, str]:
    """Device by interface; ``@NAME`` is left where there is no such interface."""
    devices = {name: _device(name, one) for name, one in found.items() if one.name == "interface"}
    for name in devices:
        seen = {name}
        while devices[name].startswith(ABOVE) and devices[name][1:] in devices:
            above = devices[name][1:]
            if above in seen:
                break
            seen.add(above)
            devices[name] = devices[above]
    return devices


def _device(name: str, section: Section) -> str:
    """The device of an interface, as it is said; a bridge is called after it."""
    if section.last("type") == "bridge":
        return f"br-{name}"
    return section.last("device") or section.last("ifname")


def _addresses(reading: Reading, name: str, section: Section, devices: dict[str, str]) -> None:
    """Add the addresses of one interface or alias."""
    if section.last("disabled") in TRUE:
        return
    if section.name == "alias":
        above = section.last("interface")
        main = devices.get(above, "")
    else:
        above = _device(name, section).partition(ABOVE)[2]
        main = devices[name]
    asleep = "not brought up automatically (auto 0)" if section.last("auto") in FALSE else ""
    for address, place in (*section.all("ipaddr"), *section.all("ip6addr")):
        if not main or main.startswith(ABOVE):
            what = f"there is no interface {above}" if above else "it has no device"
            reading.note(place, f"{address} is not carried over: {what}")
            continue
        reading.add(
            f"{main}:" if above else main,
            address,
            place,
            mask="" if ":" in address else section.last("netmask"),
            asleep=asleep,
            change=lambda one: _change(one, section),
        )


def _change(one: Assignment, section: Section) -> None:
    """Complete an address from its section. Raises UsageError."""
    if one.type.family != AF_INET:
        one.deprecated = section.last("ip6deprecated") in TRUE
        return
    one.broadcast = b""
    if section.last("broadcast"):
        one.take_broadcast(section.last("broadcast"))
    if section.last("ptpaddr"):
        one.peer, _ = one.type.parse(section.last("ptpaddr"))
