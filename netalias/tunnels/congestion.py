"""Marks of congestion (ECN, RFC 3168) that an outer packet got on its way, at the end of a tunnel.

The outer packet left with the mark of the inner one. RFC 6040, 4.2 says what the inner one gets
when it leaves the tunnel.
"""

from __future__ import annotations

from netalias.packets.ip import amend

NOT_ECT, ECT_1, ECT_0, CE = range(4)
"""The two lower bits of TOS or traffic class: not capable, capable, capable, congestion."""


def survives(packet: memoryview, outer: int) -> bool:
    """Put the mark of the outer packet on the inner one, in place; whether that goes on.

    A packet that cannot have the mark of congestion is dropped, as a congested router would have
    done. *packet* is a packet of IP that is longer than its first word, or shorter than that and
    malformed: that goes on as it is.
    """
    if len(packet) < 12:
        return True
    inner = ecn(packet)
    if outer == CE and inner == NOT_ECT:
        return False
    if (outer == CE and inner != CE) or (outer == ECT_1 and inner == ECT_0):
        _mark(packet, outer)
    return True


def ecn(packet: memoryview) -> int:
    """The mark of a packet of IP."""
    return packet[1] & 3 if packet[0] >> 4 == 4 else packet[1] >> 4 & 3


def _mark(packet: memoryview, mark: int) -> None:
    if packet[0] >> 4 == 6:
        packet[1] = packet[1] & 0xCF | mark << 4
        return
    old = packet[0] << 8 | packet[1]
    packet[1] = packet[1] & 0xFC | mark
    checksum = amend(packet[10] << 8 | packet[11], old, packet[0] << 8 | packet[1])
    packet[10], packet[11] = checksum >> 8, checksum & 0xFF
