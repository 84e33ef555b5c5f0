"""Words of ifconfig(8) of the BSDs that set an address. Pure.

::

    10.0.0.5 netmask 0xffffff00 broadcast 10.0.0.255
    2001:db8::5 prefixlen 64

What needs more than a line of ours, such as CARP, is a note.
"""

from __future__ import annotations

from netalias import errors
from netalias.importers.addresses import address_mask, mask
from netalias.model import AF_INET, AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.importers.addresses import Assignment
    from netalias.importers.reading import Reading
    from netalias.importers.slots import Found

FAMILIES = {"inet": AF_INET, "inet6": AF_INET6}
ALIAS = "alias"
REMOVING = ("-alias", "delete", "remove")
TAKING = ("netmask", "prefixlen", "broadcast", "pltime", "vltime")
"""Words with an argument that say something about the address."""
WITHOUT_EFFECT = ("up", ALIAS)
REFUSED = {
    "vhid": "an address of CARP is not always on this host",
    "carpdev": "an address of CARP is not always on this host",
    "eui64": "only the device knows its last half",
    "autoconf": "an alias has a fixed address",
}
"""Words with which an address cannot be that of an alias: the reason."""


class Words:
    """The words of a command, without the family: the address, the peer or nothing, values by word,
    and all others."""

    __slots__ = ("local", "others", "peer", "values")

    def __init__(self, words: Sequence[str]) -> None:
        self.local = ""
        self.peer = ""
        self.values: dict[str, str] = {}
        self.others: list[str] = []
        rest = list(words)[::-1]
        while rest:
            word = rest.pop()
            if word in TAKING and rest:
                self.values[word] = rest.pop()
            elif not self.local and _is_address(word):
                self.local = word
                if rest and _is_address(rest[-1]):
                    self.peer = rest.pop()
            elif word not in WITHOUT_EFFECT:
                self.others.append(word)


def _is_address(word: str) -> bool:
    """Whether a word may be an address."""
    return (word[:1].isdigit() and "." in word) or ":" in word


def add(
    reading: Reading, label: str, family: str, words: Sequence[str], place: str
) -> Found | None:
    """Add the address that the words behind *family* set under *label*; see Reading.add()."""
    said = Words(words)
    alias = ":" in label
    main = label.partition(":")[0]
    refused = next((word for word in said.others if word in REFUSED), "")
    if refused or not said.local:
        if alias:
            why = REFUSED.get(refused, "there is no address")
            # What stands behind such a word may be a password.
            what = said.local or refused or " ".join(words)
            reading.note(place, f"{main}: {what} is not carried over: {why}")
        return None
    found = reading.add(
        label,
        said.local,
        place,
        mask=_any_mask(said),
        change=lambda one: _change(one, family, said),
    )
    if found and alias and said.others:
        what = " ".join(said.others)
        reading.note(place, f"{main}: {what}, behind {said.local}, is not carried over")
    return found


def _any_mask(said: Words) -> str:
    """A placeholder for the length of an address that a later word gives."""
    return "0" if "netmask" in said.values or "prefixlen" in said.values or said.peer else ""


def _change(one: Assignment, family: str, said: Words) -> None:
    """Complete an address from its words. Raises UsageError."""
    if one.type.family != FAMILIES[family]:
        raise errors.BadAddress(f"it is none of {family}")
    if "netmask" in said.values:
        one.length = address_mask(said.values["netmask"])
    if "prefixlen" in said.values:
        one.length = mask(said.values["prefixlen"], one.type)
    one.broadcast = b""
    if said.peer:
        one.take_peer(said.peer)
    if one.type.family == AF_INET:
        broadcast = said.values.get("broadcast", "+")
        # That of a host is itself there, and none here.
        one.take_broadcast("+" if broadcast == one.type.format(one.local) else broadcast)
    one.deprecated = said.values.get("pltime") == "0" or "deprecated" in said.others


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and text of each line of a file; a backslash at its end joins the next one."""
    parts: list[str] = []
    begin = 0
    for number, line in enumerate(text.split("\n"), 1):
        begin = begin if parts else number
        line = line.removesuffix("\r")
        parts.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            yield begin, "".join(parts).strip()
            parts = []
    if parts:
        yield begin, "".join(parts).strip()
