"""Filters of a link with frames of Ethernet: either end tells the other which it wants to get. Pure
but serving.py.

::

    spec.py      the messages: those of BNEP, as construct declares them
    bnep.py      what a packet of BNEP asks for, and what is sent in place of a filtered one
    wants.py     the filters that the addresses of a device ask for
    program.py   filters as a program of classic BPF
    texts.py     ranges as words
    exchange.py  both directions of one link: sent until answered; received, applied and answered
    serving.py   the same in the loop of ``link run --tap``

A filter at the receiver would save nothing: the frames have crossed the link by then. So the
receiver derives it, and the sender applies it.

Source: Bluetooth Network Encapsulation Protocol (BNEP) 1.0, 2.6.5 and 2.6.6.
"""

from __future__ import annotations

from bisect import bisect_right

from netalias.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Range = tuple[int, int]
    Buffer = bytes | bytearray | memoryview

TAGS = (0x8100, 0x88A8)
"""ETH_P_8021Q and ETH_P_8021AD of linux/if_ether.h."""
TAGS_MOST = 2
"""Tags of one frame that are looked behind."""
ADDRESS = 6
"""Bytes of a MAC."""
TYPE = 12
"""Offset of the type in a frame."""


class Filters(Value):
    """The frames that one end of a link wants to get: ``types`` are ranges (first, last) of types
    of Ethernet, ``groups`` ranges of multicast MACs as numbers. A frame passes that is within one
    range of each list; no range at all means all of them. Unicast passes all ``groups``.

    The ranges are those that were told: they may overlap, and have any order.
    """

    __slots__ = ("groups", "types")

    def __init__(self, types: Iterable[Range] = (), groups: Iterable[Range] = ()) -> None:
        self.types = tuple(types)
        self.groups = tuple(groups)

    def __bool__(self) -> bool:
        return bool(self.types or self.groups)


class Judge:
    """Decides about frames as a program of program.py does."""

    __slots__ = ("_groups", "_types")

    def __init__(self, filters: Filters) -> None:
        self._types = _Ranges(filters.types)
        self._groups = _Ranges(filters.groups)

    def passes(self, frame: Buffer) -> bool:
        """Whether a frame of Ethernet passes. Where types are filtered, one that ends before its
        type does not."""
        return self.wants(inner_type(frame), frame[:ADDRESS])

    def wants(self, kind: int, destination: Buffer) -> bool:
        """Whether a frame of a type to a destination passes."""
        if not self._types.have(kind):
            return False
        return not destination[0] & 1 or self._groups.have(int.from_bytes(destination, "big"))


class _Ranges:
    """Ranges in which numbers are looked up; without any range every number is in."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[Range]) -> None:
        runs = merged(ranges)
        self._firsts = [first for first, _ in runs]
        self._lasts = [last for _, last in runs]

    def have(self, number: int) -> bool:
        """Whether a number is in."""
        place = bisect_right(self._firsts, number) - 1
        return not self._firsts or (place >= 0 and number <= self._lasts[place])


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same numbers in as few ranges as they need, in ascending order."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found


def inner_type(frame: Buffer) -> int:
    """The type of a frame, of a tagged one that behind its tags; -1 for one that is too short."""
    at = TYPE
    for _ in range(TAGS_MOST):
        if int.from_bytes(frame[at : at + 2], "big") not in TAGS:
            break
        at += 4
    return int.from_bytes(frame[at : at + 2], "big") if len(frame) >= at + 2 else -1
