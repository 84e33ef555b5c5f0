"""``/etc/conf.d/net`` of Gentoo: addresses with ``label``, and further addresses without one.

The model is netifrc 0.7 with its module iproute2::

    config_eth0="10.0.0.1/24                     the own address of eth0
    10.0.0.2/24 label eth0:1"                    eth0:1  10.0.0.2/24  kind label
    config_eth1="10.1.0.1/24 10.1.0.2/24"        two addresses in one line, and nothing else

A line is one address with its words, which may be abbreviated. Only if it is the whole value, and
its second word looks like an address, each word is one.
"""

from __future__ import annotations

from netalias import errors
from netalias.importers import Importer
from netalias.importers.addresses import LOOPBACK, address_mask
from netalias.importers.assignments import Variable, variables
from netalias.importers.reading import HOSTS, Reading
from netalias.model import AF_INET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.importers.addresses import Assignment
    from netalias.importers.slots import Found

CONFIG = "config_"
LOCAL = "127.0.0.1/8"
"""The address that the loopback device gets first."""
NOTHING = "null"
OTHERS = (NOTHING, "noop", "dhcp", "dhcpv6", "apipa", "arping")
"""Configurations that are no addresses."""
WORDS = (
    ("ne", "netmask"), ("br", "broadcast"), ("po", "peer"), ("pe", "peer"), ("a", "anycast"),
    ("l", "label"), ("s", "scope"), ("v", "valid_lft"), ("pr", "preferred_lft"),
)  # fmt: skip
"""Beginnings of words with an argument, and what they mean; the first one counts."""
FLAGS = (("h", "home"), ("mng", "mngtmpaddr"), ("nop", "noprefixroute"), ("no", "nodad"))
LOST = {
    "anycast": "netalias has nothing like it",
    "scope": "the kind decides it",
    "valid_lft": "a line has no lifetime",
    "home": "netalias has nothing like it",
    "mngtmpaddr": "netalias has nothing like it",
    "noprefixroute": "netalias decides it",
    "nodad": "acd says how addresses are claimed",
}
"""Words of an alias that have none in a line: the reason."""
AGAIN = "netmask again"
HARDWARE = r"[0-9A-Fa-f]{12}"


class Netifrc(Importer):
    """The importer of netifrc."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files, and notes. Raises StateError."""
        reading = Reading(HOSTS, marked=self.marked, opener=self.opener)
        for path in paths:
            found = variables(
                reading.text(path), path, reading.note, lambda name: name.startswith(CONFIG)
            )
            for name, variable in found.items():
                _read(reading, name.removeprefix(CONFIG), variable)
        return reading.found, reading.notes


def _read(reading: Reading, main: str, variable: Variable) -> None:
    """Add the addresses of one device."""
    from re import fullmatch

    place = variable.place
    if fullmatch(HARDWARE, main):
        reading.note(place, f"{main}: only a device by its name is carried over")
        return
    before = len(reading.found)
    found = configurations(variable)
    if main == LOOPBACK and found[:1] != [NOTHING]:
        reading.add(main, LOCAL, place)
    for text in found:
        words = text.split()
        if words[:1] == [LOCAL] and main == LOOPBACK:
            continue
        if words and (words[0][0].isdigit() or ":" in words[0]):
            _address(reading, main, words, place)
        elif words and words[0] not in OTHERS:
            reading.note(place, f"{main}: to netifrc {words[0]} is a command; it is not read")
    if "_" in main and len(reading.found) > before:
        what = f"its name may have another character for _ (--map {main}=DEVICE)"
        reading.note(place, f"{main}: {what}")


def configurations(variable: Variable) -> list[str]:
    """The configurations in a value, each a line or a word, as _load_config of netifrc splits
    it."""
    lines = [line for item in variable.items for line in item.split("\n") if line]
    if len(lines) == 1:
        words = lines[0].split()
        if len(words) > 1 and ("." in words[1] or ":" in words[1]):
            return words
    return lines


def _address(reading: Reading, main: str, words: list[str], place: str) -> None:
    """Add an address with the words behind it."""
    values, unknown = _values(words[1:])
    for word in unknown:
        reading.note(place, f"{main}: netifrc ignores {word} behind {words[0]}")
    address, _, length = words[0].partition("/")
    label = values.get("label", "")
    if ":" in address and label not in ("", main):
        reading.nameless(place, main, f"label {label}", "the kernel")
    if ":" in address or label == main:
        label = ""  # nobody has a name there
    slot = label.removeprefix(main).removeprefix(":")
    found = reading.add(
        f"{main}:{slot}" if label else main,
        words[0] if length else address,
        place,
        mask="32" if ":" not in address else "128",
        change=lambda one: _change(one, main, label, length, values),
    )
    if found and label:
        for name, why in LOST.items():
            if name in values:
                reading.lost(place, label, f"{name} {values[name]}".strip(), why)


def _values(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The argument of each word by what it means, and the words that mean nothing."""
    values: dict[str, str] = {}
    unknown = []
    rest = words[::-1]
    while rest:
        word = rest.pop()
        name = next((name for begin, name in WORDS if word.startswith(begin)), "")
        flag = next((name for begin, name in FLAGS if word.startswith(begin)), "")
        if name:
            name = AGAIN if name == "netmask" and name in values else name
            values[name] = rest.pop() if rest else ""
        elif flag:
            values[flag] = ""
        else:
            unknown.append(word)
    return values, unknown


def _change(one: Assignment, main: str, label: str, length: str, values: dict[str, str]) -> None:
    """Complete an address from its words. Raises UsageError."""
    if label and not label.startswith(main):
        raise errors.UsageError(f"ip(8) refuses the label {label}, which is not one of {main}")
    if "netmask" in values:
        if length or AGAIN in values:
            raise errors.UsageError("netifrc refuses a second netmask or length")
        one.length = address_mask(values["netmask"])
    one.broadcast = b""
    if values.get("peer"):
        one.take_peer(values["peer"])
    if one.type.family == AF_INET:
        one.take_broadcast(values.get("broadcast") or "+")
    elif values.get("broadcast"):
        raise errors.UsageError("netifrc refuses a broadcast address of IPv6")
    one.deprecated = values.get("preferred_lft") == "0"
