"""The words of `netalias iface DEV add`: an address, its network, and its peer."""

from __future__ import annotations

from netalias import errors
from netalias.families.inet import Inet, netmask
from netalias.families.inet6 import Inet6
from netalias.model import AF_INET, AF_INET6, Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

NO_PEER = b"\xff" * 4
"""The peer that stands for none, in IPv4: 255.255.255.255."""
FORMS = "ADDRESS[/BITS] [PEER], or ADDRESS MASK PEER"
RESERVED = 240
"""The first byte from which IPv4 addresses are no hosts (RFC 1112, section 4): masks look so."""


def wanted(words: Sequence[str], verb: str = "add") -> Address:
    """The address in the words after *verb*: ``10.0.0.3``, ``10.0.0.3/24 10.0.0.9`` or ``10.0.0.3
    255.255.255.0 10.0.0.9``. Its family, local address, prefix length and peer are set; the peer is
    empty for none, which 255.255.255.255 and the address itself stand for too.

    Raises UsageError.
    """
    if not 1 <= len(words) <= 3:
        raise errors.UsageError(f"{verb} needs {FORMS}", "netalias iface eth0 add 10.0.0.3/24")
    family, local, length = _address(words[0])
    peer = b""
    if len(words) == 3:
        if length is not None or family != AF_INET:
            raise errors.UsageError(
                f"{verb} {words[0]} {words[1]}: only an IPv4 address without /BITS has a mask",
                FORMS,
            )
        length = _not_all(netmask(words[1]), words[1])
    if len(words) > 1:
        peer = _peer(words[-1], family, words[0])
    bits = 8 * len(local) if length is None else length
    return Address(0, family, local, bits, peer=b"" if peer == local else peer)


def local_of(words: Sequence[str], verb: str) -> bytes:
    """The packed address in the words after *verb*, without prefix length. Raises UsageError."""
    if len(words) != 1:
        raise errors.UsageError(f"{verb} needs one address", f"netalias iface eth0 {verb} 10.0.0.3")
    _, local, length = _address(words[0])
    if length is not None:
        raise errors.UsageError(
            f"{verb} {words[0]}: an address goes with all its networks",
            f"{verb} {words[0].partition('/')[0]}",
        )
    return local


def _address(text: str) -> tuple[int, bytes, int | None]:
    """Family, packed address, and prefix length or None."""
    if ":" in text:
        local, length = Inet6().parse(text)
        return AF_INET6, local, _not_all(length, text)
    local, length = Inet().parse(text)
    if not any(local) or local == NO_PEER:
        raise errors.BadAddress(f"{text}: no device can have this address")
    return AF_INET, local, _not_all(length, text)


def _not_all(length: int | None, text: str) -> int | None:
    if length == 0:
        raise errors.BadAddress(f"{text}: a network of all addresses", "a default route is a route")
    return length


def _peer(text: str, family: int, local: str) -> bytes:
    """The packed peer, empty for none."""
    if "/" in text:
        raise errors.BadAddress(f"{text}: a peer has no /BITS", FORMS)
    if (":" in text) != (family == AF_INET6):
        raise errors.BadAddress(f"{text}: not of the family of {local}")
    if family == AF_INET6:
        return Inet6().parse(text)[0]
    peer, _ = Inet().parse(text)
    if peer == NO_PEER:
        return b""
    if not any(peer) or peer[0] >= RESERVED:
        raise errors.BadAddress(f"{text}: a peer cannot have this address", FORMS)
    return peer
