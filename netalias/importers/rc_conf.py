"""``/etc/rc.conf`` of FreeBSD: aliases of ``ifconfig_IF_aliases`` and its like, ranges included.

The model is network.subr of FreeBSD 14::

    ifconfig_em0="inet 10.0.0.1/24"               the own address of em0
    ifconfig_em0_aliases="inet 10.0.0.5-7/24"     10.0.0.5/24, 10.0.0.6/32, 10.0.0.7/32
    ifconfig_em0_alias0="inet6 2001:db8::5-6"     2001:db8::5/64, 2001:db8::6/64
    ipv4_addrs_em0="10.1.0.5/24"                  10.1.0.5/24

Aliases have no names. Those of IPv4 come first, in this order: ``_aliases``, ``_aliasN`` by number,
``ipv4_addrs_``. Devices are called otherwise on Linux.
"""

from __future__ import annotations

from posixpath import basename

from netalias.importers import Importer, ifconfig
from netalias.importers.assignments import Variable, variables
from netalias.importers.reading import NONE, Lengths, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.importers.slots import Found

# Without a mask releases differ, in IPv4, between that of the class and 24.
LENGTHS = Lengths(NONE, 64)
NAMES = (
    (r"ifconfig_(\w+)_aliases", "aliases"),
    (r"ipv6_ifconfig_(\w+)_alias([0-9]+)", "inet6"),
    (r"ifconfig_(\w+)_alias([0-9]+)", "alias"),
    (r"ipv4_addrs_(\w+)", "ipv4"),
    (r"ifaliases_(\w+)", "other"),
    (r"ifconfig_(\w+)_ipv6", "own"),
    (r"ifconfig_(\w+)", "own"),
)
"""Names of variables with that of a device in them, and what they hold; the first one counts."""
MAXIMUM = "netif_ipexpand_max"
MASKS = {"inet": "netmask", "inet6": "prefixlen"}
LENGTH = {"inet": "32", "inet6": "64"}
"""The lengths of addresses of ranges."""
COMPONENTS = {"inet": (".", "[0-9]", 255), "inet6": (":", "[0-9a-fA-F]", 0xFFFF)}
"""The separator between the components of an address, their digits, and the last number."""
FAMILIES = ("inet", "inet6", "link", "ether")
"""Words with which a part of a list begins."""


class RcConf(Importer):
    """The importer of FreeBSD's rc.conf."""

    foreign = True

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files, and notes. Raises StateError."""
        reading = Reading(LENGTHS, marked=self.marked, opener=self.opener)
        before = ""
        found: list[dict[str, Variable]] = []
        for path in paths:
            some = variables(reading.text(path), path, reading.note, _matters)
            if basename(path) == "rc.conf.local" and path == f"{before}.local":
                found[-1].update(some)
            else:
                found.append(some)
            before = path
        for some in found:
            _read(reading, some)
        return reading.found, reading.notes


def _matters(name: str) -> bool:
    from re import fullmatch

    return name == MAXIMUM or any(fullmatch(pattern, name) for pattern, _ in NAMES)


def _read(reading: Reading, found: dict[str, Variable]) -> None:
    """Add the addresses of one system."""
    from re import fullmatch

    text = found[MAXIMUM].text if MAXIMUM in found else ""
    limit = int(text) if text.isdecimal() and len(text) < 9 else 2048
    devices: dict[str, _Device] = {}
    for name, variable in found.items():
        for pattern, role in NAMES:
            match = fullmatch(pattern, name)
            if match:
                device = devices.setdefault(match[1], _Device(reading, match[1], limit))
                number = int(match[2]) if match.lastindex == 2 else 0
                device.roles.setdefault(role, []).append((number, variable))
                break
    for device in devices.values():
        device.read()


class _Device:
    """The variables of one device by role, with their numbers; ``limit`` is that of a range."""

    __slots__ = ("limit", "main", "reading", "roles")

    def __init__(self, reading: Reading, main: str, limit: int) -> None:
        self.reading = reading
        self.main = main
        self.limit = limit
        self.roles: dict[str, list[tuple[int, Variable]]] = {}

    def all(self, role: str) -> list[Variable]:
        """The variables of a role in the order of their numbers."""
        return [one for _, one in sorted(self.roles.get(role, ()), key=lambda pair: pair[0])]

    def read(self) -> None:
        """Add the own addresses and all aliases."""
        for variable in self.all("own"):
            for family, words in _parts(variable.text.split()):
                if family not in FAMILIES[2:]:
                    ifconfig.add(self.reading, self.main, family or "inet", words, variable.place)
        for variable in self.all("other"):
            what = "a variable of NetBSD (--from ifconfig.if)"
            self.reading.note(variable.place, f"ifaliases_{self.main}: {what}")
        parts = list(self._aliases())
        for family in ifconfig.FAMILIES:
            for one, words, place in parts:
                if one == family:
                    self._alias(family, words, place)
        for one, words, place in parts:
            if one not in ifconfig.FAMILIES:
                what = f"{one} {' '.join(words)}".strip()
                why = "it is no IP address" if one else "it is passed over without inet or inet6"
                self.reading.note(place, f"{self.main}: {what} is not carried over: {why}")

    def _aliases(self) -> Iterator[tuple[str, list[str], str]]:
        """Family, words and place of each alias or range, in the order of the lists."""
        lists = [(one.place, one.text.split()) for one in self.all("aliases")]
        for variable in self.all("alias"):
            words = variable.text.split()
            if not words:
                # It ends the list, as one that is missing does not.
                break
            lists.append((variable.place, words if words[0] in FAMILIES else ["inet", *words]))
        for variable in self.all("inet6"):
            if not variable.text:
                break
            lists.append((variable.place, ["inet6", *variable.text.split()]))
        for variable in self.all("ipv4"):
            lists += [(variable.place, ["inet", word]) for word in variable.text.split()]
        for place, words in lists:
            for family, part in _parts(words):
                yield family, part, place

    def _alias(self, family: str, words: list[str], place: str) -> None:
        """Add an alias or a range."""
        label = f"{self.main}:"
        address = words[0] if words else ""
        if "-" not in address:
            ifconfig.add(self.reading, label, family, words, place)
            return
        found = _range(address, family)
        if not found:
            what = f"{family} {address} is not carried over: no range of numbers in one component"
            self.reading.note(place, f"{self.main}: {what}")
            return
        # As written: one number is added before the limit is looked at, and one after.
        count = min(self.limit + 2, len(found))
        if count < len(found):
            what = f"{address} is cut off at {found[count - 1]} ({MAXIMUM} is {self.limit})"
            self.reading.note(place, f"{self.main}: {what}")
        masked = MASKS[family] in words
        for one in found[:count]:
            text = one.partition("/")[0] if masked else one
            ifconfig.add(self.reading, label, family, [text, *words[1:]], place)


def _parts(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The words of a list from each word of a family to the next one; those before have none."""
    family = ""
    part: list[str] = []
    for word in words:
        if word in FAMILIES:
            if family or part:
                yield family, part
            family, part = word, []
        else:
            part.append(word)
    if family or part:
        yield family, part


def _range(text: str, family: str) -> list[str]:
    """The addresses of ``LOW-HIGH`` in one component, with their lengths; none for another text."""
    from re import fullmatch

    address, slash, length = text.partition("/")
    mark, digits, limit = COMPONENTS[family]
    parts = address.split(mark)
    at = [index for index, part in enumerate(parts) if "-" in part]
    match = fullmatch(rf"({digits}+)-({digits}+)", parts[at[0]]) if len(at) == 1 else None
    if match is None:
        return []
    base = 10 if family == "inet" else 16
    numbers = range(int(match[1], base), min(int(match[2], base), limit) + 1)
    found: list[str] = []
    for number in numbers:
        part = str(number) if family == "inet" else f"{number:x}"
        one = mark.join([*parts[: at[0]], part, *parts[at[0] + 1 :]])
        size = length if slash else LENGTH[family]
        # Only the first address of IPv4 has the length that is given.
        found.append(f"{one}/{LENGTH[family] if family == 'inet' and found else size}")
    return found
