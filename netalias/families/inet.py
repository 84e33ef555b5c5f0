"""AF_INET: the type ``ip`` of net/ipv4/ip_alias.c (Linux 2.0)."""

from __future__ import annotations

from _socket import inet_pton

from netalias import errors
from netalias.families import AliasType
from netalias.model import AF_INET
from netalias.model.names import number
from netalias.model.steps import AddAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.model import Address
    from netalias.model.steps import Step


class Inet(AliasType):
    """IPv4: four bytes, dotted quad."""

    family = AF_INET
    name = "ip"
    size = 4
    recorded = False

    def parse(self, text: str) -> tuple[bytes, int | None]:
        """``200.1.1.1`` or ``200.1.1.1/24``: exactly four decimal numbers, no octal."""
        address, slash, length = text.partition("/")
        packed = quad(address)
        if packed is None:
            raise errors.BadAddress(f"{text}: not an IPv4 address")
        if packed[0] >= 224 and packed != b"\xff" * 4 and packed[0] < 240:
            raise errors.BadAddress(f"{text}: a multicast address cannot be an alias")
        return packed, (prefix_length(length, text) if slash else None)

    def format(self, address: bytes) -> str:
        """The dotted quad."""
        return "%d.%d.%d.%d" % (*address,)

    def attach(self, device: str, index: int, address: Address) -> Sequence[Step]:
        """The one step AddAddress."""
        return (AddAddress(device, index, address),)


def quad(text: str) -> bytes | None:
    """``a.b.c.d`` packed, or None. Leading zeros are refused, since inet_aton(3) reads octal."""
    try:
        return inet_pton(AF_INET, text)
    except (OSError, ValueError):  # ValueError: a NUL, or bytes that are no text
        return None


def prefix_length(text: str, whole: str, bits: int = 32) -> int:
    """The number after the slash. Raises BadAddress with the text *whole* in front."""
    length = number(text, 3)
    if not 0 <= length <= bits:
        raise errors.BadAddress(f"{whole}: a prefix length is a number from 0 to {bits}")
    return length


def netmask(text: str) -> int:
    """The prefix length of ``255.255.255.0``: 24. Raises BadAddress for a mask with holes."""
    packed = quad(text)
    if packed is not None:
        inverse = int.from_bytes(packed, "big") ^ 0xFFFFFFFF
        if not inverse & (inverse + 1):
            return 32 - inverse.bit_length()
    raise errors.BadAddress(f"netmask {text}: not a netmask", "such as 255.255.255.0")
