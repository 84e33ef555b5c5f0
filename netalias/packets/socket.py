"""A packet socket on one device: it hears what a filter lets through, and sends whole frames.

Rules:
- the filter stands before the socket is bound: nothing else ever comes in;
- all protocols are tapped, since a tap hears before a bridge or a macvlan takes the frame away
  (__netif_receive_skb_core in net/core/dev.c); the filter keeps what is of concern;
- a frame for a VLAN on the device has lost its tag before the filter sees it: the tag is asked for
  (SKF_AD_VLAN_TAG of linux/filter.h), and only number 0 passes;
- own frames are not heard (PACKET_IGNORE_OUTGOING of linux/if_packet.h);
- what is asked for can be told to the filter (``only``): a flood about anything else takes no room.
"""

from __future__ import annotations

from _socket import MSG_DONTWAIT, SO_RCVBUF, SOL_SOCKET, if_indextoname
from _struct import Struct, pack
from array import array
from errno import EAGAIN, EINTR, ENETDOWN, ENODEV, ENXIO
from itertools import pairwise

from netalias import errors
from netalias.model import ARPHRD_ETHER
from netalias.packets import (
    ETH_P_ALL,
    ETH_P_ARP,
    ETH_P_IPV6,
    NEIGHBOR_ADVERTISEMENT,
    NEIGHBOR_SOLICITATION,
)
from netalias.packets.gratuitous import bind, opened, refused
from netalias.packets.pacing import push

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_IGNORE_OUTGOING = 23

RECEIVE_BUFFER = 16 << 20
"""A short frame takes 768 bytes or more of it: some 20 000 wait until they are read."""
LONGEST = 2048
"""Bytes of a frame that are read: neighbour discovery fits, jumbo frames are cut and malformed."""
AT_ONCE = 1024
"""Frames of one reading, so that a flood does not keep the rest from being done."""

_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD = 0x30, 0x28, 0x20
_AND, _EQUAL, _GREATER, _AT_LEAST, _RETURN = 0x54, 0x15, 0x25, 0x35, 0x06
_ANCILLARY = 0xFFFFF000
_PKTTYPE, _VLAN_TAG = _ANCILLARY + 4, _ANCILLARY + 44
_PACKET_OUTGOING = 4
_TAKE, _DROP, _SKIP = "take", "drop", "skip"

_INSTRUCTION = Struct("=HBBI")
_STATISTICS = Struct("=II")
"""struct tpacket_stats of linux/if_packet.h."""

Code = tuple[int, int, str, str]
"""Operation and operand of classic BPF, where to go when it holds and when not; empty: the next,
skip: the one behind that."""


def assembled(code: Sequence[Code]) -> bytes:
    """struct sock_filter of linux/filter.h, one for each instruction, and the two ways out."""
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
ARP = assembled(_ARP)
"""Filter: ARP of this network, for IPv4 over Ethernet."""
RANGES = 100
"""So many runs of addresses are told apart: a jump goes no further than 255 instructions."""
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
"""Filter: neighbour solicitations and advertisements of this network."""


def about(addresses: Iterable[bytes]) -> bytes:
    """Filter: ARP that claims one of these packed IPv4 addresses, or probes for it (RFC 5227,
    2.1.1). Of more than RANGES runs of addresses those nearest to each other count as one."""
    code: list[Code] = [
        *_ARP,
        (_LOAD_WORD, 28, "", ""),  # the address of the sender
        (_EQUAL, 0, "", _SKIP),
        (_LOAD_WORD, 38, "", ""),  # that of the target
    ]
    for low, high in _runs(sorted({int.from_bytes(address, "big") for address in addresses})):
        code += [(_AT_LEAST, low, "", _DROP), (_GREATER, high, "", _TAKE)]
    return assembled([*code, (_AT_LEAST, 0, _DROP, _DROP)])


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of each run in ascending *numbers*."""
    if not numbers:
        return []
    gaps = [pair for pair in pairwise(numbers) if pair[1] - pair[0] > 1]
    gaps.sort(key=lambda pair: pair[0] - pair[1])
    widest = sorted(gaps[: RANGES - 1])
    firsts = [numbers[0], *(after for _, after in widest)]
    lasts = [*(before for before, _ in widest), numbers[-1]]
    return list(zip(firsts, lasts, strict=True))


class Port:
    """A packet socket on the device *index*; ``name`` and ``mac`` are those of the device.

    Raises NotPermitted, NoSuchDevice, MainDown, KernelError, each with the name of the device.
    """

    def __init__(self, index: int, program: bytes) -> None:
        self.index = index
        self.name = name(index)
        try:
            self._socket = opened()
        except OSError as error:
            raise refused(self.name, error) from None
        try:
            self._options(program)
            bind(self._socket, self.name, ETH_P_ALL)
            _, _, _, kind, self.mac = self._socket.getsockname()
        except OSError as error:
            self._socket.close()
            raise refused(self.name, error) from None
        self.ethernet = kind == ARPHRD_ETHER

    def only(self, addresses: Iterable[bytes]) -> None:
        """From now on nothing comes in but ARP about these. Raises KernelError."""
        try:
            self._attach(about(addresses))
        except OSError as error:
            raise refused(self.name, error) from None

    def _attach(self, program: bytes) -> None:
        code = array("B", program)
        filters = pack("@HP", len(program) // _INSTRUCTION.size, code.buffer_info()[0])
        self._socket.setsockopt(SOL_SOCKET, SO_ATTACH_FILTER, filters)

    def _options(self, program: bytes) -> None:
        self._attach(program)
        try:
            self._socket.setsockopt(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except OSError:  # CAP_NET_RAW without CAP_NET_ADMIN
            self._socket.setsockopt(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER)
        try:
            self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        except OSError:
            return  # before Linux 4.20; the filter drops them too

    def fileno(self) -> int:
        """That of the socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket: 12 ms, unless it was left to a child (``gratuitous.leave``)."""
        self._socket.close()

    def send(self, frames: Iterable[bytes]) -> None:
        """Send all of them, and wait where the device is slow. Raises StateError."""
        push(self.name, self._socket.fileno(), self._socket.send, frames)

    def receive(self) -> list[bytes]:
        """The frames that are there, at most AT_ONCE."""
        found: list[bytes] = []
        take = self._socket.recv
        try:
            while len(found) < AT_ONCE:
                found.append(take(LONGEST, MSG_DONTWAIT))
        except OSError as error:
            if error.errno not in (EAGAIN, EINTR):
                raise self._gone(error) from None
        return found

    def _gone(self, error: OSError) -> errors.NetaliasError:
        """A device that goes is ENETDOWN too (packet_notifier)."""
        if error.errno == ENETDOWN:
            try:
                if_indextoname(self.index)
            except OSError:
                return refused(self.name, OSError(ENODEV, ""))
        return refused(self.name, error)

    def lost(self) -> int:
        """How many frames found no room since the last call."""
        counts = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, _STATISTICS.size)
        _, drops = _STATISTICS.unpack(counts)
        return int(drops)


def name(index: int) -> str:
    """The primary name of a device. Raises NoSuchDevice."""
    try:
        return if_indextoname(index)
    except OSError as error:
        if error.errno in (ENXIO, ENODEV):
            raise errors.NoSuchDevice(f"the device of index {index} has vanished") from None
        raise refused(f"index {index}", error) from None
