"""keepalived.conf(5): virtual and static addresses, with or without labels.

::

    syntax.py   a file and those that it includes -> blocks of statements

The model is alloc_ipaddress() of keepalived 2.2::

    vrrp_instance web {
        interface eth0
        virtual_ipaddress {
            10.0.0.7                      eth0:1  10.0.0.7/32  kind label
            10.0.0.8/24 label eth0:0      eth0:0  10.0.0.8/24  kind label -broadcast
        }
    }

All addresses are aliases, and all are left out unless they are asked for: a virtual one is on one
host at a time, and who has it was the result of an election. keepalived sets no broadcast address
unasked, and makes an IPv6 address of 128 bits deprecated.
"""

from __future__ import annotations

from netalias import errors
from netalias.importers import Importer
from netalias.importers.keepalived.syntax import Block, Statement, parse
from netalias.importers.reading import Reading
from netalias.importers.slots import labelled
from netalias.model import AF_INET6
from netalias.model.names import NAME_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.importers.addresses import Assignment
    from netalias.importers.slots import Found

STATIC = "static_ipaddress"
VIRTUAL = ("virtual_ipaddress", "virtual_ipaddress_excluded")
"""Blocks of addresses, in the order in which keepalived adds them."""
DEFAULT = "eth0"
"""The device of static addresses that name none."""
TAKING = ("dev", "scope", "broadcast", "brd", "label", "peer", "preferred_lft", "track_group")
"""Words of an address with a value."""
LOST = {
    "scope": "the kind decides it",
    "home": "netalias has nothing like it",
    "mngtmpaddr": "netalias has nothing like it",
    "noprefixroute": "netalias decides it",
    "autojoin": "netalias has nothing like it",
    "preferred_lft": "an alias is deprecated or not",
}
"""Words that have no word in a line: the reason."""
FLAGS = ("home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin", "no_track", "use_vmac")
"""Words of an address without a value."""
SILENT = ("scope global", "scope 0", "preferred_lft 0", "preferred_lft forever")
"""Words and values of which nothing is lost."""


class Keepalived(Importer):
    """The importer of keepalived.conf(5)."""

    shared = True

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files and in all that they include, and notes. Raises StateError.

        Static ones come first, then those of each instance.
        """
        reading = Reading(marked=self.marked, opener=self.opener)
        for path in paths:
            root = parse(reading, path)
            defaults = [one.last("default_interface") for one in root.blocks("global_defs")]
            default = next((_second(one) for one in reversed(defaults) if one), "") or DEFAULT
            for block in root.blocks(STATIC):
                _addresses(reading, block, default)
            for instance in root.blocks("vrrp_instance"):
                _instance(reading, instance)
        return reading.found, reading.notes


def _second(one: Statement | None) -> str:
    return one.words[1] if one and len(one.words) > 1 else ""


def _instance(reading: Reading, instance: Block) -> None:
    """Add the addresses of one vrrp_instance."""
    main = _second(instance.last("interface"))
    vmac = instance.last("use_vmac")
    if vmac:
        what = "its addresses go to the device itself, not to one with the virtual MAC"
        reading.note(vmac.place, f"use_vmac is not carried over: {what}")
    for name in VIRTUAL:
        for block in instance.blocks(name):
            _addresses(reading, block, main)


def _addresses(reading: Reading, block: Block, main: str) -> None:
    for one in block.inner:
        values, flags = _words(one.words)
        _add(reading, one, values.get("dev", main), values, flags)


def _words(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Value by word of those that have one, and the other ones."""
    values: dict[str, str] = {}
    flags = []
    rest = words[:0:-1]
    while rest:
        word = rest.pop()
        if word in TAKING and rest:
            values["broadcast" if word == "brd" else word] = rest.pop()
        else:
            flags.append(word)
    return values, flags


def _add(
    reading: Reading, one: Statement, main: str, values: dict[str, str], flags: list[str]
) -> None:
    """Add an address of the device *main*, or note why it is none."""
    address = one.words[0]
    label = values.get("label", "") if ":" not in address else ""
    missing = [word for word in flags if word in TAKING]
    why = ""
    if missing:
        why = f"{missing[0]} needs a value"
    elif len(label.encode("utf-8", "surrogateescape")) > NAME_MAX:
        why = f"keepalived drops an address with a label of more than {NAME_MAX} bytes"
    elif not main:
        why = "there is no device"
    if why:
        reading.note(
            one.place, f"{label or main}: {address} is not carried over: {why}".lstrip(": ")
        )
        return
    found = reading.add(
        labelled(main, label), _sized(address), one.place, change=lambda what: _change(what, values)
    )
    if found:
        _lost(reading, one.place, label if found.named else main, values, flags)


def _lost(
    reading: Reading, place: str, label: str, values: dict[str, str], flags: list[str]
) -> None:
    """Note what has no word in a line."""
    for what in (*(f"{word} {value}" for word, value in values.items()), *flags):
        word = what.partition(" ")[0]
        if word not in (*TAKING, *FLAGS):
            reading.note(place, f"{label}: {word}: keepalived ignores this word")
        if word in LOST and what not in SILENT:
            reading.lost(place, label, what, LOST[word])


def _sized(address: str) -> str:
    """ADDRESS/LEN with a decimal length; one that is none is that of a host."""
    local, slash, length = address.partition("/")
    bits = 128 if ":" in local else 32
    if not slash:
        return local
    is_number = length.isascii() and length.isdecimal() and len(length.lstrip("0")) <= 3
    return f"{local}/{int(length) if is_number and int(length) <= bits else bits}"


def _take_peer(one: Assignment, text: str) -> None:
    """Set the peer, and the length of a host; keepalived ignores what is no address, such as one
    with a length."""
    try:
        peer, length = one.type.parse(text)
    except errors.BadAddress:
        return
    if length is None:
        one.peer, one.length = peer, one.type.bits


def _change(one: Assignment, values: dict[str, str]) -> None:
    """Complete an address from its words. Raises UsageError."""
    one.broadcast = b""
    if "peer" in values:
        _take_peer(one, values["peer"])
    elif "broadcast" in values:
        one.take_broadcast(values["broadcast"])
    if one.type.family == AF_INET6:
        usual = "0" if one.length == one.type.bits else "forever"
        one.deprecated = values.get("preferred_lft", usual) == "0"
