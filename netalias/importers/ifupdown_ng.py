"""interfaces(5) of ifupdown-ng, which Alpine Linux has: addresses, never labels.

The model is ifupdown-ng 0.11::

    auto eth0
    iface eth0
        address 10.0.0.1/24            the own address of eth0
        address 10.0.0.2/24            an alias, where all addresses are asked for
    auto eth0:7
    iface eth0:7                       eth0:7  10.0.0.7/25    kind label -broadcast
        address 10.0.0.7
        netmask 25
        address 2001:db8::7            eth0:0  2001:db8::7/25 kind label   # eth0:7

The name goes to ip(8) as a device, and what is behind its colon is lost there. ``auto`` takes one
name. A netmask is that of all addresses of its stanza that have no length.
"""

from __future__ import annotations

from netalias.importers import Importer
from netalias.importers.ifupdown.definitions import INHERITS
from netalias.importers.ifupdown.files import gather_all
from netalias.importers.ifupdown.options import take_other
from netalias.importers.ifupdown.syntax import AUTO, IFACE
from netalias.importers.reading import Lengths, Reading
from netalias.model import AF_INET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.importers.addresses import Assignment
    from netalias.importers.ifupdown.syntax import Stanza
    from netalias.importers.slots import Found

LENGTHS = Lengths(24, 64)
PEER = ("point-to-point", "pointopoint")
OPTIONS = ("address", "netmask", *PEER)
LOOPBACK = "lo"
"""It is auto without being said."""
ASLEEP = "not brought up automatically (auto takes one name)"


class IfupdownNg(Importer):
    """The importer of interfaces(5) as ifupdown-ng reads it."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files and in all that they include, and notes. Raises
        StateError."""
        reading = Reading(LENGTHS, marked=self.marked, opener=self.opener)
        stanzas = gather_all(paths, "", reading.notes, self.opener)
        up = {LOOPBACK} | {word for one in stanzas if one.word == AUTO for word in one.words[:1]}
        for stanza in stanzas:
            if stanza.word == IFACE and stanza.words:
                _stanza(reading, stanza, "" if stanza.words[0] in up else ASLEEP)
        return reading.found, reading.notes


def _stanza(reading: Reading, stanza: Stanza, asleep: str) -> None:
    """Add the addresses of a stanza."""
    name = stanza.words[0]
    if INHERITS in stanza.words:
        reading.note(stanza.place, f"{name}: what it inherits is not carried over")
    mask = next((one.value for one in stanza.options if one.word == "netmask"), "")
    peer = next((one.value for one in stanza.options if one.word in PEER), "")
    for option in stanza.options:
        if option.word == "address":
            # What stands behind the first word is ignored.
            text = (option.value.split() or [""])[0]
            reading.add(
                name,
                text,
                option.place,
                mask=mask,
                asleep=asleep,
                change=lambda one: _change(one, peer),
            )
        else:
            take_other(reading, option, name, asleep, OPTIONS)


def _change(one: Assignment, peer: str) -> None:
    """Complete an address: only IPv4 has a peer. Raises UsageError."""
    if one.type.family == AF_INET:
        one.broadcast = b""
        if peer:
            one.take_peer(peer)
