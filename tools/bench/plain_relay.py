"""A relay as one writes it first: a TUN and a UDP socket, one packet after another.

plain_relay.py TUN SOCKET: two descriptors; the device has the header of virtio and no offload.
"""

from __future__ import annotations

import os
import select
import socket
import sys

HEADER = bytes(10)
SOL_UDP, UDP_GRO = 17, 104


def main() -> None:
    """Relay until it is killed."""
    device, wire = int(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    wire.setsockopt(SOL_UDP, UDP_GRO, 0)
    wire.setblocking(False)
    poll = select.poll()
    poll.register(device, select.POLLIN)
    poll.register(wire, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            try:
                if fd == device:
                    while True:
                        wire.send(os.read(device, 65545)[10:])
                else:
                    while True:
                        os.writev(device, (HEADER, wire.recv(65535)))
            except OSError:
                pass


if __name__ == "__main__":
    main()
