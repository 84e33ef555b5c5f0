"""Network arithmetic on packed addresses, of IPv4 and of IPv6."""

from __future__ import annotations

CLASSES = ((128, 8), (192, 16), (224, 24))
"""Limit of the first byte, and prefix length: the classes of IPv4, for want of a mask."""


def class_length(packed: bytes) -> int:
    """The prefix length of an IPv4 address by its class (inet_abc_len() of the kernel)."""
    return next((length for limit, length in CLASSES if packed[0] < limit), 32)


def network(packed: bytes, prefixlen: int) -> bytes:
    """The first address of the network that *packed* lies in, packed."""
    size = len(packed)
    host = size * 8 - prefixlen
    return (int.from_bytes(packed, "big") >> host << host).to_bytes(size, "big")


def broadcast(packed: bytes, prefixlen: int) -> bytes:
    """The last address of the network, packed; empty in a network of one or two (RFC 3021)."""
    size = len(packed)
    host = size * 8 - prefixlen
    if host < 2:
        return b""
    return (int.from_bytes(packed, "big") | (1 << host) - 1).to_bytes(size, "big")


def contains(place: bytes, prefixlen: int, packed: bytes) -> bool:
    """Whether *packed* lies in the network of *place*/*prefixlen*, which may have host bits.

    An address of another family does not.
    """
    difference = int.from_bytes(place, "big") ^ int.from_bytes(packed, "big")
    return len(place) == len(packed) and not difference >> (len(place) * 8 - prefixlen)
