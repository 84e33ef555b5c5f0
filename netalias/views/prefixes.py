"""The number of addresses of a prefix, and what it means for programs; loaded only for one."""

from __future__ import annotations

from netalias.model import AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Alias

SPELLED = 24
"""Bits of a number of addresses that is written in digits; a larger one is a power of two."""


def count(alias: Alias) -> str:
    """``65 536 addresses``, ``2^64 addresses``."""
    bits = len(alias.address) * 8 - alias.prefixlen
    number = f"{1 << bits:,}".replace(",", " ") if bits <= SPELLED else f"2^{bits}"
    return f"{number} addresses"


def remarks(alias: Alias) -> list[str]:
    """Lines on what a program needs that uses its addresses."""
    found = []
    if alias.family == AF_INET6:
        found.append("bind with IPV6_FREEBIND, or net.ipv6.ip_nonlocal_bind 1")
    return [*found, "UDP on the wildcard address needs IP_PKTINFO, or answers from another address"]
