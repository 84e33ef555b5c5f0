"""AF_INET6: the type ``ipv6``."""

from __future__ import annotations

from _socket import AF_INET6 as _AF_INET6
from _socket import inet_pton

from netalias import errors
from netalias.families import AliasType
from netalias.families.inet import prefix_length
from netalias.model import AF_INET6, FOREVER, address_text
from netalias.model.steps import ADDRESS, RAISE, AddAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.model import Address
    from netalias.model.steps import Step


class Inet6(AliasType):
    """IPv6: sixteen bytes, the text of RFC 5952.

    The kernel removes the addresses of a device that goes down (addrconf_ifdown in
    net/ipv6/addrconf.c), so the ifalias text records the address.
    """

    family = AF_INET6
    name = "ipv6"
    size = 16

    def parse(self, text: str) -> tuple[bytes, int | None]:
        """``2001:db8::5`` or ``2001:db8::5/64``: no zone, no multicast, not ``::``."""
        address, slash, length = text.partition("/")
        try:
            packed = inet_pton(_AF_INET6, address)
        except (OSError, ValueError):
            raise errors.BadAddress(f"{text}: not an IPv6 address") from None
        if packed[0] == 0xFF:
            raise errors.BadAddress(f"{text}: a multicast address cannot be an alias")
        if not any(packed):
            raise errors.BadAddress(f"{text}: the unspecified address cannot be an alias")
        return packed, (prefix_length(length, text, 128) if slash else None)

    def format(self, address: bytes) -> str:
        """The text of RFC 5952."""
        return address_text(AF_INET6, address)

    def get_addr32(self, address: bytes) -> int:
        """The four 32-bit words of the address, XORed."""
        value = int.from_bytes(address, "big")
        return (value ^ value >> 32 ^ value >> 64 ^ value >> 96) & 0xFFFFFFFF

    def dev_addr_chk(self, alias: object, address: bytes) -> bool:
        """Whether all sixteen bytes are equal."""
        return getattr(alias, "address", None) == address

    def attach(self, device: str, index: int, address: Address) -> Sequence[Step]:
        """The one step AddAddress."""
        # The kernel gives an address with a lifetime no connected route when its device comes up
        # (fixup_permanent_addr in net/ipv6/addrconf.c), so it is added afterwards.
        phase = ADDRESS if address.valid == FOREVER else RAISE
        return (AddAddress(device, index, address, phase),)
