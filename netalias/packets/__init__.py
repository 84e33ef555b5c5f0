"""Frames on the wire: who has an address already (RFC 5227, RFC 4862), and that it is ours now.

::

    formats.py      the specification, as constructs; loaded by tests and tools only
    frames.py       byte templates: probes, announcements, advertisements, one or thousands
    heard.py        a frame -> what it says, or PacketError
    acd.py          address conflict detection as a state machine: no socket, no clock
    port.py         a packet socket on one device, its filter, and what errors mean
    sending.py      many frames over many devices at a rate, over one socket
    events.py       devices and addresses as the kernel announces them
    probe.py        acd.py over ports: a list of conflicts of IPv4 addresses
    dad.py          the same for IPv6: the kernel probes, its verdict is awaited
    gratuitous.py   one announcement, for a process that lives for milliseconds
    announce.py     thousands

Numbers are those of linux/if_ether.h, linux/if_arp.h and RFC 4861; addresses and MACs are packed
bytes in network order, devices are indexes, times seconds.

The last close of a packet socket waits for a grace period of RCU (synchronize_net in
packet_release, net/packet/af_packet.c): 12 ms and more, each. So there are few of them, and who is
in a hurry has a child do it (``gratuitous.leave``).
"""

from __future__ import annotations

ETH_P_ALL = 0x0003
ETH_P_ARP = 0x0806
ETH_P_8021Q = 0x8100
ETH_P_IPV6 = 0x86DD

ARPOP_REQUEST = 1
ARPOP_REPLY = 2

NEIGHBOR_SOLICITATION = 135
NEIGHBOR_ADVERTISEMENT = 136
"""RFC 4861, 4.3 and 4.4: types of ICMPv6."""
