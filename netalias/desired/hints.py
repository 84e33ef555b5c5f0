"""Advice on words that an alias does not take. Loaded for errors only."""

from __future__ import annotations

from netalias import errors
from netalias.model.names import primary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model.names import AliasName

MEANT = {
    "add": "netalias {name} ADDRESS",
    "address": "hw ether MAC",
    "brd": "broadcast ADDRESS",
    "del": "netalias {name}-",
    "delete": "netalias {name}-",
    "dhcp": "an alias has an address that is given",
    "dstaddr": "pointopoint ADDRESS",
    "list": "netalias {name}",
    "lladdr": "hw ether MAC",
    "mac": "hw ether MAC",
    "peer": "pointopoint ADDRESS",
    "preferred_lft": "lease SECONDS, or deprecated",
    "remove": "netalias {name}-",
    "rm": "netalias {name}-",
    "show": "netalias {name}",
    "type": "kind KIND",
    "valid_lft": "lease SECONDS",
    "via": "gateway ADDRESS",
}
"""Word of ifconfig(8), ip(8) or everyday: what is said here."""
OF_DEVICE = ("allmulti", "arp", "dynamic", "multicast", "promisc", "txqueuelen")
"""Words of ifconfig(8), some of them with a hyphen before them, for what ip(8) sets on a device."""


def meant(name: AliasName, word: str) -> str:
    """The words to say in place of *word* in a command for *name*; empty where none are known."""
    plain = word.removeprefix("-")
    if plain in OF_DEVICE:
        value = "off" if word != plain else "N" if word == "txqueuelen" else "on"
        return f"ip link set {primary(name)} {plain} {value}"
    return MEANT.get(word, "").format(name=name)


def second(text: str) -> str:
    """The advice on a second address in the words of an alias."""
    from netalias.families.inet import netmask

    try:
        netmask(text)
    except errors.BadAddress:
        return "use another slot"
    return f"netmask {text}"
