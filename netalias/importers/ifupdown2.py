"""interfaces(5) of ifupdown2, which Cumulus Linux and Proxmox VE have: addresses, never labels.

The model is ifupdown2 3.9::

    auto eth0
    iface eth0
        address 10.0.0.1/24            the own address of eth0
        address 10.0.0.2/24            an alias, where all addresses are asked for
    iface eth0:7 inet static           eth0:7  10.0.0.7/32    kind label
        address 10.0.0.7
        address 2001:db8::7/64         eth0:0  2001:db8::7/64 kind label   # eth0:7

A name ends at its colon: all stanzas of eth0 and of its aliases are one interface, which ``auto
eth0`` brings up if it stands before one of them. netmask, broadcast, scope, preferred-lifetime and
pointopoint belong to addresses by their position in that whole. One wrong address, and none is set.
The family word means nothing, and no broadcast address is set unasked.
"""

from __future__ import annotations

from netalias import errors
from netalias.importers import Importer
from netalias.importers.ifupdown.files import gather_all
from netalias.importers.ifupdown.options import take_other
from netalias.importers.ifupdown.syntax import ALLOW, AUTO, IFACE, selected
from netalias.importers.reading import Reading
from netalias.model import AF_INET, AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from netalias.importers.addresses import Assignment
    from netalias.importers.ifupdown.syntax import Option, Stanza
    from netalias.importers.slots import Found

PADDED = ("netmask", "broadcast", "scope", "preferred-lifetime")
"""Options that belong to the address above them."""
OF_ADDRESS = (*PADDED, "pointopoint")
ASKED = (AUTO, "hotplug")
"""Classes that are brought up at boot."""
ALL = "all"
VLAN = "vlan"
"""It begins a stanza of ifupdown2, which is no device."""
DYNAMIC = ("dhcp", "ppp")
"""Methods beside which no address is set."""
ASLEEP = "not brought up automatically (no auto before it)"
TEMPLATE = "a template, which only ifupdown2 can expand"
MACVLAN = "it is a macvlan: kind macvlan hw ether MAC"
LOST = {"address-virtual": MACVLAN, "vrrp": MACVLAN}


class Ifupdown2(Importer):
    """The importer of interfaces(5) as ifupdown2 reads it."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files and in all that they include, and notes. Raises
        StateError."""
        reading = Reading(marked=self.marked, opener=self.opener)
        interfaces: dict[str, _Interface] = {}
        up: set[str] = set()
        for stanza in gather_all(paths, "", reading.notes, self.opener):
            if selected(stanza.word) in ASKED or stanza.word == f"{ALLOW}{AUTO}":
                up.update(stanza.words)
            elif stanza.word.startswith("%"):
                reading.note(stanza.place, TEMPLATE)
            elif stanza.word == IFACE and stanza.words:
                main = stanza.words[0].partition(":")[0]
                interfaces.setdefault(main, _Interface()).take(stanza, up)
        for main, one in interfaces.items():
            one.add(reading, main)
        return reading.found, reading.notes


class _Interface:
    """The stanzas of a device and of its aliases. ``values`` are the lists of options of addresses,
    by position. An address has the name of its stanza."""

    __slots__ = ("addresses", "awake", "method", "others", "values")

    def __init__(self) -> None:
        self.awake = False
        self.method = ""
        self.addresses: list[tuple[Option, str]] = []
        self.others: list[tuple[Option, str]] = []
        self.values: dict[str, list[str]] = {word: [] for word in OF_ADDRESS}

    def take(self, stanza: Stanza, up: Collection[str]) -> None:
        """Take in a stanza, with the interfaces that are to be brought up so far."""
        name, _, method = (*stanza.words, "", "")[:3]
        self.method = self.method or method
        self.awake = self.awake or any(_means(word, name.partition(":")[0]) for word in up)
        addresses: list[tuple[Option, str]] = []
        values: dict[str, list[str]] = {word: [] for word in OF_ADDRESS}
        for option in stanza.options:
            word = option.word.replace("_", "-")
            if word == VLAN:
                break
            if word == "address":
                addresses.append((option, name))
            elif word not in OF_ADDRESS:
                self.others.append((option, name))
            elif word not in PADDED:
                values[word].append(option.value)
            elif addresses:  # before the first address it is lost
                empty = len(addresses) - len(values[word]) - 1
                values[word] += [""] * empty + [option.value]
        self.addresses += addresses
        for word, more in values.items():
            self.values[word] += more

    def value(self, word: str, index: int) -> str:
        """The value of an option of the address with this index; empty if it has none."""
        values = self.values[word]
        return values[index] if index < len(values) else ""

    def add(self, reading: Reading, main: str) -> None:
        """Add the addresses; those of the device itself are no aliases."""
        if "[" in main and self.addresses:
            what = "a range of interfaces is not carried over"
            reading.note(self.addresses[0][0].place, f"{main}: {what}")
            return
        from functools import partial

        asleep = "" if self.awake else ASLEEP
        if not asleep and self.method in DYNAMIC:
            asleep = f"not set (the method of {main} is {self.method})"
        stop = next(filter(None, (self._wrong(reading, n) for n in range(len(self.addresses)))), "")
        for index, (option, name) in enumerate(self.addresses):
            reading.add(
                name,
                option.value,
                option.place,
                mask=self.value("netmask", index),
                asleep=asleep or stop,
                change=partial(self._change, index),
            )
        for option, name in self.others:
            self._other(reading, option, name, asleep)

    def _wrong(self, reading: Reading, index: int) -> str:
        """The reason why ifupdown2 sets none of the addresses, if this one is wrong."""
        option, _ = self.addresses[index]
        try:
            reading.assignment(option.value, self.value("netmask", index))
        except errors.NetaliasError:
            return f"not set (ifupdown2 stops at {option.place}, which is no address)"
        return ""

    def _change(self, index: int, one: Assignment) -> None:
        """Complete an address. Raises UsageError."""
        one.broadcast = b""
        if one.type.family == AF_INET and self.value("broadcast", index):
            one.take_broadcast(self.value("broadcast", index))
        if self.value("pointopoint", index):
            one.take_peer(self.value("pointopoint", index))
        lifetime = self.value("preferred-lifetime", index)
        one.deprecated = one.type.family == AF_INET6 and lifetime == "0"

    def _other(self, reading: Reading, option: Option, name: str, asleep: str) -> None:
        """Add the labels that a command sets; note what else an alias has."""
        if option.word.startswith("%"):
            reading.note(option.place, TEMPLATE)
        elif option.word in LOST:
            reading.lost(option.place, name, option.word, LOST[option.word])
        else:
            take_other(reading, option, name, asleep, ())


def _means(word: str, name: str) -> bool:
    """Whether a word of auto, which may have a range of numbers in brackets, means an interface."""
    begin, bracket, rest = word.partition("[")
    numbers, _, end = rest.partition("]")
    if not bracket:
        return word in (name, ALL)
    low, _, high = numbers.partition("-")
    number = name[len(begin) : len(name) - len(end)]
    return (
        name.startswith(begin)
        and name.endswith(end)
        and all(one.isascii() and one.isdigit() for one in (low, high, number))
        and int(low) <= int(number) <= int(high)
    )
