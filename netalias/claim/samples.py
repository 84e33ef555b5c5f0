"""A choice of the addresses of an IPv4 prefix, which stand for all of them in a conflict check.

Nobody can ask for 65 536 addresses. Most hosts of a network are at its beginning or end, so both
are asked for; the others are drawn anew for every check.
"""

from __future__ import annotations

from _random import Random

MOST = 64
"""Addresses that are asked for: ARP probes of one burst (packets.acd.BATCH)."""
FIRST, LAST = 8, 4
"""The numbers of the first and the last ones of the network among them."""


def choose(network: bytes, prefixlen: int, dice: Random | None = None) -> list[bytes]:
    """The addresses of an IPv4 network to ask for, packed as *network* is: all of a small one."""
    base = int.from_bytes(network, "big")
    numbers = offsets(1 << 32 - prefixlen, dice or Random())
    return [(base + number).to_bytes(4, "big") for number in numbers]


def offsets(count: int, dice: Random) -> list[int]:
    """The numbers of the addresses to ask for, of 0 to *count* - 1."""
    if count <= MOST:
        return [*range(count)]
    chosen = {*range(FIRST), *range(count - LAST, count)}
    while len(chosen) < MOST:
        chosen.add(int(dice.random() * count))
    return sorted(chosen)
