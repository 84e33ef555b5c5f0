"""Help of the verb filter."""

from __future__ import annotations

FILTER = """\
netalias [OPTION]... filter [DEV]... [--link-local] [--print]

Print which frames both ends of links want to get, of all links with frames of Ethernet or of the
devices DEV. Where the verb link is asked to filter, an end tells its peer by messages of BNEP which
types of Ethernet it has use for, again after every change, and the peer does not send the others: a
narrow link is not filled with what is thrown away behind it. The peer obeys in any case.

  WANTED   what DEV asks for, by its addresses: 0x0800 with an IPv4 address, and 0x0806 unless DEV
           has NOARP; 0x86dd with an IPv6 address; and the groups of these families. Addresses of
           devices on top of it count too, as those of aliases. all: it has no address, is a port
           of a bridge, is promiscuous, or has a virtual machine on top of it; the link is not open
           yet, or not asked to filter
  ANSWER   what the peer has answered: success, invalid range, too many filters, unsupported
  FILTER   what the peer asks for; the kernel drops other frames before they are read. A frame with
  GROUPS   tags of VLANs is judged by the type behind them; GROUPS are multicast MACs
  DROPPED  frames that were not sent since the first filter: those, and those for which the queue
           of DEV had no room

A device that gets an address by DHCP or from a router needs the family of that address before it
has it: do not filter there.

  --link-local   an IPv6 address of the link alone (fe80::) is a reason to ask for IPv6, too
  --print        the two messages that DEV would send, as hex: for links of others

Options: those above, -j -p -n NAME
"""
