"""Devices whose names are not UTF-8: Python binds packet sockets only to names that are."""

from __future__ import annotations

import ctypes
from _socket import AF_PACKET, htons, if_nametoindex
from _struct import pack


def bind(file: int, name: str, protocol: int) -> None:
    """bind(2) of a packet socket, with struct sockaddr_ll of linux/if_packet.h. Raises OSError."""
    place = pack("=HHiHBB8x", AF_PACKET, htons(protocol), if_nametoindex(name), 0, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.bind(file, place, len(place)):
        code = ctypes.get_errno()
        raise OSError(code, "bind")
