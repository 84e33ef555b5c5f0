"""Keyfiles of NetworkManager, nm-settings-keyfile(5): further addresses, which have no labels.

The model is nm-keyfile.c of NetworkManager 1.59::

    [connection]
    interface-name=eth0
    [ipv4]
    address1=10.0.0.1/24,10.0.0.254     the own address of eth0
    address2=10.0.0.2/24                an alias, where all addresses are asked for

Keys count by their numbers, the bare one first. A gateway behind the comma is that of the device.
"""

from __future__ import annotations

from netalias.importers import Importer
from netalias.importers.reading import Lengths, Reading
from netalias.importers.sections import Section, sections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.importers.slots import Found

LENGTHS = Lengths(24, 64)
FAMILIES = ("ipv4", "ipv6")
KEYS = ("addresses", "address")
"""Beginnings of keys with an address; the longer one first."""
FALSE = ("false", "0", "no")


class Keyfile(Importer):
    """The importer of NetworkManager's keyfiles."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some keyfiles, and notes. Raises StateError."""
        reading = Reading(LENGTHS, marked=self.marked, opener=self.opener)
        for path in paths:
            _read(reading, path, sections(reading.text(path), path))
        return reading.found, reading.notes


def _read(reading: Reading, path: str, found: list[Section]) -> None:
    """Add the addresses of one file."""
    # A section that is said again goes on.
    connection = [value for one in found if one.name == "connection" for value in one.values]
    settings = {key: value for key, value, _ in connection}
    main = settings.get("interface-name", "")
    asleep = ""
    if settings.get("autoconnect", "true").lower() in FALSE:
        asleep = "not brought up automatically (autoconnect=false)"
    for family in FAMILIES:
        values = [value for one in found if one.name == family for value in one.values]
        addresses = _numbered(values)
        if addresses and not main:
            what = "only a connection for one device by its name is carried over"
            reading.note(addresses[0][1], f"no interface-name: {what}")
            return
        for text, place in addresses:
            address = text.partition(",")[0].strip()
            if address:
                reading.add(main, address, place, asleep=asleep)


def _numbered(values: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Text and place of the addresses in the order of NetworkManager; of equal keys the last
    counts."""
    found: dict[tuple[int, str], tuple[str, str]] = {}
    for key, value, place in values:
        begin = next((one for one in KEYS if key.startswith(one)), "")
        number = key[len(begin) :]
        if not begin or (number and not _is_number(number)):
            continue
        # The bare key comes before number 0, and address1 before addresses1.
        found[int(number) if number else -1, begin] = (value.rstrip(";"), place)
    return [found[key] for key in sorted(found)]


def _is_number(text: str) -> bool:
    """Whether it is a decimal number without leading zeros; ``address01`` is no key."""
    return text.isascii() and text.isdecimal() and (text == "0" or text[0] != "0")
