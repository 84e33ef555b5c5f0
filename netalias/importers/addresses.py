"""Addresses as ip(8) sets them, in the words of netalias.conf(5). Pure."""

from __future__ import annotations

from netalias import errors
from netalias.families.inet import netmask, prefix_length, quad
from netalias.model import AF_INET, AF_INET6, address_text, prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.families import AliasType

LOOPBACK = "lo"
COMPUTED = ("+", "-")
"""Values of ``broadcast`` for the last and for the first address of the network."""


class Assignment:
    """An address that is set: ``local`` and ``peer`` packed, ``broadcast`` packed or empty.

    ``metric`` is the text of a number, or empty. ``deprecated``: its preferred lifetime is 0, which
    only IPv6 looks at when it chooses a source.
    """

    __slots__ = ("broadcast", "deprecated", "length", "local", "metric", "peer", "type")

    def __init__(self, alias_type: AliasType, local: bytes, length: int) -> None:
        self.type = alias_type
        self.local = local
        self.length = length
        self.broadcast = b""
        self.peer = b""
        self.metric = ""
        self.deprecated = False

    def words(self, main: str) -> list[str]:
        """ADDRESS/LEN and the words after it, for an alias of the device *main*."""
        words = [f"{self.type.format(self.local)}/{self.length}", "kind", "label"]
        if self.peer:
            words += ["pointopoint", self.type.format(self.peer)]
        if self.metric:
            words += ["metric", self.metric]
        if self.type.family == AF_INET and self.broadcast != self._usual_broadcast(main):
            text = address_text(AF_INET, self.broadcast) if self.broadcast else ""
            words += ["broadcast", text] if text else ["-broadcast"]
        if self.deprecated and self.type.family == AF_INET6:
            words.append("deprecated")
        return words

    def _usual_broadcast(self, main: str) -> bytes:
        """The broadcast address that netalias sets without a word; none on loopback."""
        return b"" if self.peer or main == LOOPBACK else prefix.broadcast(self.local, self.length)

    def take_peer(self, text: str) -> None:
        """Set the peer from ``PEER[/LEN]``, whose length is that of the address then, by default
        one address. Raises BadAddress."""
        address, slash, length = text.partition("/")
        self.peer, _ = self.type.parse(address)
        self.length = mask(length, self.type) if slash else self.type.bits

    def take_broadcast(self, text: str) -> None:
        """Set the broadcast address from the word of ip(8), which computes none for one or two
        addresses. Raises BadAddress."""
        if self.type.family != AF_INET:
            raise errors.BadAddress(f"broadcast {text}: only an IPv4 address has one")
        if text not in COMPUTED:
            self.broadcast = broadcast(text)
        elif self.length < self.type.bits - 1:
            self.broadcast = edge(self.peer or self.local, self.length, last=text == "+")


def broadcast(text: str) -> bytes:
    """The broadcast address *text*, packed; empty for 0.0.0.0. Raises BadAddress."""
    packed = quad(text)
    if packed is None:
        raise errors.BadAddress(f"broadcast {text}: not an IPv4 address")
    return packed if any(packed) else b""


def edge(local: bytes, length: int, *, last: bool) -> bytes:
    """The last address of the network of *local*, or the first one, packed; empty for 0.0.0.0."""
    host = (1 << 32 - length) - 1
    number = int.from_bytes(local, "big")
    number = number | host if last else number & ~host
    return number.to_bytes(4, "big") if number else b""


def mask(text: str, alias_type: AliasType) -> int:
    """The prefix length from a number or, for IPv4, a dotted mask. Raises BadAddress.

    To ip(8) a number with a leading zero is octal; here it is refused.
    """
    if "." in text and alias_type.family == AF_INET:
        return netmask(text)
    if len(text) > 1 and text.startswith("0"):
        raise errors.BadAddress(f"netmask {text}: to ip(8) it is an octal number")
    return prefix_length(text, f"netmask {text}", alias_type.bits)


def address_mask(text: str) -> int:
    """The prefix length from a mask in the form of an address, ``255.255.255.0``, or hexadecimal,
    ``0xffffff00``. Raises BadAddress."""
    if text[:2].lower() == "0x" and len(text) == 10:
        try:
            text = address_text(AF_INET, bytes.fromhex(text[2:]))
        except ValueError:
            pass
    return netmask(text)
