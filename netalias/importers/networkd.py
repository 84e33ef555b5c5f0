"""systemd.network(5): addresses with ``Label=``, and further addresses without one.

The model is systemd-networkd 252::

    [Match]                      eth0:1  10.0.0.2/24  kind label
    Name=eth0
    [Network]
    Address=10.0.0.1/24          the own address of eth0
    [Address]
    Address=10.0.0.2/24
    Label=eth0:1

All ``Address=`` of ``[Network]`` come before the sections ``[Address]``. A file that is masked by
one of the same name in an earlier folder is not read.
"""

from __future__ import annotations

from posixpath import basename

from netalias import errors
from netalias.importers import Importer
from netalias.importers.reading import CLASSFUL, NONE, Lengths, Reading
from netalias.importers.sections import Section, sections
from netalias.importers.slots import labelled
from netalias.model import AF_INET
from netalias.model.names import NAME_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.importers.addresses import Assignment
    from netalias.importers.slots import Found

WILD = "*?["
FALSE = ("no", "false", "0", "off", "n", "f")
"""Texts of a boolean that is false (parse_boolean() of systemd)."""
CHOSEN = ("0.0.0.0", "::")
"""Addresses in place of which networkd takes a free network: they name no alias."""
NO_LIFETIME = ("0", "0s", "0sec")
LOST = {
    "Scope": "the kind decides it",
    "HomeAddress": "netalias has nothing like it",
    "DuplicateAddressDetection": "acd says how addresses are claimed",
    "ManageTemporaryAddress": "netalias has nothing like it",
    "AddPrefixRoute": "netalias decides it",
    "AutoJoin": "netalias has nothing like it",
}
"""Keys of an alias that have no word: the reason."""


class Networkd(Importer):
    """The importer of systemd.network(5)."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files and their drop-ins, and notes. Raises StateError."""
        # networkd 252 sets 2001:db8::7 as ::/0, which no host has a use for.
        reading = Reading(Lengths(CLASSFUL, NONE), marked=self.marked, opener=self.opener)
        for path in unmasked(paths):
            found = sections(reading.text(path), path, continued=True)
            for more in _dropins(path):
                found += sections(reading.text(more, path), more, continued=True)
            _read(reading, path, found)
        return reading.found, reading.notes


def unmasked(paths: Iterable[str]) -> list[str]:
    """The first path of each name, by name, as systemd reads its folders."""
    first: dict[str, str] = {}
    for path in paths:
        first.setdefault(basename(path), path)
    return [first[name] for name in sorted(first)]


def _dropins(path: str) -> list[str]:
    from glob import escape, glob

    return sorted(glob(f"{escape(path)}.d/*.conf"))


def _read(reading: Reading, path: str, found: list[Section]) -> None:
    """Add the addresses of one file with its drop-ins."""
    names = [name for one in found if one.name == "Match" for name in one.last("Name").split()]
    whole = [section for section in found if section.name == "Address" and section.last("Address")]
    listed = [
        one for section in found if section.name == "Network" for one in section.all("Address")
    ]
    said = [(section.last("Address"), section.place) for section in whole] + listed
    said = [(one, place) for one, place in said if one.partition("/")[0] not in CHOSEN]
    if not said:
        return
    if len(names) != 1 or any(letter in names[0] for letter in WILD) or names[0].startswith("!"):
        what = " ".join(names) or "no Name="
        reading.note(said[0][1], f"{what}: only a file for one device by its name is carried over")
        return
    for address, place in listed:
        if address:
            reading.add(names[0], address, place)
    for section in whole:
        _section(reading, names[0], section)


def _section(reading: Reading, main: str, section: Section) -> None:
    """Add the address of a section ``[Address]``."""
    address = section.last("Address")
    label = section.last("Label")
    if ":" in address and label:
        if label != main:
            reading.nameless(section.place, main, f"Label={label}", "networkd")
        label = ""
    if len(label.encode("utf-8", "surrogateescape")) > NAME_MAX:
        what = f"networkd drops a section with a label of more than {NAME_MAX} bytes"
        reading.note(section.place, f"{label}: {address} is not carried over: {what}")
        return
    label = labelled(main, label) if label else main
    found = reading.add(label, address, section.place, change=lambda one: _change(one, section))
    if found is None or not found.named:
        return
    for key, value, place in section.values:
        if key in LOST:
            reading.lost(place, label, f"{key}={value}", LOST[key])


def _change(one: Assignment, section: Section) -> None:
    """Complete an address from its section. Raises UsageError."""
    if section.last("Peer"):
        one.broadcast = b""
        one.take_peer(section.last("Peer"))
    broadcast = section.last("Broadcast")
    if broadcast.lower() in FALSE:
        one.broadcast = b""
    elif broadcast[:1].isdigit() and one.type.family == AF_INET:
        one.take_broadcast(broadcast)
    one.metric = _metric(section.last("RouteMetric"))
    one.deprecated = section.last("PreferredLifetime") in NO_LIFETIME


def _metric(text: str) -> str:
    if text and not text.isdecimal():
        raise errors.UsageError(f"RouteMetric={text}: not a number")
    return text if text != "0" else ""
