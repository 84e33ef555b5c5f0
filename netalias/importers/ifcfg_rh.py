"""ifcfg files of Red Hat: aliases are files of their own, and files of ranges.

The model is ifup-aliases of initscripts 10 (network-scripts)::

    ifcfg-eth0          IPADDR=10.0.0.1         the own address of eth0
                        PREFIX=24
    ifcfg-eth0:1        IPADDR=10.0.0.2         eth0:1     10.0.0.2/24      kind label
    ifcfg-eth0-range0   IPADDR_START=10.0.0.10  eth0:5-7   10.0.0.10-12/24  kind label
                        IPADDR_END=10.0.0.12
                        CLONENUM_START=5

The file of the main device, beside the others, gives them PREFIX, NETMASK and BROADCAST; it is read
too if it is not named. The aliases come first, by name, and then the ranges. NetworkManager reads
such files in another way, which is told.
"""

from __future__ import annotations

from os.path import isfile
from posixpath import basename, dirname

from netalias.importers import Importer
from netalias.importers.assignments import Variable, variables
from netalias.importers.reading import NONE, Lengths, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.importers.addresses import Assignment
    from netalias.importers.slots import Found

# ipcalc(1) guesses a length that is not given, and not every version the same; IPv6 has 64.
LENGTHS = Lengths(NONE, 64)
PREFIX = "ifcfg-"
RANGE = r"(.+)-range"
SLOT = r"[0-9A-Za-z_]*"
"""A regular expression for the label texts that ifup-aliases accepts."""
FALSE = ("f", "n", "no", "off", "false", "0")
INHERITED = ("PREFIX", "NETMASK", "BROADCAST")
OWN = ("", *map(str, range(256)))
"""Ends of IPADDR in the file of a main device."""
LOST = {
    "GATEWAY": "an alias brings no default route",
    "GATEWAYDEV": "an alias brings no default route",
}
"""Variables of an alias that have no word: the reason."""
CHECK = "ARPCHECK"
READ = ("IP", "ONPARENT", "ONBOOT", "DEVICE", "CLONENUM", "NM_", CHECK, *INHERITED, *LOST)
"""Beginnings of the names of variables that matter."""
MANAGED = "NetworkManager"


class IfcfgRh(Importer):
    """The importer of Red Hat's ifcfg files."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files and in those of their main devices, and notes. Raises
        StateError."""
        reading = Reading(LENGTHS, marked=self.marked, opener=self.opener)
        folders: dict[str, list[_File]] = {}
        for path in paths:
            if basename(path).startswith(PREFIX):
                folders.setdefault(dirname(path), []).append(_File(reading, path))
            else:
                reading.note(path, f"its name does not begin with {PREFIX}: it is not read")
        for folder, files in folders.items():
            for main, some in _by_main(files).items():
                _Main(reading, folder, main, some).read()
        return reading.found, reading.notes


class _File:
    """A file: ``name`` is what follows ``ifcfg-``, ``device`` its DEVICE, by default that name."""

    __slots__ = ("_values", "device", "name", "path")

    def __init__(self, reading: Reading, path: str) -> None:
        self.path = path
        self.name = basename(path).removeprefix(PREFIX)
        self._values = variables(reading.text(path, path), path, reading.note, _matters)
        self.device = self.text("DEVICE") or self.name

    def text(self, name: str) -> str:
        """The value of a variable, or nothing."""
        return self._values[name].text if name in self._values else ""

    def place(self, name: str = "") -> str:
        """The place of a variable, by default the file."""
        found: Variable | None = self._values.get(name)
        return found.place if found else f"{self.path}:1"

    def refuses(self, name: str) -> bool:
        """Whether a variable says no."""
        return self.text(name).lower() in FALSE

    @property
    def main(self) -> str:
        """The main device of an alias or a range; empty for one itself."""
        from re import match

        head, colon, _ = self.name.partition(":")
        if colon:
            return head
        found = match(RANGE, self.name)
        return found[1] if found else ""


def _matters(name: str) -> bool:
    return name.startswith(READ)


def _by_main(files: list[_File]) -> dict[str, list[_File]]:
    """The files by the main device that they are of."""
    found: dict[str, list[_File]] = {}
    for file in files:
        found.setdefault(file.main or file.device.partition(":")[0], []).append(file)
    return found


class _Main:
    """The files of one main device.

    ``seen`` are the addresses and slots so far, with their file. ``clone`` is the last
    CLONENUM_START. ``own`` is ADDRESS/LEN of the main device, and ``differing`` are places and
    texts about aliases with another length. ``checked`` are places and names of those for which
    ifup asks whether another host has the address.
    """

    __slots__ = (
        "checked", "clone", "differing", "files", "main", "own", "parent", "reading", "seen",
    )  # fmt: skip

    def __init__(self, reading: Reading, folder: str, main: str, files: list[_File]) -> None:
        self.reading = reading
        self.main = main
        self.files = files
        self.clone = ""
        self.own = ""
        self.differing: list[tuple[str, str]] = []
        self.checked: list[tuple[str, str]] = []
        self.seen: dict[tuple[str, str], _File] = {}
        self.parent = next((one for one in files if not one.main and one.device == main), None)
        path = f"{folder}/{PREFIX}{main}" if folder else f"{PREFIX}{main}"
        if self.parent is None and isfile(path):
            self.parent = _File(reading, path)

    def read(self) -> None:
        """Add the addresses of all files."""
        if self.parent:
            self._own(self.parent)
        for file in self.files:
            if not file.main and file is not self.parent:
                self._alone(file)
        below = sorted((file for file in self.files if file.main), key=lambda file: file.name)
        for file in below:
            if ":" in file.name:
                self._alias(file)
        for file in below:
            if ":" not in file.name:
                self._range(file)
        self._note(self.differing, "")
        why = "the words acd fast look for another host with the address"
        self._note(self.checked, f": {CHECK} is not carried over: {why}")

    def _note(self, found: Sequence[tuple[str, str]], what: str) -> None:
        """Note the first of *found*, and how many more there are."""
        if found:
            place, text = found[0]
            more = f" (and {len(found) - 1} more)" if found[1:] else ""
            self.reading.note(place, f"{text}{what}{more}")

    def _asleep(self, file: _File) -> str:
        if file.refuses("ONPARENT"):
            return "not brought up (ONPARENT=no)"
        if self.parent is None:
            return f"not brought up (there is no {PREFIX}{self.main} beside it)"
        if self.parent.refuses("ONBOOT"):
            return f"not brought up automatically (ONBOOT=no in {PREFIX}{self.parent.name})"
        return ""

    @property
    def _managed(self) -> bool:
        """Whether NetworkManager may read the files."""
        return self.parent is not None and not self.parent.refuses("NM_CONTROLLED")

    def _own(self, file: _File) -> None:
        """Add the addresses of the main device."""
        asleep = self._asleep(file) if file.refuses("ONBOOT") else ""
        seen = False
        for end in OWN:
            address = file.text(f"IPADDR{end}")
            if address:
                mask = file.text(f"PREFIX{end}") or file.text(f"NETMASK{end}")
                place = file.place(f"IPADDR{end}")
                # The length of the first one does not matter: it is no alias.
                any_mask = mask or ("" if seen else "32")
                found = self.reading.add(self.main, address, place, mask=any_mask, asleep=asleep)
                seen = seen or found is not None
                if found and mask and not self.own:
                    self.own = found.words[0]
            elif end.isdigit() and int(end) >= 2:
                break
        self._inet6(file, self.main, asleep)

    def _inet6(self, file: _File, label: str, asleep: str) -> None:
        """Add the IPv6 addresses of a file."""
        if not file.refuses("IPV6INIT"):
            for name in ("IPV6ADDR", "IPV6ADDR_SECONDARIES"):
                for address in file.text(name).split():
                    self.reading.add(label, address, file.place(name), asleep=asleep)

    def _alone(self, file: _File) -> None:
        """Add the alias of a file that is called like that of a main device."""
        address = file.text("IPADDR")
        if ":" in file.device and address:
            self._add(file, file.device, address, f"only ifup {file.name} brings it up")

    def _alias(self, file: _File) -> None:
        """Add the alias of a file of its own."""
        self.clone = file.text("CLONENUM_START") or self.clone
        if self._managed and file.text("DEVICE") != file.name:
            said = "no DEVICE" if file.device == file.name else f"DEVICE={file.device}"
            what = f"{MANAGED} refuses it, since its name is another"
            self.reading.note(file.place("DEVICE"), f"{file.name}: {said}: {what}")
        asleep = self._asleep(file)
        address = file.text("IPADDR")
        place = file.place("IPADDR")
        why = self._refusal(file, file.device, address)
        if why:
            what = address or file.text("IPV6ADDR") or "it"
            self.reading.note(place, f"{file.device}: {what} is not carried over: {why}")
            return
        if address:
            self._add(file, file.device, address, asleep)
        elif not file.text("IPV6ADDR") or file.refuses("IPV6INIT"):
            self.reading.note(place, f"{file.device}: there is no IPADDR")
            return
        self._inet6(file, self._label(file.device), asleep)
        for name, why in LOST.items():
            if file.text(name):
                what = f"{name}={file.text(name)}"
                self.reading.lost(file.place(name), file.device, what, why)

    def _label(self, device: str) -> str:
        """The label of an alias; one without a slot has no name."""
        return device if ":" in device else f"{self.main}:"

    def _refusal(self, file: _File, device: str, address: str) -> str:
        """The reason why ifup-aliases refuses an alias, or nothing; it knows it from then on."""
        from re import fullmatch

        main, colon, slot = device.partition(":")
        slot = slot if colon else main
        if not fullmatch(SLOT, slot):
            return "ifup-aliases takes letters, digits and _ behind the colon"
        if file.refuses("ONPARENT"):
            return ""
        # An address that is missing is one too.
        keys = (("address", address), ("slot", slot))
        before = [self.seen.get(key) for key in keys]
        self.seen.update(dict.fromkeys(keys, file))
        for (what, text), other in zip(keys, before, strict=True):
            if other is not None:
                said = f"the {what} {text}" if text else f"no {what} either"
                return f"{PREFIX}{other.name} has {said}"
        if main != self.main:
            return f"ip(8) refuses a label that does not begin with {self.main}"
        return ""

    def _add(self, file: _File, device: str, address: str, asleep: str) -> None:
        """Add an address under a label, with the mask that counts."""
        values = {name: file.text(name) or self._default(name) for name in INHERITED}
        mask = values["PREFIX"] or values["NETMASK"]
        label = self._label(device)
        place = file.place("IPADDR" if file.text("IPADDR") else "IPADDR_START")

        def change(one: Assignment) -> None:
            # The broadcast address of the main device is computed anew.
            if values["BROADCAST"] not in ("", self._default("BROADCAST")):
                one.take_broadcast(values["BROADCAST"])

        if "/" in address:
            what = "a length has a variable of its own, PREFIX"
            self.reading.note(place, f"{device}: {address} is not carried over: {what}")
            return
        found = self.reading.add(label, address, place, mask=mask, asleep=asleep, change=change)
        check = (file.text(CHECK) or self._default(CHECK)).lower()
        if found and not asleep and check not in FALSE and self.main != "lo":
            self.checked.append((place, device))
        length = self.own.rpartition("/")[2]
        if found and self._managed and length and found.words[0].rpartition("/")[2] != length:
            what = f"{MANAGED} gives it /{length}, as {self.own} has it"
            self.differing.append((place, f"{device}: {found.words[0]}: {what}"))

    def _default(self, name: str) -> str:
        return self.parent.text(name) if self.parent else ""

    def _range(self, file: _File) -> None:
        """Add the aliases of a file of ranges."""
        before, self.clone = self.clone, file.text("CLONENUM_START") or self.clone
        place = file.place("IPADDR_START")
        if self._managed:
            self.reading.note(place, f"{file.name}: {MANAGED} does not read it")
        start, end = file.text("IPADDR_START"), file.text("IPADDR_END")
        said = f"{file.name}: {start} to {end} is not carried over"
        network, _, first = start.rpartition(".")
        other, _, last = end.rpartition(".")
        if not (_is_number(first) and _is_number(last)):
            self.reading.note(place, f"{file.name}: a range needs IPADDR_START and IPADDR_END")
        elif network != other:
            self.reading.note(place, f"{said}: a range may differ in its last number only")
        elif int(first) > int(last) or int(last) > 255:
            self.reading.note(place, f"{said}: a range goes upwards to 255 at most")
        else:
            numbers = range(int(first), int(last) + 1)
            if not file.text("CLONENUM_START"):
                what = "its first address has no number"
                if before:
                    what = f"that of a file before it counts, {before}"
                self.reading.note(place, f"{file.name}: no CLONENUM_START: {what}")
            self._aliases(file, place, [f"{network}.{number}" for number in numbers])

    def _aliases(self, file: _File, place: str, addresses: list[str]) -> None:
        asleep = self._asleep(file)
        refused = []
        for slot, address in zip(self._slots(file, place), addresses, strict=False):
            device = f"{self.main}:{slot}"
            why = self._refusal(file, device, address)
            if why:
                refused.append(f"{device}: {address} is not carried over: {why}")
            else:
                self._add(file, device, address, asleep)
        if refused:
            more = f" (and {len(refused) - 1} more of this range)" if refused[1:] else ""
            self.reading.note(place, f"{refused[0]}{more}")

    def _slots(self, file: _File, place: str) -> Iterator[str]:
        """The slots of a range; without a number the first one is empty, as in the script."""
        number = self.clone
        if not _is_number(number or "0"):
            self.reading.note(place, f"{file.name}: CLONENUM_START={number}: not a number")
            return
        yield number
        following = int(number or "0", 8 if number[:1] == "0" and number.isdecimal() else 10)
        while True:
            following += 1
            yield str(following)


def _is_number(text: str) -> bool:
    """Whether it is a short decimal number, which bash(1) can count on from."""
    octal = text[:1] == "0" and any(digit in text for digit in "89")
    return text.isascii() and text.isdecimal() and len(text) < 6 and not octal
