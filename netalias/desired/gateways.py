"""The word ``gateway``: loaded only where it is used."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from netalias import errors
from netalias.model import prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.families import AliasType
    from netalias.model.names import AliasName

AUTO = "auto"
NONE = "none"

UNFIT = {
    AF_INET: (
        (bytes(4), 8, "an unspecified address"),
        (bytes((127, 0, 0, 0)), 8, "a loopback address"),
        (bytes((224, 0, 0, 0)), 4, "a multicast address"),
        (bytes((255,) * 4), 32, "the broadcast address"),
        (bytes((240, 0, 0, 0)), 4, "a reserved address"),
    ),
    AF_INET6: (
        (bytes(16), 128, "the unspecified address"),
        (bytes(15) + b"\1", 128, "the loopback address"),
        (bytes(10) + b"\xff\xff" + bytes(4), 96, "an IPv4-mapped address"),
        (b"\xff" + bytes(15), 8, "a multicast address"),
    ),
}
"""Networks, packed, with their prefix length, whose addresses no router has (RFC 6890)."""


class Usual(str):
    """A word out of defaults: an alias that can have no gateway, or no link-local address, goes
    without."""

    __slots__ = ()


def checked(what: str, text: str) -> str:
    """AUTO, NONE, or the usual text of an address. Raises BadAddress; *what* begins the
    message."""
    if text in (AUTO, NONE):
        return text
    family = AF_INET6 if ":" in text else AF_INET
    try:
        packed = inet_pton(family, text)
    except (OSError, ValueError):
        raise errors.BadAddress(f"{what} {text}: none, auto or an address is needed") from None
    for network, length, name in UNFIT[family]:
        if prefix.contains(network, length, packed):
            raise errors.BadAddress(f"{what} {text}: {name} is not that of a router")
    return inet_ntop(family, packed)


def leads(gateway: str, alias_type: AliasType) -> bool:
    """Whether a gateway, or AUTO, can be that of an address of this type."""
    if gateway == AUTO:
        return alias_type.size in (4, 16)
    return alias_type.size == (16 if ":" in gateway else 4)


def check(name: AliasName, gateway: str, alias_type: AliasType) -> None:
    """Check that a gateway is of the type of the address. Raises UsageError."""
    if not leads(gateway, alias_type):
        raise errors.UsageError(f"{name}: gateway {gateway}: it is not of type {alias_type.name}")
