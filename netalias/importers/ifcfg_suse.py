"""ifcfg files of SUSE: addresses with ``LABEL``, and further addresses without one.

The model is wicked 0.6::

    ifcfg-eth0:  IPADDR=10.0.0.1/24        the own address of eth0
                 IPADDR_1=10.0.0.2/24      eth0:web  ->  eth0:0  10.0.0.2/24  kind label
                 LABEL_1=web

Variables of one address have the same end, which may be any text. They count in the order in which
the addresses stand in the file.
"""

from __future__ import annotations

from itertools import pairwise
from posixpath import basename

from netalias.families.inet import quad
from netalias.importers import Importer
from netalias.importers.addresses import LOOPBACK
from netalias.importers.assignments import Variable, variables
from netalias.importers.reading import HOSTS, Reading
from netalias.model import AF_INET
from netalias.model.names import NAME_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.importers.addresses import Assignment
    from netalias.importers.slots import Found

PREFIX = "ifcfg-"
ADDRESS = "IPADDR"
READ = (
    ADDRESS, "LABEL", "PREFIXLEN", "NETMASK", "BROADCAST", "REMOTE_IPADDR", "SCOPE", "IP_OPTIONS",
    "STARTMODE", "BOOTPROTO",
)  # fmt: skip
"""Beginnings of the names of variables that matter."""
AUTOMATIC = ("auto", "boot", "onboot", "on", "nfsroot", "hotplug", "ifplugd")
"""Values of STARTMODE with which a device is brought up; manual is the default."""
UNSPECIFIED = ("0.0.0.0", "::")
LABEL = r"[A-Za-z0-9_.:-]+"
LIFETIME = "preferred_lft"
LOCAL = ("127.0.0.1", "::1")
"""The addresses that the loopback device always has."""


class IfcfgSuse(Importer):
    """The importer of SUSE's ifcfg files."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files, and notes. Raises StateError."""
        reading = Reading(HOSTS, marked=self.marked, opener=self.opener)
        for path in paths:
            text = reading.text(path)
            if basename(path).startswith(PREFIX):
                found = variables(text, path, reading.note, lambda name: name.startswith(READ))
                _Device(reading, path, found).read()
            else:
                reading.note(path, f"its name does not begin with {PREFIX}: it is not read")
        return reading.found, reading.notes


class _Device:
    """The file of one device, and its variables."""

    __slots__ = ("main", "path", "reading", "values")

    def __init__(self, reading: Reading, path: str, values: dict[str, Variable]) -> None:
        self.reading = reading
        self.path = path
        self.main = basename(path).removeprefix(PREFIX)
        self.values = values

    def text(self, name: str) -> str:
        return self.values[name].text.strip() if name in self.values else ""

    def read(self) -> None:
        """Add the addresses of the file."""
        ignored = ["", *UNSPECIFIED]
        if self.main == LOOPBACK:
            ignored += LOCAL
            for address in LOCAL:
                self.reading.add(self.main, address, f"{self.path}:1")
        asleep = ""
        if self.text("BOOTPROTO").lower() == "none":
            asleep = "not brought up (BOOTPROTO=none)"
        elif self.text("STARTMODE") not in AUTOMATIC and self.main != LOOPBACK:
            said = self.text("STARTMODE") or "manual"
            asleep = f"not brought up automatically (STARTMODE={said})"
        for name in list(self.values):
            address = self.text(name)
            if name.startswith(ADDRESS) and address.partition("/")[0] not in ignored:
                self._address(name.removeprefix(ADDRESS), address, asleep)

    def _address(self, end: str, address: str, asleep: str) -> None:
        """Add an address, ADDRESS[/LEN], with the variables of this end."""
        place = self.values[f"{ADDRESS}{end}"].place
        address, _, length = address.partition("/")
        # A length of 0 counts as none.
        mask = next((one for one in (length, self.text(f"PREFIXLEN{end}")) if one.strip("0")), "")
        if not mask and ":" not in address:
            mask = self.text(f"NETMASK{end}")
        label = self._label(end, address)
        found = self.reading.add(
            label or self.main,
            address,
            place,
            mask=mask,
            asleep=asleep,
            change=lambda one: self._change(one, end),
        )
        if found and label:
            self._lost(end, label, place)

    def _label(self, end: str, address: str) -> str:
        """The label of an address with the name of the device, or nothing."""
        from re import fullmatch

        said = self.text(f"LABEL{end}")
        if not said or said == self.main:
            return ""
        slot = said.removeprefix(self.main).removeprefix(":")
        whole = said if said.startswith(self.main) else f"{self.main}:{said}"
        if ":" not in address and fullmatch(LABEL, slot) and len(whole) <= NAME_MAX:
            return f"{self.main}:{slot}"
        place = self.values[f"LABEL{end}"].place
        self.reading.nameless(place, self.main, f"LABEL{end}={said}", "wicked")
        return ""

    def _change(self, one: Assignment, end: str) -> None:
        """Complete an address. Raises UsageError."""
        remote = self.text(f"REMOTE_IPADDR{end}")
        broadcast = self.text(f"BROADCAST{end}")
        if one.length == one.type.bits and remote.partition("/")[0] not in ("", *UNSPECIFIED):
            one.broadcast = b""
            one.take_peer(remote)
        if one.type.family == AF_INET and quad(broadcast):
            one.take_broadcast(broadcast if quad(broadcast) != one.local else "0.0.0.0")
        words = self.text(f"IP_OPTIONS{end}").split()
        one.deprecated = (LIFETIME, "0") in pairwise(words)

    def _lost(self, end: str, label: str, place: str) -> None:
        """Note what has no word in a line."""
        scope = self.text(f"SCOPE{end}")
        if scope:
            self.reading.lost(place, label, f"SCOPE{end}={scope}", "the kind decides it")
        options = self.text(f"IP_OPTIONS{end}")
        if options and options.split() != [LIFETIME, "0"]:
            what = f"IP_OPTIONS{end}={options}"
            self.reading.lost(place, label, what, "netalias runs no ip command")
