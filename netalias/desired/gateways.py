"""The word ``gateway``: loaded only where it is used."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.families import AliasType
    from netalias.model.names import AliasName

AUTO = "auto"
NONE = "none"

MULTICAST = {AF_INET: 0xE0, AF_INET6: 0xFF}
"""The first byte of a multicast address, at least."""


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
    if not any(packed) or packed[0] >= MULTICAST[family]:
        raise errors.BadAddress(f"{what} {text}: not the address of a host")
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
