"""The alias type ``ddp``: AppleTalk, the Datagram Delivery Protocol (AF_APPLETALK).

An address is a network number and a node number, ``1000.12`` (struct at_addr of
linux/atalk.h). rtnetlink keeps no such addresses, so the ifalias text of the device records them:
``recorded`` stays True, and there is nothing to attach.
"""

from __future__ import annotations

from netalias.alias_type import AliasType
from netalias.errors import BadAddress

AF_APPLETALK = 5
NETWORK_MAX = 0xFFFE
"""Network 0 is the own one and 65535 is reserved (Inside AppleTalk, chapter 4)."""
NODE_MAX = 253
"""Node 0 is a router, 255 the broadcast, and 254 is reserved on extended networks."""
BITS = 24


class Ddp(AliasType):
    """Three bytes: two of the network, one of the node."""

    family = AF_APPLETALK
    name = "ddp"
    size = BITS // 8

    def parse(self, text: str) -> tuple[bytes, int | None]:
        """``1000.12`` or ``1000.12/16``."""
        address, slash, length = text.partition("/")
        network, dot, node = address.partition(".")
        if not dot:
            raise BadAddress(f"{text}: not an AppleTalk address", "NETWORK.NODE, such as 1000.12")
        packed = _number(text, network, 1, NETWORK_MAX).to_bytes(2, "big")
        packed += _number(text, node, 1, NODE_MAX).to_bytes(1, "big")
        return packed, (_number(text, length, 0, BITS) if slash else None)

    def format(self, address: bytes) -> str:
        """``1000.12``."""
        return f"{int.from_bytes(address[:2], 'big')}.{address[2]}"


def _number(whole: str, text: str, least: int, most: int) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 5 and least <= int(text) <= most:
        return int(text)
    raise BadAddress(f"{whole}: {text!r} is not a number from {least} to {most}")
