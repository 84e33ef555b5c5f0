"""Packets of TCP that the kernel has joined (GRO) before a raw socket got them.

A network card's driver joins what is inside protocols 4 and 41 too, with right checksums only, and
a raw socket gets the result: one packet of up to 64 KiB, whose checksum is the sum of the pseudo
header alone, and whose former segments nobody knows. For the device it is a superpacket again.

Source: ipip_gro_receive() and tcp_gro_complete() of Linux.
"""

from __future__ import annotations

from _struct import Struct

from netalias.packets.ip import (
    IPPROTO_TCP,
    IPV4_HEADER,
    IPV6_HEADER,
    fold,
    ones_sum,
)
from netalias.tunnels.segments import join
from netalias.tunnels.tun import GSO_NONE, GSO_TCPV4, GSO_TCPV6, NEEDS_CSUM, VNET_HDR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from netalias.tunnels.joiner import Write

_TCP_HEADER, _CHECKSUM = 20, 16
_IPV4 = Struct("!12x8s12xB3xH")
_IPV6 = Struct("!8x32s12xB3xH")
"""Both addresses, the data offset and the checksum of TCP behind a header without more."""
_PLACES = {4: (IPV4_HEADER, 12, GSO_TCPV4, _IPV4), 6: (IPV6_HEADER, 8, GSO_TCPV6, _IPV6)}
"""Version: where TCP begins, where the addresses do, the kind of superpackets, the fields."""


def regroup(packets: Sequence[memoryview], local: Collection[bytes], room: int) -> list[Write]:
    """The writes of join(), where some of the packets are joined already.

    They become superpackets of packets of *room* bytes.
    """
    writes: list[Write] = []
    waiting: list[memoryview] = []
    for packet in packets:
        write = _write(packet, room)
        if write is None:
            waiting.append(packet)
            continue
        writes += join(waiting, local)
        waiting = []
        writes.append(write)
    return writes + join(waiting, local)


def _write(packet: memoryview, room: int) -> Write | None:
    """The superpacket, or None for a packet that is whole."""
    size = len(packet)
    version = packet[0] >> 4 if size else 0
    start, source, kind, fields = _PLACES.get(version, _PLACES[4])
    if size <= start + _TCP_HEADER or packet[9 if version == 4 else 6] != IPPROTO_TCP:
        return None
    if version not in _PLACES or (version == 4 and packet[0] != 0x45):
        return None
    addresses, offset, checksum = fields.unpack_from(packet)
    data = start + (offset >> 4) * 4
    if fold(ones_sum(addresses) + IPPROTO_TCP + size - start) != checksum or data >= size:
        return None
    if fold(ones_sum(packet[source:]) + IPPROTO_TCP + size - start) == 0xFFFF:
        return None  # a whole one, whose checksum happens to be that number
    segment = room - data
    if size - data <= segment or segment < 1:
        return [VNET_HDR.pack(NEEDS_CSUM, GSO_NONE, 0, 0, start, _CHECKSUM), packet]
    return [VNET_HDR.pack(NEEDS_CSUM, kind, data, segment, start, _CHECKSUM), packet]
