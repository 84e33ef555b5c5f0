"""What a station has learnt: its neighbour table, and every MAC that was ever in it."""

from __future__ import annotations

import socket
import struct

from command import ip_json
from support import Namespace

RTMGRP_NEIGH = 0x4
RTM_NEWNEIGH = 28
NDA_DST, NDA_LLADDR = 1, 2
NDMSG = 12


def table(namespace: Namespace) -> dict[str, str]:
    """Address -> MAC, as ``ip neigh`` shows it now."""
    return {
        entry["dst"]: entry["lladdr"] for entry in ip_json(namespace, "neigh") if "lladdr" in entry
    }


class Watch:
    """Listens to the kernel's announcements of neighbours (rtnetlink(7))."""

    def __init__(self, namespace: Namespace) -> None:
        with namespace:
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind((0, RTMGRP_NEIGH))
        self.socket.setblocking(False)
        self.seen: dict[str, set[str]] = {}

    def close(self) -> None:
        """Listen no more."""
        self.socket.close()

    def learnt(self, address: str) -> set[str]:
        """Every MAC that *address* has had since the watch began."""
        while True:
            try:
                data = self.socket.recv(65536)
            except BlockingIOError:
                return self.seen.get(address, set())
            at = 0
            while at + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind == RTM_NEWNEIGH:
                    self._take(data[at + 16 : at + length])
                at += (length + 3) & ~3

    def _take(self, message: bytes) -> None:
        found: dict[int, bytes] = {}
        at = NDMSG
        while at + 4 <= len(message):
            length, kind = struct.unpack_from("=HH", message, at)
            found[kind] = message[at + 4 : at + length]
            at += (length + 3) & ~3
        if NDA_DST in found and NDA_LLADDR in found:
            family = message[0]
            address = socket.inet_ntop(family, found[NDA_DST])
            self.seen.setdefault(address, set()).add(found[NDA_LLADDR].hex(":"))
