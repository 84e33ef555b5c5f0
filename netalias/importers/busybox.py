"""interfaces(5) of busybox, which older Alpine Linux and small systems have.

The model is ifupdown.c of busybox 1.37, with ip::

    auto eth0:1 eth0:2
    iface eth0:1 inet static           eth0:1  10.0.0.1/24  kind label -broadcast
        address 10.0.0.1
        netmask 255.255.255.0
    iface eth0:2 inet6 static          eth0:2  2001:db8::2/64  kind label
        address 2001:db8::2
        netmask 64

A netmask is needed: dotted for IPv4, a number for IPv6. ``/LEN`` is not understood. One fault, such
as a name that is auto twice, and no interface of all files is brought up.
"""

from __future__ import annotations

from netalias.importers import Importer
from netalias.importers.ifupdown.definitions import COMMANDS
from netalias.importers.ifupdown.files import gather_all
from netalias.importers.ifupdown.options import take_other
from netalias.importers.ifupdown.syntax import AUTO, IFACE, MAPPING
from netalias.importers.reading import Reading
from netalias.model import AF_INET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.importers.addresses import Assignment
    from netalias.importers.ifupdown.syntax import Stanza
    from netalias.importers.slots import Found

METHODS = {
    "inet": ("manual", "wvdial", "ppp", "static", "bootp", "dhcp", "loopback"),
    "inet6": ("v4tunnel", "static", "manual", "loopback"),
    "link": ("none",),
}
STATIC = "static"
OPTIONS = ("address", "netmask", "broadcast", "pointopoint")
ASLEEP = "not brought up automatically (no auto)"
REFUSED = "busybox brings nothing up"


class Busybox(Importer):
    """The importer of interfaces(5) as the ifup of busybox reads it."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files and in all that they include, and notes. Raises
        StateError."""
        reading = Reading(marked=self.marked, opener=self.opener)
        stanzas = gather_all(paths, "", reading.notes, self.opener)
        for place, fault in _faults(stanzas):
            reading.note(place, f"{fault}: {REFUSED}")
        defined = [one for one in stanzas if one.word == IFACE and len(one.words) > 2]
        up = dict.fromkeys(word for one in stanzas if one.word == AUTO for word in one.words)
        for name in up:
            for one in defined:
                if one.words[0] == name:
                    _stanza(reading, one, "")
        for one in defined:
            if one.words[0] not in up:
                _stanza(reading, one, ASLEEP)
        return reading.found, reading.notes


def _faults(stanzas: Sequence[Stanza]) -> Iterator[tuple[str, str]]:
    """Place and text of each fault."""
    up: set[str] = set()
    for stanza in stanzas:
        if stanza.word == AUTO:
            for name in stanza.words:
                if name in up:
                    yield stanza.place, f"{name} is auto twice"
                up.add(name)
        elif stanza.word == IFACE:
            yield from _faults_of(stanza)
        elif stanza.word != MAPPING:
            yield stanza.place, f"unknown word {stanza.word}"


def _faults_of(stanza: Stanza) -> Iterator[tuple[str, str]]:
    """Place and text of each fault of an interface."""
    family, method = (*stanza.words[1:3], "", "")[:2]
    if len(stanza.words) != 3 or method not in METHODS.get(family, ()):
        yield stanza.place, "iface needs a name, a family and a method, and nothing else"
    words: set[str] = set()
    for option in stanza.options:
        if not option.value:
            yield option.place, f"{option.word} needs a value"
        elif option.word in words and option.word not in COMMANDS:
            yield option.place, f"{option.word} is given twice"
        words.add(option.word)


def _stanza(reading: Reading, stanza: Stanza, asleep: str) -> None:
    """Add the address of a stanza, and those of its commands. Its lines may be in any order."""
    name, family, method = stanza.words[:3]
    values = {one.word: one.value for one in stanza.options if one.word not in COMMANDS}
    if method == STATIC:
        _address(reading, stanza, values, asleep)
    elif ":" in name:
        what = f"{family} {method} is not carried over"
        reading.note(stanza.place, f"{name}: {what} (an alias has a fixed address)")
    for option in stanza.options:
        take_other(reading, option, name, asleep, OPTIONS)


def _address(reading: Reading, stanza: Stanza, values: dict[str, str], asleep: str) -> None:
    name, family = stanza.words[:2]
    address, mask = values.get("address", ""), values.get("netmask", "")
    why = ""
    if not (address and mask):
        why = "address and netmask are needed"
    elif "/" in address:
        why = "busybox does not understand /LEN"
    elif (family == "inet") != ("." in mask):
        why = f"netmask {mask} is not that of {family} for busybox"
    elif (family == "inet6") != (":" in address):
        why = f"it is no address of {family}"
    if not why:
        reading.add(
            name,
            address,
            stanza.place,
            mask=mask,
            asleep=asleep,
            change=lambda one: _change(one, values),
        )
    elif ":" in name:
        reading.note(stanza.place, f"{name}: {address} is not carried over: {why}")


def _change(one: Assignment, values: dict[str, str]) -> None:
    """Complete an IPv4 address. Raises UsageError."""
    if one.type.family == AF_INET:
        one.broadcast = b""
        if "pointopoint" in values:
            one.take_peer(values["pointopoint"])
        if "broadcast" in values:
            one.take_broadcast(values["broadcast"])
