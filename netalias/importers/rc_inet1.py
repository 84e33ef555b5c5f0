"""``/etc/rc.d/rc.inet1.conf`` of Slackware: ``IPALIASES``, and further addresses without a label.

The model is rc.inet1 of Slackware 15::

    IPADDRS[0]="10.0.0.1/24"              the own address of eth0, the device of index 0
    IPALIASES[0]="10.0.0.2 10.0.0.3/32"   eth0:0  10.0.0.2/24  kind label
                                          eth0:1  10.0.0.3/32  kind label

A slot is counted up by each alias that ip(8) takes, so that one which it refuses has none.
"""

from __future__ import annotations

from netalias import errors
from netalias.importers import Importer
from netalias.importers.assignments import Variable, variables
from netalias.importers.reading import Lengths, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.importers.addresses import Assignment
    from netalias.importers.slots import Found

LENGTHS = Lengths(24, 64)
READ = (
    "IFNAME", "IP6ADDRS", "IPADDRS", "IPADDR", "NETMASK", "IPALIASES", "USE_DHCP", "USE_DHCP6",
    "USE_SLAAC", "MAXNICS",
)  # fmt: skip
"""The names of variables that matter."""
DYNAMIC = ("USE_DHCP", "USE_DHCP6", "USE_SLAAC")
"""The variables that give a device an address, or would; IPADDR is not set then."""
INTERFACES = 6
"""The number of devices where MAXNICS does not say it."""


class RcInet1(Importer):
    """The importer of rc.inet1.conf."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files, and notes. Raises StateError."""
        reading = Reading(LENGTHS, marked=self.marked, opener=self.opener)
        for path in paths:
            found = variables(reading.text(path), path, reading.note, READ.__contains__)
            _read(reading, _indexed(found))
        return reading.found, reading.notes


def _indexed(found: dict[str, Variable]) -> dict[int, dict[str, Variable]]:
    """The variables by index and name; one without an index has 0."""
    indexed: dict[int, dict[str, Variable]] = {}
    for key, variable in found.items():
        name, _, index = key.removesuffix("]").partition("[")
        # A longer number is none of a device.
        if (index or "0").isdecimal() and len(index) < 6:
            for number, text in enumerate(variable.items, int(index or 0)):
                one = Variable([text], variable.place)
                indexed.setdefault(number, {})[name] = one
    return indexed


def _read(reading: Reading, indexed: dict[int, dict[str, Variable]]) -> None:
    """Add the addresses of all devices."""
    said = indexed[0]["MAXNICS"].text if 0 in indexed and "MAXNICS" in indexed[0] else ""
    limit = int(said) if said.isdecimal() and len(said) < 6 else INTERFACES
    for index in sorted(indexed):
        asleep = f"not brought up (there are {limit} devices; MAXNICS says it)"
        _Device(reading, index, indexed[index], asleep if index >= limit else "").read()


class _Device:
    """The variables of one index. ``set`` are the addresses that the device has."""

    __slots__ = ("asleep", "main", "reading", "set", "values")

    def __init__(
        self, reading: Reading, index: int, values: dict[str, Variable], asleep: str
    ) -> None:
        self.reading = reading
        self.values = values
        self.asleep = asleep
        self.main = self.text("IFNAME") or f"eth{index}"
        self.set: set[str] = set()

    def text(self, name: str) -> str:
        return self.values[name].text if name in self.values else ""

    def read(self) -> None:
        """Add the addresses of the device, and its aliases if it has any."""
        dynamic = any(self.text(name) == "yes" for name in DYNAMIC)
        old = "" if dynamic else self.text("IPADDR")
        if old and self.text("NETMASK"):
            old = f"{old}/{self.text('NETMASK')}"
        for name, text in (
            ("IP6ADDRS", self.text("IP6ADDRS")),
            ("IPADDRS", self.text("IPADDRS")),
            ("IPADDR", old),
        ):
            for address in text.split():
                self._add(self.main, address, self.values[name].place, inet6=name == "IP6ADDRS")
        if not (self.set or dynamic) and not self.asleep:
            self.asleep = f"not brought up ({self.main} has no other address)"
        slot = 0
        for address in self.text("IPALIASES").split():
            if self._add(f"{self.main}:{slot}", address, self.values["IPALIASES"].place):
                slot += 1

    def _add(self, label: str, address: str, place: str, *, inet6: bool = False) -> bool:
        """Add an address; whether ip(8) takes it."""

        def change(one: Assignment) -> None:
            if inet6 != (len(one.local) == 16):
                raise errors.BadAddress("ip(8) refuses it for its family")
            text = f"{one.type.format(one.local)}/{one.length}"
            if text in self.set:
                raise errors.BadAddress(f"{self.main} has it already")
            self.set.add(text)

        text = address.removesuffix("/")
        found = self.reading.add(label, text, place, asleep=self.asleep, change=change)
        return found is not None
