"""Tunnels: packets of a TUN device, carried to another machine by datagrams of one process.

``Tun`` (tun.py) is the device, a ``Carriage`` (carriage.py) the way to the other end, and a
``Relay`` (relay.py) moves packets between the two. ``Counters`` (counters.py) outlive the process.
The packages above open device and carriage and hand their descriptors to the process that relays.
"""
