"""Filters of packet sockets in classic BPF (linux/filter.h): the assembler and the programs."""

from __future__ import annotations

from _struct import Struct
from itertools import pairwise

from netalias.packets import ETH_P_ARP, ETH_P_IPV6, NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


SO_ATTACH_FILTER = 26
LONGEST = 2048
"""Bytes of a frame that are received: neighbour discovery fits, jumbo frames are cut."""

# Operations, ancillary data (SKF_AD_*) and jumps of linux/filter.h.
_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD = 0x30, 0x28, 0x20
_AND, _EQUAL, _GREATER, _AT_LEAST, _RETURN = 0x54, 0x15, 0x25, 0x35, 0x06
_ANCILLARY = 0xFFFFF000
_PKTTYPE, _VLAN_TAG = _ANCILLARY + 4, _ANCILLARY + 44
_PACKET_OUTGOING = 4
_TAKE, _DROP, _SKIP = "take", "drop", "skip"
_INSTRUCTION = Struct("=HBBI")
Code = tuple[int, int, str, str]
"""Operation, operand, and the targets when it holds and when not; an empty target is the next
instruction, skip the one behind that."""
_COMMON: list[Code] = [
    (_LOAD_WORD, _PKTTYPE, "", ""),
    (_EQUAL, _PACKET_OUTGOING, _DROP, ""),
    (_LOAD_WORD, _VLAN_TAG, "", ""),
    (_AND, 0xFFF, "", ""),
    (_EQUAL, 0, "", _DROP),
    (_LOAD_HALF, 12, "", ""),
]
_ARP: list[Code] = [
    *_COMMON,
    (_EQUAL, ETH_P_ARP, "", _DROP),
    (_LOAD_WORD, 14, "", ""),
    (_EQUAL, 0x00010800, "", _DROP),
    (_LOAD_HALF, 18, "", ""),
    (_EQUAL, 0x0604, "", _DROP),
]


def assembled(code: Sequence[Code]) -> bytes:
    """The program as an array of struct sock_filter, ending in the instructions take and drop."""
    take, drop = len(code), len(code) + 1
    places = {_TAKE: take, _DROP: drop}
    packed = []
    for place, (operation, operand, equal, unequal) in enumerate(code):
        places |= {"": place + 1, _SKIP: place + 2}
        jumps = [places[to] - place - 1 for to in (equal, unequal)]
        packed.append(_INSTRUCTION.pack(operation, *jumps, operand))
    packed.append(_INSTRUCTION.pack(_RETURN, 0, 0, LONGEST))
    packed.append(_INSTRUCTION.pack(_RETURN, 0, 0, 0))
    return b"".join(packed)


ARP = assembled(_ARP)
"""Filter for untagged ARP for IPv4 over Ethernet."""
RANGES = 100
"""Runs of addresses in one filter: a jump spans 255 instructions at most."""
NEIGHBOUR = assembled(
    [
        *_COMMON,
        (_EQUAL, ETH_P_IPV6, "", _DROP),
        (_LOAD_BYTE, 20, "", ""),
        (_EQUAL, 58, "", _DROP),
        (_LOAD_BYTE, 54, "", ""),
        (_EQUAL, NEIGHBOR_SOLICITATION, _TAKE, ""),
        (_EQUAL, NEIGHBOR_ADVERTISEMENT, _TAKE, _DROP),
    ]
)
"""Filter for untagged neighbour solicitations and advertisements."""


def about(addresses: Iterable[bytes]) -> bytes:
    """A filter for ARP that claims one of these packed IPv4 addresses, or probes for it (RFC 5227,
    2.1.1). Of more than RANGES runs of addresses those nearest to each other count as one."""
    code: list[Code] = [
        *_ARP,
        (_LOAD_WORD, 28, "", ""),  # the address of the sender
        (_EQUAL, 0, "", _SKIP),
        (_LOAD_WORD, 38, "", ""),  # the address of the target
    ]
    for low, high in _runs(sorted({int.from_bytes(address, "big") for address in addresses})):
        code += [(_AT_LEAST, low, "", _DROP), (_GREATER, high, "", _TAKE)]
    return assembled([*code, (_AT_LEAST, 0, _DROP, _DROP)])


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """First and last number of each run in ascending *numbers*."""
    if not numbers:
        return []
    gaps = [pair for pair in pairwise(numbers) if pair[1] - pair[0] > 1]
    gaps.sort(key=lambda pair: pair[0] - pair[1])
    widest = sorted(gaps[: RANGES - 1])
    firsts = [numbers[0], *(after for _, after in widest)]
    lasts = [*(before for before, _ in widest), numbers[-1]]
    return list(zip(firsts, lasts, strict=True))
