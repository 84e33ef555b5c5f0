"""Links: packets over the devices of user-ppp.

::

    devices.py   the words for devices, as a table
    carrier.py   waiting for the carrier of a device, and losing it
    framing.py   packets in a stream of bytes (RFC 1662)
    state.py     everything that is to be known of a link, as one plain object
    link.py      the interface of an open device: whole packets go in and come out
    stream.py    tcp, terminals, programs
    datagram.py  udp, frames of Ethernet
    lookup.py    addresses of hosts by name, without waiting
    local.py     terminals, programs, network devices, inherited descriptors are opened
    opening.py   all devices are opened: a word becomes a link
    election.py  which of several processes serves a name
    protocols.py the protocol field of PPP, put on and taken off once
    lcp.py       both ends agree that the link is up (RFC 1661)
    phases.py    the phases of a link
    levels.py    levels of the log
    netdev.py    flags, MTU and carrier of a network device
    runner.py    a network device served by one session
    takeover.py  a served network device goes to another process, with its links
    election.py, handover.py, spec.py
                 how such things are found, given, taken and laid out
    record.py    what show physical tells
    session.py   a link over the first device that opens, and again when it is lost
    bundle/      packets over several links at once, in their order at the other end
"""
