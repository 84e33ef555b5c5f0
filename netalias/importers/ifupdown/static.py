"""The method ``static`` of ifupdown 0.8: options to an address, as archcommon.c computes it. Pure.

A value may have several lines, of which only some functions of ifup see the first. What then goes
to ip(8) is refused there, so it is here.
"""

from __future__ import annotations

from netalias import errors
from netalias.families.inet import netmask, prefix_length, quad
from netalias.importers.addresses import COMPUTED, Assignment, edge, mask
from netalias.model import AF_INET
from netalias.model.prefix import class_length

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from netalias.families import AliasType

OPTIONS = {
    "inet": ("address", "netmask", "broadcast", "pointopoint"),
    "inet6": ("address", "netmask"),
}
"""Family: options that describe the address."""
SCOPE = "scope"
"""An option without a word in our lines, which stands in the command that sets the address."""
SEEN = 33
"""Characters of ``address`` in which ifup looks for a length (INET_ADDRSTRLEN * 2 + 1)."""


def static(values: Mapping[str, str], alias_type: AliasType) -> Assignment:
    """The address that ``ifup`` sets for these options. Raises UsageError."""
    if "address" not in values:
        raise errors.UsageError("there is no address")
    if "\n" in values.get(SCOPE, ""):
        raise errors.UsageError(f"{SCOPE} is given twice")
    text = values["address"]
    packed, _ = alias_type.parse(_parts(text)[0])
    by_mask = "netmask" in values
    if by_mask:
        length = mask(values["netmask"], alias_type)
    elif alias_type.family == AF_INET:
        length = _length(text, packed)
    else:
        after = text.split("/")[1:2]
        length = mask(after[0], alias_type) if after and after[0] else alias_type.bits
    found = Assignment(alias_type, packed, length)
    if alias_type.family == AF_INET:
        word = values.get("broadcast", "+")
        # ifup computes it from a dotted mask, and leaves it to ip(8) beside a number.
        dotted = not by_mask or "." in values["netmask"]
        if word in COMPUTED and dotted:
            found.broadcast = _broadcast(packed, length, last=word == "+")
        if "pointopoint" in values:
            found.take_peer(values["pointopoint"])
        if word not in COMPUTED or not dotted:
            found.take_broadcast(word)
    return found


def _parts(text: str) -> list[str]:
    """The texts that strtok(3) finds between slashes; at least one."""
    return [part for part in text.split("/") if part] or [""]


def _length(text: str, packed: bytes) -> int:
    """The prefix length behind the slash, else that of the class. Raises BadAddress.

    A number ends with its digits, as sscanf(3) reads it, so that a remark may follow.
    """
    parts = _parts(text[:SEEN])
    if quad(parts[0]) is None:
        raise errors.BadAddress(f"{text}: a length must follow the address at once")
    if len(parts) == 1:
        return class_length(packed)
    if quad(parts[1]) is not None:
        return netmask(parts[1])
    word = (parts[1].split() or [""])[0]
    digits = word[: len(word) - len(word.lstrip("0123456789"))]
    if "." in word:
        raise errors.BadAddress(f"{text}: nothing may follow a dotted mask")
    return prefix_length(digits.lstrip("0") or digits[:1], text)


def _broadcast(local: bytes, length: int, *, last: bool) -> bytes:
    """The address as ifup computes it: a host is its own, and two have all ones or all zeros."""
    if length == 31:
        return b"\xff" * 4 if last else b""
    return edge(local, length, last=last)
